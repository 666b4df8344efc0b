package keeper

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// runChannel opens a channel on a free port of loopback; stop ends it as a dying process
// would: listener and connections close.
func runChannel(t *testing.T, node string, boot uint64, keys [][]byte) (c *channel, addr netip.AddrPort, stop func()) {
	t.Helper()
	c, err := openChannel(node, boot, testneed.FreePort(t), keys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.run(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run returned %v after its context ended", err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return c, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.port), stop
}

// following makes from follow peer and returns what it reports.
func following(t *testing.T, from *channel, peer netip.AddrPort) <-chan event {
	t.Helper()
	news := make(chan event, 16)
	from.emit = func(ev event) {
		if _, linked := ev.(peerLinked); !linked {
			news <- ev
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	from.follow(ctx, &g, map[netip.AddrPort]string{peer: ""})
	t.Cleanup(func() { cancel(); g.Wait() })
	return news
}

// untilConnected waits until the channel to peer stands.
func untilConnected(t *testing.T, from *channel, peer netip.AddrPort) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if from.connected(peer) {
			return
		}
	}
	t.Fatal("no state channel within 10 s")
}

var channelKey = bytes.Repeat([]byte{7}, 32)

func TestE7AKeeperThatDiesIsReportedWithItsBoot(t *testing.T) {
	for name, keys := range map[string][][]byte{"with a key": {channelKey}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			lb1, _, _ := runChannel(t, "lb1", 1, keys)
			lb2, addr, die := runChannel(t, "lb2", 2222, keys)
			news := following(t, lb1, addr)
			untilConnected(t, lb1, addr)
			die()
			select {
			case ev := <-news:
				if gone, ok := ev.(peerGone); !ok || gone.node != "lb2" || gone.boot != lb2.boot {
					t.Errorf("reported %#v, want lb2 with its boot", ev)
				}
			case <-time.After(10 * time.Second):
				t.Error("nothing reported within 10 s")
			}
		})
	}
}

func TestE7APeerWithAnotherKeyIsNobody(t *testing.T) {
	lb1, _, _ := runChannel(t, "lb1", 1, [][]byte{channelKey})
	_, addr, die := runChannel(t, "lb2", 2, [][]byte{bytes.Repeat([]byte{8}, 32)})
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := lb1.greet(conn); err == nil {
		t.Error("a peer with another key was believed")
	}
	news := following(t, lb1, addr)
	die()
	select {
	case ev := <-news:
		t.Errorf("reported %#v of a peer that proved nothing", ev)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestE7ARotatedKeyIsAccepted(t *testing.T) {
	old, young := channelKey, bytes.Repeat([]byte{9}, 32)
	lb1, _, _ := runChannel(t, "lb1", 1, [][]byte{young, old})
	_, addr, _ := runChannel(t, "lb2", 2, [][]byte{old})
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if node, boot, err := lb1.greet(conn); err != nil || node != "lb2" || boot != 2 {
		t.Errorf("greeted by %q, boot %d, %v; want lb2, which still has the old key first", node, boot, err)
	}
}
