package lbcore

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func manyConfigs(n int) []BackendConfig {
	list := make([]BackendConfig, n)
	for i := range list {
		list[i] = at("app"+strconv.Itoa(i), uint16(1+i))
	}
	return list
}

// In a pool of many, what changes within two milliseconds is shown at once, and nothing is forgotten.
func TestChangesInAPoolOfManyAreShownTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPool(t)
		set(t, p, manyConfigs(manyBackends+1)...)
		before := p.view.Load()
		for _, b := range p.backends {
			b.status.Store(&status{up: true})
			p.refresh()
		}
		if p.view.Load() != before {
			t.Error("each change was shown by itself")
		}
		waitFor(p)
		if n := len(p.view.Load().avail); n != manyBackends+1 {
			t.Errorf("%d are shown as up", n)
		}
		p.backends[7].status.Store(&status{})
		p.refresh()
		waitFor(p)
		if n := len(p.view.Load().avail); n != manyBackends {
			t.Errorf("%d are shown as up after one went down", n)
		}
	})
}

func waitFor(p *Pool) {
	for {
		p.mu.Lock()
		done := p.later == nil
		p.mu.Unlock()
		if done {
			return
		}
		time.Sleep(publishDelay)
	}
}

// What it costs to give a pool one more backend than it has.
func BenchmarkPoolSet(b *testing.B) {
	for _, n := range []int{3, 300, 5000} {
		list := manyConfigs(n + 1)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			cfg, err := Config{Loops: 2}.withDefaults()
			if err != nil {
				b.Fatal(err)
			}
			p := newProxy(cfg)
			p.engine = &engine{}
			if err := p.SetPools([]PoolConfig{{Name: "web"}}); err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				if err := p.Pool("web").Set(list[:n+i%2]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
