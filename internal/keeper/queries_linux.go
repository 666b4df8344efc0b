package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// A backup that misses an advert asks whether the active lives, by three paths that share
// as little as possible (E4): to its own address from the adverts' socket; to the VIP from
// a socket that is bound to the VIP's interface, so that whoever answers ARP for the VIP
// is asked; and through members of the cluster. Which socket an answer comes to tells by
// which path it came.

// answersPerSecond bounds the answers to questions; a round of queries is a few of them.
const answersPerSecond = 1000

// queryAnswer is an event: an authentic answer to a question of ours.
type queryAnswer struct {
	a    election.Advert
	path election.Path
}

// openWirePath makes the socket of the wire path.
func openWirePath(ifname string) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var bound error
		err := c.Control(func(fd uintptr) { bound = unix.BindToDevice(int(fd), ifname) })
		return errors.Join(err, bound)
	}}
	conn, err := lc.ListenPacket(context.Background(), "udp", ":0")
	if err != nil {
		return nil, fmt.Errorf("queries on %s: %w", ifname, err)
	}
	return conn.(*net.UDPConn), nil
}

// hearWire passes answers of the wire path on, until ctx ends.
func (g *group) hearWire(ctx context.Context, keys [][]byte, emit func(event)) error {
	stop := context.AfterFunc(ctx, func() { g.asking.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, election.MaxDatagram+1)
	for {
		n, _, err := g.asking.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("queries: %w", err)
		case err != nil:
			continue // an ICMP error: nobody listens there
		}
		if a, err := election.Open(buf[:n], keys); err == nil {
			emit(queryAnswer{a, election.PathWire})
		}
	}
}

// query sends one question by each of the paths wanted. What cannot be sent is not
// answered: the machine waits for no one path.
func (l *loop) query(g *group, q election.Query) {
	if q.Round == 1 { // a new silence: what was heard in the last one proves nothing
		g.segment.silent, g.segment.solicited = q.Node, time.Time{}
	}
	question := election.Question{Node: l.set.node, Boot: l.set.boot, Nonce: q.Nonce, Target: q.Node}
	datagram, err := election.SealQuestion(nil, &question, l.sender.key)
	if err != nil {
		g.log.Error("query not sent", "err", err)
		return
	}
	own := []netip.AddrPort{netip.AddrPortFrom(q.Addr, l.set.port)}
	if !q.Addr.IsValid() {
		own = *l.sender.to.Load()
	}
	for _, to := range own {
		if q.Via&election.PathDirect != 0 {
			l.adverts.conn.WriteToUDPAddrPort(datagram, to)
		}
		if q.Via&election.PathRelay != 0 {
			l.control.send(&ipc.RelayQuery{To: to, Datagram: datagram})
		}
	}
	if q.Via&election.PathWire != 0 {
		g.asking.WriteToUDPAddrPort(datagram, netip.AddrPortFrom(g.claimer.Status().Addrs[0], l.set.port))
	}
}

// relayed takes in what a member brought back. Members may forge it; Open tells.
func (l *loop) relayed(m *ipc.RelayAnswer) {
	a, err := election.Open(m.Datagram, l.adverts.keys)
	if err != nil {
		l.adverts.refuse(err)
		return
	}
	l.answered(queryAnswer{a, election.PathRelay})
}

func (l *loop) answered(qa queryAnswer) {
	for _, g := range l.groups {
		if ev, ok := qa.a.Answered(g.name, qa.path); ok {
			l.step(g, ev)
		}
	}
}

// answerQuestion answers at once, by the way the question came: in the goroutine that
// reads the socket, since what it says the sender makes sure of at this very moment (E3).
func (s *advertSocket) answerQuestion(b []byte, from netip.AddrPort) {
	q, err := election.OpenQuestion(b, s.keys)
	switch {
	case err != nil:
		s.refuse(err)
		return
	case q.Node == s.node && q.Boot == s.boot, q.Target != "" && q.Target != s.node:
		return
	case !s.mayAnswer(time.Now()):
		s.refuse(errTooMany)
		return
	}
	if datagram := s.answer(q.Nonce); datagram != nil {
		s.conn.WriteToUDPAddrPort(datagram, from)
	}
}

var errTooMany = errors.New("too many questions in one second")

// mayAnswer counts answers by the second.
func (s *advertSocket) mayAnswer(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := now.Unix(); second != s.second {
		s.second, s.answers = second, 0
	}
	s.answers++
	return s.answers <= answersPerSecond
}
