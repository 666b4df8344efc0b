package control

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

// An errand is an order that an operator gives on one balancer and another one carries out. Whoever
// holds the gossip key can say that it is a balancer, so an errand is signed with the key that follows
// from the balancer key. What is signed names both ends, what is to be done and who wants it, a
// challenge of the one that does it, and a number of its own. One that was recorded can be put again
// for two minutes, and brings what the first one brought: nothing is done twice. So the asker may put
// it again and again, which is how it waits for the end.

const (
	askErrand = "errand v1 " // and then an errand in JSON
	// errandTime bounds what is done, and errandWait the wait for it of one question.
	errandTime = 30 * time.Second
	errandWait = time.Second
	// maxErrands bounds the errands of the last minutes, all of them proven.
	maxErrands = 64
	keepErrand = 2*talk.ChallengeTime + errandTime // no challenge is good for longer
	maxWho     = 128                               // bytes of who wants it
)

// errand is the question.
type errand struct {
	Do  string `json:"do"`  // one of the words of errandWords
	Who string `json:"who"` // as the asker knows it
	ID  []byte `json:"id"`  // 16 bytes, random

	Challenge []byte `json:"challenge,omitempty"` // from an earlier answer
	Proof     []byte `json:"proof,omitempty"`
}

// The errands that there are, in the words of the commands.
const (
	doReload       = "reload"
	doReloadDryRun = "reload --dry-run"
	doReloadProxy  = "reload --proxy"
	doMaintOn      = "maint on"
	doMaintOff     = "maint off"
)

// errandDone is the answer: exactly one of these is set.
type errandDone struct {
	Challenge []byte      `json:"challenge,omitempty"` // to be signed first
	Pending   bool        `json:"pending,omitempty"`   // it is under way: ask again
	Refused   *api.Error  `json:"refused,omitempty"`
	Done      *api.Reload `json:"done,omitempty"` // Changes are those of a reload
}

func (e errand) signed(asker, target string) []byte {
	e.Proof = nil
	b, err := json.Marshal(struct {
		What          string
		Asker, Target string
		Errand        errand
	}{"tandem errand", asker, target, e})
	if err != nil { // texts and bytes
		panic(err)
	}
	return b
}

func (e errand) proven(keys [][]byte, asker, target string) bool {
	for _, key := range keys {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, e.signed(asker, target), e.Proof) {
			return true
		}
	}
	return false
}

// errands are those that a balancer does for others. It is safe for use by many goroutines.
type errands struct {
	node       string
	keys       func() [][]byte // by which others are known
	do         func(ctx context.Context, what, who string) (api.Reload, error)
	challenges talk.Challenges
	living     context.Context // of whoever does them

	mu   sync.Mutex // protects what follows
	seen map[string]*underWay
}

// underWay is one of them, which may have ended.
type underWay struct {
	from time.Time
	done chan struct{} // closed when answer is there
	is   errandDone
}

func newErrands(living context.Context, node string, keys func() [][]byte, do func(ctx context.Context, what, who string) (api.Reload, error)) *errands {
	e := &errands{node: node, keys: keys, do: do, living: living, seen: make(map[string]*underWay)}
	rand.Read(e.challenges.Secret[:]) // never fails; see its documentation
	return e
}

// answer answers another balancer.
func (e *errands) answer(asker string, question []byte, now time.Time) ([]byte, error) {
	var q errand
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, fmt.Errorf("errand: %w", err)
	}
	keys := e.keys()
	switch {
	case len(keys) == 0:
		return nil, errors.New("this balancer has no balancer key, so it cannot know who gives orders")
	case !e.challenges.Good(q.Challenge, asker, now) || !q.proven(keys, asker, e.node):
		return json.Marshal(errandDone{Challenge: e.challenges.For(asker, now)})
	case len(q.ID) != 16 || len(q.Who) > maxWho:
		return nil, errors.New("errand: malformed")
	}
	u, err := e.begin(asker, q, now)
	if err != nil {
		return nil, err
	}
	select {
	case <-u.done:
		return json.Marshal(u.is)
	case <-time.After(errandWait):
		return json.Marshal(errandDone{Pending: true})
	}
}

// begin does a proven errand, or finds the one that was begun already.
func (e *errands) begin(asker string, q errand, now time.Time) (*underWay, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.seen, func(_ string, u *underWay) bool { return now.Sub(u.from) > keepErrand })
	key := asker + " " + string(q.ID)
	if u := e.seen[key]; u != nil {
		return u, nil
	}
	if len(e.seen) >= maxErrands {
		return nil, fmt.Errorf("%d orders were given from other balancers within the last minutes; give this one on %s itself", maxErrands, e.node)
	}
	u := &underWay{from: now, done: make(chan struct{})}
	e.seen[key] = u
	go func() {
		defer close(u.done)
		ctx, cancel := context.WithTimeout(e.living, errandTime)
		defer cancel()
		r, err := e.do(ctx, q.Do, q.Who+" on "+asker)
		if err != nil {
			u.is.Refused = asError(err)
			return
		}
		u.is.Done = &r
	}()
	return u, nil
}

func asError(err error) *api.Error {
	e := new(api.Error)
	if !errors.As(err, &e) {
		e = &api.Error{Message: err.Error()}
	}
	return e
}

// What is wrong when the other balancer is not content.
var (
	errNoKey = &api.Error{
		Message: "an order for another balancer must be proven, and this one has no balancer key",
		Remedy:  "give all balancers a key (tandem keygen), or give the order on the other one itself",
	}
	errOtherKey = &api.Error{
		Message: "it does not take this node for a balancer: it has another balancer key, or was started anew just now",
		Remedy:  "compare the keys with 'tandem doctor', look at its timeline, or give the order there",
	}
)

// giveErrand has another balancer do something, and waits for the end of it.
func giveErrand(ctx context.Context, members asker, by identity, node, what, who string) (api.Reload, error) {
	if by.key == nil {
		return api.Reload{}, errNoKey
	}
	q := errand{Do: what, Who: who[:min(len(who), maxWho)], ID: make([]byte, 16)}
	rand.Read(q.ID)
	for {
		a, err := putErrand(ctx, members, node, q)
		switch {
		case errors.Is(err, membership.ErrUnknownMember):
			return api.Reload{}, &api.Error{Message: node + " is not there", Remedy: "'tandem members' shows what gossip knows of it"}
		case err != nil:
			return api.Reload{}, &api.Error{Message: err.Error(), Remedy: fmt.Sprintf("what became of it 'tandem timeline --node %s --kind order' shows; or give the order on %s itself", node, node)}
		case len(a.Challenge) > 0 && q.Proof != nil:
			return api.Reload{}, errOtherKey
		case len(a.Challenge) > 0:
			q.Challenge = a.Challenge
			q.Proof = ed25519.Sign(by.key, q.signed(by.node, node))
		case a.Refused != nil:
			return api.Reload{}, a.Refused
		case a.Done != nil:
			return *a.Done, nil
		case !a.Pending:
			return api.Reload{}, &api.Error{Message: node + " has answered nothing that is understood here", Remedy: "is it of another version? 'tandem status --node " + node + "' shows that"}
		}
	}
}

func putErrand(ctx context.Context, members asker, node string, q errand) (a errandDone, err error) {
	question, err := json.Marshal(q)
	if err != nil {
		return a, fmt.Errorf("errand: %w", err)
	}
	b, err := members.Ask(ctx, node, append([]byte(askErrand), question...))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	return a, err
}
