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
	b.WriteString(r.heading())
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

// heading says what was measured, where, how and when.
func (r Report) heading() string {
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
	return b.String()
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
		return errors.New("table of what? name files that failover, overload, handover, apps or membership has written with --json")
	}
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		print, err := saved(text)
		if err != nil {
			return fmt.Errorf("%s is not what --json writes: %w", file, err)
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := print(w); err != nil {
			return err
		}
	}
	return nil
}

// saved reads a report of either command, and returns what prints it.
func saved(text []byte) (print func(io.Writer) error, err error) {
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		var list []Overload
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, errors.New("the list is empty")
		}
		return func(w io.Writer) error { return writeOverloads(w, list) }, nil
	}
	var h HandoverReport
	if err := json.Unmarshal(text, &h); err == nil && h.Handovers != nil {
		return h.writeMarkdown, nil
	}
	var a AppReport
	if err := json.Unmarshal(text, &a); err == nil && a.Apps != nil {
		return a.writeMarkdown, nil
	}
	var c CrowdReport
	if err := json.Unmarshal(text, &c); err == nil && c.Crowds != nil {
		return c.writeMarkdown, nil
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	if r.Began.IsZero() {
		return nil, errors.New("it does not say when it was made")
	}
	return r.writeMarkdown, nil
}

// writeOverloads prints the table of overload as it stands in measured.md.
func writeOverloads(w io.Writer, list []Overload) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s, %s, Linux %s, %d processors.\n\n    %s\n\n", list[0].Commit, list[0].Began.Format(time.DateOnly), list[0].Kernel, list[0].CPUs, list[0].Command)
	b.WriteString("| stack | minutes | busy loops | quota | takeovers | claims | worst advert lateness ms | nobody ms | failed of requests |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	for _, x := range list {
		quota := "none"
		if x.Quota > 0 {
			quota = fmt.Sprint(x.Quota)
		}
		fmt.Fprintf(&b, "| %s | %.3g | %d | %s | %d | %s | %s | %.0f | %d of %d |\n", x.Stack, x.Minutes, x.Loops, quota, x.Takeovers,
			told(float64(x.Claims)), told(x.WorstMS), x.NoneMS, x.Failed, x.Requests)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// told shows a number that only some stacks tell.
func told(n float64) string {
	if n < 0 {
		return "–"
	}
	return fmt.Sprintf("%.4g", n)
}
