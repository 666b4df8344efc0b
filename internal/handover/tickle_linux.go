package handover

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// TicklerConfig says where a Tickler sends, and how fast.
type TicklerConfig struct {
	Device string // the VIPs' interface, by which clients with link-local addresses are reached
	Rate   int    // ACKs in a second after the first 256; 0: 10,000, at most 1,000,000
}

// Tickler tells clients of a dead node to look at their connections.
type Tickler struct {
	rate  int
	index int // of the device
	raw   *rawIP
}

// NewTickler opens raw sockets in the calling thread's network namespace. It needs
// CAP_NET_RAW.
func NewTickler(cfg TicklerConfig) (*Tickler, error) {
	if cfg.Rate == 0 {
		cfg.Rate = DefaultTickleRate
	}
	if cfg.Rate < 1 || cfg.Rate > 1_000_000 {
		return nil, fmt.Errorf("handover: %d ACKs in a second; 1 to 1,000,000 are allowed", cfg.Rate)
	}
	ifi, err := net.InterfaceByName(cfg.Device)
	if err != nil {
		return nil, fmt.Errorf("handover: device %s: %w", cfg.Device, err)
	}
	raw, err := openRawIP()
	if err != nil {
		return nil, err
	}
	return &Tickler{rate: cfg.Rate, index: ifi.Index, raw: raw}, nil
}

// Fire sends one bare ACK for each connection, in the name of its VIP, which this node must
// have claimed: its kernel is to answer what the clients reply. Gate is asked immediately
// before each packet; once it says no, Fire stops with ErrGateShut. It returns when all is
// sent, or ctx has ended: the first 256 at once, the others at the configured rate. Never
// call it when the connections still live somewhere, as during a handover.
func (t *Tickler) Fire(ctx context.Context, flows []Flow, gate func() bool) (done Tickled, err error) {
	began := time.Now()
	for i, w := range flows {
		if err := sleepUntil(ctx, began.Add(dueAfter(i, t.rate))); err != nil {
			return done, err
		}
		if !w.plausible() {
			done.Failed++
			continue
		}
		packet := bareACK(w, rand.Uint32(), rand.Uint32())
		if !gate() {
			return done, fmt.Errorf("handover: tickle: %w", ErrGateShut)
		}
		if err := t.raw.send(packet, w.Client.Addr(), t.index); errors.Is(err, ErrClosed) {
			return done, err
		} else if err != nil {
			done.Failed++
			continue
		}
		done.Sent++
	}
	return done, nil
}

func sleepUntil(ctx context.Context, due time.Time) error {
	wait := time.Until(due)
	if wait <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

// Close closes the sockets, after which Fire fails. Do not call it while Fire runs.
func (t *Tickler) Close() error { return t.raw.close() }

// rawIP sends whole IP packets. IPPROTO_RAW hears nothing, so that no queue fills.
type rawIP struct{ four, six int } // -1: there is none

func openRawIP() (*rawIP, error) {
	r := &rawIP{-1, -1}
	var err error
	if r.four, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
		return nil, fmt.Errorf("handover: raw socket (this needs CAP_NET_RAW): %w", err)
	}
	r.six, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		r.six = -1 // a kernel without IPv6 has no such VIPs either
	} else if err != nil {
		r.close()
		return nil, fmt.Errorf("handover: raw IPv6 socket: %w", err)
	}
	return r, nil
}

// sendTries is how often a full send queue is met with a pause of a millisecond.
const sendTries = 20

// send sends one packet. A link-local address is on the interface with this index.
func (r *rawIP) send(packet []byte, to netip.Addr, index int) error {
	fd, sa := r.four, unix.Sockaddr(nil)
	if to.Is4() {
		sa = &unix.SockaddrInet4{Addr: to.As4()}
	} else {
		dest := &unix.SockaddrInet6{Addr: to.As16()}
		if to.IsLinkLocalUnicast() {
			dest.ZoneId = uint32(index)
		}
		fd, sa = r.six, dest
	}
	if fd < 0 {
		return fmt.Errorf("handover: raw socket: %w", ErrClosed)
	}
	for try := 0; ; try++ {
		err := unix.Sendto(fd, packet, unix.MSG_DONTWAIT, sa)
		full := errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS)
		if !full || try == sendTries {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// close closes both. Twice is no error.
func (r *rawIP) close() error {
	var errs []error
	for _, fd := range []*int{&r.four, &r.six} {
		if *fd >= 0 {
			errs = append(errs, unix.Close(*fd))
			*fd = -1
		}
	}
	return errors.Join(errs...)
}
