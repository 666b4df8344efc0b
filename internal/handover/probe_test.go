package handover

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var probes = []ProbeRequest{
	{From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddr("192.0.2.2"), Port: 40000},
	{From: netip.MustParseAddr("2001:db8::1"), To: netip.MustParseAddr("2001:db8::2"), Port: 1},
}

func TestMessagesAboutAProbeComeOutAsTheyWentIn(t *testing.T) {
	for _, want := range probes {
		data, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got ProbeRequest
		if err := got.UnmarshalBinary(data); err != nil || got != want {
			t.Errorf("%+v became %+v (%v)", want, got, err)
		}
		for cut := range data {
			if err := got.UnmarshalBinary(data[:cut]); err == nil {
				t.Errorf("%d of %d bytes are enough", cut, len(data))
			}
		}
	}
	want := ProbeReply{Forwarded: 7, Obstacles: []string{"one", "", strings.Repeat("x", maxObstacleLen)}}
	data, _ := want.MarshalBinary()
	var got ProbeReply
	if err := got.UnmarshalBinary(data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v became %+v (%v)", want, got, err)
	}
	for cut := range data {
		if err := got.UnmarshalBinary(data[:cut]); err == nil {
			t.Errorf("%d of %d bytes of a reply are enough", cut, len(data))
		}
	}
	if err := got.UnmarshalBinary(append(data, 0)); err == nil {
		t.Error("a byte too many is no error")
	}
	long := ProbeReply{Obstacles: slices.Repeat([]string{strings.Repeat("\x1b", 300)}, 30)}
	data, _ = long.MarshalBinary()
	if err := got.UnmarshalBinary(data); err != nil || len(got.Obstacles) != maxObstacles || got.Obstacles[0] != strings.Repeat("?", maxObstacleLen) {
		t.Errorf("%d obstacles, %q … (%v)", len(got.Obstacles), got.Obstacles[0], err)
	}
}

func TestAProbeThatMakesNoSenseIsRefused(t *testing.T) {
	for _, r := range []ProbeRequest{
		{},
		{From: probes[0].From, To: probes[0].To},
		{From: probes[0].From, To: probes[1].To, Port: 1},
		{From: probes[0].From, To: probes[0].From, Port: 1},
		{From: netip.MustParseAddr("127.0.0.1"), To: probes[0].To, Port: 1},
		{From: probes[0].From, To: netip.MustParseAddr("224.0.0.1"), Port: 1},
		{From: netip.MustParseAddr("fe80::1%eth0"), To: probes[1].To, Port: 1},
	} {
		if _, err := r.MarshalBinary(); err == nil {
			t.Errorf("%+v was let through", r)
		}
	}
}

func FuzzProbeRequest(f *testing.F) {
	for _, r := range probes {
		data, _ := r.MarshalBinary()
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r ProbeRequest
		if r.UnmarshalBinary(data) != nil {
			return
		}
		if again, err := r.MarshalBinary(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("% x became % x (%v)", data, again, err)
		}
	})
}

func FuzzProbeReply(f *testing.F) {
	data, _ := ProbeReply{Forwarded: 1, Obstacles: []string{"a", "b"}}.MarshalBinary()
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r ProbeReply
		if r.UnmarshalBinary(data) != nil {
			return
		}
		again, _ := r.MarshalBinary()
		var r2 ProbeReply
		if err := r2.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(r, r2) {
			t.Errorf("%+v became %+v (%v)", r, r2, err)
		}
	})
}
