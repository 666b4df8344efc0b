package keeper

import (
	"log/slog"
	"net/netip"
	"os"

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

// decide says whether the process that has ended is started again.
func (d *desk) decide(again bool) {
	select {
	case d.child.verdict <- again:
	default: // it was decided already
	}
}

// controlDesk tells the control process what it needs to know.
type controlDesk struct {
	desk
	start   ipc.ControlStart
	runners []*runnerDesk // who run what control has them run
	run     func(*child)  // starts one of these, and keeps it
	files   []*os.File    // the listening admin socket, what openState returns, and the status page's socket
}

func (d *controlDesk) started(conn *ipc.Conn) {
	d.conn = conn
	start := d.start // as it is now: a reload changes it, and what is sent is read later
	d.send(&start, d.files...)
}

func (d *controlDesk) report(s *ipc.KeeperState) { d.send(s) }

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
