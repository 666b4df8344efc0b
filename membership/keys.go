package membership

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// KeyHolder is what one member says of its gossip keys. Keys are named by their fingerprints.
type KeyHolder struct {
	Name string
	Addr netip.AddrPort
	Keys []string // the first one encrypts; none: its gossip is not encrypted, or it did not say
	Kept bool     // its next run will have these keys; else it has those of its key file
	Err  error    // why it did not answer, or did not do what it was asked
}

// KeyReport is what every member that is there says, this one included, sorted by name. Failed members hold the keys
// that they held last, if they come back; they were not asked.
type KeyReport struct {
	Holders []KeyHolder
	Failed  []string
}

// wrong returns the names of those that did not do what they were asked, with the reason of each.
func (r KeyReport) wrong() string {
	var all []string
	for _, h := range r.Holders {
		if h.Err != nil {
			all = append(all, h.Name+": "+h.Err.Error())
		}
	}
	return strings.Join(all, "; ")
}

// ErrKeyOrder says that a step of a rotation would cut members off; nothing was changed then.
var ErrKeyOrder = errors.New("membership: keys are added everywhere, then used everywhere, then the old one is removed")

// ListKeys asks every member that is there which gossip keys it holds. Only a balancer is answered. It takes up to 6 s
// where somebody does not answer, or until ctx ends; the report says who. The error is ErrNotEncrypted or ErrClosed.
func (c *Cluster) ListKeys(ctx context.Context) (KeyReport, error) {
	if fingerprints, _ := c.ring.list(); len(fingerprints) == 0 {
		return KeyReport{}, ErrNotEncrypted
	}
	return c.keysEverywhere(ctx, orderListKeys, nil), nil
}

// AddKey has every member that is there accept key (16, 24 or 32 bytes) beside those it has, and returns its
// fingerprint. Where the error is not nil, some have not; they are named in it and in the report, and asking again
// does no harm.
func (c *Cluster) AddKey(ctx context.Context, key []byte) (string, KeyReport, error) {
	if err := c.changeRing(c.cfg.Name, orderAddKey, key); err != nil {
		return "", KeyReport{}, fmt.Errorf("membership: the key is not added: %w", err)
	}
	r := c.keysEverywhere(ctx, orderAddKey, key)
	if wrong := r.wrong(); wrong != "" {
		return fingerprint(key), r, fmt.Errorf("membership: not every member has the key yet: %s; add it again", wrong)
	}
	return fingerprint(key), r, nil
}

// UseKey has every member that is there encrypt with the key of that fingerprint. It is refused with ErrKeyOrder, and
// nothing is changed, unless each of them holds it: what is encrypted with a key cannot be read by who lacks it. This
// member follows last.
func (c *Cluster) UseKey(ctx context.Context, print string) (KeyReport, error) {
	r, err := c.ListKeys(ctx)
	if err != nil {
		return r, err
	}
	var lack []string
	for _, h := range r.Holders {
		switch {
		case h.Err != nil:
			lack = append(lack, h.Name+" ("+h.Err.Error()+")")
		case !slices.Contains(h.Keys, print):
			lack = append(lack, h.Name)
		}
	}
	if len(lack) > 0 {
		return r, fmt.Errorf("%w: not known to hold %s: %s; add the key first", ErrKeyOrder, print, strings.Join(lack, ", "))
	}
	r = c.keysEverywhere(ctx, orderUseKey, []byte(print))
	if err := c.changeRing(c.cfg.Name, orderUseKey, []byte(print)); err != nil {
		return r, fmt.Errorf("membership: %s itself: %w", c.cfg.Name, err)
	}
	c.ownHolding(&r)
	if wrong := r.wrong(); wrong != "" {
		return r, fmt.Errorf("membership: not every member uses the key yet: %s; use it again", wrong)
	}
	return r, nil
}

