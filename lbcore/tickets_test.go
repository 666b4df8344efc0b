package lbcore

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestTicketKeysRotateAndOverlap(t *testing.T) {
	at := time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)
	secrets := [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}
	keys := func(d time.Duration) [][32]byte { return ticketKeys(secrets, "https", ticketPeriod(at.Add(d))) }
	now := keys(0)
	if !slices.Equal(now, keys(5*time.Hour)) {
		t.Error("keys change within their period")
	}
	for d, opens := range map[time.Duration]bool{
		-ticketTime:    true, // a peer whose clock is behind opens what we seal
		ticketTime:     true, // and a ticket lives into the next period
		2 * ticketTime: false,
	} {
		if got := slices.Contains(keys(d), now[0]); got != opens {
			t.Errorf("after %v a ticket of now is opened: %v, want %v", d, got, opens)
		}
	}
	rotated := ticketKeys([][]byte{secrets[1], secrets[0]}, "https", ticketPeriod(at))
	if rotated[0] == now[0] || !slices.Contains(rotated, now[0]) || !slices.Contains(now, rotated[0]) {
		t.Error("a rotated secret must seal anew, and each side open the other's")
	}
	seen := map[[32]byte]bool{}
	for _, scope := range []string{
		ticketScope("a", &TLSConfig{}), ticketScope("b", &TLSConfig{}),
		ticketScope("a", &TLSConfig{ClientCerts: ClientCertsRequired}), ticketScope("a", &TLSConfig{ClientCerts: ClientCertsRequired, ClientCAsID: "1"}),
	} {
		for _, k := range ticketKeys(secrets, scope, 1) {
			if seen[k] {
				t.Errorf("two scopes share a key: %q", scope)
			}
			seen[k] = true
		}
	}
}
