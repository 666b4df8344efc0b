package config

import "time"

// FrontendTLS is how a frontend speaks TLS with its clients.
type FrontendTLS struct {
	Certificates     []Certificate // the first one is for clients that ask for no name, or one that none is for
	MinVersion       uint16        // of crypto/tls
	CipherSuites     []uint16      // of TLS 1.2, by ID; nil: the usual ones
	ClientCerts      string        // "required" or "optional"; "" asks for none
	ClientCAs        []byte        // PEM; who signs those of clients; nil: none are asked for
	StrictSNI        bool          // who asks for a name that no certificate is for is refused
	SessionTickets   bool          // sessions are resumed
	HandshakeTimeout time.Duration // from accept to the end of the handshake
}

// PoolTLS is how TLS is spoken with the backends of a pool.
type PoolTLS struct {
	CAs         []byte // PEM; who signs their certificates; nil: the authorities of the system
	ServerName  string // that their certificates must have; empty: the backend's address
	MinVersion  uint16
	Certificate *Certificate // shown to backends that ask for one; nil: none
	Verify      bool         // false: any certificate is taken
}

// Certificate is a chain with its key, which was seen to fit. The key is a secret.
type Certificate struct {
	File     string // that it was read from
	Chain    []byte // PEM; the server's own, then the intermediate ones
	Key      Secret // PEM
	NotAfter time.Time
}

// Secret is what must not be shown.
type Secret []byte

// String implements fmt.Stringer.
func (Secret) String() string { return "(secret)" }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return "(secret)" }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }
