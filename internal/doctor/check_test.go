package doctor

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	vip   = netip.MustParseAddr("192.168.42.42")
	other = netip.MustParseAddr("192.168.42.12")
)

// well is a machine on which a balancer may be started.
func well() Facts {
	synced := true
	return Facts{
		Wanted: Wanted{
			VIPs: []netip.Addr{vip}, Peers: []netip.Addr{other}, GossipPort: 7946, AdvertPort: 7947, StatusPort: 1936,
			Frontends: []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, 80)},
		},
		Caps: 1<<10 | 1<<12 | 1<<13,
		Interfaces: []Interface{
			{Name: "eth0", Up: true, Carrier: true, MTU: 1500, Default: true, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
			{Name: "eth1", Up: true, Carrier: true, MTU: 1500, Addrs: []netip.Prefix{netip.MustParsePrefix("192.168.42.11/24")}},
		},
		ARP:    map[netip.Addr][]string{},
		Peers:  []PeerPort{{Peer: other, Port: 7946, State: PortOpen}, {Peer: other, Port: 7947, State: PortOpen}},
		Synced: &synced, Kernel: [2]int{6, 1}, NFTables: true, OpenFiles: 1 << 20,
	}
}

// served is the same with a balancer that runs.
func served() Facts {
	f := well()
	f.Caps = 0
	f.Running = &Running{
		Node: "lb1", Authenticated: true, Encrypted: true, Balancers: []string{"lb2"},
		Groups: []Group{{Name: "default", State: "active", Answers: "keeper", Heard: []string{"lb2"}, SelfTests: map[string]string{"lb2": ""}}},
	}
	return f
}

func listener(network, addr string) []Listener {
	return []Listener{{network, netip.MustParseAddrPort(addr), "dockerd (process 7)"}}
}

var faults = []struct {
	id, level string
	from      func() Facts
	with      func(*Facts)
	says      string
}{
	{"capabilities-missing", Error, well, func(f *Facts) { f.Caps = 1 << 12 }, "NET_BIND_SERVICE, NET_RAW"},
	{"no-interface", Error, well, func(f *Facts) { f.Wanted.Interface = "eth9" }, "eth9"},
	{"no-subnet", Error, well, func(f *Facts) { f.Interfaces = f.Interfaces[:1] }, "192.168.42.42"},
	{"two-interfaces", Warning, well, func(f *Facts) { f.Interfaces[0].Addrs = f.Interfaces[1].Addrs }, "eth0 and eth1"},
	{"interface-down", Error, well, func(f *Facts) { f.Interfaces[1].Up = false }, "eth1"},
	{"no-carrier", Error, well, func(f *Facts) { f.Interfaces[1].Carrier = false }, "eth1"},
	{"small-mtu", Warning, well, func(f *Facts) { f.Interfaces[1].MTU = 1000 }, "1000"},
	{"rp-filter", Warning, well, func(f *Facts) { f.Interfaces[1].RPFilter = 1 }, "eth1"},
	{"proxy-arp", Warning, well, func(f *Facts) { f.Interfaces[1].ProxyARP = true }, "eth1"},
	{"two-owners", Error, served, func(f *Facts) { f.ARP[vip] = []string{"02::1", "02::2"} }, "02::1 and 02::2"},
	{"vip-here", Error, well, func(f *Facts) { f.Interfaces[1].Addrs = append(f.Interfaces[1].Addrs, netip.PrefixFrom(vip, 32)) }, "tandem release"},
	{"vip-taken", Error, well, func(f *Facts) { f.ARP[vip], f.Wanted.Peers = []string{"02::1"}, nil }, "02::1"},
	{"vip-owner", Note, well, func(f *Facts) { f.ARP[vip] = []string{"02::1"} }, "02::1"},
	{"foreign-vrrp", Note, well, func(f *Facts) { f.VRRP = []VRRP{{From: other, Version: 2, VRID: 51, Priority: 150}} }, "VRID 51, priority 150"},
	{"vrrp-same-vip", Error, well, func(f *Facts) { f.VRRP = []VRRP{{From: other, Version: 3, VRID: 51, Addrs: []netip.Addr{vip}}} }, "VRID 51"},
	{"port-taken", Error, well, func(f *Facts) { f.Listeners = listener("udp", "0.0.0.0:7946") }, "Docker Swarm"},
	{"port-taken", Error, well, func(f *Facts) { f.Listeners = listener("tcp", "[::]:80") }, "dockerd"},
	{"no-peer", Note, well, func(f *Facts) { f.Wanted.Peers, f.Peers = nil, nil }, "cluster.join"},
	{"peer-silent", Warning, well, func(f *Facts) { f.Peers[0].State, f.Peers[1].State = PortSilent, PortSilent }, "7946, 7947"},
	{"peer-filtered", Error, well, func(f *Facts) { f.Peers[1].State = PortSilent }, "7947"},
	{"peer-not-started", Note, well, func(f *Facts) { f.Peers[0].State = PortRefused }, "7946"},
	{"path-mtu", Error, well, func(f *Facts) { f.Paths = []PeerPath{{other, 1500, 1400, PortSilent}} }, "ping -M do -s 1472"},
	{"udp-filtered", Warning, well, func(f *Facts) {
		f.Peers[1].State, f.Paths = PortRefused, []PeerPath{{other, 1500, 1500, PortSilent}}
	}, "UDP 7947"},
	{"not-heard", Error, served, func(f *Facts) { f.Running.Groups[0].DeafTo = []string{"lb2"} }, "lb2"},
	{"peer-unheard", Error, served, func(f *Facts) { f.Running.Groups[0].Heard = nil }, "lb2"},
	{"balancer-gone", Error, served, func(f *Facts) {
		f.Running.Balancers, f.Running.Gone, f.Running.Groups[0].Heard = nil, []string{"lb2"}, nil
	}, "lb2"},
	{"fault", Error, served, func(f *Facts) { f.Running.Groups[0].State, f.Running.Groups[0].Reason = "fault", "conflict" }, "conflict"},
	{"unauthenticated", Warning, served, func(f *Facts) { f.Running.Authenticated = false }, "balancer_key_file"},
	{"unencrypted", Note, served, func(f *Facts) { f.Running.Encrypted = false }, "gossip_key_file"},
	{"balancer-keys-differ", Error, served, func(f *Facts) { f.Running.Refused = map[string]uint64{"not authentic": 9, "stale": 1} }, "9 adverts"},
	{"gossip-keys-differ", Warning, served, func(f *Facts) { f.Running.KeysDiffer = []string{"web1"} }, "web1"},
	{"configurations-differ", Warning, served, func(f *Facts) { f.Running.OtherConfigs = []string{"lb2"} }, "lb2"},
	{"clock-unsynced", Warning, well, func(f *Facts) { *f.Synced = false }, "chrony"},
	{"clock-offset", Warning, well, func(f *Facts) { f.Peers[0].Offset = new(-90 * time.Second) }, "-1m30s"},
	{"lease-only", Warning, served, func(f *Facts) { f.Running.Groups[0].Answers, f.Running.Groups[0].Note = "lease-only", "no arp family" }, "no arp family"},
	{"no-nftables", Warning, well, func(f *Facts) { f.NFTables = false }, "nf_tables"},
	{"old-kernel", Note, well, func(f *Facts) { f.Kernel = [2]int{5, 10} }, "5.10"},
	{"handover-lossy", Warning, served, func(f *Facts) { f.Running.Groups[0].Lossy = "a program moves the VIPs" }, "a program"},
	{"self-test", Warning, served, func(f *Facts) { f.Running.Groups[0].SelfTests["lb2"] = "nothing came back" }, "nothing came back"},
	{"few-files", Warning, well, func(f *Facts) { f.OpenFiles = 1024 }, "1024"},
	{"cpu-quota", Warning, served, func(f *Facts) { f.CPUs, f.Throttled = 0.5, 12 }, "12 periods"},
	{"network-manager", Note, well, func(f *Facts) { f.Managers = []string{"NetworkManager"} }, "nmcli"},
	{"not-looked-at", Note, well, func(f *Facts) { f.Unknown = []string{"VRRP on eth1: operation not permitted"} }, "eth1"},
}

