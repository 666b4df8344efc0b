package handover_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/handover"
)

func collector(t *testing.T, n node) (c *handover.Collector) {
	t.Helper()
	check(t, n.Do(func() (err error) {
		c, err = handover.NewCollector(handover.CollectorConfig{VIPs: vips})
		return err
	}))
	t.Cleanup(func() { c.Close() })
	return c
}

func tickler(t *testing.T, n node, rate int) (k *handover.Tickler) {
	t.Helper()
	check(t, n.Do(func() (err error) {
		k, err = handover.NewTickler(handover.TicklerConfig{Device: "eth0", Rate: rate})
		return err
	}))
	t.Cleanup(func() { k.Close() })
	return k
}

// tell brings what a node has to tell into a book.
func tell(t *testing.T, c *handover.Collector, book *handover.Book) (messages int) {
	t.Helper()
	all, err := c.Collect(context.Background())
	check(t, err)
	for _, m := range all {
		check(t, book.Apply("a", m))
	}
	return len(all)
}

func open() bool { return true }

// ended is how a client's read ended, and when.
type ended struct {
	err error
	at  time.Time
}

// wait makes the client wait for an answer that never comes.
func (k *talk) wait() <-chan ended {
	k.SetReadDeadline(time.Time{})
	end := make(chan ended, 1)
	go func() {
		_, err := k.in.ReadByte()
		end <- ended{err, time.Now()}
	}()
	return end
}

func TestTheClientsOfADeadNodeAreToldAtOnce(t *testing.T) {
	bed := newBed(t)
	book := new(handover.Book)
	told := collector(t, bed.a)
	var waiting []<-chan ended
	for range 10 {
		for _, web := range webs {
			k := bed.dial(web)
			k.by(bed.a)
			waiting = append(waiting, k.wait())
		}
	}
	if tell(t, told, book) == 0 {
		t.Fatal("nothing was told")
	}
	secret := bed.dial(web4) // opened too late to be told of
	secret.by(bed.a)
	hangs := secret.wait()
	check(t, bed.a.PowerOff())
	bed.point(bed.b)
	flows := book.Take("a", vips)
	if len(flows) != len(waiting) {
		t.Fatalf("the book has %d connections, want %d", len(flows), len(waiting))
	}
	k := tickler(t, bed.b, 0)
	if done, err := k.Fire(context.Background(), flows, func() bool { return false }); done.Sent > 0 || !errors.Is(err, handover.ErrGateShut) {
		t.Errorf("behind a shut gate: %+v, %v", done, err)
	}
	time.Sleep(50 * time.Millisecond)
	for i, w := range waiting {
		select {
		case e := <-w:
			t.Fatalf("client %d knows by itself (%v): this proves nothing", i, e.err)
		default:
		}
	}
	began := time.Now()
	done, err := k.Fire(context.Background(), flows, open)
	check(t, err)
	if done.Sent != len(flows) || done.Failed > 0 {
		t.Errorf("%+v; want %d sent", done, len(flows))
	}
	slowest := time.Duration(0)
	for i, w := range waiting {
		select {
		case e := <-w:
			if !errors.Is(e.err, unix.ECONNRESET) {
				t.Errorf("client %d: %v, want a reset", i, e.err)
			}
			slowest = max(slowest, e.at.Sub(began))
		case <-time.After(patience):
			t.Fatalf("client %d hangs", i)
		}
	}
	t.Logf("%d clients knew after %v at most", len(waiting), slowest)
	for _, web := range webs {
		bed.dial(web).by(bed.b)
	}
	select {
	case e := <-hangs:
		t.Errorf("a client that was not told of knows all the same: %v", e.err)
	default:
	}
}

func TestALivingConnectionSurvivesATickle(t *testing.T) {
	bed := newBed(t)
	bed.point(bed.b)
	k := tickler(t, bed.b, 0)
	for _, web := range webs {
		c := bed.dial(web)
		c.by(bed.b)
		for range 3 {
			done, err := k.Fire(context.Background(), []handover.Flow{{Client: addrPort(c.LocalAddr()), Server: web}}, open)
			if err != nil || done.Sent != 1 {
				t.Fatalf("%+v, %v", done, err)
			}
			c.by(bed.b)
		}
	}
}

