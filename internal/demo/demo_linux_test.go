package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/lab/owners"
)

func TestMain(m *testing.M) {
	lab.Init()
	if len(os.Args) > 1 && (os.Args[1] == "lb" || os.Args[1] == "agent") {
		fmt.Println("this is no tandem")
		os.Exit(3)
	}
	os.Exit(lab.TestMain(m))
}

// buildTandem compiles tandem.
func buildTandem(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "tandem")
	out, err := exec.Command("go", "build", "-o", exe, "../../cmd/tandem").CombinedOutput()
	if err != nil {
		t.Fatalf("build tandem: %v\n%s", err, out)
	}
	return exe
}

// rogue claims the VIP on web3 beside the active balancer, until the observers
// have proof of two owners.
func rogue(s *site, fault string) error {
	if fault != AppStart {
		return nil
	}
	m := find(s.machines, "web3")
	change := func(do func(netlink.Link, *netlink.Addr) error) error {
		return m.host.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			addr, err := netlink.ParseAddr(netip.PrefixFrom(vip, 32).String())
			if err != nil {
				return err
			}
			return do(link, addr)
		})
	}
	from := s.log.Now()
	if err := change(netlink.AddrAdd); err != nil {
		return err
	}
	for s.owners.Report(owners.Window{From: from, To: s.log.Now()}).Max < 2 {
		if s.log.Now()-from > 4*time.Second {
			return errors.New("two owners were not seen")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return change(netlink.AddrDel)
}

func TestASecondOwnerDuringOneFaultMakesTheWholeDemoNotOK(t *testing.T) {
	lab.Need(t)
	var out, progress bytes.Buffer
	opt := Options{
		JSON: true, Keep: true, Exe: buildTandem(t),
		In:       strings.NewReader("load\nlb1 version\nquit\n"),
		sabotage: rogue,
	}
	ok, err := Run(t.Context(), opt, &out, &progress)
	t.Log(progress.String())
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if ok || r.OK {
		t.Error("ok, with two owners")
	}
	if len(r.Faults) != len(Faults) {
		t.Fatalf("%d faults, want all %d", len(r.Faults), len(Faults))
	}
	for _, f := range r.Faults {
		want := 1
		if f.Name == AppStart {
			want = 2
		}
		if f.MaxOwners != want || !isBalancer(f.ActiveAfter) || f.Requests < requestsMin {
			t.Errorf("%+v: want %d owners at once, one balancer active at the end, and 200 requests", f, want)
		}
	}
	if f := r.Faults[0]; f.ActiveAfter == f.ActiveBefore {
		t.Errorf("%s: the dead host is active", f.Name)
	}
	for _, part := range []string{"http://127.0.0.1:", "req/s", "app-start: the VIP had 2 owners at once"} {
		if !strings.Contains(progress.String(), part) {
			t.Errorf("nothing says %q", part)
		}
	}
}

func TestAStartThatFailsIsAnErrorWithTheDaemonsLastWords(t *testing.T) {
	lab.Need(t)
	var out, progress bytes.Buffer
	ok, err := Run(t.Context(), Options{JSON: true}, &out, &progress)
	if ok || err == nil || !strings.Contains(err.Error(), "did not stay") {
		t.Errorf("got %v, %v; want the daemon that did not stay", ok, err)
	}
	if want := `{"balancers":2,"backends":3,"faults":[],"ok":false}` + "\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if !strings.Contains(progress.String(), "this is no tandem") {
		t.Errorf("the last words are missing in %s", progress.String())
	}
}
