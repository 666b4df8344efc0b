package nft_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/nft"
)

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }

// inHost runs f inside a host of a fresh lab.
func inHost(t *testing.T, f func()) {
	t.Helper()
	lab.Need(t)
	l, err := lab.New(lab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h, err := l.Host("h", netip.MustParsePrefix("192.168.42.11/24"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Do(func() error { f(); return nil }); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) *nft.Conn {
	t.Helper()
	c, err := nft.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// dropDiscard drops what is sent to UDP port 9 of this host.
func dropDiscard(flags nft.TableFlags) *nft.Batch {
	b := new(nft.Batch)
	b.Table(nft.Netdev, "tandem_test", flags)
	b.Chain(nft.Netdev, "tandem_test", nft.Chain{Name: "in", Hook: nft.HookIngress, Device: "lo"})
	b.Rule(nft.Netdev, "tandem_test", "in", nft.Protocol(unix.IPPROTO_UDP), nft.Equal(nft.TransportHeader, 2, []byte{0, 9}), nft.Drop)
	return b
}

// passes says whether a datagram to UDP port 9 of this host arrives.
func passes(t *testing.T) bool {
	t.Helper()
	in, err := net.ListenPacket("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := fmt.Fprint(out, "x"); err != nil {
		t.Fatal(err)
	}
	// Loopback delivers within the sender's own call; what is not here now was dropped.
	in.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, _, err = in.ReadFrom(make([]byte, 1))
	return err == nil
}

func TestABatchIsInForceOnceCommitted(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		if !passes(t) {
			t.Fatal("a datagram is lost before there is a rule")
		}
		if err := c.Commit(dropDiscard(0)); err != nil {
			t.Fatal(err)
		}
		if passes(t) {
			t.Error("the rule does not drop")
		}
		if err := c.Remove(nft.Netdev, "tandem_test"); err != nil {
			t.Fatal(err)
		}
		if !passes(t) {
			t.Error("the rule drops after its table was removed")
		}
		if err := c.Remove(nft.Netdev, "tandem_test"); err != nil {
			t.Errorf("removing what is not there: %v, want no error", err)
		}
	})
}

func TestABatchIsCommittedWholeOrNotAtAll(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		b := dropDiscard(0)
		b.Delete(nft.Netdev, "no_such_table")
		if err := c.Commit(b); !errors.Is(err, nft.ErrNotFound) {
			t.Errorf("commit of a batch with a wrong command: %v, want ErrNotFound", err)
		}
		if !passes(t) {
			t.Error("a part of the refused batch is in force")
		}
		if err := c.Commit(dropDiscard(0)); err != nil {
			t.Errorf("the next commit: %v; an answer to the last one was taken for its own?", err)
		}
	})
}

func TestAnOwnedTableGoesWithItsOwner(t *testing.T) {
	inHost(t, func() {
		owner, other := open(t), open(t)
		if err := owner.Commit(dropDiscard(nft.Owned)); errors.Is(err, nft.ErrUnsupported) {
			t.Skip("this kernel has no owned tables (Linux 5.12)")
		} else if err != nil {
			t.Fatal(err)
		}
		if err := other.Remove(nft.Netdev, "tandem_test"); !errors.Is(err, nft.ErrOwned) {
			t.Errorf("another process removes an owned table: %v, want ErrOwned", err)
		}
		if passes(t) {
			t.Error("the rule does not drop")
		}
		owner.Close()
		if !passes(t) {
			t.Error("the table outlived its owner")
		}
	})
}

func TestAPersistentTableWaitsForANewOwner(t *testing.T) {
	inHost(t, func() {
		first := open(t)
		if err := first.Commit(dropDiscard(nft.Owned | nft.Persistent)); errors.Is(err, nft.ErrUnsupported) {
			t.Skip("this kernel has no persistent tables (Linux 6.9)")
		} else if err != nil {
			t.Fatal(err)
		}
		first.Close()
		if passes(t) {
			t.Error("the table went with its owner")
		}
		second := open(t)
		b := new(nft.Batch)
		b.Table(nft.Netdev, "tandem_test", nft.Owned|nft.Persistent)
		if err := second.Commit(b); err != nil {
			t.Fatalf("a new owner takes the table over: %v", err)
		}
		if passes(t) {
			t.Error("the rules went when the table changed hands")
		}
	})
}

