package membership

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var compareAddrs = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func fullStatement() statement {
	return statement{
		meta: Meta{
			Role: RoleAgent, Apps: []App{
				{Pool: "web", Addr: netip.MustParseAddrPort("192.168.42.21:3000"), Weight: 256, Drain: true},
				{Pool: "api", Weight: 1},
			},
			Version: "1.2.3", AdvertAddr: netip.MustParseAddrPort("[fd00::1]:7947"),
			Tags: map[string]string{"zone": "a", "empty": "", "ümlaut": "größe"},
		},
		seq: 1 << 40, leaving: true,
	}
}

func TestWhatIsSaidIsWhatIsUnderstood(t *testing.T) {
	for name, want := range map[string]statement{
		"everything": fullStatement(),
		"least":      {meta: Meta{Role: RoleBalancer}},
	} {
		b, err := want.encode()
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := decodeStatement(b)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(statement{}), compareAddrs); diff != "" {
			t.Errorf("%s (-said +understood)\n%s", name, diff)
		}
		t.Logf("%s: %d bytes", name, len(b))
	}
}

func TestMetaThatCannotBeBelievedIsRefusedByBothSides(t *testing.T) {
	for name, change := range map[string]func(*Meta){
		"no role":           func(m *Meta) { m.Role = 0 },
		"unknown role":      func(m *Meta) { m.Role = 9 },
		"weight too large":  func(m *Meta) { m.Apps[0].Weight = MaxWeight + 1 },
		"negative weight":   func(m *Meta) { m.Apps[0].Weight = -1 },
		"any address":       func(m *Meta) { m.Apps[1].Addr = netip.MustParseAddrPort("0.0.0.0:80") },
		"multicast address": func(m *Meta) { m.Apps[1].Addr = netip.MustParseAddrPort("224.0.0.1:80") },
		"no port":           func(m *Meta) { m.AdvertAddr = netip.MustParseAddrPort("10.0.0.1:0") },
		"address with zone": func(m *Meta) { m.Apps[1].Addr = netip.MustParseAddrPort("[fe80::1%eth0]:80") },
		"control character": func(m *Meta) { m.Apps[1].Pool = "web\x1b[31m" },
		"not UTF-8":         func(m *Meta) { m.Version = "\xff" },
		"tag without key":   func(m *Meta) { m.Tags = map[string]string{"": "v"} },
		"too many apps":     func(m *Meta) { m.Apps = slices.Repeat(m.Apps, MaxApps) },
	} {
		s := fullStatement()
		change(&s.meta)
		if _, err := s.encode(); err == nil {
			t.Errorf("%s: encoded without complaint", name)
		}
	}
	good, _ := fullStatement().encode()
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"another version":   append([]byte{1}, good[1:]...),
		"cut":               good[:len(good)-1],
		"no role":           {metaVersion},
		"role twice":        {metaVersion, fieldRole, 1, 1, fieldRole, 1, 2},
		"huge length":       {metaVersion, fieldVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"address of 5":      {metaVersion, fieldRole, 1, 1, fieldAdvert, 7, 1, 2, 3, 4, 5, 0, 80},
		"weight 0":          {metaVersion, fieldRole, 1, 2, fieldApp, 3, 0, 0, 0},
		"huge weight":       {metaVersion, fieldRole, 1, 2, fieldApp, 4, 0, 0x81, 0x02, 0},
		"address of an app": {metaVersion, fieldRole, 1, 2, fieldApp, 5, 0, 1, 9, 1, 2},
		"17 apps":           append([]byte{metaVersion, fieldRole, 1, 2}, bytes.Repeat([]byte{fieldApp, 3, 0, 1, 0}, MaxApps+1)...),
		"too large":         append(append([]byte(nil), good...), bytes.Repeat([]byte{200, 0}, MaxMeta)...),
	} {
		if _, err := decodeStatement(b); err == nil {
			t.Errorf("%s: decoded without complaint", name)
		}
	}
}

