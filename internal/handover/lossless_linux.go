package handover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// LosslessConfig is what a self-test is about.
type LosslessConfig struct {
	Device string       // the VIPs' interface
	Own    []netip.Addr // this node's own addresses on it: of each family that a VIP is of, one
	Peers  []netip.Addr // the peer's, likewise
}

// Lossless finds out whether the VIPs can move from this node to the peer without loss: what
// the peer then sends on must arrive here. It sends a few packets of a made-up connection to
// the peer, which forwards them by a table of their own, in the way in which it would forward
// a client's, and looks whether they come back. ask must bring the request to the peer's
// Reflect and its reply back, and return when its context ends. It is called once for each
// family, on another goroutine. All takes milliseconds, and one or two seconds for a family
// that fails. Sockets are opened in the calling thread's network namespace. It needs
// CAP_NET_ADMIN and CAP_NET_RAW, and disturbs nothing: only packets of a port that it reserves
// are forwarded.
//
// That both nodes can forward to each other needs a test from either side.
func Lossless(ctx context.Context, cfg LosslessConfig, ask func(context.Context, ProbeRequest) (ProbeReply, error)) Report {
	r := Report{RTT: make(map[string]time.Duration)}
	r.Why = append(r.Why, Obstacles(cfg.Device, cfg.Peers...)...)
	if len(cfg.Own) == 0 {
		r.Why = append(r.Why, "this node has no address of its own on "+cfg.Device)
	}
	for _, own := range unmapped(cfg.Own) {
		family := "IPv4"
		if own.Is6() {
			family = "IPv6"
		}
		peer, ok := Config{Peers: unmapped(cfg.Peers)}.peerOf(own)
		if !ok {
			r.Why = append(r.Why, "the peer has no "+family+" address")
			continue
		}
		rtt, reply, err := probe(ctx, cfg.Device, own, peer, ask)
		for _, o := range reply.Obstacles {
			r.Why = append(r.Why, "the peer says: "+o)
		}
		if err != nil {
			r.Why = append(r.Why, family+": "+err.Error())
			continue
		}
		r.RTT[family] = rtt
	}
	slices.Sort(r.Why)
	r.Why = slices.Compact(r.Why) // the peer says the same for each family
	return r
}

// probe sends probes to the peer until one has come back and the peer has answered.
func probe(ctx context.Context, device string, own, peer netip.Addr, ask func(context.Context, ProbeRequest) (ProbeReply, error)) (rtt time.Duration, reply ProbeReply, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*probeTime)
	defer cancel()
	held, port, err := reservePort(own)
	if err != nil {
		return 0, reply, err
	}
	defer unix.Close(held)
	req := ProbeRequest{From: own, To: peer, Port: port}
	if err := req.valid(); err != nil {
		return 0, reply, err
	}
	if err := tryReflect(device, req); err != nil {
		return 0, reply, err
	}
	p, err := newProber(device, req)
	if err != nil {
		return 0, reply, err
	}
	defer p.close()
	type answer struct {
		ProbeReply
		error
	}
	answered := make(chan answer, 1)
	go func() {
		reply, err := ask(ctx, req)
		answered <- answer{reply, err}
	}()
	for ctx.Err() == nil {
		select {
		case a := <-answered:
			return p.result(a.ProbeReply, a.error)
		default:
		}
		if err = p.round(); err != nil {
			break
		}
	}
	cancel()
	a := <-answered
	return 0, a.ProbeReply, cmp.Or(err, fmt.Errorf("the peer has not answered: %w", ctx.Err()))
}

// reservePort takes a port of this node, so that no connection of it has it meanwhile.
func reservePort(own netip.Addr) (fd int, port uint16, err error) {
	var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: own.As16()}
	family := unix.AF_INET6
	if own.Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: own.As4()}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, 0, fmt.Errorf("reserve a port: %w", err)
	}
	bound := unix.Sockaddr(nil)
	if err = unix.Bind(fd, sa); err == nil {
		bound, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, 0, fmt.Errorf("reserve a port of %v: %w", own, err)
	}
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		port = uint16(b.Port)
	case *unix.SockaddrInet6:
		port = uint16(b.Port)
	}
	return fd, port, nil
}

// prober sends probes and watches for their return at the interface: the IP stack drops a
// packet that comes in with the node's own address as its source.
type prober struct {
	req   ProbeRequest
	index int
	own   net.HardwareAddr
	raw   *rawIP
	wire  *packet.Conn
	nonce uint32
	buf   []byte
	sent  []time.Time // when probe number i left
	rtt   time.Duration
	back  bool
}

