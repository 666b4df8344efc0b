package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
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
func (g *group) hearWire(ctx context.Context, s *advertSocket, emit func(event)) error {
	stop := context.AfterFunc(ctx, func() { g.asking.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, election.MaxDatagram+1)
	for {
		n, from, err := g.asking.ReadFromUDPAddrPort(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("queries: %w", err)
		case err != nil:
			continue // an ICMP error: nobody listens there
		}
		r, err := s.trust.open(buf[:n], from.Addr(), time.Now())
		if r.reply != nil {
			g.asking.WriteToUDPAddrPort(r.reply, from)
		}
		switch {
		case err != nil:
			s.refuse(err)
		case r.agreed != "":
			emit(agreed{r.agreed, from})
		case r.advert.Node != "":
			emit(queryAnswer{r.advert, election.PathWire})
		}
	}
}

// query sends one question by each of the paths wanted. What cannot be sent is not
// answered: the machine waits for no one path.
func (l *loop) query(g *group, q election.Query) {
	l.asked.add(q.Nonce, time.Now())
	question := election.Question{Node: l.set.node, Boot: l.set.boot, Nonce: q.Nonce, Target: q.Node, Complaint: q.Complaint}
	asked := []target{{netip.AddrPortFrom(q.Addr, l.set.port), q.Node}}
	if !q.Addr.IsValid() {
		asked = *l.sender.to.Load()
	}
	var last []byte
	for _, to := range asked {
		datagram, err := l.trust.sealQuestion(to.node, &question)
		if err != nil {
			g.log.Error("query not sent", "err", err)
			return
		}
		if datagram == nil { // it may answer the next one: whichever path works must do for the exchange, too
			datagram = l.trust.hails.Load().greet
		}
		via := q.Via
		if bytes.Equal(datagram, last) { // on the wire it goes to one place, whoever it is meant for
			via &^= election.PathWire
		}
		l.carry(g, datagram, to.addr, via)
		last = datagram
	}
}

// carry sends a datagram to a node by each of the paths wanted, at once.
func (l *loop) carry(g *group, datagram []byte, to netip.AddrPort, via election.Path) {
	if via&election.PathDirect != 0 {
		l.adverts.conn.WriteToUDPAddrPort(datagram, to)
	}
	if via&election.PathRelay != 0 {
		l.control.send(&ipc.RelayQuery{To: to, Datagram: datagram})
	}
	if st := g.claimer.Status(); via&election.PathWire != 0 && !st.Held { // held, it would come here
		g.asking.WriteToUDPAddrPort(datagram, netip.AddrPortFrom(st.Addrs[0], l.set.port))
	}
}

// relayed takes in what a member brought back. Members may forge it; trust tells.
func (l *loop) relayed(m *ipc.RelayAnswer) {
	r, err := l.trust.open(m.Datagram, m.To.Addr(), time.Now())
	if r.reply != nil { // an exchange takes as many relays as it has datagrams
		l.control.send(&ipc.RelayQuery{To: m.To, Datagram: r.reply})
	}
	switch {
	case err != nil:
		l.adverts.refuse(err)
	case r.agreed != "":
		l.agreed(agreed{node: r.agreed})
	case r.advert.Node != "":
		l.answered(queryAnswer{r.advert, election.PathRelay})
	}
}

// answered takes in an answer, once from each path: what is repeated later would only make
// the way of an answer look longer than it is.
func (l *loop) answered(qa queryAnswer) {
	switch err := l.asked.expects(qa, time.Now()); {
	case errors.Is(err, election.ErrReplay) && qa.path == election.PathRelay:
		return // several members carry each question
	case err != nil:
		l.adverts.refuse(err)
		return
	}
	for _, g := range l.groups {
		if ev, ok := qa.a.Answered(g.name, qa.path); ok {
			l.step(g, ev)
		}
	}
}

// answerQuestion answers at once, by the way the question came: in the goroutine that
// reads the socket, since what it says the sender makes sure of at this very moment (E3).
func (s *advertSocket) answerQuestion(q election.Question, from netip.AddrPort) {
	switch {
	case q.Target != "" && q.Target != s.node:
		return
	case !s.mayAnswer(time.Now()):
		s.refuse(errTooMany)
		return
	}
	if datagram := s.answer(q.Node, q.Nonce); datagram != nil {
		s.conn.WriteToUDPAddrPort(datagram, from)
	}
}

// questions remembers the nonces of the latest queries, as a ring, and who has answered.
type questions struct {
	ring [64]struct {
		nonce   uint64
		at      time.Time
		answers []answer
	}
	next int
}

// answer is whose one answer by one path has come.
type answer struct {
	node string
	path election.Path
}

// answerAge is how late an answer may come. Nobody waits that long for one.
const answerAge = 2 * time.Second

var errUnasked = errors.New("answer to no question that waits for one")

func (q *questions) add(nonce uint64, now time.Time) {
	e := &q.ring[q.next%len(q.ring)]
	e.nonce, e.at, e.answers = nonce, now, e.answers[:0]
	q.next++
}

// expects returns nil for the first answer of a node by a path to a question of late, else
// errUnasked or election.ErrReplay.
func (q *questions) expects(qa queryAnswer, now time.Time) error {
	for i := range q.ring {
		e := &q.ring[i]
		if e.nonce != qa.a.Echo || e.nonce == 0 || now.Sub(e.at) > answerAge {
			continue
		}
		a := answer{qa.a.Node, qa.path}
		if slices.Contains(e.answers, a) || len(e.answers) >= 3*election.MaxPeers {
			return election.ErrReplay
		}
		e.answers = append(e.answers, a)
		return nil
	}
	return errUnasked
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
