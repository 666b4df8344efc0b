package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/importer"
)

// maxImport bounds a file to import, in bytes.
const maxImport = 1 << 20

func newImport() *cobra.Command {
	var (
		node   string
		asJSON bool
		all    bool
	)
	cmd := &cobra.Command{
		Use:     "import FILE…",
		Short:   "turn haproxy.cfg and keepalived.conf into a configuration",
		GroupID: groupSetup,
		Args:    cobra.MinimumNArgs(1),
		Long: `Read haproxy.cfg and keepalived.conf, one of them or both, and write a configuration
that means the same, as far as there is the same: to standard output, so that it can go
into a file. It always passes 'tandem check'. What became of each line stands in the
report on standard error: changed (it means something a little else now) and left (it
is not there, and why); with --all also what was taken.

Read the report before you use what was written, and compare with 'tandem check' and
'tandem doctor'. The exit code is 1 where a line that refuses requests could not be taken
over: what was written lets in more then. The key files are still to be made: tandem keygen.`,
		Example: `  tandem import /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf > tandem.toml
  tandem import --node lb1 keepalived.conf`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var sources []importer.Source
			for _, name := range args {
				data, err := readBounded(name)
				if err != nil {
					return err
				}
				sources = append(sources, importer.Source{Name: name, Data: data})
			}
			r, err := importer.Import(sources, node, readBounded)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), r); err != nil {
					return err
				}
				return letIn(r.Report)
			}
			if _, err := io.WriteString(cmd.OutOrStdout(), r.TOML); err != nil {
				return err
			}
			if err := printImport(cmd.ErrOrStderr(), r.Report, all); err != nil {
				return err
			}
			return letIn(r.Report)
		},
	}
	cmd.Flags().StringVar(&node, "node", "", "name of the balancer that keepalived.conf is from, for its priority")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print configuration and report as JSON")
	cmd.Flags().BoolVar(&all, "all", false, "report what was taken, too")
	return cmd
}

// letIn is the error that keeps a script from using a configuration that refuses less than its sources.
func letIn(report []importer.Item) error {
	var places []string
	for _, i := range report {
		if i.LetsIn {
			places = append(places, fmt.Sprintf("%s:%d", i.File, i.Line))
		}
	}
	if len(places) == 0 {
		return nil
	}
	return fmt.Errorf("what was written lets requests in that %s refused: see the report, and refuse them by allow, deny or rules of the frontend before you use it", strings.Join(places, ", "))
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err == nil && len(data) > maxImport {
		err = fmt.Errorf("%s is larger than %d bytes; is it the right file?", name, maxImport)
	}
	return data, err
}

func printImport(w io.Writer, report []importer.Item, all bool) error {
	counts := map[string]int{}
	for _, i := range report {
		counts[i.Became]++
		if i.Became == importer.Taken && !all {
			continue
		}
		if i.Line > 0 {
			fmt.Fprintf(w, "%s:%d: %s: %s\n", i.File, i.Line, i.Became, i.Text)
		} else {
			fmt.Fprintf(w, "%s:\n", i.Became)
		}
		if i.Note != "" {
			fmt.Fprintf(w, "    %s\n", i.Note)
		}
	}
	_, err := fmt.Fprintf(w, "%d lines taken, %d changed, %d left\n", counts[importer.Taken], counts[importer.Changed], counts[importer.Left])
	return err
}
