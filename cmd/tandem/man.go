package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan is for those who make packages: nobody else needs the pages as files.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIRECTORY",
		Short:   "write the manual pages of all commands into a directory",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		Example: "  tandem man debian/man",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			date, err := manDate()
			if err != nil {
				return err
			}
			root := cmd.Root()
			eachCommand(root, func(c *cobra.Command) { c.DisableAutoGenTag = true }) // it would hold the date of the build
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Tandem " + version, Manual: "Tandem", Date: &date}, args[0])
		},
	}
}

// manDate is that of the source where whoever builds says so, so that builds can be repeated.
func manDate() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now(), nil
	}
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w; it is seconds since 1970", err)
	}
	return time.Unix(n, 0).UTC(), nil
}
