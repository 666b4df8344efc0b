package vip

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"
)

func station(n int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, byte(n >> 8), byte(n)} }

func frameOf(mac net.HardwareAddr, at time.Time) Frame { return Frame{Source: mac, At: at} }

// A broadcast shows that this node hears; a frame for it alone that it is heard, too.
func TestWhoSpokeToThisNodeIsToldFromWhoSpoke(t *testing.T) {
	var s stations
	start := time.Unix(1000, 0)
	s.note(frameOf(station(1), start))
	if got := s.direct(nil, start); len(got) != 0 {
		t.Errorf("after a broadcast: %+v", got)
	}
	direct := frameOf(station(1), start.Add(time.Second))
	direct.Direct, direct.Owner = true, netip.MustParseAddr("10.0.0.1")
	s.note(direct)
	s.note(frameOf(station(1), start.Add(2*time.Second)))
	if got := s.direct(nil, direct.At); len(got) != 1 || !bytes.Equal(got[0].MAC[:], station(1)) || got[0].Addr != direct.Owner {
		t.Errorf("after a frame for this node: %+v", got)
	}
	if got := s.direct(nil, direct.At.Add(1)); len(got) != 0 {
		t.Errorf("a broadcast makes it younger: %+v", got)
	}
}

func TestStationsAreCountedForAMinute(t *testing.T) {
	var s stations
	start := time.Unix(1000, 0)
	s.note(frameOf(station(1), start))
	s.note(frameOf(station(2), start.Add(10*time.Second)))
	s.note(frameOf(station(1), start.Add(5*time.Second)))
	s.note(frameOf(station(1), start))                                                // read late
	s.note(frameOf(net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, start.Add(time.Second))) // nobody's
	if got, want := s.count(start.Add(20*time.Second)), (Stations{2, start.Add(10 * time.Second)}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := s.count(start.Add(66 * time.Second)); got.Count != 1 {
		t.Errorf("%+v after 66 s, want one station", got)
	}
	if got := s.count(start.Add(71 * time.Second)); got != (Stations{}) {
		t.Errorf("%+v after 71 s, want none", got)
	}
}

func TestAFrameOfAnotherStationIsProofOfReception(t *testing.T) {
	var s stations
	start := time.Unix(1000, 0)
	s.note(frameOf(station(1), start))
	if s.heardOther(station(1), start) {
		t.Error("the station itself counts as another")
	}
	if !s.heardOther(nil, start) || !s.heardOther(station(2), start) {
		t.Error("a frame of that very instant does not count")
	}
	if s.heardOther(station(2), start.Add(1)) {
		t.Error("an older frame counts")
	}
}

func TestStationsAreBoundedAndTheLongestSilentIsForgotten(t *testing.T) {
	var s stations
	start := time.Unix(1000, 0)
	for n := range 10 * maxStations {
		s.note(frameOf(station(n), start.Add(time.Duration(n)*time.Millisecond)))
	}
	if got := s.count(start.Add(3 * time.Second)); got.Count != maxStations {
		t.Errorf("%d stations, want %d", got.Count, maxStations)
	}
	if newest := 10*maxStations - 1; !s.heardOther(nil, start.Add(time.Duration(newest)*time.Millisecond)) {
		t.Error("the newest was forgotten")
	}
}
