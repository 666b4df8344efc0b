package owners

import (
	"bytes"
	"net/netip"
	"testing"
)

var (
	vip    = netip.MustParseAddr("192.168.42.42")
	sender = netip.MustParseAddr("192.168.42.250")
)

// answerTo is what a host with that MAC answers to a request (RFC 826).
func answerTo(req []byte, mac [6]byte) []byte {
	b := bytes.Clone(req)
	copy(b[0:6], req[6:12])
	copy(b[6:12], mac[:])
	b[21] = 2
	copy(b[22:28], mac[:]) // sender: the address in question, at this MAC
	copy(b[28:32], req[38:42])
	copy(b[32:38], req[22:28]) // target: who asked
	copy(b[38:42], req[28:32])
	return b
}

func TestARequestsAnswerTellsWhichAndWho(t *testing.T) {
	mac := [6]byte{2, 1, 2, 3, 4, 5}
	for _, n := range []int{0, 1, macs - 1, macs, 12345} {
		got, who, ok := reply(answerTo(request(n, sender, vip), mac), vip)
		if !ok || got != n%macs || who != mac {
			t.Errorf("request %d: got %d from %v, %v", n, got, who, ok)
		}
	}
}

func TestOtherFramesAreNoAnswers(t *testing.T) {
	mac := [6]byte{2, 1, 2, 3, 4, 5}
	whole := answerTo(request(7, sender, vip), mac)
	change := func(i int, v byte) []byte {
		b := bytes.Clone(whole)
		b[i] = v
		return b
	}
	for name, b := range map[string][]byte{
		"empty":              nil,
		"short":              whole[:frameSize-1],
		"IPv4":               change(13, 0),
		"a request":          request(7, sender, vip),
		"another address":    change(31, 43),
		"another hardware":   change(15, 6),
		"to somebody else":   change(33, 'X'),
		"to no MAC of ours":  change(37, macs),
		"an RARP answer":     change(21, 4),
		"longer IP address":  change(19, 16),
		"longer MAC address": change(18, 8),
	} {
		if _, _, ok := reply(b, vip); ok {
			t.Errorf("%s: taken for an answer", name)
		}
	}
}

func FuzzReplyNeverPanicsAndNamesAKnownRequest(f *testing.F) {
	f.Add(answerTo(request(7, sender, vip), [6]byte{2, 1, 2, 3, 4, 5}))
	f.Add(request(7, sender, vip))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, _, ok := reply(b, vip); ok && (n < 0 || n >= macs) {
			t.Fatalf("number %d", n)
		}
	})
}
