package config

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/lbcore/check"
)

const small = `
[cluster]
join = ["192.168.42.11", "192.168.42.12"]

[[vip]]
address = "192.168.42.42"

[[frontend]]
listen = ":80"
pool   = "web"

[pool.web]
check = { http = "/", interval = "2s" }

[node.lb2]
priority  = 90
interface = "eth1"
`

// smallConfig is what small means, every default spelled out.
func smallConfig() *Config {
	return &Config{
		Path:  "small.toml",
		Nodes: map[string]Node{"lb2": {Name: "lb2", Interface: "eth1", Priority: 90}},
		Cluster: Cluster{
			Join:       []string{"192.168.42.11", "192.168.42.12"},
			Gossip:     netip.AddrPortFrom(netip.Addr{}, 7946),
			AdvertPort: 7947, AdvertInterval: 20 * time.Millisecond,
		},
		VIPs: []VIP{{Address: netip.MustParseAddr("192.168.42.42"), Group: "default", HookTimeout: 10 * time.Second}},
		Frontends: []Frontend{{
			Name: ":80", Listen: netip.AddrPortFrom(netip.Addr{}, 80), Pool: "web",
			HeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ClientTimeout: 30 * time.Second,
			HalfClose: 2 * time.Second, TunnelTimeout: time.Hour, MaxHeaderBytes: 16 << 10, MinRate: 128, Forwarded: "x-forwarded", Mode: "http", AccessLog: true,
			HTTP2:   HTTP2{Enabled: true, MaxStreams: 100, StreamWindow: 256 << 10, Window: 1 << 20},
			Sources: Sources{Prefix6: 64, Table: 65536},
		}},
		Pools: []Pool{{
			Name: "web", Policy: "roundrobin", Protocol: "http1", ConnectTimeout: time.Second, ServerTimeout: 30 * time.Second, Retries: 2, MinAfter: 5 * time.Second,
			IdleTimeout: 4 * time.Second, MaxIdle: 1000, Queue: 1000, QueueTimeout: 5 * time.Second, RetryBudget: RetryBudget{20, 10},
			Outlier: Outlier{EjectionTime: 30 * time.Second, MaxEjectionTime: 5 * time.Minute, MaxEjected: 10},
			Check:   Check{Question: check.Question{Kind: check.HTTP, Method: "GET", Path: "/", Status: check.Statuses{{200, 399}}}, Interval: 2 * time.Second, Jitter: 10, Timeout: time.Second, Rise: 2, Fall: 3},
		}},
		AccessLog: AccessLog{Format: "json", Sample: 1},
		Control:   Control{Socket: "/run/tandem/control.sock", Status: netip.AddrPortFrom(netip.Addr{}, 1936), StatusAllow: private},
		Proxy:     Proxy{MaxConn: 50_000, OrphanTime: 10 * time.Second, Timeout: time.Second, DrainTime: 5 * time.Minute},
	}
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	cfg, err := Parse("small.toml", []byte(text), readTestKey)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestASmallFileNeedsOnlyVIPFrontendAndPool(t *testing.T) {
	if diff := cmp.Diff(smallConfig(), parse(t, small), compare); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestLineEndsAndAByteOrderMarkDoNotMatter(t *testing.T) {
	windows := "\uFEFF" + strings.ReplaceAll(small, "\n", "\r\n")
	if diff := cmp.Diff(smallConfig(), parse(t, windows), compare); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestFlagsMeanTheSameAsAFile(t *testing.T) {
	got, err := FromFlags(Flags{
		VIPs: []string{"192.168.42.42"}, Join: []string{"192.168.42.11", "192.168.42.12"},
		Listen: []string{":80"}, Pool: "web", Check: "/",
		Overrides: Overrides{Name: "lb1", Priority: "120", Interface: "eth2", Advertise: "192.168.42.11"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := smallConfig()
	want.Path, want.Nodes, want.Pools[0].Check.Interval = "", map[string]Node{}, time.Second
	want.Node = Node{Name: "lb1", Priority: 120, Interface: "eth2", Advertise: netip.MustParseAddr("192.168.42.11")}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestHooksAndTemplatesAreReadWhole(t *testing.T) {
	cfg := parse(t, small+`
[[hook]]
events  = ["member-join", "user"]
command = ["/usr/local/bin/join.sh", "-v"]
format  = "serf"
serf_tags = ["role=edge"]

[[template]]
source = "/etc/tandem/a.tmpl"
target = "/etc/a//b.cfg"
check  = ["/bin/test", "-s", "{file}"]
`)
	hooks := []Hook{{
		Name: "join.sh", Events: []string{"member-join", "user"}, Command: []string{"/usr/local/bin/join.sh", "-v"},
		Format: "serf", SerfTags: map[string]string{"role": "edge"}, User: DefaultUser, Timeout: 30 * time.Second, Concurrency: 1, Queue: 256,
	}}
	templates := []Template{{
		Source: "/etc/tandem/a.tmpl", Target: "/etc/a/b.cfg", Check: []string{"/bin/test", "-s", "{file}"},
		User: DefaultUser, Timeout: 30 * time.Second, Quiescence: 500 * time.Millisecond, Keep: 3,
	}}
	if diff := cmp.Diff(hooks, cfg.Hooks); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(templates, cfg.Templates); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
}

func TestWithoutAListenFlagPort80IsServed(t *testing.T) {
	cfg, err := FromFlags(Flags{Pool: "web", Backends: []string{"127.0.0.1:3000"}, Overrides: Overrides{Name: "lb1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Frontends[0].Listen; got != netip.AddrPortFrom(netip.Addr{}, 80) {
		t.Errorf("listens on %v", got)
	}
	if got := cfg.Pools[0].Check.Kind; got != check.TCP {
		t.Errorf("checks by %s", got)
	}
}

func TestFlagErrorsPointIntoWhatWasTyped(t *testing.T) {
	_, err := FromFlags(Flags{
		VIPs: []string{"192.168.42.42", "192.168.42.420"}, Listen: []string{"80"}, Check: "health",
		AdvertPort: "x", AdvertInterval: "1ms", GossipKeyFile: "/no/such/file", Socket: "run/x", Backends: []string{"app:80"},
		Overrides: Overrides{Name: "a b", Priority: "0", Interface: "a/b", Advertise: "::"},
	})
	got := "\n" + err.Error() + "\n"
	for _, want := range []string{
		"\n--pool: is needed where there is no configuration file\n",
		"\n--vip: \"192.168.42.420\" is not an IP address\n       | --vip 192.168.42.420\n       |       ^^^^^^^^^^^^^^\n",
		"\n--listen: \"80\" is not", "\n--check: \"health\" is not a path", "\n--backend: \"app:80\" is not",
		"\n--advert-port: ", "\n--advert-interval: cluster.advert_interval is 1ms", "\n--gossip-key-file: cannot read",
		"\n--socket: ", "\n--name: ", "\n--priority: ", "\n--interface: ", "\n--advertise: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestApplyTakesTheNodeTableAndThenTheFlags(t *testing.T) {
	cfg := parse(t, small)
	for _, tc := range []struct {
		over Overrides
		want Node
	}{
		{Overrides{Name: "lb2"}, Node{Name: "lb2", Interface: "eth1", Priority: 90}},
		{Overrides{Name: "lb2", Priority: "200"}, Node{Name: "lb2", Interface: "eth1", Priority: 200}},
		{Overrides{Name: "lb1", Interface: "eth9"}, Node{Name: "lb1", Interface: "eth9", Priority: 100}},
	} {
		if err := cfg.Apply(tc.over); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, cfg.Node, compare); diff != "" {
			t.Errorf("%+v: - want, + got:\n%s", tc.over, diff)
		}
	}
	before := cfg.Node
	if err := cfg.Apply(Overrides{Name: "lb1", Priority: "300"}); err == nil || cfg.Node != before {
		t.Errorf("a bad flag changed the node: %+v, %v", cfg.Node, err)
	}
}

func TestWithoutANameTheHostNameIsTaken(t *testing.T) {
	cfg := parse(t, small)
	want, err := os.Hostname()
	if err != nil || !label.MatchString(want) {
		t.Skipf("this machine's host name cannot name a node: %q, %v; set one: hostname lb1", want, err)
	}
	if err := cfg.Apply(Overrides{}); err != nil || cfg.Node.Name != want {
		t.Errorf("named %q, want %q: %v", cfg.Node.Name, want, err)
	}
}

func TestErrorsAreReadableByMachines(t *testing.T) {
	_, err := Parse("small.toml", []byte(strings.Replace(small, "address", "adress", 1)), readTestKey)
	data, jsonErr := json.Marshal(err)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	want := `[{"file":"small.toml","line":5,"col":3,"width":3,"source":"[[vip]]","msg":"vip.address is missing","remedy":"for example: address = \"192.168.42.42\""},` +
		`{"file":"small.toml","line":6,"col":1,"width":6,"source":"adress = \"192.168.42.42\"","msg":"unknown key \"adress\"","remedy":"did you mean \"address\"?"}]`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestAFileThatIsNotTextOrTooLargeIsRefused(t *testing.T) {
	for name, data := range map[string]string{
		"binary": "a = \"\xff\xfe\"\n",
		"large":  strings.Repeat("#\n", maxFile/2+1),
		"deep":   small + "a = " + strings.Repeat("[", 100_000),
	} {
		_, err := Parse(name, []byte(data), readTestKey)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(err.Error()) > 2000 {
			t.Errorf("%s: %d bytes of message", name, len(err.Error()))
		}
	}
}

func TestLoadReadsKeysBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("tandem.toml", Reference, 0o644)
	gossip := write("gossip.key", testKeys["gossip.key"], 0o600)
	write("balancer.key", testKeys["balancer.key"], 0o600)
	write("admin.token", testKeys["admin.token"], 0o600)
	write("sorry.html", testKeys["sorry.html"], 0o644) // which is no secret
	if err := os.MkdirAll(filepath.Join(dir, "live", "example.org"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"www.example.com.pem", "live/example.org/fullchain.pem", "live/example.org/privkey.pem", "clients-ca.pem", "backends-ca.pem", "balancer.pem"} {
		write(name, string(testCertificates()[name]), 0o600)
	}
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(cfg.Cluster.GossipKeys[0]); got != "0123456789abcdef" {
		t.Errorf("gossip key %q", got)
	}
	if len(cfg.Cluster.BalancerKeys) != 2 || string(cfg.Cluster.BalancerKeys[0]) != "fedcba9876543210" {
		t.Errorf("balancer keys %q", cfg.Cluster.BalancerKeys)
	}
	if runtime.GOOS == "windows" {
		return // keeps rights elsewhere
	}
	if err := os.Chmod(gossip, 0o604); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path)
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 1 || !strings.Contains(errs[0].Remedy, "chmod 600 ") || errs[0].Line == 0 {
		t.Errorf("a key file that others may read: %v", err)
	}
}

func TestKeysCanBeReadByAFlag(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gossip.key")
	if err := os.WriteFile(path, []byte(testKeys["gossip.key"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := ReadKeys("--gossip-key-file", path); err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	_, err := ReadKeys("--gossip-key-file", path+".none")
	if err == nil || !strings.HasPrefix(err.Error(), "--gossip-key-file: cannot read the key file") {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsNotThereSaysHowToDoWithout(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 1 || !strings.Contains(errs[0].Remedy, "tandem lb --vip") {
		t.Errorf("got %v", err)
	}
}

func TestKeyFilesAreStrictAndNeverShown(t *testing.T) {
	for name, tc := range map[string]struct{ data, want string }{
		"empty":  {"# nothing\n\n", "holds no key"},
		"base64": {"MDEyMzQ1Njc4OWFiY2RlZg==\nsecret!secret\n", "line 2 is not base64"},
		"length": {"c2VjcmV0c2VjcmV0\n", "line 1 is a key of 12 bytes"},
		"many":   {strings.Repeat("MDEyMzQ1Njc4OWFiY2RlZg==\n", maxKeys+1), "more than 16 keys"},
	} {
		_, _, err := parseKeys([]byte(tc.data))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNearKeysAreSuggestedAndFarOnesNot(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"adress", "address", 1}, {"addrses", "address", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q to %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
	if got := didYouMean("zzzzzz", []string{"address", "name"}); got != "known here: address, name" {
		t.Error(got)
	}
}

func TestMoreThanTheBoundIsRefused(t *testing.T) {
	vips := ""
	for i := range 65 {
		vips += "[[vip]]\naddress = \"" + netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}).String() + "\"\n"
	}
	_, err := Parse("many.toml", []byte(small+vips), readTestKey)
	for _, want := range []string{"vip has 66 entries, more than the 64 that are allowed", `the group "default" has more than 16 VIPs`} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%q is not once in:\n%v", want, err)
		}
	}
}

func TestFlagsGivenTwiceAreRefused(t *testing.T) {
	_, err := FromFlags(Flags{
		VIPs: []string{"192.168.42.42", "192.168.42.42"}, Listen: []string{":80", ":80"}, Pool: "web",
		Join: []string{"lb1,lb2"}, Overrides: Overrides{Name: "lb1"},
	})
	for _, want := range []string{"--vip: the VIP 192.168.42.42 is listed twice", "--listen: another frontend listens on :80 already", "--join: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
}
