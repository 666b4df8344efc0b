package limit

import (
	"hash/maphash"
	"sync"
)

// connParts is how many locks a Conns has.
const connParts = 64

// Conns counts the open connections of sources. An entry is there as long as a connection
// is: it holds no more sources than there are connections, so that it needs no other bound
// and forgets nobody.
type Conns struct {
	seed  maphash.Seed
	parts [connParts]connPart
}

type connPart struct {
	mu   sync.Mutex
	open map[Key]int32
	_    [40]byte // the next is another core's
}

// NewConns makes an empty Conns.
func NewConns() *Conns {
	c := &Conns{seed: maphash.MakeSeed()}
	for i := range c.parts {
		c.parts[i].open = make(map[Key]int32)
	}
	return c
}

func (c *Conns) part(k Key) *connPart { return &c.parts[k.hash(c.seed)%connParts] }

// Enter counts a connection of k, unless there are most already: then it reports false.
func (c *Conns) Enter(k Key, most int) bool {
	p := c.part(k)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.open[k]
	if int(n) >= most {
		return false
	}
	p.open[k] = n + 1
	return true
}

// Leave undoes an Enter that reported true.
func (c *Conns) Leave(k Key) {
	p := c.part(k)
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.open[k]; n > 1 {
		p.open[k] = n - 1
	} else {
		delete(p.open, k)
	}
}