func TestTheEndOfATableIsNews(t *testing.T) {
	inHost(t, func() {
		w, err := nft.NewWatcher()
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		news, done := make(chan string, 16), make(chan error, 1)
		go func() { done <- w.Run(ctx, func(f nft.Family, name string) { news <- name }) }()
		c := open(t)
		if err := c.Commit(dropDiscard(0)); err != nil {
			t.Fatal(err)
		}
		if err := c.Remove(nft.Netdev, "tandem_test"); err != nil {
			t.Fatal(err)
		}
		select {
		case name := <-news:
			if name != "tandem_test" {
				t.Errorf("news of table %q", name)
			}
		case <-time.After(10 * time.Second):
			t.Error("no news of a removed table within 10 s")
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v after its context ended", err)
		}
	})
}

func TestARuleThatHasGoneIsNewsToo(t *testing.T) {
	inHost(t, func() {
		c := open(t)
		if err := c.Commit(dropDiscard(0)); err != nil {
			t.Fatal(err)
		}
		w, err := nft.NewWatcher()
		if err != nil {
			t.Fatal(err)
		}
		news, done := make(chan string, 16), make(chan error, 1)
		go func() {
			done <- w.Run(context.Background(), func(f nft.Family, name string) { news <- f.String() + " " + name })
		}()
		var b nft.Batch
		b.Flush(nft.Netdev, "tandem_test")
		if err := c.Commit(&b); err != nil {
			t.Fatal(err)
		}
		select {
		case name := <-news:
			if name != "netdev tandem_test" {
				t.Errorf("news of table %q", name)
			}
		case <-time.After(10 * time.Second):
			t.Error("no news of a removed rule within 10 s")
		}
		w.Close()
		if err := <-done; err == nil {
			t.Error("Run of a closed Watcher returned no error")
		}
	})
}

func TestTablesAndRulesAreListedWithTheirOwners(t *testing.T) {
	inHost(t, func() {
		owner, other := open(t), open(t)
		find := func() (found nft.Table) {
			t.Helper()
			tables, err := other.Tables()
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range tables {
				if table.Name == "tandem_test" && table.Family == nft.Netdev {
					found = table
				}
			}
			return found
		}
		rules := func(want int) {
			t.Helper()
			if n, err := other.Rules(nft.Netdev, "tandem_test"); n != want || err != nil {
				t.Errorf("%d rules (%v), want %d", n, err, want)
			}
		}
		if got := find(); got != (nft.Table{}) {
			t.Fatalf("before there is one: %+v", got)
		}
		rules(0)
		if err := owner.Commit(dropDiscard(nft.Owned)); errors.Is(err, nft.ErrUnsupported) {
			t.Skip("this kernel has no owned tables (Linux 5.12)")
		} else if err != nil {
			t.Fatal(err)
		}
		got := find()
		if got.Flags != nft.Owned || got.Owner == 0 || !owner.Owns(got) || other.Owns(got) {
			t.Errorf("%+v: want one that belongs to its maker (%v), not to another (%v)", got, owner.Owns(got), other.Owns(got))
		}
		rules(1)
		if err := owner.Remove(nft.Netdev, "tandem_test"); err != nil {
			t.Fatal(err)
		}
		if err := owner.Commit(dropDiscard(0)); err != nil {
			t.Fatal(err)
		}
		if got := find(); got.Owner != 0 || owner.Owns(got) || got.Flags != 0 {
			t.Errorf("a plain table has an owner: %+v", got)
		}
	})
}

func TestWhatTheKernelCannotDoHasAName(t *testing.T) {
	inHost(t, func() {
		b := new(nft.Batch)
		b.Table(nft.Family(200), "tandem_test", 0)
		if err := open(t).Commit(b); err == nil || !strings.Contains(err.Error(), "nft: ") {
			t.Errorf("a table of no family: %v, want an error of ours", err)
		}
	})
}
