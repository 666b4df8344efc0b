package agent

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-lb/tandem/internal/talk"
	"github.com/tandem-lb/tandem/membership"
)

func TestARoundIsDoneWhenEachBalancerHasNothingUnderWay(t *testing.T) {
	type answers map[string]talk.InFlight // a balancer that is missing does not answer
	for _, tc := range []struct {
		what      string
		balancers []string
		said      answers
		want      drainNews
	}{
		{"nobody to ask", nil, nil, drainNews{}},
		{"all done", []string{"lb1", "lb2"}, answers{"lb1": {}, "lb2": {}}, drainNews{}},
		{"one has requests", []string{"lb1", "lb2"}, answers{"lb1": {Requests: 3}, "lb2": {}}, drainNews{requests: 3, waiting: []string{"lb1"}}},
		{"one still sends", []string{"lb1", "lb2"}, answers{"lb1": {}, "lb2": {Accepting: true, Requests: 1}}, drainNews{requests: 1, waiting: []string{"lb2"}}},
		{"one is silent, one refuses", []string{"lb3", "lb2", "lb1"}, answers{"lb2": {}}, drainNews{waiting: []string{"lb1", "lb3"}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			got := askRound(t.Context(), tc.balancers, func(ctx context.Context, name string) (talk.InFlight, error) {
				if said, ok := tc.said[name]; ok {
					return said, nil
				}
				if name == "lb3" {
					return talk.InFlight{}, errors.New("no")
				}
				<-ctx.Done()
				return talk.InFlight{}, ctx.Err()
			})
			if fmt.Sprint(got) != fmt.Sprint(tc.want) || time.Since(begun) > drainAnswer {
				t.Errorf("%s: %+v after %v, want %+v", tc.what, got, time.Since(begun), tc.want)
			}
		})
	}
}

func TestOnlyBalancersThatAreThereAreWaitedFor(t *testing.T) {
	member := func(name string, role membership.Role, state membership.State) membership.Member {
		return membership.Member{Name: name, State: state, Meta: membership.Meta{Role: role}}
	}
	got := balancersOf([]membership.Member{
		member("lb1", membership.RoleBalancer, membership.StateAlive), member("lb2", membership.RoleBalancer, membership.StateSuspect),
		member("lb3", membership.RoleBalancer, membership.StateFailed), member("lb4", membership.RoleBalancer, membership.StateLeft),
		member("s1", membership.RoleAgent, membership.StateAlive),
	})
	if fmt.Sprint(got) != "[lb1 lb2]" {
		t.Errorf("waits for %v", got)
	}
}
