package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// crowd has everybody at work on a VIP who holds on to a connection, while f runs; then each
// finishes what it is at. Every one must have got what it was due.
func (s *site) crowd(vip netip.Addr, life time.Duration, f func()) client.CrowdReport {
	s.t.Helper()
	return s.work(client.CrowdConfig{
		Target: netip.AddrPortFrom(vip, 80),
		Slow:   20, SlowTime: 2 * time.Second, Keep: 10, Streams: 20, StreamLife: life, Uploads: 1, UploadLife: life,
	}, f)
}

// streams is a crowd of those whose connections last a second by their own will.
func (s *site) streams(vip netip.Addr, f func()) client.CrowdReport {
	s.t.Helper()
	return s.work(client.CrowdConfig{
		Target: netip.AddrPortFrom(vip, 80), Streams: 20, StreamLife: time.Second, Uploads: 1, UploadLife: time.Second,
	}, f)
}

func (s *site) work(cfg client.CrowdConfig, f func()) client.CrowdReport {
	s.t.Helper()
	cfg.Dial, cfg.Patience = s.client.Dial, patience
	c, err := client.NewCrowd(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	defer func() { // also when f ends the test
		stop()
		<-done
	}()
	s.until("the crowd is at work", func() (bool, string) {
		r := c.Report()
		return r.Messages > 40, fmt.Sprintf("%+v", r)
	})
	f()
	stop()
	<-done
	r := c.Report()
	s.t.Logf("%d requests, %d reconnects, %d streams, %d messages, %d bytes uploaded, longest wait for a message %v",
		r.Requests, r.Reconnects, r.Streams, r.Messages, r.Sent, r.Stall)
	if r.Lost() != 0 {
		s.t.Errorf("%d requests failed, %d of %d streams broke, %d wrong bytes, %d uploads failed: %s; want none",
			r.Failed, r.Broken, r.Streams, r.Wrong, r.UploadsBad, strings.Join(r.Errors, "\n"))
	}
	if r.Messages == 0 || r.Uploads == 0 || r.Sent == 0 {
		s.t.Errorf("nobody streamed, or nothing was uploaded: %+v", r)
	}
	return r
}

// move orders a handover of all groups, and waits until it is done. A peer that a busy machine
// starves for a second is not fit to take over: that is refused, and ordered again.
func (s *site) move(from string) (to string) {
	s.t.Helper()
	s.moveAsking(from, from)
	return other(from)
}

// moveAsking orders it at one of the two nodes.
func (s *site) moveAsking(from, at string) {
	s.t.Helper()
	s.until("the VIP is handed over", func() (bool, string) {
		out, err := s.tandem(at, "handover")
		if err == nil && !strings.Contains(out, other(from)+" is active, no connection was lost") {
			s.t.Fatalf("handover from %s, asked of %s: %q", from, at, out)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// Streams and a bulk upload that began before the first move live through all of them, and
// so does whoever comes meanwhile.
func TestStreamsAndAnUploadLiveThroughHandoversThereAndBack(t *testing.T) {
	s, active := newPair(t)
	tally := s.load(func() {
		r := s.crowd(vip, 0, func() {
			for i := range 6 {
				active = s.move(active)
				s.untilOwnedBy(active)
				time.Sleep([]time.Duration{0, 200 * time.Millisecond, 2 * time.Second}[i%3]) // the last is long enough to drain
			}
		})
		if r.Streams != 20 || r.Uploads != 1 {
			t.Errorf("%d streams and %d uploads, want the same 20 and 1 from beginning to end", r.Streams, r.Uploads)
		}
		if r.Reconnects < 10 {
			t.Errorf("%d connections were ended behind an answer: nothing was drained", r.Reconnects)
		}
	})
	s.noneFailed(tally)
}

// A pair is upgraded: one node after the other ends in order and starts again.
func TestAPairIsRestartedNodeByNodeAndNothingIsLost(t *testing.T) {
	s, active := newPair(t)
	tally := s.load(func() {
		s.crowd(vip, time.Second, func() {
			for _, lb := range []string{other(active), active} {
				s.signal(lb, syscall.SIGTERM)
				if err := s.ended(lb); err != nil {
					t.Errorf("%s ended with %v", lb, err)
				}
				s.untilOwnedBy(other(lb))
				s.startLB(lb)
				s.untilFit(lb)
			}
		})
	})
	s.noneFailed(tally)
}

// untilFit waits until a node that was started is backup and sees the apps.
func (s *site) untilFit(lb string) {
	s.t.Helper()
	s.until(lb+" is a fit backup", func() (bool, string) {
		st, err := s.status(lb)
		if err != nil || len(st.Groups) == 0 || len(st.Pools) == 0 || len(st.Pools[0].Backends) < 2 {
			return false, fmt.Sprintf("%+v, %v", st, err)
		}
		for _, b := range st.Pools[0].Backends {
			if b.State != "up" {
				return false, fmt.Sprintf("%+v", st.Pools)
			}
		}
		return st.Groups[0].State == "backup", st.Groups[0].State
	})
	s.untilLinked(other(lb))
}

// untilLinked waits until a handover from a node would lose nothing: to a peer that was
// started just now there is no state channel for up to a second. It must stay so for longer
// than a status may be old, else it is about the peer's earlier life.
func (s *site) untilLinked(from string) {
	s.t.Helper()
	const old = 2 * time.Second
	since := time.Now()
	s.until("a handover from "+from+" would lose nothing", func() (bool, string) {
		st, err := s.status(from)
		if err != nil || len(st.Groups) == 0 {
			return false, fmt.Sprint(err)
		}
		for _, g := range st.Groups {
			if g.Lossy != "" || len(g.Peers) == 0 || g.Peers[0].State != "backup" || g.Peers[0].Fitness < 255 {
				since = time.Now()
				return false, fmt.Sprintf("%+v", g)
			}
		}
		return time.Since(since) > old, "it is so since " + since.String()
	})
}

func (s *site) noneFailed(tally client.Tally) {
	s.t.Helper()
	if tally.Failed != 0 {
		s.t.Errorf("%d of %d GETs failed: %v; want none", tally.Failed, tally.Requests, tally.Kinds)
	}
}

// The same for IPv6, whose forward table has rules of its own.
func TestAnIPv6VIPIsHandedOverAndNothingIsLost(t *testing.T) {
	s := newSite(t)
	s.extra = []string{"--vip", vip6.String()}
	active := s.pair()
	s.until6(active)
	s.crowd(vip6, 0, func() {
		for range 4 {
			active = s.move(active)
			s.untilOwnedBy(active)
			s.until6(active)
		}
	})
}
