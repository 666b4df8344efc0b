package keeper

import (
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

const (
	proxyName   = "proxy"
	controlName = "control"
	// maxPeers bounds the addresses that adverts go to.
	maxPeers = 64
)

// desk is the loop's end of one child: what to tell it, if it is there.
type desk struct {
	child *child
	conn  *ipc.Conn // nil while it is gone
	log   *slog.Logger
}

// send queues a message. A child that has not read hundreds of them is stuck: its
// connection is closed, and that starts another.
func (d *desk) send(m ipc.Message, files ...*os.File) {
	if d.conn == nil {
		return
	}
	if err := d.conn.Send(m, files...); err != nil {
		d.log.Error("message not sent", "process", d.child.name, "err", err)
		d.conn.Close()
	}
}

func (d *desk) ended() { d.conn = nil }

// controlDesk tells the control process what it needs to know.
type controlDesk struct {
	desk
	start ipc.ControlStart
	admin *os.File // the listening admin socket
}

func (d *controlDesk) started(conn *ipc.Conn) {
	d.conn = conn
	d.send(&d.start, d.admin)
}

func (d *controlDesk) report(s *ipc.KeeperState) { d.send(s) }

// proxyDesk tells the proxy process what to do, and knows whether it does it.
type proxyDesk struct {
	desk
	start     ipc.ProxyStart
	listeners []*os.File
	progress  *progress
	timeout   time.Duration // of a loop's progress

	ready      bool
	up, total  int // backends
	clients    ipc.Clients
	lastReason string
	lastShare  uint8
}

func (d *proxyDesk) started(conn *ipc.Conn) {
	d.conn = conn
	d.send(&d.start, append([]*os.File{d.progress.file}, d.listeners...)...)
	d.send(&ipc.Serve{})
}

func (d *proxyDesk) becomeReady(now time.Time) {
	d.ready = true
	d.progress.restart(now)
}

func (d *proxyDesk) ended() {
	d.desk.ended()
	d.ready = false
}

func (d *proxyDesk) backends(up, total int) { d.up, d.total = up, total }

// look returns why the proxy does not serve, "" when it does, and whether that is news.
func (d *proxyDesk) look(now time.Time) (reason string, changed bool) {
	switch {
	case !d.ready:
		reason = "the proxy is starting"
	default:
		if loop, _, stuck := d.progress.stuck(now, d.timeout); stuck {
			reason = "loop " + strconv.Itoa(loop) + " of the proxy stands still"
		}
	}
	changed = reason != d.lastReason
	d.lastReason = reason
	return reason, changed
}

// fitness is how well this node could serve (E10): half of it for a proxy that runs, half
// for the share of the backends that it sees up.
func (d *proxyDesk) fitness() (value uint8, changed bool) {
	if d.ready {
		value = 128
		if d.total > 0 {
			value += uint8(127 * d.up / d.total)
		}
	}
	changed = value != d.lastShare
	d.lastShare = value
	return value, changed
}

// seedAdverts returns where adverts go before gossip knows anybody: the seeds that are
// addresses.
func seedAdverts(join []string, port uint16, own netip.Addr) []netip.AddrPort {
	var out []netip.AddrPort
	for _, seed := range join {
		addr, err := netip.ParseAddr(seed)
		if err != nil {
			ap, err := netip.ParseAddrPort(seed)
			if err != nil {
				continue // a name: gossip resolves it
			}
			addr = ap.Addr()
		}
		if addr != own && len(out) < maxPeers {
			out = append(out, netip.AddrPortFrom(addr.Unmap(), port))
		}
	}
	return out
}
