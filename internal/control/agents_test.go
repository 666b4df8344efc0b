package control

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/ipc"
	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

func TestADrainedAgentIsToldWhatIsUnderWayOnAllProxies(t *testing.T) {
	told := func(backends ...ipc.Backend) *ipc.Pools {
		return &ipc.Pools{Pools: []ipc.PoolBackends{{Name: "web", Backends: backends}}}
	}
	reported := func(backends ...ipc.BackendState) *ipc.ProxyState {
		return &ipc.ProxyState{Pools: []ipc.PoolState{{Name: "web", Backends: backends}}}
	}
	drains, serves := ipc.Backend{ID: "s1", Drain: true}, ipc.Backend{ID: "s1"}
	up, busy, done := ipc.BackendState{ID: "s1", State: "up"}, ipc.BackendState{ID: "s1", State: "drain", Current: 3}, ipc.BackendState{ID: "s1", State: "drain"}
	other := ipc.BackendState{ID: "s2", State: "up", Current: 7}
	for name, tc := range map[string]struct {
		proxies []proxyView
		want    talk.InFlight
	}{
		"no proxy":                   {nil, talk.InFlight{Accepting: true}},
		"a new proxy":                {[]proxyView{{nil, reported()}, {told(drains), reported(done)}}, talk.InFlight{Accepting: true}},
		"gossip has not come":        {[]proxyView{{told(serves), reported(up)}}, talk.InFlight{Accepting: true}},
		"the proxy has not answered": {[]proxyView{{told(drains), reported(up, other)}}, talk.InFlight{Accepting: true}},
		"under way":                  {[]proxyView{{told(drains), reported(busy, other)}}, talk.InFlight{Requests: 3}},
		"under way on an old proxy":  {[]proxyView{{told(drains), reported(busy)}, {told(drains), reported(done)}}, talk.InFlight{Requests: 3}},
		"nothing under way":          {[]proxyView{{told(drains), reported(done, other)}}, talk.InFlight{}},
		"not taken into the pool":    {[]proxyView{{told(), reported(other)}}, talk.InFlight{}},
		"several apps": {[]proxyView{{
			told(ipc.Backend{ID: "s1:1", Drain: true}, ipc.Backend{ID: "s1:2", Drain: true}),
			reported(ipc.BackendState{ID: "s1:1", State: "drain", Current: 1}, ipc.BackendState{ID: "s1:2", State: "down", Current: 1}),
		}}, talk.InFlight{Requests: 2}},
	} {
		if diff := cmp.Diff(tc.want, inFlight("s1", tc.proxies)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// oneAgent answers for the member web1.
type oneAgent func(talk.LogQuestion) ([]byte, error)

func (o oneAgent) Ask(_ context.Context, name string, b []byte) ([]byte, error) {
	q, err := talk.ParseQuestion(b)
	if name != "web1" || err != nil || q.Log == nil {
		return nil, fmt.Errorf("%w: %s", membership.ErrUnknownMember, name)
	}
	return o(*q.Log)
}

func TestALogIsAskedForAndPassedOn(t *testing.T) {
	agent := oneAgent(func(q talk.LogQuestion) ([]byte, error) {
		if q.Process == "secret" {
			return nil, errors.New("its log is not told")
		}
		return talk.Log{Run: q.Run, Next: q.After + 1, Lost: 4, More: true, Lines: []talk.Line{{Seq: q.After + 1, Process: q.Process, Text: fmt.Sprint(q.Last)}}}.Fit()
	})
	by := identity{node: "lb1"}
	got, err := askLog(t.Context(), agent, by, api.LogQuery{Node: "web1", Run: "r", After: 8, Last: 5, Process: "app"})
	want := api.LogPage{Node: "web1", Run: "r", Next: 9, Lost: 4, More: true, Lines: []api.LogLine{{Seq: 9, Process: "app", Text: "5"}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	var e *api.Error
	if _, err := askLog(t.Context(), agent, by, api.LogQuery{Node: "web2"}); !errors.As(err, &e) || !strings.Contains(e.Remedy, "tandem members") {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := askLog(t.Context(), agent, by, api.LogQuery{Node: "web1", Process: "secret"}); err == nil || err.Error() != "its log is not told" {
		t.Errorf("refused: %v", err)
	}
}

func TestAnAgentThatWantsAProofIsGivenOne(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	agent := oneAgent(func(q talk.LogQuestion) ([]byte, error) {
		if string(q.Challenge) != "prove it" || !q.Proven([]ed25519.PublicKey{public}, "lb1", "web1") {
			return talk.Encode(talk.Log{Challenge: []byte("prove it")})
		}
		return talk.Log{Run: "r", Next: q.After + 1}.Fit()
	})
	_, wrong, _ := ed25519.GenerateKey(nil)
	q := api.LogQuery{Node: "web1", After: 3}
	if got, err := askLog(t.Context(), agent, identity{"lb1", private}, q); err != nil || got.Next != 4 {
		t.Errorf("with the key: %+v, %v", got, err)
	}
	for by, want := range map[string]error{"none": errNoProof, "wrong": errBadProof, "another node": errBadProof} {
		asker := map[string]identity{"none": {node: "lb1"}, "wrong": {"lb1", wrong}, "another node": {"lb2", private}}[by]
		if _, err := askLog(t.Context(), agent, asker, q); !errors.Is(err, want) {
			t.Errorf("with the key %s: %v", by, err)
		}
	}
}