func TestNothingIsFoundWhereAllIsWell(t *testing.T) {
	for name, f := range map[string]Facts{"before": well(), "running": served()} {
		for _, found := range Check(f) {
			if found.Level != Good {
				t.Errorf("%s: %+v", name, found)
			}
		}
	}
}

func TestEachFaultIsNamedWithWhatToDo(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.id, func(t *testing.T) {
			f := fault.from()
			fault.with(&f)
			found := Check(f)
			i := slices.IndexFunc(found, func(f Finding) bool { return f.ID == fault.id })
			if i < 0 {
				t.Fatalf("not found; instead %+v", found)
			}
			text, err := json.Marshal(found[i])
			if err != nil || !strings.Contains(string(text), fault.says) || found[i].Level != fault.level {
				t.Errorf("found %s, %v; want level %s and %q", text, err, fault.level, fault.says)
			}
			if found[i].Why == "" && fault.id != "not-looked-at" || found[i].Fix == "" && found[i].Level != Note {
				t.Errorf("it does not say why it matters, or what to do: %s", text)
			}
			if Worst(found) == Good {
				t.Error("the worst finding is a good one")
			}
			for n := range found[1:] {
				if slices.Index(levels, found[n].Level) > slices.Index(levels, found[n+1].Level) {
					t.Errorf("%s stands before %s", found[n].Level, found[n+1].Level)
				}
			}
		})
	}
}

// Every finding that there is has a row above.
func TestNoFindingIsWithoutATest(t *testing.T) {
	files, err := filepath.Glob("check*.go")
	if err != nil {
		t.Fatal(err)
	}
	good := []string{"capabilities", "interface", "peer", "handover"}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			var value ast.Expr
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "ID" {
					value = n.Value
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "add" {
					value = n.Args[0]
				}
			}
			lit, ok := value.(*ast.BasicLit)
			if !ok || strings.HasSuffix(file, "_test.go") {
				return true
			}
			id, _ := strconv.Unquote(lit.Value)
			known := slices.Contains(good, id)
			for _, f := range faults {
				known = known || f.id == id
			}
			if !known {
				t.Errorf("%s: %q has no row in faults", file, id)
			}
			return true
		})
	}
}

func TestPortsThatAreNotWantedAreNoMatter(t *testing.T) {
	for _, l := range []string{"0.0.0.0:22", "127.0.0.1:81"} {
		f := well()
		f.Listeners = append(listener("tcp", l), listener("udp", "0.0.0.0:80")...)
		for _, found := range Check(f) {
			if found.ID == "port-taken" {
				t.Errorf("%s: %+v", l, found)
			}
		}
	}
}
