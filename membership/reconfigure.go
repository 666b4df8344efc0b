package membership

import (
	"bytes"
	"errors"
	"slices"
)

// SetSeeds replaces the seeds of the Config, for the rejoin loop, which tries new ones at once. The error is that of
// [Cluster.CheckSeeds], and then nothing has changed.
func (c *Cluster) SetSeeds(seeds []string) error {
	parsed, err := parseSeeds(seeds)
	if err != nil {
		return err
	}
	for {
		select {
		case c.reseed <- parsed:
			return nil
		default:
		}
		select {
		case <-c.reseed: // an older list that Run has not taken up yet
		default:
		}
	}
}

// CheckSeeds returns what SetSeeds would find wrong.
func (c *Cluster) CheckSeeds(seeds []string) error {
	_, err := parseSeeds(seeds)
	return err
}

func parseSeeds(texts []string) ([]seed, error) {
	var (
		seeds []seed
		errs  []error
	)
	for _, text := range texts {
		s, err := parseSeed(text)
		errs = append(errs, err)
		seeds = append(seeds, s)
	}
	return seeds, errors.Join(errs...)
}

// Holds reports whether these are the gossip keys in use, the first being the one that encrypts.
func (c *Cluster) Holds(keys [][]byte) bool {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	if c.ring.keys == nil || len(keys) == 0 {
		return c.ring.keys == nil && len(keys) == 0
	}
	held := c.ring.keys.GetKeys()
	missing := slices.ContainsFunc(keys, func(k []byte) bool {
		return !slices.ContainsFunc(held, func(h []byte) bool { return bytes.Equal(h, k) })
	})
	return !missing && len(held) == len(keys) && bytes.Equal(held[0], keys[0])
}
