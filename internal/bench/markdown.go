package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// writeMarkdown prints the report as it stands in deploy/docs/measured.md, so that no
// figure is copied by hand.
func (r Report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	user := "as root"
	if !r.Root {
		user = "as an ordinary user"
	}
	fmt.Fprintf(&b, "Commit %s, %s, %s, Linux %s, %d × %s, %s", r.Commit, r.Began.Format(time.DateOnly), r.Go, r.Kernel, r.CPUs, r.CPU, user)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, ", %s %s", name, r.Versions[name])
	}
	fmt.Fprintf(&b, "; %.0f min, load averages at the end %s.\n\n    %s\n\n", r.Took/60, r.Load, r.Command)
	b.WriteString("| fault | stack | n | outage ms: min / median / p95 / max | on return ms: median / max | failed of requests " +
		"| two owners ms: median / max | nobody ms: median / max | wrong cache ms: median / max |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	last := ""
	for _, x := range r.Results {
		fault := ""
		if x.Fault != last {
			h, _ := harmOf(x.Fault)
			fault = fmt.Sprintf("**%s**: %s", x.Fault, h.does)
		}
		last = x.Fault
		fmt.Fprintf(&b, "| %s | %s | %d%s |%s\n", fault, x.Stack, x.N, x.flaws(), x.markdownCells())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// flaws says what the numbers of a row do not: repetitions that are not among them, or that
// did not end well.
func (r Result) flaws() string {
	out := ""
	if r.Broken > 0 {
		out += fmt.Sprintf(" (%d not carried out)", r.Broken)
	}
	if r.Uncalm > 0 {
		out += fmt.Sprintf(" (%d not calm after %.0f s)", r.Uncalm, settleMax.Seconds())
	}
	return out
}

func (r Result) markdownCells() string {
	if r.N == 0 {
		return strings.Repeat(" – |", 6)
	}
	two := func(s Spread) string { return fmt.Sprintf(" %.0f / %.0f |", s.Median, s.Max) }
	return fmt.Sprintf(" %.0f / %.0f / %.0f / %.0f |", r.OutageMS.Min, r.OutageMS.Median, r.OutageMS.P95, r.OutageMS.Max) +
		two(r.ReturnMS) + fmt.Sprintf(" %d of %d |", r.Failed, r.Requests) + two(r.TwoMS) + two(r.NoneMS) + two(r.WrongMS)
}

// printTables prints the tables of saved reports.
func printTables(files []string, w io.Writer) error {
	if len(files) == 0 {
		return errors.New("table of what? name files that failover --json has written")
	}
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var r Report
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s is not what failover --json writes: %w", file, err)
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := r.writeMarkdown(w); err != nil {
			return err
		}
	}
	return nil
}
