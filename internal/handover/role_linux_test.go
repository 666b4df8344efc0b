package handover_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tandem-lb/tandem/internal/handover"
	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/nft"
	"github.com/tandem-lb/tandem/internal/testneed"
)

// play opens a table and keeps it until the process is killed: role is the peer's addresses
// and its hardware address.
func play(role string) error {
	fields := strings.Split(role, " ")
	mac, err := net.ParseMAC(fields[2])
	if err != nil {
		return err
	}
	table, err := handover.OpenWith(context.Background(), handover.Config{
		Group: "web", Device: "eth0", VIPs: vips, PeerMACs: []net.HardwareAddr{mac},
		Peers: []netip.Addr{netip.MustParseAddr(fields[0]), netip.MustParseAddr(fields[1])},
	}, handover.Step{Plain: fields[3] == "plain"})
	if err != nil {
		return err
	}
	st, err := table.Stats()
	if err != nil {
		return err
	}
	fmt.Println("ready", st.Owned)
	select {}
}

// keepTable starts a process on a node that opens a table towards another.
func keepTable(t *testing.T, on, to node, kind string) (p *lab.Process, owned bool) {
	t.Helper()
	out, in, err := os.Pipe()
	check(t, err)
	defer out.Close()
	role := fmt.Sprintf("%s=%v %v %v %s", roleVariable, to.own[0], to.own[1], to.MAC(), kind)
	p, err = on.Start(lab.Command{Env: append(os.Environ(), role), Stdout: in, Stderr: os.Stderr})
	in.Close()
	check(t, err)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child has opened no table: %q, %v", line, err)
	}
	return p, strings.TrimSpace(line) == "ready true"
}

// kill ends a child that this test has started.
func kill(t *testing.T, p *lab.Process) {
	t.Helper()
	check(t, p.Signal(syscall.SIGKILL))
	p.Wait()
}

// tables lists those of this package on a node.
func tables(t *testing.T, on node) (names []string) {
	t.Helper()
	check(t, on.Do(func() error {
		c, err := nft.Open()
		if err != nil {
			return err
		}
		defer c.Close()
		list, err := c.Tables()
		for _, table := range list {
			if strings.HasPrefix(table.Name, handover.TablePrefix) {
				names = append(names, table.Name)
			}
		}
		return err
	}))
	return names
}

func clean(t *testing.T, on node, group string) (removed []string) {
	t.Helper()
	check(t, on.Do(func() (err error) { removed, err = handover.Clean(group); return err }))
	return removed
}

func TestTheTableGoesWithItsProcess(t *testing.T) {
	bed := newBed(t)
	old := bed.dial(web4)
	p, owned := keepTable(t, bed.b, bed.a, "owned")
	if !owned {
		kill(t, p)
		testneed.Missing(t, "tables with an owner; they need Linux 5.12")
	}
	bed.point(bed.b)
	old.by(bed.a)
	if got := tables(t, bed.b); len(got) != 1 {
		t.Errorf("tables %q, want one", got)
	}
	if removed := clean(t, bed.b, "web"); len(removed) > 0 {
		t.Errorf("Clean has removed %q, which a living process owns", removed)
	}
	old.by(bed.a)
	kill(t, p)
	if got := tables(t, bed.b); len(got) > 0 {
		t.Errorf("tables %q have outlived their process", got)
	}
	bed.dial(web4).by(bed.b)
}

func TestAPlainTableIsCleanedAway(t *testing.T) {
	bed := newBed(t)
	old := bed.dial(web6)
	p, owned := keepTable(t, bed.b, bed.a, "plain")
	if owned {
		t.Fatal("the table is owned")
	}
	kill(t, p)
	bed.point(bed.b)
	old.by(bed.a)
	if removed := clean(t, bed.b, "another"); len(removed) > 0 {
		t.Errorf("Clean of another group has removed %q", removed)
	}
	if removed := clean(t, bed.b, "web"); len(removed) != 1 {
		t.Errorf("Clean has removed %q, want one table", removed)
	}
	if got := tables(t, bed.b); len(got) > 0 {
		t.Errorf("tables %q are left", got)
	}
	check(t, bed.b.Do(func() error {
		table, err := handover.OpenWith(context.Background(), bed.config(bed.a), handover.Step{Plain: true})
		if err == nil {
			err = table.Close()
		}
		return err
	}))
	if got := tables(t, bed.b); len(got) > 0 {
		t.Errorf("tables %q are left by Close", got)
	}
}