func TestMetaOfANewerMemberIsUnderstoodAsFarAsItGoes(t *testing.T) {
	b, err := fullStatement().encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeStatement(append(b, 200, 3, 'n', 'e', 'w'))
	if err != nil || got.meta.Apps[0].Pool != "web" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTooMuchMetaIsRefusedWithTheReason(t *testing.T) {
	s := fullStatement()
	s.meta.Tags["long"] = strings.Repeat("x", MaxMeta)
	_, err := s.encode()
	if !errors.Is(err, ErrMetaTooLarge) || !strings.Contains(err.Error(), "512 fit") {
		t.Errorf("got %v", err)
	}
}

func FuzzStatement(f *testing.F) {
	full, _ := fullStatement().encode()
	f.Add(full)
	f.Add([]byte{metaVersion, fieldRole, 1, 1})
	f.Add([]byte{metaVersion, fieldTag, 2, 1, 'k', fieldTag, 2, 1, 'k'})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeStatement(b)
		if err != nil {
			return
		}
		again, err := s.encode()
		if errors.Is(err, ErrMetaTooLarge) {
			return // decoding took a longer form of what fits barely
		}
		if err != nil {
			t.Fatalf("understood, but could not be said: %v", err)
		}
		back, err := decodeStatement(again)
		if diff := cmp.Diff(s, back, cmp.AllowUnexported(statement{}), compareAddrs); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(encodeFrame(framePayload, "s1#mft2k9x1-AB", []byte("hello")))
	f.Add(encodeFrame(framePush, "s1#mft2k9x1-AB", nil))
	f.Add(encodeFrame(frameRelay, "lb1#mft2k9x1-AB", encodeRelay(7, netip.MustParseAddrPort("10.0.0.12:7947"), []byte("nonce"))))
	f.Add([]byte{framePush, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, wire, body, err := decodeFrame(b)
		if err != nil {
			return
		}
		kind2, wire2, body2, err := decodeFrame(encodeFrame(kind, wire, body))
		if err != nil || kind2 != kind || wire2 != wire || !bytes.Equal(body2, body) {
			t.Fatalf("%d %q %q became %d %q %q, %v", kind, wire, body, kind2, wire2, body2, err)
		}
	})
}

func FuzzRelay(f *testing.F) {
	f.Add(encodeRelay(7, netip.MustParseAddrPort("10.0.0.12:7947"), []byte("nonce")))
	f.Add(encodeRelay(1<<63, netip.MustParseAddrPort("[fd00::1]:65535"), make([]byte, MaxRelay)))
	f.Add(encodeAnswer(7, []byte("active")))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 7, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, to, datagram, err := decodeRelay(b); err == nil {
			id2, to2, datagram2, err := decodeRelay(encodeRelay(id, to, datagram))
			if err != nil || id2 != id || to2 != to || !bytes.Equal(datagram2, datagram) || !reachable(to) || len(datagram) > MaxRelay {
				t.Fatalf("%d %v %q became %d %v %q, %v", id, to, datagram, id2, to2, datagram2, err)
			}
		}
		if id, datagram, err := decodeAnswer(b); err == nil {
			if again := encodeAnswer(id, datagram); !bytes.Equal(again, b) || len(datagram) > MaxRelay {
				t.Fatalf("%q became %q", b, again)
			}
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	now := time.Unix(1800000000, 0)
	f.Add(encodeSnapshot([]netip.AddrPort{netip.MustParseAddrPort("10.0.0.11:7946"), netip.MustParseAddrPort("[fd00::1]:65535")}, now))
	f.Add(encodeSnapshot(nil, now))
	f.Add([]byte("tandem members 1 -1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		places, written, err := decodeSnapshot(b)
		if err != nil {
			return
		}
		again, written2, err := decodeSnapshot(encodeSnapshot(places, written))
		if err != nil || !slices.Equal(again, places) || !written2.Equal(written) || len(places) > maxSnapshot {
			t.Fatalf("%v at %v became %v at %v, %v", places, written, again, written2, err)
		}
	})
}

func FuzzWireName(f *testing.F) {
	f.Add("s1#mft2k9x1-AB")
	f.Add("s1")
	f.Add("#-")
	f.Fuzz(func(t *testing.T, wire string) {
		name, _, err := parseWireName(wire)
		if err == nil && (checkName(name) != nil || !strings.HasPrefix(wire, name+"#") || len(wire) > 128) {
			t.Fatalf("%q taken for a run of %q", wire, name)
		}
	})
}
