package lbcore

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A session ticket lets a client come back without a full handshake. It is sealed
// with a key that only this frontend knows, here and on every balancer with the
// same secret: so a failover costs no full handshakes.
//
// The keys follow from the secret, the frontend and the time (HKDF, RFC 5869): the
// balancers need not speak to each other, agree on who makes the next key, or have
// met at all, and a restart loses none. What this gives up: who gets the secret can
// open the tickets of all times, and what was recorded of TLS 1.2 connections that
// were given one. TLS 1.3 sessions stay closed, since each resumption agrees on new
// keys (psk_dhe_ke).
//
// Each key seals for one period; those of the last one and of the next, which a peer
// whose clock is ahead may use already, open. A session can be resumed for 12 to 24
// hours.
const ticketTime = 12 * time.Hour

func ticketPeriod(now time.Time) int64 { return now.Unix() / int64(ticketTime/time.Second) }

// ticketScope holds a ticket to the frontend, and to what it asks of its clients: a
// session that began elsewhere, or under other rules, begins anew.
func ticketScope(frontend string, c *TLSConfig) string {
	return frontend + "\x00" + string(c.ClientCerts) + "\x00" + c.ClientCAsID
}

// ticketKeys are those of a period, the sealing one first.
func ticketKeys(secrets [][]byte, scope string, period int64) (keys [][32]byte) {
	for _, p := range []int64{period, period - 1, period + 1} {
		for _, secret := range secrets {
			keys = append(keys, ticketKey(secret, scope, p))
		}
	}
	return keys
}

func ticketKey(secret []byte, scope string, period int64) (key [32]byte) {
	info := "tandem session ticket\x00" + string(binary.BigEndian.AppendUint64(nil, uint64(period))) + scope
	k, err := hkdf.Key(sha256.New, secret, nil, info, len(key))
	if err != nil {
		panic(err) // only for lengths that cannot be
	}
	copy(key[:], k)
	return key
}
