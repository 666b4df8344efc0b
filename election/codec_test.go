package election

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

// fullAdvert uses every field.
func fullAdvert() Advert {
	return Advert{
		Node: "lb1", Boot: 0x0102030405060708, Session: 3, Seq: 4, Addr: netip.MustParseAddr("192.168.42.11"),
		Interval: 20 * time.Millisecond, Late: 1500 * time.Microsecond,
		Groups: []GroupAdvert{
			{Name: "web", State: Active, Priority: 100, Fitness: 255, Epoch: 7, Hearing: Hearing{Gateway: true, Stations: 255}},
			{Name: "db", State: Backup, Claiming: true, Priority: 1, Fitness: 1, Epoch: maxEpoch, Hearing: Hearing{Gateway: true, Peer: true, Stations: 5}, Wire: WireSilent},
		},
	}
}

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestAdvertRoundTrip(t *testing.T) {
	v6 := fullAdvert()
	v6.Addr = netip.MustParseAddr("fd00::1")
	bare := Advert{Node: "a", Boot: 1, Addr: netip.MustParseAddr("10.0.0.1"), Interval: MaxAdvertInterval}
	answer := fullAdvert()
	answer.Echo = 1<<64 - 1
	for _, want := range []Advert{fullAdvert(), v6, bare, answer} {
		for _, key := range [][]byte{nil, []byte("secret")} {
			b, err := Seal([]byte("before"), &want, key)
			if err != nil {
				t.Fatal(err)
			}
			datagram, ok := bytes.CutPrefix(b, []byte("before"))
			if !ok {
				t.Fatalf("Seal changed what was there before: %q", b)
			}
			var keys [][]byte
			if key != nil {
				keys = [][]byte{[]byte("the next key"), key}
			}
			got, err := Open(datagram, keys)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, compareAddr); diff != "" {
				t.Errorf("key %q (-want +got):\n%s", key, diff)
			}
		}
	}
}

// The form is fixed: a change of any byte is a change of the protocol.
func TestAdvertForm(t *testing.T) {
	a := fullAdvert()
	a.Groups = a.Groups[1:]
	got, err := AppendAdvert(nil, &a)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(
		[]byte{'T', 'A', 1, 0},
		[]byte{1, 2, 3, 4, 5, 6, 7, 8},
		[]byte{0, 0, 0, 0, 0, 0, 0, 3},
		[]byte{0, 0, 0, 0, 0, 0, 0, 4},
		[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 42, 11},
		[]byte{0, 0, 0x4e, 0x20},
		[]byte{0, 0, 0x05, 0xdc},
		[]byte("\x03lb1\x01"),
		[]byte{1, 5, 1, 1, 3, 5, 0x40, 0, 0, 0, 0, 0, 0, 0},
		[]byte("\x02db"),
	)
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestWhatCannotBeSentIsRefusedByName(t *testing.T) {
	long := strings.Repeat("x", MaxNameLen+1)
	for _, tc := range []struct {
		name  string
		spoil func(*Advert)
		want  error
	}{
		{"no node", func(a *Advert) { a.Node = "" }, ErrName},
		{"long node", func(a *Advert) { a.Node = long }, ErrName},
		{"no group name", func(a *Advert) { a.Groups[0].Name = "" }, ErrName},
		{"long group name", func(a *Advert) { a.Groups[0].Name = long }, ErrName},
		{"no boot", func(a *Advert) { a.Boot = 0 }, ErrBoot},
		{"no address", func(a *Advert) { a.Addr = netip.Addr{} }, ErrAddr},
		{"unspecified address", func(a *Advert) { a.Addr = netip.IPv4Unspecified() }, ErrAddr},
		{"zone", func(a *Advert) { a.Addr = netip.MustParseAddr("fe80::1%eth0") }, ErrAddr},
		{"short interval", func(a *Advert) { a.Interval = MinAdvertInterval - 1 }, ErrInterval},
		{"long interval", func(a *Advert) { a.Interval = MaxAdvertInterval + 1 }, ErrInterval},
		{"early", func(a *Advert) { a.Late = -1 }, ErrLate},
		{"two hours late", func(a *Advert) { a.Late = 2 * time.Hour }, ErrLate},
		{"unknown state", func(a *Advert) { a.Groups[0].State = numStates }, ErrState},
		{"unknown wire", func(a *Advert) { a.Groups[0].Wire = numWires }, ErrFlags},
		{"huge epoch", func(a *Advert) { a.Groups[0].Epoch = maxEpoch + 1 }, ErrEpoch},
		{"group twice", func(a *Advert) { a.Groups[1].Name = a.Groups[0].Name }, ErrGroups},
		{"17 groups", func(a *Advert) { a.Groups = manyGroups(MaxGroups+1, 2) }, ErrGroups},
		{"16 groups with long names", func(a *Advert) { a.Groups = manyGroups(MaxGroups, MaxNameLen) }, ErrLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := fullAdvert()
			tc.spoil(&a)
			for _, key := range [][]byte{nil, []byte("secret")} {
				b, err := Seal([]byte("before"), &a, key)
				if !errors.Is(err, tc.want) || string(b) != "before" {
					t.Errorf("Seal = %q, %v; want %v", b, err, tc.want)
				}
			}
		})
	}
}

