package membership_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/membership"
)

func TestAQuestionIsAnsweredByWhomItIsPutTo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		answer := func(from membership.Member, q []byte) ([]byte, error) {
			switch string(q) {
			case "fail":
				return nil, errors.New("no\nsuch thing")
			case "much":
				return make([]byte, membership.MaxQuestion+1), nil
			}
			return fmt.Appendf(nil, "%s, a %v at %v: %s", from.Name, from.Meta.Role, from.Addr, q), nil
		}
		lb1 := w.start("lb1", 11, bothSeeds, func(cfg *membership.Config) { cfg.Answer = answer })
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)

		if got, err := s1.Ask(t.Context(), "lb1", []byte("hello")); err != nil || string(got) != "s1, a agent at 10.0.0.21: hello" {
			t.Errorf("answered %q, %v", got, err)
		}
		full := make([]byte, membership.MaxQuestion)
		if got, err := s1.Ask(t.Context(), "lb1", full[:len(full)-100]); err != nil || len(got) < len(full)-100 {
			t.Errorf("a large question: %d bytes, %v", len(got), err)
		}
		for name, tc := range map[string]struct {
			from, to *node
			name     string
			question []byte
			want     string
		}{
			"an error":             {s1, lb1, "lb1", []byte("fail"), "asked lb1: no such thing"},
			"too large a question": {s1, lb1, "lb1", append(full, 0), "too large"},
			"too large an answer":  {s1, lb1, "lb1", []byte("much"), "where 61440 fit"},
			"nobody answers there": {lb1, s1, "s1", []byte("hello"), "answers no questions"},
			"nobody is there":      {lb1, s1, "s2", []byte("hello"), "no such member"},
		} {
			if _, err := tc.from.Ask(t.Context(), tc.name, tc.question); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
		}
	})
}

func TestAQuestionToAMemberThatDoesNotAnswerEndsWithItsContext(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		lb1 := w.start("lb1", 11, bothSeeds, nil)
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		w.net.Partition([]string{s1.addr}, []string{lb1.addr})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := s1.Ask(ctx, "lb1", []byte("hello"))
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 300*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// What one member asks must not cost another one more than a bounded number of goroutines.
func TestOnlySoManyQuestionsAreAnsweredAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var now, most atomic.Int64
		lb1 := w.start("lb1", 11, bothSeeds, func(cfg *membership.Config) {
			cfg.Answer = func(membership.Member, []byte) ([]byte, error) {
				n := now.Add(1)
				defer now.Add(-1)
				for {
					m := most.Load()
					if n <= m || most.CompareAndSwap(m, n) {
						break
					}
				}
				time.Sleep(500 * time.Millisecond)
				return nil, nil
			}
		})
		s1 := w.start("s1", 21, bothSeeds, nil)
		w.agree(2*time.Second, "lb1:alive s1:alive", lb1, s1)
		var answered atomic.Int64
		for range 40 {
			go func() {
				if _, err := s1.Ask(t.Context(), "lb1", []byte("hello")); err == nil {
					answered.Add(1)
				}
			}()
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if most.Load() != 16 || answered.Load() != 40 {
			t.Errorf("%d at once, want 16; %d answered, want all 40", most.Load(), answered.Load())
		}
	})
}
