package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// kernelWire speaks ARP and NDP over packet sockets. It uses the codecs of
// mdlayher/arp but not its Client, which wants an IPv4 address on the interface
// even for a group that is IPv6 only.
type kernelWire struct {
	ifi      Interface
	arp, ndp *frameSocket
	heard    chan Frame
	running  chan struct{} // closed when Run begins
	ended    chan struct{} // closed when Run has ended
	ran      atomic.Bool
	missed   atomic.Uint64 // since the last frame that found room
	closed   atomic.Bool

	mu     sync.Mutex // protects probes
	probes map[*probe]bool
}

// probe is a Probe that waits for an answer.
type probe struct {
	addr   netip.Addr
	answer chan net.HardwareAddr // room for one; later answers are not needed
}

var _ Wire = (*kernelWire)(nil)

// ndpFilter lets pass ICMPv6 neighbour solicitations and advertisements only, so
// that the socket does not copy all of the node's IPv6 traffic.
var ndpFilter = []bpf.Instruction{
	bpf.LoadAbsolute{Off: ethLen + 6, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoICMPv6, SkipTrue: 4},
	bpf.LoadAbsolute{Off: icmpOff, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeNS, SkipTrue: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeNA, SkipTrue: 1},
	bpf.RetConstant{Val: 1 << 16},
	bpf.RetConstant{Val: 0},
}

// OpenWire opens packet sockets in the calling thread's network namespace. It
// needs CAP_NET_RAW.
func OpenWire(ifi Interface) (Wire, error) {
	filter, err := bpf.Assemble(ndpFilter)
	if err != nil {
		return nil, fmt.Errorf("vip: assembling the NDP filter: %w", err)
	}
	arpSocket, err := openFrameSocket(ifi, int(ethernet.EtherTypeARP), nil)
	if err != nil {
		return nil, wireError(ifi, "opening a packet socket", err)
	}
	ndpSocket, err := openFrameSocket(ifi, int(ethernet.EtherTypeIPv6), filter)
	if err != nil {
		arpSocket.Close()
		return nil, wireError(ifi, "opening a packet socket", err)
	}
	return &kernelWire{
		ifi:     ifi,
		arp:     arpSocket,
		ndp:     ndpSocket,
		heard:   make(chan Frame, HeardQueue),
		running: make(chan struct{}),
		ended:   make(chan struct{}),
		probes:  make(map[*probe]bool),
	}, nil
}

// Run implements Wire.
func (w *kernelWire) Run(ctx context.Context) error {
	if w.ran.Swap(true) {
		return fmt.Errorf("vip: %s: the wire runs already", w.ifi.Name)
	}
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() {
		past := time.Unix(1, 0) // wakes the readers; the sockets go on for senders
		w.arp.SetReadDeadline(past)
		w.ndp.SetReadDeadline(past)
	})
	defer stop()
	close(w.running)
	defer close(w.ended)
	g.Go(func() error { return w.read(ctx, w.arp, decodeARP) })
	g.Go(func() error { return w.read(ctx, w.ndp, decodeNDP) })
	return g.Wait()
}

// read decodes what one socket receives.
func (w *kernelWire) read(ctx context.Context, socket *frameSocket, decode func([]byte) (Frame, bool)) error {
	for {
		b, at, pkttype, err := socket.receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case w.closed.Load():
			return fmt.Errorf("%s: reading: %w", w.ifi.Name, ErrClosed)
		case err != nil:
			// ENETDOWN, once each time the interface goes down. The pause is for
			// errors nobody thought of, which must not become a busy loop.
			select {
			case <-ctx.Done():
			case <-time.After(readErrorPause):
			}
			continue
		}
		f, ok := decode(b)
		if !ok || bytes.Equal(f.MAC, w.ifi.MAC) || bytes.Equal(f.Source, w.ifi.MAC) { // our own are heard, too
			continue
		}
		f.At, f.Direct, f.Other = at, pkttype == unix.PACKET_HOST, pkttype == unix.PACKET_OTHERHOST
		w.deliver(f)
	}
}

// deliver hands the frame to the probes it answers and to the reader of Heard.
func (w *kernelWire) deliver(f Frame) {
	w.mu.Lock()
	for p := range w.probes {
		if p.addr == f.Owner {
			select {
			case p.answer <- f.MAC:
			default:
			}
		}
	}
	w.mu.Unlock()

	f.Missed = w.missed.Swap(0)
	select {
	case w.heard <- f:
	default:
		w.missed.Add(f.Missed + 1)
	}
}

