package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

const dockerUsage = `usage:
  go run ./internal/bench docker [--json|--table] [--check] [--logs FILE]
`

// dockerOptions are what the command line of docker asks for.
type dockerOptions struct {
	json, table, check bool
	logs               string // a file, empty: nowhere
}

func parseDockerOptions(args []string, w io.Writer) (o dockerOptions, err error) {
	f := flag.NewFlagSet("docker", flag.ContinueOnError)
	f.SetOutput(w)
	f.Usage = func() { fmt.Fprint(w, dockerUsage); f.PrintDefaults() }
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVar(&o.table, "table", false, "print the table of deploy/docs/measured.md")
	f.BoolVar(&o.check, "check", false, "fail if a step costs requests that it must not cost, or a key can be read off Docker")
	f.StringVar(&o.logs, "logs", "", "`file` for what all containers said")
	if err = f.Parse(args); err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q is too much", f.Args())
		fmt.Fprintln(w, err)
	}
	return o, err
}

// dockerEvery is the client's interval: each request comes from the container that plays it
// as one line of a report, and a run takes more than a minute.
const dockerEvery = 4 * time.Millisecond

// A dockerStep is something that happens to the site of deploy/docker/compose.yaml.
type dockerStep struct {
	name string
	does string
	free bool // planned: it may cost no request
	most time.Duration
}

// The steps, in their order. most is the longest outage that --check lets pass: what is
// promised, and room for a busy machine.
var dockerSteps = []dockerStep{
	{name: "scale-up", does: "`--scale web=5`, from one", free: true},
	{name: "scale-down", does: "`--scale web=2`", free: true},
	{name: "app-kill", does: "`docker kill` of an app"},
	{name: "lb-stop", does: "`docker stop` of the active balancer", free: true},
	{name: "lb-start", does: "`docker start` of it", free: true},
	{name: "lb-kill", does: "`docker kill` of the active balancer", most: 2 * time.Second},
	{name: "lb-kill-start", does: "`docker start` of it", free: true},
	{name: "lb-pause", does: "`docker pause` of the active balancer for 3 s, and `docker unpause`", most: 2 * time.Second},
	{name: "lb-disconnect", does: "`docker network disconnect` of the active balancer", most: 2 * time.Second},
	{name: "lb-connect", does: "`docker network connect` of it", most: 2 * time.Second},
	{name: "apps-kill", does: "`docker kill` of all apps, with `tandem watch pool-below-minimum -- scale.sh` on the host: two run again"},
}

// A DockerReport is the result of a run of docker, and the form of its --json.
type DockerReport struct {
	Report
	Engine     string         `json:"engine"`  // Docker Engine's version
	Compose    string         `json:"compose"` // what drove it
	ImageBytes int64          `json:"image_bytes"`
	JoinMS     []float64      `json:"join_ms"` // of the apps of scale-up: from the container's start to its first answer
	Steps      []DockerResult `json:"steps"`
	Secrets    []string       `json:"secrets_seen"` // where a key was found; none may be
}

// A DockerResult is what a step did to the client.
type DockerResult struct {
	Step     string         `json:"step"`
	Requests int            `json:"requests"`
	Failed   int            `json:"failed"`
	Kinds    map[string]int `json:"kinds"`
	OutageMS float64        `json:"outage_ms"`
	SlowMS   float64        `json:"slowest_ms"` // of the good answers
}

// dockerResult reads a step's figures off the client's record.
func dockerResult(step string, reqs []client.Request, w client.Window, settled time.Duration) DockerResult {
	t := client.Count(reqs, w)
	r := DockerResult{
		Step: step, Requests: t.Requests, Failed: t.Failed, Kinds: map[string]int{},
		OutageMS: millis(client.Outage(reqs, w, settled).Length()), SlowMS: millis(t.Slowest),
	}
	for k, n := range t.Kinds {
		r.Kinds[string(k)] = n
	}
	return r
}

// broken lists the promises that a run did not keep.
func (r DockerReport) broken() (out []string) {
	for _, x := range r.Steps {
		step := dockerSteps[slices.IndexFunc(dockerSteps, func(s dockerStep) bool { return s.name == x.Step })]
		if step.free && x.Failed > 0 {
			out = append(out, fmt.Sprintf("%s cost %d of %d requests (%s); want none", x.Step, x.Failed, x.Requests, kindsText(x.Kinds)))
		}
		if outage := time.Duration(x.OutageMS * float64(time.Millisecond)); step.most > 0 && outage > step.most {
			out = append(out, fmt.Sprintf("%s cost an outage of %v; want %v at most", x.Step, outage.Round(time.Millisecond), step.most))
		}
	}
	for _, where := range r.Secrets {
		out = append(out, "a key can be read in "+where)
	}
	if len(r.JoinMS) == 0 {
		out = append(out, "no app of scale-up was seen to join")
	}
	return out
}

func kindsText(kinds map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, fmt.Sprintf("%d %s", kinds[k], k))
	}
	return strings.Join(parts, ", ")
}

func (x DockerResult) cells() []string {
	return []string{
		fmt.Sprintf("%.0f", x.OutageMS), strings.TrimSpace(fmt.Sprintf("%d of %d %s", x.Failed, x.Requests, kindsText(x.Kinds))),
		fmt.Sprintf("%.0f", x.SlowMS),
	}
}

// write prints the report as a table for people.
func (r DockerReport) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "step\toutage ms\tfailed\tslowest ms\twhat")
	for i, x := range r.Steps {
		fmt.Fprintf(t, "%s\t%s\t%s\n", x.Step, strings.Join(x.cells(), "\t"), dockerSteps[i].does)
	}
	return errors.Join(t.Flush(), r.writeSum(w, ""))
}

func (r DockerReport) writeSum(w io.Writer, lead string) error {
	s := spreadOf(r.JoinMS)
	_, err := fmt.Fprintf(w, "%simage %.1f MB; app's container started → its first answer: %.0f / %.0f / %.0f ms (min / median / max, n=%d); Docker Engine %s, %s\n",
		lead, float64(r.ImageBytes)/1e6, s.Min, s.Median, s.Max, len(r.JoinMS), r.Engine, r.Compose)
	return err
}

// writeMarkdown prints it as it stands in deploy/docs/measured.md.
func (r DockerReport) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Commit %s, %s, %s, Linux %s, %d × %s; load averages at the end %s.\n\n    %s\n\n", r.Commit,
		r.Began.Format(time.DateOnly), r.Go, r.Kernel, r.CPUs, r.CPU, r.Load, r.Command)
	b.WriteString("| step | outage ms | failed of requests | slowest good answer, ms |\n|---|---|---|---|\n")
	for i, x := range r.Steps {
		fmt.Fprintf(&b, "| **%s**: %s | %s |\n", x.Step, dockerSteps[i].does, strings.Join(x.cells(), " | "))
	}
	if _, err := io.WriteString(w, b.String()+"\n"); err != nil {
		return err
	}
	return r.writeSum(w, "Measured with it: ")
}
