package keeper

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/election"
	"github.com/tandem-lb/tandem/internal/handover"
)

var aMessage = election.Message{
	Kind: election.MsgOffer, Nonce: 7, Epoch: 8, For: 5 * time.Minute, Left: 9, Lossy: true, To: "lb2", Text: "why",
}

func aTalk() talk { return talk{group: "vip", message: &aMessage} }

func aWhere() talk {
	return talk{group: "vip", where: &where{
		macs:  []net.HardwareAddr{{2, 0, 0, 0, 0, 1}},
		addrs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
	}}
}

func someClients() talk { return talk{group: "vip", clients: handover.NoClients()} }

// aProbe is a question of a self-test, an answer, or a refusal.
func aProbe(kind int) talk {
	p := &probeTalk{nonce: 7}
	switch kind {
	case 1:
		p.request = &handover.ProbeRequest{From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddr("192.0.2.2"), Port: 4000}
	case 2:
		p.reply = &handover.ProbeReply{Forwarded: 3, Obstacles: []string{"LRO"}}
	case 3:
		p.failed = "no nftables"
	}
	return talk{group: "vip", probe: p}
}

var compareTalk = cmp.Options{
	cmp.AllowUnexported(talk{}, where{}, probeTalk{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func TestTalkRoundTrip(t *testing.T) {
	for _, want := range []talk{aTalk(), aWhere(), someClients(), aProbe(1), aProbe(2), aProbe(3)} {
		got, err := parseTalk(appendTalk(nil, want))
		if diff := cmp.Diff(want, got, compareTalk); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

func TestFramesAreWholeInOrderAndOfOneConnection(t *testing.T) {
	send, body := newFrames(channelKey, []byte("a"), []byte("b")), appendTalk(nil, aTalk())
	first, second := send.seal(body), send.seal(body)
	altered := bytes.Clone(first)
	altered[5] ^= 1
	for name, tc := range map[string]struct {
		stream []byte
		frames *frames
		read   int // how many are
	}{
		"in order":         {append(bytes.Clone(first), second...), newFrames(channelKey, []byte("a"), []byte("b")), 2},
		"repeated":         {append(bytes.Clone(first), first...), newFrames(channelKey, []byte("a"), []byte("b")), 1},
		"left out":         {second, newFrames(channelKey, []byte("a"), []byte("b")), 0},
		"altered":          {altered, newFrames(channelKey, []byte("a"), []byte("b")), 0},
		"cut":              {first[:len(first)-1], newFrames(channelKey, []byte("a"), []byte("b")), 0},
		"too long":         {[]byte{255, 255, 0}, newFrames(channelKey, []byte("a"), []byte("b")), 0},
		"another's":        {first, newFrames(channelKey, []byte("a"), []byte("c")), 0},
		"with a wrong key": {first, newFrames([]byte("other"), []byte("a"), []byte("b")), 0},
	} {
		r, read := bytes.NewReader(tc.stream), 0
		var err error
		for {
			var got []byte
			if got, err = tc.frames.read(r); err != nil {
				break
			}
			if !bytes.Equal(got, body) {
				t.Errorf("%s: read %x", name, got)
			}
			read++
		}
		if read != tc.read || name != "in order" && !errors.Is(err, errTalk) || name == "in order" && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %d frames read, want %d; then %v", name, read, tc.read, err)
		}
	}
}

func FuzzParseTalk(f *testing.F) {
	f.Add(appendTalk(nil, aTalk()))
	f.Add(appendTalk(nil, aWhere()))
	f.Add(appendTalk(nil, someClients()))
	for i := range 3 {
		f.Add(appendTalk(nil, aProbe(i+1)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseTalk(b)
		if err != nil {
			return
		}
		again, err := parseTalk(appendTalk(nil, got))
		if diff := cmp.Diff(got, again, compareTalk); err != nil || diff != "" {
			t.Errorf("%x: %v\n%s", b, err, diff)
		}
	})
}

// What is said on a channel arrives, with the name of who said it; and a key is needed.
func TestPeersAreTold(t *testing.T) {
	for name, keys := range map[string][][]byte{"with a key": {channelKey}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			lb1, _, _ := runChannel(t, "lb1", 1, keys)
			lb2, addr, _ := runChannel(t, "lb2", 2, keys)
			heard := make(chan event, 16)
			lb2.emit = func(ev event) { heard <- ev }
			lb1.introduce = func() []talk { return []talk{aWhere()} }
			following(t, lb1, addr)
			untilConnected(t, lb1, addr)
			lb1.tell("lb2", 3, talk{group: "of another boot", message: &aMessage})
			lb1.tell("lb2", 2, aTalk())
			for _, want := range []talk{aWhere(), aTalk()} {
				select {
				case ev := <-heard:
					said, ok := ev.(peerSaid)
					if diff := cmp.Diff(want, said.talk, compareTalk); !ok || said.node != "lb1" || said.boot != 1 || diff != "" {
						t.Errorf("heard %#v\n%s", ev, diff)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("nothing was heard within 10 s")
				}
			}
		})
	}
}

// A peer that lost its power leaves a connection that seems to stand; its next life is greeted anew.
func TestE7AConnectionToAnEarlierLifeIsRenewed(t *testing.T) {
	lb1, _, _ := runChannel(t, "lb1", 1, nil)
	_, addr, _ := runChannel(t, "lb2", 2, nil)
	following(t, lb1, addr)
	untilConnected(t, lb1, addr)
	lb1.renew("lb2", 2)
	if !lb1.connected(addr) {
		t.Fatal("a connection to the life that is there was ended")
	}
	lb1.renew("lb2", 3)
	for end := time.Now().Add(10 * time.Second); lb1.connected(addr); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection to an earlier life still stands")
		}
	}
	untilConnected(t, lb1, addr)
}