// Heard implements Wire.
func (w *kernelWire) Heard() <-chan Frame { return w.heard }

// Probe implements Wire.
func (w *kernelWire) Probe(ctx context.Context, addr netip.Addr) (net.HardwareAddr, error) {
	select {
	case <-w.running:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: probing %s before Run: %w", w.ifi.Name, addr, ctx.Err())
	}
	p := &probe{addr: addr, answer: make(chan net.HardwareAddr, 1)}
	w.mu.Lock()
	w.probes[p] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.probes, p)
		w.mu.Unlock()
	}()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for range probeNum {
		if err := w.send(addr, arpProbe, nsProbe); err != nil {
			return nil, w.wrap("probing "+addr.String(), err)
		}
		select {
		case owner := <-p.answer:
			return owner, nil
		case <-ticker.C:
		case <-w.ended: // nobody reads the answers: silence means nothing
			return nil, fmt.Errorf("%s: probing %s: %w", w.ifi.Name, addr, ErrClosed)
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: probing %s: %w", w.ifi.Name, addr, ctx.Err())
		}
	}
	return nil, nil
}

// Announce implements Wire.
func (w *kernelWire) Announce(ctx context.Context, addr netip.Addr) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.send(addr, arpAnnouncement, naAnnouncement); err != nil {
		return w.wrap("announcing "+addr.String(), err)
	}
	return nil
}

// Answer implements Wire.
func (w *kernelWire) Answer(ctx context.Context, q Frame) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := w.send(q.Target,
		func(mac net.HardwareAddr, _ netip.Addr) ([]byte, error) { return arpAnswer(mac, q) },
		func(mac net.HardwareAddr, _ netip.Addr) []byte { return naAnswer(mac, q) })
	if err != nil {
		return w.wrap("answering for "+q.Target.String(), err)
	}
	return nil
}

// Ask implements Wire. The probe's form, without a sender, would disturb a host that is
// just probing for its own address (RFC 5227, 2.1.1; RFC 4862, 5.4.3).
func (w *kernelWire) Ask(ctx context.Context, addr netip.Addr) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own := w.ifi.ownFor(addr)
	if !own.IsValid() {
		return w.wrap("asking "+addr.String(), errNoOwn)
	}
	err := w.send(addr,
		func(mac net.HardwareAddr, addr netip.Addr) ([]byte, error) { return arpRequest(mac, own, addr) },
		func(mac net.HardwareAddr, addr netip.Addr) []byte { return nsQuestion(mac, own, addr) })
	if err != nil {
		return w.wrap("asking "+addr.String(), err)
	}
	return nil
}

var errNoOwn = errors.New("this node has no address of that family on the interface")

// send builds the frame of addr's family and sends it.
func (w *kernelWire) send(
	addr netip.Addr,
	four func(net.HardwareAddr, netip.Addr) ([]byte, error),
	six func(net.HardwareAddr, netip.Addr) []byte,
) error {
	var socket *frameSocket
	var frame []byte
	var err error
	if addr.Is4() {
		socket = w.arp
		frame, err = four(w.ifi.MAC, addr)
	} else {
		socket = w.ndp
		frame = six(w.ifi.MAC, addr)
	}
	if err != nil {
		return err
	}
	if err := socket.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err = socket.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
	return err
}

// Close implements Wire.
func (w *kernelWire) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	return errors.Join(w.arp.Close(), w.ndp.Close())
}

// wrap names the place, and the remedy where there is one. Closing has a flag of its
// own because its errors cannot be told by errors.Is: a packet socket returns "use
// of closed file", which is neither os.ErrClosed nor net.ErrClosed, and then EBADF.
func (w *kernelWire) wrap(doing string, err error) error {
	if w.closed.Load() {
		err = ErrClosed
	}
	return wireError(w.ifi, doing, err)
}

func wireError(ifi Interface, doing string, err error) error {
	switch {
	case errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV):
		err = fmt.Errorf("%w (%w)", ErrNoInterface, err)
	case errors.Is(err, unix.EPERM):
		err = fmt.Errorf("%w; run as root or grant CAP_NET_RAW", err)
	}
	return fmt.Errorf("%s: %s: %w", ifi.Name, doing, err)
}
