package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/election"
)

// advertSocket sends and receives adverts: one UDP socket for both families.
type advertSocket struct {
	conn   *net.UDPConn
	raw    syscall.RawConn
	node   string
	trust  *trust
	answer func(node string, nonce uint64) []byte // what this node says now to whoever asks; set before run

	late [election.MaxDatagram + 1]byte // what pending reads into

	mu      sync.Mutex // protects what follows
	second  int64      // the one that answers are counted in
	answers int
	heard   uint64
	refused map[string]uint64 // by reason; as many as there are named reasons
}

// heardAdvert is an event: an authentic advert. Whether it is news, and not a repetition or
// overtaken by a later one, is for the loop to say, which alone knows the order.
type heardAdvert struct {
	from netip.Addr
	a    election.Advert
}

// agreed is an event: there is a new session with a node (E2).
type agreed struct {
	node string
	from netip.AddrPort // where its last word came from; not valid when that was a relay
}

func openAdverts(set settings, t *trust) (*advertSocket, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: int(set.port)})
	if err != nil {
		return nil, fmt.Errorf("adverts: %w; is another tandem lb, keepalived or seesaw at work on this host? advert_port changes the port", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("adverts: %w", err)
	}
	return &advertSocket{
		conn: conn, raw: raw, node: set.node, trust: t, refused: make(map[string]uint64),
	}, nil
}

// run hands each advert, each answer to a query and each session agreed on to deliver until
// ctx ends. Questions it answers itself, and what an exchange wants said it says.
func (s *advertSocket) run(ctx context.Context, deliver func(event)) error {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	buf := make([]byte, election.MaxDatagram+1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("adverts: %w", err)
		case err != nil:
			continue // an ICMP error of something we sent; the socket is fine
		}
		if ev := s.accept(buf[:n], from); ev != nil {
			deliver(ev)
		}
	}
}

// pending reads what has arrived and not been delivered yet, without waiting. The loop
// calls it before it lets time pass, so that a late wake-up never judges a peer by
// adverts that are already here. One goroutine at a time may call it.
func (s *advertSocket) pending(deliver func(event)) {
	buf := s.late[:]
	s.raw.Control(func(fd uintptr) {
		for range 1024 { // more than the kernel's default buffer holds
			n, sa, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if ev := s.accept(buf[:n], sockaddr(sa)); ev != nil {
				deliver(ev)
			}
		}
	})
}

// accept opens a datagram and returns the event that it is, or nil. What is not authentic
// is counted by reason.
func (s *advertSocket) accept(b []byte, from netip.AddrPort) event {
	r, err := s.trust.open(b, from.Addr(), time.Now())
	if r.reply != nil {
		s.conn.WriteToUDPAddrPort(r.reply, from)
	}
	switch {
	case err != nil:
		s.refuse(err)
	case r.agreed != "":
		return agreed{r.agreed, from}
	case r.question.Node != "":
		s.answerQuestion(r.question, from)
		if r.question.Complaint.Group != "" { // whoever asks may have a complaint, too (E6)
			return complained{r.question}
		}
	case r.advert.Echo != 0:
		s.count()
		return queryAnswer{r.advert, election.PathDirect}
	case r.advert.Node != "":
		s.count()
		return heardAdvert{from: from.Addr().Unmap(), a: r.advert}
	}
	return nil
}

// count counts an advert or answer that is authentic.
func (s *advertSocket) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard++
}

// refuse counts a datagram that is not heeded.
func (s *advertSocket) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[rootCause(err)]++
}

// counts returns copies of the counters.
func (s *advertSocket) counts() (heard uint64, refused map[string]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused = make(map[string]uint64, len(s.refused))
	for reason, n := range s.refused {
		refused[reason] = n
	}
	return s.heard, refused
}

// rootCause names a refusal by its sentinel, without the details around it, so that there
// are no more reasons than sentinels.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func sockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