func newProber(device string, req ProbeRequest) (*prober, error) {
	ifi, err := net.InterfaceByName(device)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", device, err)
	}
	filter, etherType, err := probeFilter(req)
	if err != nil {
		return nil, err
	}
	p := &prober{req: req, index: ifi.Index, own: ifi.HardwareAddr, nonce: rand.Uint32(), buf: make([]byte, 2048)}
	if p.wire, err = packet.Listen(ifi, packet.Raw, etherType, &packet.Config{Filter: filter}); err != nil {
		return nil, fmt.Errorf("packet socket on %s (this needs CAP_NET_RAW): %w", device, err)
	}
	if p.raw, err = openRawIP(); err != nil {
		p.wire.Close()
		return nil, err
	}
	return p, nil
}

func (p *prober) close() {
	p.wire.Close()
	p.raw.close()
}

// round sends one probe and waits a little for any to come back.
func (p *prober) round() error {
	end := time.Now().Add(probeEvery)
	w := netip.AddrPortFrom(p.req.From, p.req.Port)
	to := netip.AddrPortFrom(p.req.To, p.req.Port)
	probe := segment(w, to, flagSYN, p.nonce, uint32(len(p.sent)))
	p.sent = append(p.sent, time.Now())
	if err := p.raw.send(probe, p.req.To, p.index); err != nil {
		return fmt.Errorf("send to the peer: %w", err)
	}
	if err := p.wire.SetReadDeadline(end); err != nil {
		return err
	}
	for {
		n, _, err := p.wire.ReadFrom(p.buf)
		var t interface{ Timeout() bool }
		if errors.As(err, &t) && t.Timeout() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listen on the interface: %w", err)
		}
		if number, ok := p.decode(p.buf[:n]); ok && !p.back && number < len(p.sent) {
			p.back, p.rtt = true, time.Since(p.sent[number])
		}
	}
}

// decode says which of our probes a frame is that somebody else sent.
func (p *prober) decode(frame []byte) (number int, ok bool) {
	const etherLen = 14
	seq := etherLen + header4 + 4
	if p.req.From.Is6() {
		seq = etherLen + header6 + 4
	}
	if len(frame) < seq+8 || slices.Equal(frame[etherSource:etherSource+6], p.own) {
		return 0, false
	}
	if be32(frame[seq:]) != p.nonce {
		return 0, false
	}
	return int(be32(frame[seq+4:])), true
}

// result is what both sides have seen.
func (p *prober) result(reply ProbeReply, err error) (time.Duration, ProbeReply, error) {
	switch {
	case err != nil:
		return 0, reply, fmt.Errorf("the peer cannot forward: %w", err)
	case reply.Forwarded == 0:
		return 0, reply, errors.New("the peer has seen no probe: is a filter between the nodes?")
	case !p.back:
		return 0, reply, fmt.Errorf("the peer has forwarded %d probes and none came back: "+
			"a switch or hypervisor between the nodes seems to filter source addresses", reply.Forwarded)
	}
	return p.rtt, reply, nil
}

// Reflect does the peer's part in Lossless: for at most a second it forwards packets of the
// request's one connection, and nothing else, to where they came from, until it has done
// so. Own are this node's addresses on the device. Call it for requests of authenticated
// peers only, and one at a time. When it returns the table has gone.
func Reflect(ctx context.Context, device string, own []netip.Addr, req ProbeRequest) (reply ProbeReply, err error) {
	if err := req.valid(); err != nil {
		return reply, err
	}
	if own = unmapped(own); !slices.Contains(own, req.To) || slices.Contains(own, req.From) {
		return reply, fmt.Errorf("handover: a probe from %v to %v is not for this node", req.From, req.To)
	}
	reply.Obstacles = Obstacles(device, req.From)
	t, err := openReflect(device, req)
	if err != nil {
		return reply, err
	}
	reply.Forwarded, err = t.await(ctx)
	return reply, errors.Join(err, t.Close(), t.verifyGone())
}

// await waits until the table has forwarded something.
func (t *Table) await(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	for {
		st, err := t.Stats()
		if err != nil || st.Forwarded > 0 {
			return st.Forwarded, err
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-time.After(probeEvery / 4):
		}
	}
}

// tryReflect makes the table that the peer is asked for here, and removes it: what this
// kernel cannot do, it could not do for the peer either.
func tryReflect(device string, req ProbeRequest) error {
	t, err := openReflect(device, req)
	if err != nil {
		return err
	}
	return errors.Join(t.Close(), t.verifyGone())
}