// The longest that fits does so with its tag.
func TestMaxDatagram(t *testing.T) {
	a := fullAdvert()
	for n := MaxNameLen; ; n-- {
		a.Groups = manyGroups(MaxGroups, n)
		b, err := Seal(nil, &a, []byte("secret"))
		if errors.Is(err, ErrLong) {
			continue
		}
		if err != nil || len(b) > MaxDatagram || len(b) < MaxDatagram-MaxGroups {
			t.Fatalf("names of %d bytes: %d bytes, %v", n, len(b), err)
		}
		if n < 50 {
			t.Errorf("%d groups fit only with names of %d bytes", MaxGroups, n)
		}
		return
	}
}

func manyGroups(n, nameLen int) []GroupAdvert {
	var groups []GroupAdvert
	for i := range n {
		groups = append(groups, GroupAdvert{Name: strings.Repeat(string(rune('a'+i)), nameLen)})
	}
	return groups
}

func TestWhatArrivesIsRefusedByName(t *testing.T) {
	a := fullAdvert()
	plain, err := AppendAdvert(nil, &a)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal(nil, &a, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	with := func(i int, v byte) []byte {
		b := slices.Clone(plain)
		b[i] = v
		return b
	}
	const (
		addr, interval, node = 28, 44, 52
		groups               = node + 1 + len("lb1")
		group                = groups + 1
	)
	secret, other := [][]byte{[]byte("secret")}, [][]byte{[]byte("other")}
	altered := slices.Clone(sealed)
	altered[group+2]++ // the priority
	stripped := slices.Clone(sealed[:len(sealed)-tagLen])
	stripped[3] = 0
	for _, tc := range []struct {
		name string
		b    []byte
		keys [][]byte
		want error
	}{
		{"nothing", nil, nil, ErrShort},
		{"three bytes", plain[:3], nil, ErrShort},
		{"cut in the head", plain[:20], nil, ErrShort},
		{"cut in the last name", plain[:len(plain)-1], nil, ErrShort},
		{"one byte more", append(slices.Clone(plain), 0), nil, ErrLong},
		{"over the bound", make([]byte, MaxDatagram+1), nil, ErrLong},
		{"other magic", with(0, 'X'), nil, ErrMagic},
		{"other version", with(2, 2), nil, ErrVersion},
		{"unknown flag", with(3, 0x80), nil, ErrFlags},
		{"unknown hearing", with(group+4, 0x80), nil, ErrFlags},
		{"unknown group flag", with(group+1, 0x80), nil, ErrFlags},
		{"unknown wire", with(group+1, groupWire), nil, ErrFlags},
		{"an advert with a complaint", with(3, flagComplaint), nil, ErrFlags},
		{"unspecified address", slices.Concat(plain[:addr], make([]byte, 16), plain[addr+16:]), nil, ErrAddr},
		{"interval 0", slices.Concat(plain[:interval], make([]byte, 4), plain[interval+4:]), nil, ErrInterval},
		{"no name", slices.Concat(plain[:node], []byte{0}, plain[groups:]), nil, ErrName},
		{"long name", with(node, 64), nil, ErrName},
		{"17 groups", with(groups, 17), nil, ErrGroups},
		{"unknown state", with(group, byte(numStates)), nil, ErrState},
		{"sealed, no key", sealed, nil, ErrSealed},
		{"unsealed, key", plain, secret, ErrUnsealed},
		{"other key", sealed, other, ErrTag},
		{"empty key", sealed, [][]byte{{}}, ErrTag},
		{"altered", altered, secret, ErrTag},
		{"tag stripped", stripped, secret, ErrUnsealed},
		{"nothing but a head", sealed[:headLen], secret, ErrShort},
		{"cut before the tag's end", sealed[:len(sealed)-1], secret, ErrTag},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := Open(tc.b, tc.keys); !errors.Is(err, tc.want) || got.Node != "" {
				t.Errorf("Open = %+v, %v; want nothing and %v", got, err, tc.want)
			}
		})
	}
	if _, err := ParseAdvert(sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("ParseAdvert of a sealed one: %v, want %v", err, ErrSealed)
	}
}

