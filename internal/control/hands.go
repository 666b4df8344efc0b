package control

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// What operators have set by hand, of a backend's state and weight. Every balancer holds all
// of it: the latest word about a backend counts, wherever it was given, so that a failover
// undoes nothing. It stays until it is undone by hand, also while the backend is away.

// The states that an operator may give a backend.
const (
	stateReady = "ready" // none by hand
	stateDrain = "drain" // requests under way end, and no new ones come
	stateMaint = "maint" // the same, and it is not checked either
)

const (
	maxHands = 128                 // entries, undone ones included; all of them are one message
	keepHand = 30 * 24 * time.Hour // of one that was undone: a balancer that was away so long may bring it back
	maxWord  = 128                 // bytes of each text
)

// hand is the latest word about one backend.
type hand struct {
	Pool    string    `json:"pool"`
	Backend string    `json:"backend"`
	State   string    `json:"state,omitempty"`  // drain or maint; "": none by hand
	Weight  int       `json:"weight,omitempty"` // 0: its own
	Who     string    `json:"who,omitempty"`
	Node    string    `json:"node"` // where it was given
	At      time.Time `json:"at"`
}

type handKey struct{ pool, backend string }

func (h hand) key() handKey { return handKey{h.Pool, h.Backend} }

func (h hand) undone() bool { return h.State == "" && h.Weight == 0 }

func (h hand) valid() bool {
	for _, s := range []string{h.Pool, h.Backend, h.Node} {
		if s == "" || len(s) > maxWord {
			return false
		}
	}
	return len(h.Who) <= maxWord && (h.State == "" || h.State == stateDrain || h.State == stateMaint) && h.Weight >= 0 && h.Weight <= 256
}

// newer says which of two words about one backend counts, the same on every balancer.
func (h hand) newer(o hand) bool {
	return cmp.Or(h.At.Compare(o.At), strings.Compare(h.Node, o.Node)) > 0
}

// hands are the words about all backends.
type hands map[handKey]hand

// set gives the latest word about a backend. Its time is after that of any other, whatever
// the clocks of the balancers say.
func (hs hands) set(h hand, now time.Time) error {
	old, known := hs[h.key()]
	if h.At = now; known && !h.At.After(old.At) {
		h.At = old.At.Add(time.Millisecond)
	}
	if !h.valid() {
		return fmt.Errorf("a name is longer than %d bytes", maxWord)
	}
	if !known && !hs.room(now) {
		return fmt.Errorf("%d backends are set by hand, and no more fit; set some of them ready first", maxHands)
	}
	hs[h.key()] = h
	return nil
}

// room makes room for one more, at the cost of what was undone long ago.
func (hs hands) room(now time.Time) bool {
	maps.DeleteFunc(hs, func(_ handKey, h hand) bool { return h.undone() && now.Sub(h.At) > keepHand })
	if len(hs) < maxHands {
		return true
	}
	var oldest *hand
	for _, h := range hs {
		if h.undone() && (oldest == nil || h.At.Before(oldest.At)) {
			oldest = &h
		}
	}
	if oldest == nil {
		return false
	}
	delete(hs, oldest.key())
	return true
}

// merge takes in what another balancer, or an earlier run, knows, and reports whether
// anything of it is news. What is malformed or from the future does not count.
func (hs hands) merge(others []hand, now time.Time) (news bool) {
	for _, h := range others {
		old, known := hs[h.key()]
		switch {
		case !h.valid(), h.At.After(now.Add(keepHand)), known && !h.newer(old), !known && !hs.room(now):
		default:
			hs[h.key()] = h
			news = true
		}
	}
	return news
}

// beyond says that these know something that is missing in a list, or older there.
func (hs hands) beyond(list []hand) bool {
	theirs := make(hands, len(list))
	for _, h := range list {
		theirs[h.key()] = h
	}
	for key, h := range hs {
		if o, known := theirs[key]; !known || h.newer(o) {
			return true
		}
	}
	return false
}

// list is all of them in one order.
func (hs hands) list() []hand {
	return slices.SortedFunc(maps.Values(hs), func(a, b hand) int {
		return cmp.Or(strings.Compare(a.Pool, b.Pool), strings.Compare(a.Backend, b.Backend))
	})
}

// apply returns the lists as the operators want them: who drains, whom the proxy shall not
// know, and which share each has.
func (hs hands) apply(lists *ipc.Pools) *ipc.Pools {
	if len(hs) == 0 {
		return lists
	}
	out := &ipc.Pools{Reload: lists.Reload}
	for _, pool := range lists.Pools {
		backends := make([]ipc.Backend, 0, len(pool.Backends))
		for _, b := range pool.Backends {
			h := hs[handKey{pool.Name, b.ID}]
			if h.State == stateMaint {
				continue
			}
			b.Drain = b.Drain || h.State == stateDrain
			b.Weight = cmp.Or(h.Weight, b.Weight)
			backends = append(backends, b)
		}
		pool.Backends = backends
		out.Pools = append(out.Pools, pool)
	}
	return out
}

// find returns the backend that an operator means by a name: its ID, its address, or either
// after the pool's name and a slash.
func find(lists *ipc.Pools, name string) (pool string, b ipc.Backend, err error) {
	var found []string
	for _, p := range lists.Pools {
		for _, one := range p.Backends {
			own := []string{one.ID, one.Addr.String()}
			if slices.Contains(own, name) || slices.ContainsFunc(own, func(s string) bool { return p.Name+"/"+s == name }) {
				pool, b = p.Name, one
				found = append(found, p.Name+"/"+strings.TrimPrefix(one.ID, staticPrefix))
			}
		}
	}
	switch len(found) {
	case 0:
		return "", b, fmt.Errorf("there is no backend %q", name)
	case 1:
		return pool, b, nil
	}
	return "", b, fmt.Errorf("%q is %s", name, strings.Join(found, " and "))
}

// handsFile is the state as it is kept and told: a line with a checksum, and JSON.
const handsMark = "tandem backends 1 "

func encodeHands(list []hand) []byte {
	body, err := json.Marshal(list)
	if err != nil { // texts, numbers and times
		panic(err)
	}
	return append(fmt.Appendf(nil, "%s%08x\n", handsMark, crc32.ChecksumIEEE(body)), body...)
}

var errHands = errors.New("no list of backends set by hand")

// decodeHands reads what encodeHands wrote; nothing was kept yet where b is empty.
func decodeHands(b []byte) ([]hand, error) {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 {
		return nil, nil
	}
	head, body, _ := bytes.Cut(b, []byte("\n"))
	var list []hand
	if string(head) != fmt.Sprintf("%s%08x", handsMark, crc32.ChecksumIEEE(body)) || json.Unmarshal(body, &list) != nil {
		return nil, errHands
	}
	if len(list) > maxHands {
		return nil, errHands
	}
	return list, nil
}
