package keeper

import (
	"errors"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
)

func TestE10ATrackFailsAndRecoversAfterAsManyResultsAsAreAskedFor(t *testing.T) {
	bad := errors.New("exit status 1")
	for name, tc := range map[string]struct {
		results []error
		want    string // one letter a result: u(p) or d(own), capital where the state changed
	}{
		"the first result decides alone":        {[]error{bad, bad}, "Dd"},
		"a success first":                       {[]error{nil, bad, bad, bad, bad}, "UuuDd"},
		"a success between begins anew":         {[]error{nil, bad, bad, nil, bad, bad, bad}, "UuuuuuD"},
		"two successes make it well":            {[]error{bad, nil, nil, nil}, "DdUu"},
		"a failure between the two begins anew": {[]error{bad, nil, bad, nil, nil}, "DdddU"},
	} {
		tr := &tracked{cfg: config.Track{Rise: 2, Fall: 3, Weight: 64}}
		got := ""
		for i, err := range tc.results {
			changed := tr.result(time.Unix(int64(i), 0), err)
			letter := map[[2]bool]string{{false, false}: "u", {false, true}: "U", {true, false}: "d", {true, true}: "D"}[[2]bool{tr.failing, changed}]
			got += letter
			if changed && !tr.since.Equal(time.Unix(int64(i), 0)) {
				t.Errorf("%s: since %v, want the time of result %d", name, tr.since, i)
			}
		}
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
}

func TestE10WhatFailsIsMissingFromTheFitness(t *testing.T) {
	all := []*tracked{
		{cfg: config.Track{Weight: 64}, known: true, failing: true},
		{cfg: config.Track{Weight: 100}, known: true},
		{cfg: config.Track{Weight: 30}},
	}
	if got := short(255, all); got != 191 {
		t.Errorf("fitness %d, want 255 less the 64 of the one that fails", got)
	}
	all[0].cfg.Weight = 255
	if got := short(200, all); got != 0 {
		t.Errorf("fitness %d, want 0: less than nothing is nothing", got)
	}
}
