package main

import (
	"slices"
	"testing"
)

func TestABrokenPromiseIsNamed(t *testing.T) {
	good := Trial{Before: "lb1", Held: "lb2", After: "lb2", MaxOwners: 1, Calm: true}
	with := func(change func(*Trial)) Trial {
		x := good
		change(&x)
		return x
	}
	for _, tc := range []struct {
		name, fault string
		trial       Trial
		want        []string
	}{
		{"all is well", "power-loss", good, nil},
		{"slow is not broken", "power-loss", with(func(t *Trial) { t.OutageMS, t.Failed = 5000, 2000 }), nil},
		{"two owners", "power-loss", with(func(t *Trial) { t.MaxOwners, t.TwoMS = 2, 7 }), []string{"power-loss 1 of tandem: 2 owners at once, for 7 ms"}},
		{"two owners, as documented", "partition", with(func(t *Trial) { t.MaxOwners, t.TwoMS = 2, 2000 }), nil},
		{"a move for no reason", "nft-flush", good, []string{"nft-flush 1 of tandem: the VIP moved from lb1 to lb2 for no reason"}},
		{"no service", "stop", with(func(t *Trial) { t.Calm, t.After = false, "" }), []string{"stop 1 of tandem: service did not come back within 1m0s"}},
		{"what nobody explains", "stop", with(func(t *Trial) { t.Unexplained = []string{"lb1 was moved"} }), []string{"stop 1 of tandem: lb1 was moved"}},
		{"no owner", "stop", with(func(t *Trial) { t.After = "" }), []string{"stop 1 of tandem: there is not exactly one owner at the end"}},
		{"not cleaned up", "stop", Trial{Error: "left behind"}, []string{"stop 1 of tandem: left behind"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := Result{Fault: tc.fault, Stack: "tandem", Trials: []Trial{tc.trial}}
			if got := r.broken(); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