func TestFireKeepsItsRateAndItsContext(t *testing.T) {
	bed := newBed(t)
	k := tickler(t, bed.b, 1000)
	var flows []handover.Flow
	for i := range 256 + 50 {
		flows = append(flows, handover.Flow{Client: netip.AddrPortFrom(bed.client.own[0], uint16(2000+i)), Server: web4})
	}
	began := time.Now()
	done, err := k.Fire(context.Background(), flows, open)
	if d := time.Since(began); err != nil || done.Sent != len(flows) || d < 50*time.Millisecond {
		t.Errorf("%+v, %v after %v: want all, after 50 ms at the earliest", done, err, d)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, err = k.Fire(ctx, flows, func() bool { cancel(); return true })
	if !errors.Is(err, context.Canceled) || done.Sent != 1 {
		t.Errorf("cancelled: %+v, %v", done, err)
	}
	far := handover.Flow{Client: netip.MustParseAddrPort("203.0.113.1:9"), Server: web4} // no route
	if done, err := k.Fire(context.Background(), []handover.Flow{far, flows[0], {}}, open); err != nil || done != (handover.Tickled{Sent: 1, Failed: 2}) {
		t.Errorf("one that cannot be reached, one that can, one that makes no sense: %+v, %v", done, err)
	}
	check(t, k.Close())
	check(t, k.Close())
	if done, err := k.Fire(context.Background(), flows, open); !errors.Is(err, handover.ErrClosed) || done.Sent > 0 {
		t.Errorf("closed: %+v, %v", done, err)
	}
}

func TestACollectorTellsWhatChanges(t *testing.T) {
	bed := newBed(t)
	book := new(handover.Book)
	c := collector(t, bed.a)
	if n := tell(t, c, book); n != 1 {
		t.Errorf("at first %d messages, want one that says that there is nothing", n)
	}
	if n := tell(t, c, book); n != 0 {
		t.Errorf("%d messages about no change", n)
	}
	first, second := bed.dial(web4), bed.dial(web6)
	first.by(bed.a)
	second.by(bed.a)
	known := func() int { n, _ := book.Known("a"); return n }
	if n := tell(t, c, book); n != 1 || known() != 2 {
		t.Errorf("%d messages, %d known; want 1 and 2", n, known())
	}
	check(t, second.Close())
	eventually(t, "the peer knows that one has gone", func() bool { tell(t, c, book); return known() == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if all, err := c.Collect(ctx); !errors.Is(err, context.Canceled) || all != nil {
		t.Errorf("cancelled: %d messages, %v", len(all), err)
	}
	bed.dial(web6).by(bed.a)
	tell(t, c, book)
	if known() != 2 {
		t.Errorf("%d known after a list that was given up, want 2", known())
	}
	if told, leftOut := c.Known(); told != 2 || leftOut != 0 {
		t.Errorf("the collector told of %d and left out %d", told, leftOut)
	}
	check(t, c.Close())
	if _, err := c.Collect(context.Background()); !errors.Is(err, handover.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestNobodyCollectsOrTicklesForNothing(t *testing.T) {
	if _, err := handover.NewCollector(handover.CollectorConfig{}); err == nil {
		t.Error("a collector for no VIP")
	}
	if _, err := handover.NewCollector(handover.CollectorConfig{VIPs: vips, Max: -1}); err == nil {
		t.Error("a collector of -1 connections")
	}
	if _, err := handover.NewTickler(handover.TicklerConfig{Device: "no-such"}); err == nil {
		t.Error("a tickler on no device")
	}
	if _, err := handover.NewTickler(handover.TicklerConfig{Device: "lo", Rate: -1}); err == nil {
		t.Error("a tickler at -1/s")
	}
}
