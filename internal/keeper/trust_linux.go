package keeper

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-lb/tandem/election"
)

// What is said to one address in exchanges that make a session is bounded (E2): an exchange is five datagrams, and
// nobody needs two of them in a second. All addresses that are no peer's share one such bound, so that strangers
// cannot use up what the peers need. Whoever sends what no session carries needs no key for it, so that it is
// greeted less often: in another's name it would make that one agree on a new session each time.
const (
	hellosPerSecond = 50
	greetsPerSecond = 10
)

var errExchanges = errors.New("too many exchanges in one second")

// trust says whom this node believes, and seals what it says. The sessions behind it are for one goroutine at a
// time (E2): datagrams are opened one after the other, by whoever has read them. What is sealed waits for none
// of that: the thread that sends adverts looks keys up in a map that is replaced as a whole.
type trust struct {
	keyed bool
	hails atomic.Pointer[hails]
	keys  atomic.Pointer[map[string]election.Session]

	mu       sync.Mutex // protects what follows
	sessions *election.Sessions
	heard    map[string]time.Time   // when each node last proved to be there; at most twice MaxPeers
	peers    map[netip.Addr]replies // how much was said to each peer's address this second
	others   replies                // and to all others
	second   int64
}

// replies counts what was said in exchanges.
type replies struct{ hellos, greets int }

// hails are the datagrams that begin an exchange; nil without keys.
type hails struct{ greet, call []byte }

// received is what a datagram turned out to be.
type received struct {
	advert   election.Advert   // no node: none
	question election.Question // no node: none
	reply    []byte            // goes back to where the datagram came from; nil: nothing
	agreed   string            // the node with which this datagram has made a session; "": none
}

func newTrust(node string, boot uint64, keys [][]byte) (*trust, error) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails; see its documentation
	s, err := election.NewSessions(node, boot, secret, keys)
	if err != nil {
		return nil, err
	}
	t := &trust{
		keyed: len(keys) > 0, sessions: s,
		heard: make(map[string]time.Time), peers: make(map[netip.Addr]replies),
	}
	t.keys.Store(new(map[string]election.Session))
	t.hails.Store(&hails{s.Greet(), s.Call()})
	return t, nil
}

// setKeys changes the accepted balancer keys, none of which is empty; sessions that stand go
// on. With keys or without is decided at the start.
func (t *trust) setKeys(keys [][]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.sessions.SetKeys(keys); err != nil {
		return err
	}
	t.hails.Store(&hails{t.sessions.Greet(), t.sessions.Call()})
	return nil
}

// open reads a datagram that came from there. A reply is to be sent whatever the error.
func (t *trust) open(b []byte, from netip.Addr, now time.Time) (r received, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var reply []byte
	if election.IsQuestion(b) {
		r.question, reply, err = t.sessions.OpenQuestion(b)
	} else {
		r.advert, reply, err = t.sessions.Open(b)
	}
	node := cmp.Or(r.advert.Node, r.question.Node)
	if err == nil && node == "" { // a hello
		if r.agreed = t.publish(); r.agreed != "" {
			node = r.agreed
		}
	}
	if node != "" {
		t.saw(node, now)
	}
	switch {
	case reply == nil:
	case r.agreed != "", t.mayReply(from.Unmap(), err == nil, now): // what makes a session is never a repetition
		r.reply = reply
	case err == nil:
		err = errExchanges
	}
	return r, err
}

// publish makes the sessions that stand visible to those who seal, and returns the node of one that is new.
func (t *trust) publish() (agreed string) {
	old, all := *t.keys.Load(), t.sessions.All()
	next := make(map[string]election.Session, len(all))
	for _, s := range all {
		if s.Key == nil {
			continue
		}
		next[s.Node] = s
		if old[s.Node].ID != s.ID {
			agreed = s.Node
		}
	}
	if agreed != "" || len(next) != len(old) {
		t.keys.Store(&next)
	}
	return agreed
}

func (t *trust) saw(node string, now time.Time) {
	if _, known := t.heard[node]; known || len(t.heard) < 2*election.MaxPeers {
		t.heard[node] = now
	}
}

// setPeers names the addresses of which each has a bound of its own.
func (t *trust) setPeers(addrs []netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.peers
	t.peers = make(map[netip.Addr]replies, len(addrs))
	for _, a := range addrs {
		t.peers[a] = old[a]
	}
}

// mayReply counts a reply to a hello, or else to what no session carries.
func (t *trust) mayReply(to netip.Addr, hello bool, now time.Time) bool {
	if second := now.Unix(); second != t.second {
		t.second, t.others = second, replies{}
		for a := range t.peers {
			t.peers[a] = replies{}
		}
	}
	n, peer := t.peers[to]
	if !peer {
		n = t.others
	}
	if hello {
		n.hellos++
	} else {
		n.greets++
	}
	if peer {
		t.peers[to] = n
	} else {
		t.others = n
	}
	return n.hellos <= hellosPerSecond && hello || n.greets <= greetsPerSecond && !hello
}

// key returns what to seal with for a node; false while there is no session with it. Any goroutine may ask.
func (t *trust) key(node string) (election.Session, bool) {
	if !t.keyed {
		return election.Session{}, true
	}
	s, ok := (*t.keys.Load())[node]
	return s, ok
}

// seal appends the datagram of an advert for one node to dst; nil and no error while there is no session with it.
func (t *trust) seal(dst []byte, node string, a *election.Advert) ([]byte, error) {
	s, ok := t.key(node)
	if !ok {
		return nil, nil
	}
	sealed := *a
	sealed.Session = s.ID
	return election.Seal(dst, &sealed, s.Key)
}

// sealQuestion does the same for a question.
func (t *trust) sealQuestion(node string, q *election.Question) ([]byte, error) {
	s, ok := t.key(node)
	if !ok {
		return nil, nil
	}
	sealed := *q
	sealed.Session = s.ID
	return election.SealQuestion(nil, &sealed, s.Key)
}

// sweep forgets the nodes that have not been heard since then, but for those that present says are there, and
// returns them. So the bounded tables are never full of nodes that were.
func (t *trust) sweep(now, since time.Time, present func(node string) bool) (gone []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.sessions.All() { // some began an exchange and never ended it
		if _, known := t.heard[s.Node]; !known {
			t.saw(s.Node, now)
		}
	}
	for node, at := range t.heard {
		if at.Before(since) && !present(node) {
			t.sessions.Forget(node)
			delete(t.heard, node)
			gone = append(gone, node)
		}
	}
	if len(gone) > 0 {
		t.publish()
	}
	return gone
}
