package keeper

import (
	"errors"
	"strings"
	"testing"

	"github.com/tandem-lb/tandem/vip"
)

func TestStatusSaysWhoAnswersAndWhyNotTheKeeper(t *testing.T) {
	keeper := vip.FamilyStatus{Mode: vip.ModeKeeper, Muting: vip.Muting{InForce: true}}
	for _, tc := range []struct {
		name       string
		four, six  vip.FamilyStatus
		want, note string
	}{
		{"keeper", keeper, vip.FamilyStatus{}, "keeper none", ""},
		{"the table is gone for a moment", keeper, vip.FamilyStatus{Mode: vip.ModeKeeper}, "keeper keeper", "unmuted"},
		{"no nftables", vip.FamilyStatus{Mode: vip.ModeLease, Muting: vip.Muting{Err: errors.New("no arp family")}}, vip.FamilyStatus{}, "lease-only none", "no arp family"},
		{"a hook", vip.FamilyStatus{Mode: vip.ModeHook}, vip.FamilyStatus{}, "hook none", ""},
	} {
		got := answers(vip.Status{IPv4: tc.four, IPv6: tc.six})
		if got.IPv4+" "+got.IPv6 != tc.want || !strings.Contains(got.Note, tc.note) || (tc.note == "") != (got.Note == "") {
			t.Errorf("%s: %+v, want %s and a note about %q", tc.name, got, tc.want, tc.note)
		}
	}
}