// An advert alters in no bit without being refused.
func TestTheTagCoversTheWholeDatagram(t *testing.T) {
	a := fullAdvert()
	sealed, err := Seal(nil, &a, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(sealed) * 8 {
		b := slices.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		if _, err := Open(b, [][]byte{[]byte("secret")}); err == nil {
			t.Errorf("bit %d of byte %d may be flipped", i%8, i/8)
		}
	}
}

func TestAdvertHeard(t *testing.T) {
	a := fullAdvert()
	h, ok := a.Heard("db")
	want := Heard{Node: "lb1", Boot: a.Boot, Addr: a.Addr, Interval: a.Interval, Late: a.Late, Seq: a.Seq, Group: a.Groups[1]}
	if !ok || h != want {
		t.Errorf("Heard = %+v, %v; want %+v", h, ok, want)
	}
	if _, ok := a.Heard("other"); ok {
		t.Error("heard of a group that the advert does not speak of")
	}
}

func FuzzParseAdvert(f *testing.F) {
	a := fullAdvert()
	plain, _ := AppendAdvert(nil, &a)
	f.Add(plain)
	f.Add(plain[:40])
	a.Echo = 5
	answer, _ := AppendAdvert(nil, &a)
	f.Add(answer)
	f.Add([]byte("TA\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAdvert(b)
		if err != nil {
			return
		}
		again, err := AppendAdvert(nil, &a)
		if err != nil {
			t.Fatalf("what was read cannot be sent: %v", err)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("two forms of one advert:\n%x\n%x", b, again)
		}
	})
}

func FuzzOpen(f *testing.F) {
	key := []byte("secret")
	a := fullAdvert()
	plain, _ := AppendAdvert(nil, &a)
	sealed, _ := Seal(nil, &a, key)
	f.Add(plain)
	f.Add(sealed)
	f.Add(sealed[:headLen+tagLen])
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := Open(b, [][]byte{key}); err == nil {
			again, err := Seal(nil, &a, key)
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("accepted %x, which would be sent as %x (%v)", b, again, err)
			}
		}
		if _, err := Open(b, nil); err == nil && b[3]&flagSealed != 0 {
			t.Fatalf("a sealed advert was believed unverified: %x", b)
		}
	})
}
