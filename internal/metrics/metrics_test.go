package metrics

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tandem-lb/tandem/internal/api"
)

var update = flag.Bool("update", false, "write deploy/docs/metrics.md anew; read the difference before you commit it")

var (
	deploy = filepath.Join("..", "..", "deploy")
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// Ten requests: four below 0.2 ms, five between that and 0.5 ms, and one that took longer than any bound.
var (
	bounds = []time.Duration{200 * time.Microsecond, 300 * time.Microsecond, 400 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, time.Second, time.Minute}
	took   = api.Histogram{Counts: []uint64{4, 0, 0, 5, 0, 0, 0, 1}, Sum: time.Minute}
)

// full is a status in which every metric has a series.
func full() api.Status {
	return api.Status{
		Node: "lb1", Version: "1.0", At: noon, Since: noon.Add(-time.Hour), AdvertInterval: 20 * time.Millisecond,
		KeeperAge: 100 * time.Millisecond, ProxyAge: 200 * time.Millisecond, Sessions: 1, Channels: 1, Authenticated: true,
		Adverts: api.Adverts{Sent: 5, Heard: 4, Refused: map[string]uint64{"advert cut short": 3}},
		Groups: []api.Group{{
			Name: "default", VIPs: []netip.Addr{netip.MustParseAddr("192.168.42.42")}, State: "active", Since: noon.Add(-time.Minute),
			Epoch: 7, LeaseUntil: noon.Add(time.Minute), Answers: api.Answers{IPv4: "keeper", IPv6: "none"},
			Peers:       []api.Peer{{Node: "lb2", State: "backup", HeardAgo: 10 * time.Millisecond}},
			SelfTests:   []api.SelfTest{{Peer: "lb2", Lossless: true}},
			Transitions: map[string]map[string]uint64{"backup": {"started": 1}, "active": {"no-active": 1}},
		}},
		Processes: []api.Process{
			{Name: "keeper", Ready: true},
			{Name: "control", Ready: true},
			{Name: "proxy", Ready: true, Doing: "serving"},
			{Name: "proxy", Doing: "draining", Clients: 3},
		},
		Frontends: []api.Frontend{{
			Name: "http", Requests: 9, Status: map[string]uint64{"2xx": 9}, Errors: map[string]uint64{"no_backend": 1}, Latency: took, Rules: []api.Rule{{Name: "api", Requests: 3}}, TLS: &api.TLS{Handshakes: 1, Failed: map[string]uint64{"gone": 1}},
			HTTP2: &api.HTTP2{Connections: 1, Resets: map[string]uint64{"client": 1}, GoAways: map[string]uint64{"leaving": 1}},
		}},
		LatencyBounds: bounds,
		Hooks:         []api.Hook{{Name: "notify", Runs: 3, Failed: 1}},
		Templates:     []api.Template{{Target: "/etc/haproxy/haproxy.cfg", Changed: 3, Failed: 1, LastErr: "exit status 1"}},
		Config:        api.Config{Hash: "0123456789abcdef", Others: []string{"lb2"}, Since: noon.Add(-time.Minute), Loaded: 4, Refused: 1},
		Pools: []api.Pool{{Name: "web", Latency: took, Queue: map[string]uint64{"full": 1}, Sticky: map[string]uint64{"kept": 1}, Status: map[string]uint64{"2xx": 9}, Backends: []api.Backend{
			{ID: "web1", State: "up", CheckedAt: noon.Add(-time.Second), Status: map[string]uint64{"2xx": 9}, ErrorsBy: map[string]uint64{"died": 1}},
			{ID: "web2", State: "down"},
		}}},
		Members: []api.Member{{Name: "lb1", Role: "balancer", State: "alive"}},
		Gossip:  api.Gossip{Ignored: map[string]uint64{"bad_meta": 0}},
	}
}

func registry(t *testing.T, s api.Status) *prometheus.Registry {
	t.Helper()
	r, err := NewRegistry(func() api.Status { return s })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEveryMetricOfTheListIsThereAndOfGoodForm(t *testing.T) {
	r := registry(t, full())
	got, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var have, want, all []string
	for _, f := range got {
		have = append(have, f.GetName())
	}
	for _, f := range families() {
		want = append(want, f.name)
		all = append(all, f.labels...)
	}
	for _, l := range latencies {
		want = append(want, l.name)
		all = append(all, l.labels...)
	}
	for _, l := range all {
		if !slices.Contains([]string{
			"version", "process", "group", "state", "reason", "family", "peer", "known", "result", "role", "frontend", "class", "pool", "backend", "hook", "target", "rule",
		}, l) {
			t.Errorf("the label %s is none of those whose values are known to be few", l)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("families (-table +registry):\n%s", diff)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
}

func TestTheDocumentListsTheMetrics(t *testing.T) {
	path := filepath.Join(deploy, "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(path, []byte(Document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), Document()); diff != "" {
		t.Errorf("%s is not what the table says; write it anew with -update (-file +table):\n%s", path, diff)
	}
}

// series returns those of one metric, as "label=value …" → value.
func series(t *testing.T, s api.Status, name string) map[string]float64 {
	t.Helper()
	got, err := registry(t, s).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range got {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var words []string
			for _, l := range m.GetLabel() {
				words = append(words, l.GetName()+"="+l.GetValue())
			}
			out[strings.Join(words, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func TestANodeWhoseKeeperIsSilentIsNotActiveForEver(t *testing.T) {
	s := full()
	const active, lost = "group=default state=active", "group=default state=unknown"
	if got := series(t, s, "tandem_vip_state"); got[active] != 1 || got[lost] != 0 {
		t.Errorf("while the keeper reports: %v", got)
	}
	s.KeeperAge = StaleAfter + time.Millisecond
	if got := series(t, s, "tandem_vip_state"); got[active] != 0 || got[lost] != 1 {
		t.Errorf("when the keeper is silent: %v", got)
	}
	if got := series(t, s, "tandem_peer_state"); got["group=default peer=lb2 state=backup"] != 0 || got["group=default peer=lb2 state=unknown"] != 1 {
		t.Errorf("and the peer is: %v", got)
	}
	if got := series(t, s, "tandem_report_age_seconds")["process=keeper"]; got <= 3 {
		t.Errorf("the report's age is %v s", got)
	}
}

func TestAPeerThatIsSilentIsUnknown(t *testing.T) {
	s := full()
	s.Groups[0].Peers[0].HeardAgo = time.Minute
	if got := series(t, s, "tandem_peer_state"); got["group=default peer=lb2 state=unknown"] != 1 || got["group=default peer=lb2 state=backup"] != 0 {
		t.Errorf("the peer is: %v", got)
	}
}

func TestBackendsBeyondTheBoundHaveNoSeriesAndAreCounted(t *testing.T) {
	s := full()
	for i := range MaxBackends + 5 {
		s.Pools[0].Backends = append(s.Pools[0].Backends, api.Backend{ID: fmt.Sprint("b", i), State: "up"})
	}
	if got := len(series(t, s, "tandem_backend_up")); got != MaxBackends {
		t.Errorf("%d backends have a series, want %d", got, MaxBackends)
	}
	if got := series(t, s, "tandem_backends_left_out")[""]; got != 7 {
		t.Errorf("%v are left out, want 7", got)
	}
	if got := series(t, s, "tandem_pool_backends")["pool=web state=up"]; got != MaxBackends+6 {
		t.Errorf("%v are up, want all of them", got)
	}
}

func TestTheProxyThatServesIsTheOneThatIsShown(t *testing.T) {
	s := full()
	s.Processes[3].RSSBytes, s.Processes[2].RSSBytes = 1, 2
	if got := series(t, s, "tandem_process_resident_memory_bytes")["process=proxy"]; got != 2 {
		t.Errorf("the memory of the proxy is %v, want 2", got)
	}
	if got := series(t, s, "tandem_proxies_draining_connections")[""]; got != 3 {
		t.Errorf("%v connections are left, want 3", got)
	}
}

func TestAScrapeIsAnswered(t *testing.T) {
	h, err := Handler(full)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := `tandem_frontend_requests_total{frontend="http"} 9`; err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		t.Errorf("%s, %v, and not %q in:\n%s", resp.Status, err, want, body)
	}
}

func TestLatenciesAreShownInBucketsThatDouble(t *testing.T) {
	n, got := cumulated(took, bounds)
	want := map[float64]uint64{0.0003: 4, 0.001: 9, 1: 9}
	if diff := cmp.Diff(want, got); diff != "" || n != 10 {
		t.Errorf("%d requests; buckets (-want +got):\n%s", n, diff)
	}
	if n, got := cumulated(api.Histogram{From: 3, Counts: []uint64{5}}, bounds); n != 5 || got[0.0003] != 0 || got[0.001] != 5 {
		t.Errorf("a histogram that begins later: %d, %v", n, got)
	}
}
