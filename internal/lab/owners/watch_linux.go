package owners

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Run asks, every Interval, and notes the answers, until ctx ends; then it
// returns nil. An error means that the watcher itself failed.
func (w *Watch) Run(ctx context.Context) error {
	var conn *packet.Conn
	err := w.cfg.Eye.Do(func() error {
		ifi, err := net.InterfaceByName(w.cfg.Interface)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ARP, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("owners: socket in %s: %w", w.cfg.Eye.Name(), err)
	}
	// recent maps the MACs in turn to the numbers of the latest requests.
	var recent [macs]atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.ask(gctx, conn, &recent) })
	g.Go(func() error { return w.listen(gctx, conn, &recent) })
	g.Go(func() error {
		<-gctx.Done()
		return conn.Close()
	})
	return g.Wait()
}

func (w *Watch) ask(ctx context.Context, conn *packet.Conn, recent *[macs]atomic.Int64) error {
	tick := time.NewTicker(w.cfg.Interval)
	defer tick.Stop()
	to := &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		n := w.Sent(w.cfg.Now())
		recent[n%macs].Store(int64(n))
		_, err := conn.WriteTo(request(n, w.cfg.Sender, w.cfg.VIP), to)
		// A full queue or a dead link loses the request, as any frame may be lost.
		lost := errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO)
		if err != nil && ctx.Err() == nil && !lost {
			return fmt.Errorf("owners: ask: %w", err)
		}
	}
}

func (w *Watch) listen(ctx context.Context, conn *packet.Conn, recent *[macs]atomic.Int64) error {
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buf)
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
			return nil
		}
		if errors.Is(err, unix.ENETDOWN) {
			continue
		}
		if err != nil {
			return fmt.Errorf("owners: listen: %w", err)
		}
		if i, mac, ok := reply(buf[:n], w.cfg.VIP); ok {
			w.Answer(int(recent[i].Load()), w.name(mac), w.cfg.Now())
		}
	}
}

// Follow reads from a host's kernel whether it has the address, until ctx ends;
// from then on the host counts as having none. It has to be called anew when the
// host returns from a loss of power, since that is another kernel's state.
func (w *Watch) Follow(ctx context.Context, h Host) error {
	news := make(chan netlink.AddrUpdate, 64)
	done := make(chan struct{})
	var failed atomic.Pointer[error]
	err := h.Do(func() error {
		return netlink.AddrSubscribeWithOptions(news, done, netlink.AddrSubscribeOptions{
			ListExisting:  true,
			ErrorCallback: func(err error) { failed.Store(&err) },
		})
	})
	if err != nil {
		close(done)
		return fmt.Errorf("owners: follow %s: %w", h.Name(), err)
	}
	end := sync.OnceFunc(func() { close(done) }) // closes the socket, which ends news
	defer end()
	defer context.AfterFunc(ctx, end)()
	defer func() { w.Address(h.Name(), false, w.cfg.Now()) }()
	for u := range news {
		ip, ok := netip.AddrFromSlice(u.LinkAddress.IP)
		if ok && ip.Unmap() == w.cfg.VIP && ctx.Err() == nil {
			w.Address(h.Name(), u.NewAddr, w.cfg.Now())
		}
	}
	if err := failed.Load(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("owners: follow %s: %w", h.Name(), *err)
	}
	return nil
}