// RemoveKey has every member that is there refuse the key of that fingerprint from now on. It is refused with
// ErrKeyOrder, and nothing is changed, while any of them encrypts with it, or does not say. Members that are failed now
// and hold nothing else cannot come back before they are given a newer one.
func (c *Cluster) RemoveKey(ctx context.Context, print string) (KeyReport, error) {
	r, err := c.ListKeys(ctx)
	if err != nil {
		return r, err
	}
	var using []string
	known := false
	for _, h := range r.Holders {
		switch {
		case h.Err != nil:
			using = append(using, h.Name+" ("+h.Err.Error()+")")
		case len(h.Keys) > 0 && h.Keys[0] == print:
			using = append(using, h.Name)
		}
		known = known || slices.Contains(h.Keys, print)
	}
	switch {
	case len(using) > 0:
		return r, fmt.Errorf("%w: perhaps still encrypt with %s: %s; use another key first", ErrKeyOrder, print, strings.Join(using, ", "))
	case !known:
		return r, fmt.Errorf("membership: nobody holds a key %s", print)
	}
	if err := c.changeRing(c.cfg.Name, orderRemoveKey, []byte(print)); err != nil {
		return r, fmt.Errorf("membership: %s itself: %w", c.cfg.Name, err)
	}
	r = c.keysEverywhere(ctx, orderRemoveKey, []byte(print))
	if wrong := r.wrong(); wrong != "" {
		return r, fmt.Errorf("membership: not every member has dropped the key: %s; remove it again", wrong)
	}
	return r, nil
}

// keysEverywhere gives all others an order about keys, and adds what this member holds.
func (c *Cluster) keysEverywhere(ctx context.Context, op byte, body []byte) KeyReport {
	targets := c.targets()
	r := KeyReport{Holders: make([]KeyHolder, len(targets), len(targets)+1)}
	c.askAll(ctx, targets, op, body, func(i int, rep report, err error) {
		h := KeyHolder{Name: targets[i].name, Addr: targets[i].addr, Err: err}
		if keys, kept, bad := decodeHolding(rep.body); bad == nil {
			h.Keys, h.Kept = keys, kept
		} else if err == nil {
			h.Err = bad
		}
		r.Holders[i] = h
	})
	r.Holders = append(r.Holders, KeyHolder{Name: c.cfg.Name, Addr: c.addr})
	slices.SortStableFunc(r.Holders, func(a, b KeyHolder) int { return strings.Compare(a.Name, b.Name) })
	c.ownHolding(&r)
	for _, m := range c.Members() {
		if m.State == StateFailed {
			r.Failed = append(r.Failed, m.Name)
		}
	}
	return r
}

// ownHolding writes into r what this member holds now.
func (c *Cluster) ownHolding(r *KeyReport) {
	for i := range r.Holders {
		if h := &r.Holders[i]; h.Addr == c.addr && h.Name == c.cfg.Name {
			h.Keys, h.Kept = c.ring.list()
		}
	}
}

// changeRing does what the member from ordered. What is logged is the fingerprint.
func (c *Cluster) changeRing(from string, op byte, body []byte) error {
	var err error
	print, did := string(body), ""
	switch op {
	case orderListKeys:
		return nil
	case orderAddKey:
		print, did = fingerprint(body), "gossip key added"
		err = c.ring.add(body)
	case orderUseKey:
		did = "gossip key in use"
		err = c.ring.use(print)
	case orderRemoveKey:
		did = "gossip key removed"
		err = c.ring.remove(print)
	}
	if err != nil {
		c.log.Warn("order about gossip keys not carried out", "from", from, "err", err)
		return err
	}
	c.log.Info(did, "key", print, "from", from)
	return nil
}

// encodeHolding says which keys a member holds: one byte, 1 if they are kept, and the fingerprints.
func encodeHolding(fingerprints []string, kept bool) []byte {
	b := []byte{0}
	if kept {
		b[0] = 1
	}
	for _, f := range fingerprints {
		raw, _ := hex.DecodeString(f)
		b = append(b, raw...)
	}
	return b
}

func decodeHolding(b []byte) (fingerprints []string, kept bool, err error) {
	if len(b) == 0 || b[0] > 1 || (len(b)-1)%fingerprintSize != 0 || len(b)-1 > MaxKeys*fingerprintSize {
		return nil, false, errors.New("its answer is not one about keys")
	}
	for f := range slices.Chunk(b[1:], fingerprintSize) {
		fingerprints = append(fingerprints, hex.EncodeToString(f))
	}
	return fingerprints, b[0] == 1, nil
}
