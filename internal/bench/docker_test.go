package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

func TestARunOfDockerKnowsWhichPromisesItSawBroken(t *testing.T) {
	whole := func() (r DockerReport) {
		for _, s := range dockerSteps {
			r.Steps = append(r.Steps, DockerResult{Step: s.name, Requests: 100})
		}
		r.JoinMS = []float64{100}
		return r
	}
	at := func(step string) int {
		return slices.IndexFunc(dockerSteps, func(s dockerStep) bool { return s.name == step })
	}
	for name, tc := range map[string]struct {
		harm func(r *DockerReport)
		want string // empty: nothing is broken
	}{
		"all is well":                   {func(*DockerReport) {}, ""},
		"a crash costs requests":        {func(r *DockerReport) { r.Steps[at("lb-kill")].Failed = 9 }, ""},
		"a planned stop costs one":      {func(r *DockerReport) { r.Steps[at("lb-stop")].Failed = 1 }, "lb-stop cost 1 of 100"},
		"a crash costs too much time":   {func(r *DockerReport) { r.Steps[at("lb-kill")].OutageMS = 2001 }, "lb-kill cost an outage of 2.001s"},
		"a key is in the image":         {func(r *DockerReport) { r.Secrets = []string{"x in docker history"} }, "a key can be read in x"},
		"nobody saw an app that joined": {func(r *DockerReport) { r.JoinMS = nil }, "no app"},
	} {
		r := whole()
		tc.harm(&r)
		got := strings.Join(r.broken(), "; ")
		if (got == "") != (tc.want == "") || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestAStepOfDockerHasWhatTheClientSawInItsTime(t *testing.T) {
	ms := time.Millisecond
	reqs := []client.Request{
		{Due: 0, End: 1 * ms, Code: 200},
		{Due: 4 * ms, End: 5 * ms, Code: 200},
		{Due: 8 * ms, End: 58 * ms, Fail: client.Timeout},
		{Due: 60 * ms, End: 65 * ms, Code: 200},
	}
	r := dockerResult("lb-kill", reqs, client.Window{From: 3 * ms, To: 60 * ms}, 65*ms)
	if r.Requests != 2 || r.Failed != 1 || r.Kinds["timeout"] != 1 || r.OutageMS != 60 {
		t.Errorf("got %+v, want one of two failed by a timeout, and 60 ms between good answers", r)
	}
}
