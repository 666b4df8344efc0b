package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// testedVar brings what was measured by go test, outside the lab, into it.
const testedVar = "TANDEM_BENCH_TESTED"

// tested is what go test measures.
type tested struct {
	Fake  *FakeCrowd
	Costs []Cost
}

// membershipMain is the command membership.
func membershipMain(args []string) int {
	return inLab(args, parseMembershipOptions, membershipReady, crowds)
}

func membershipReady(o membershipOptions) (string, error) {
	if err := lab.Preflight(); err != nil {
		return "", err
	}
	return prepareThen(o.tandem, func(string) error { return testOutside(o) })
}

// crowds measures what was asked for, and prints the report, also of a run that was interrupted.
func crowds(ctx context.Context, o membershipOptions, out, errOut io.Writer) error {
	began := time.Now()
	r := CrowdReport{Report: Report{Began: began.UTC(), Results: []Result{}}, Crowds: []Crowd{}}
	for range o.n {
		if o.has("agents") && ctx.Err() == nil {
			c := crowdOf(ctx, o, errOut)
			if c.Error != "" {
				fmt.Fprintln(errOut, c.Error)
			}
			r.Crowds = append(r.Crowds, c)
		}
		if o.has("pool") && ctx.Err() == nil {
			for _, p := range poolCases {
				p = poolCost(ctx, p)
				fmt.Fprintf(errOut, "%+v\n", p)
				r.Pools = append(r.Pools, p)
			}
		}
	}
	var t tested
	if err := json.Unmarshal([]byte(os.Getenv(testedVar)), &t); err != nil {
		return err
	}
	r.Fake, r.Costs = t.Fake, t.Costs
	r.about(options{tandem: o.tandem}, nil)
	r.Took, r.Load = time.Since(began).Seconds(), loadAverages()
	write := r.writeMarkdown
	if o.json {
		write = func(w io.Writer) error { return writeJSON(w, r) }
	}
	return errors.Join(ctx.Err(), write(out))
}

// testOutside runs what go test measures, before the lab is entered.
func testOutside(o membershipOptions) error {
	var t tested
	if o.has("fake") {
		text, err := goTest("./membership", "-run", "^TestAThousandMembersJoinAtOnce$", "-v", "-args", "-long")
		if err != nil {
			return err
		}
		_, line, found := strings.Cut(text, fakeMark)
		if !found {
			return fmt.Errorf("%w in fake time: %s", errSilent, text)
		}
		line, _, _ = strings.Cut(line, "\n")
		if err := json.Unmarshal([]byte(line), &t.Fake); err != nil {
			return err
		}
	}
	if o.has("pool") {
		text, err := goTest("./lbcore", "-run", "^$", "-bench", "^Benchmark(PoolSet|Pick)$", "-benchtime", "300ms")
		if err != nil {
			return err
		}
		t.Costs = costsIn(text)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.Setenv(testedVar, string(text))
}

// fakeMark stands before the result in the test's output.
const fakeMark = "measured in fake time: "

func goTest(args ...string) (string, error) {
	c := exec.Command("go", append([]string{"test", "-count=1"}, args...)...)
	text, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go test %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return string(text), nil
}
