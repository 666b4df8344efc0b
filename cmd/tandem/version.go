package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// linked is set by the linker where a package is built without the repository:
// -ldflags '-X main.linked=v1.2.3'. Elsewhere Go itself stamps the version, off the commit.
var linked string

// version is what this binary calls itself, on the command line and to other members.
var version = readBuild().Version

// A build is all that a binary knows of its own making, and the form of 'tandem version --json'.
type build struct {
	Version    string    `json:"version"`              // the tag, or Go's pseudo-version of the commit; "dev" if nobody knows
	Commit     string    `json:"commit,omitempty"`     // empty where it was built without the repository
	CommitDate time.Time `json:"commit_date,omitzero"` // UTC
	Modified   bool      `json:"modified"`             // the files differed from the commit's
	Go         string    `json:"go"`                   // of the compiler
	Platform   string    `json:"platform"`             // GOOS/GOARCH
	Modules    []module  `json:"modules"`              // linked in, in order of their paths
}

type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum
}

func readBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	return buildOf(info)
}

// buildOf reads what the compiler has stamped.
func buildOf(info *debug.BuildInfo) build {
	b := build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: []module{}}
	if v := info.Main.Version; v != "(devel)" {
		b.Version = v
	}
	b.Version = cmp.Or(linked, b.Version, "dev")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339Nano, s.Value); err == nil {
				b.CommitDate = at.UTC()
			}
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		b.Modules = append(b.Modules, module{d.Path, d.Version, d.Sum})
	}
	return b
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "print the version, and all that is known of this binary",
		GroupID: groupSetup,
		Args:    cobra.NoArgs,
		Long: `Print the version, the commit that this binary was built from and its date, Go's
version, the platform, and the modules linked in. It reads what the compiler has
stamped; a binary that was built without the repository knows no commit.`,
		Example: "  tandem version\n  tandem version --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := readBuild()
			if asJSON {
				return printJSON(cmd.OutOrStdout(), b)
			}
			return b.write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// write prints it for people.
func (b build) write(w io.Writer) error {
	commit := cmp.Or(b.Commit, "unknown: built without the repository")
	if !b.CommitDate.IsZero() {
		commit += " of " + b.CommitDate.Format(time.DateTime) + " UTC"
	}
	if b.Modified {
		commit += ", and changes that are in no commit"
	}
	_, err := fmt.Fprintf(w, "tandem %s\n\ncommit    %s\ngo        %s\nplatform  %s\n", b.Version, commit, b.Go, b.Platform)
	for i, m := range b.Modules {
		head := ""
		if i == 0 {
			head = "modules"
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "%-8s  %s %s\n", head, m.Path, m.Version)
		}
	}
	return err
}
