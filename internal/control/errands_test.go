package control

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/talk"
)

// doer is a balancer that others give orders to. Each question reaches it several times, as over TCP it may.
type doer struct {
	*errands
	t        *testing.T
	asker    string
	did      []string
	takes    time.Duration
	recorded [][]byte
}

func newDoer(t *testing.T, keys ...[]byte) *doer {
	d := &doer{t: t, asker: "lb1"}
	d.errands = newErrands(t.Context(), "lb2", func() [][]byte { return keys }, func(ctx context.Context, what, who string) (api.Reload, error) {
		d.did = append(d.did, what+" by "+who)
		select {
		case <-time.After(d.takes):
		case <-ctx.Done():
			return api.Reload{}, ctx.Err()
		}
		if what == doMaintOn {
			return api.Reload{}, &api.Error{Message: "nobody could serve", Remedy: "look why"}
		}
		return api.Reload{Message: "done", Changes: []api.Change{{Key: "pool.web"}}}, nil
	})
	return d
}

func (d *doer) Ask(ctx context.Context, name string, question []byte) ([]byte, error) {
	if name != d.node || ctx.Err() != nil {
		return nil, errors.Join(errors.New("not reached"), ctx.Err())
	}
	q, ok := strings.CutPrefix(string(question), askErrand)
	if !ok {
		return nil, errors.New("something else was asked")
	}
	d.recorded = append(d.recorded, []byte(q))
	if _, err := d.answer(d.asker, []byte(q), time.Now()); err != nil {
		return nil, err
	}
	return d.answer(d.asker, []byte(q), time.Now())
}

func keyPair(t *testing.T) (public []byte, by identity) {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pub, identity{"lb1", private}
}

func TestAnOrderForAnotherBalancerIsDoneOnceHoweverOftenItIsPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other, _ := keyPair(t)
		public, by := keyPair(t)
		d := newDoer(t, other, public)
		d.takes = 5 * time.Second // longer than one question waits
		r, err := giveErrand(t.Context(), d, by, "lb2", doReload, "uid 0 (process 7)")
		if err != nil || r.Message != "done" || len(r.Changes) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if fmt.Sprint(d.did) != "[reload by uid 0 (process 7) on lb1]" {
			t.Errorf("done: %q, want it once, and by whom", d.did)
		}
		last := d.recorded[len(d.recorded)-1]
		var a errandDone
		b, err := d.answer("lb1", last, time.Now())
		if err != nil || json.Unmarshal(b, &a) != nil || a.Done == nil || len(d.did) != 1 {
			t.Errorf("put again: %s, %v, %d times done", b, err, len(d.did))
		}
		// When it is forgotten, nobody takes it for good any more.
		time.Sleep(keepErrand + time.Second)
		b, err = d.answer("lb1", last, time.Now())
		a = errandDone{}
		if err != nil || json.Unmarshal(b, &a) != nil || len(a.Challenge) == 0 || len(d.did) != 1 {
			t.Errorf("put again much later: %s, %v, %d times done", b, err, len(d.did))
		}
		if _, err := giveErrand(t.Context(), d, by, "lb2", doMaintOn, "me"); err == nil || err.Error() != "nobody could serve; look why" {
			t.Errorf("refused: %v", err)
		}
	})
}

func TestAnOrderIsNotTakenFromWhoHasNotTheBalancerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public, by := keyPair(t)
		_, stranger := keyPair(t)
		d := newDoer(t, public)
		for name, by := range map[string]identity{"no key": {node: "lb1"}, "another key": stranger, "another name": {"lb3", by.key}} {
			if _, err := giveErrand(t.Context(), d, by, "lb2", doReload, "me"); err == nil || len(d.did) > 0 {
				t.Errorf("%s: %v, done %q", name, err, d.did)
			}
		}
		keyless := newDoer(t)
		if _, err := giveErrand(t.Context(), keyless, by, "lb2", doReload, "me"); err == nil || !strings.Contains(err.Error(), "no balancer key") || len(keyless.did) > 0 {
			t.Errorf("a balancer without a key: %v, done %q", err, keyless.did)
		}
		good := errand{Do: doReload, Who: "me", ID: make([]byte, 16), Challenge: d.challenges.For("lb1", time.Now())}
		good.Proof = ed25519.Sign(by.key, good.signed("lb1", "lb2"))
		for name, change := range map[string]func(e *errand, asker, node *string){
			"what is to be done": func(e *errand, _, _ *string) { e.Do = doMaintOn },
			"who wants it":       func(e *errand, _, _ *string) { e.Who = "root" },
			"its number":         func(e *errand, _, _ *string) { e.ID = []byte("another number..") },
			"the challenge":      func(e *errand, _, _ *string) { e.Challenge = talk.Challenges{}.For("lb1", time.Now()) },
			"the asker":          func(_ *errand, asker, _ *string) { *asker = "lb3" },
			"the target":         func(_ *errand, _, node *string) { *node = "lb3" },
		} {
			e, asker := good, "lb1"
			d.node = "lb2"
			change(&e, &asker, &d.node)
			b, _ := json.Marshal(e)
			a, err := d.answer(asker, b, time.Now())
			if err != nil || !strings.Contains(string(a), "challenge") || len(d.did) > 0 {
				t.Errorf("%s altered: %s, %v, done %q", name, a, err, d.did)
			}
		}
	})
}

func TestOrdersOfOthersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public, by := keyPair(t)
		d := newDoer(t, public)
		for i := range maxErrands {
			if _, err := giveErrand(t.Context(), d, by, "lb2", doReload, "me"); err != nil {
				t.Fatal(i, err)
			}
		}
		if _, err := giveErrand(t.Context(), d, by, "lb2", doReload, "me"); err == nil || !strings.Contains(err.Error(), "give this one on lb2 itself") {
			t.Errorf("one too many: %v", err)
		}
		time.Sleep(keepErrand + time.Second)
		if _, err := giveErrand(t.Context(), d, by, "lb2", doReload, "me"); err != nil {
			t.Errorf("later: %v", err)
		}
		d.takes = time.Hour
		if _, err := giveErrand(t.Context(), d, by, "lb2", doReload, "me"); err == nil || !strings.Contains(err.Error(), "deadline") {
			t.Errorf("one without an end: %v", err)
		}
	})
}

func FuzzErrand(f *testing.F) {
	f.Add([]byte(`{"do":"reload","who":"me","id":"AAAAAAAAAAAAAAAAAAAAAA==","challenge":"AA==","proof":"AA=="}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, question []byte) {
		e := newErrands(t.Context(), "lb2", func() [][]byte {
			return [][]byte{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)}
		}, func(context.Context, string, string) (api.Reload, error) {
			t.Fatal("done without a proof")
			return api.Reload{}, nil
		})
		if b, err := e.answer("lb1", question, time.Now()); err == nil && !strings.Contains(string(b), "challenge") {
			t.Fatalf("answered %s", b)
		}
	})
}
