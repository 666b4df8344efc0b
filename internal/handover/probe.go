package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Times of a self-test.
const (
	probeEvery = 10 * time.Millisecond // a frame may be lost
	probeTime  = time.Second           // then it has failed

	maxObstacles   = 16
	maxObstacleLen = 200
)

// ProbeRequest asks a peer to send the packets of one made-up connection back to us.
type ProbeRequest struct {
	From netip.Addr // our own address
	To   netip.Addr // the peer's own address, of the same family
	Port uint16     // of both ends; reserved on our side
}

// valid says what is wrong with it.
func (r ProbeRequest) valid() error {
	w := Flow{Client: netip.AddrPortFrom(r.From, r.Port), Server: netip.AddrPortFrom(r.To, r.Port)}
	if !w.plausible() || r.From.Zone() != "" || r.To.Zone() != "" {
		return fmt.Errorf("handover: a probe from %v to %v, port %d, makes no sense", r.From, r.To, r.Port)
	}
	return nil
}

// ProbeReply is what the peer has seen.
type ProbeReply struct {
	Forwarded uint64   // packets of the probe that were sent back
	Obstacles []string // what on the peer's side speaks against it; at most 16
}

// probeVersion begins both messages.
const probeVersion = 1

var errProbe = errors.New("handover: a message about a probe cannot be read")

// MarshalBinary makes it: version, length of an address, both addresses, port.
func (r ProbeRequest) MarshalBinary() ([]byte, error) {
	if err := r.valid(); err != nil {
		return nil, err
	}
	out := []byte{probeVersion, byte(r.From.BitLen() / 8)}
	out = append(append(out, r.From.AsSlice()...), r.To.AsSlice()...)
	return binary.BigEndian.AppendUint16(out, r.Port), nil
}

// UnmarshalBinary reads what MarshalBinary has made.
func (r *ProbeRequest) UnmarshalBinary(data []byte) error {
	if len(data) < 2 || data[0] != probeVersion {
		return fmt.Errorf("%w: not of version %d", errProbe, probeVersion)
	}
	size := int(data[1])
	if size != 4 && size != 16 || len(data) != 2+2*size+2 {
		return fmt.Errorf("%w: %d bytes with addresses of %d", errProbe, len(data), size)
	}
	var got ProbeRequest
	got.From, _ = netip.AddrFromSlice(data[2 : 2+size])
	got.To, _ = netip.AddrFromSlice(data[2+size : 2+2*size])
	got.Port = binary.BigEndian.Uint16(data[2+2*size:])
	if err := got.valid(); err != nil {
		return fmt.Errorf("%w: %w", errProbe, err)
	}
	*r = got
	return nil
}

// MarshalBinary makes it: version, number of packets, number of obstacles, and each with
// its length before it. What is beyond the bounds is cut off.
func (r ProbeReply) MarshalBinary() ([]byte, error) {
	out := binary.BigEndian.AppendUint64([]byte{probeVersion}, r.Forwarded)
	obstacles := r.Obstacles[:min(len(r.Obstacles), maxObstacles)]
	out = append(out, byte(len(obstacles)))
	for _, o := range obstacles {
		o = o[:min(len(o), maxObstacleLen)]
		out = append(append(out, byte(len(o))), o...)
	}
	return out, nil
}

// UnmarshalBinary reads what MarshalBinary has made. Characters that cannot be printed
// become question marks: the text ends up in a log and on a terminal.
func (r *ProbeReply) UnmarshalBinary(data []byte) error {
	if len(data) < 10 || data[0] != probeVersion {
		return fmt.Errorf("%w: not of version %d", errProbe, probeVersion)
	}
	got := ProbeReply{Forwarded: binary.BigEndian.Uint64(data[1:])}
	count := int(data[9])
	if count > maxObstacles {
		return fmt.Errorf("%w: %d obstacles", errProbe, count)
	}
	data = data[10:]
	for range count {
		if len(data) < 1 || int(data[0]) > maxObstacleLen || len(data) < 1+int(data[0]) {
			return fmt.Errorf("%w: cut", errProbe)
		}
		size := 1 + int(data[0])
		got.Obstacles = append(got.Obstacles, printable(data[1:size]))
		data = data[size:]
	}
	if len(data) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errProbe, len(data))
	}
	*r = got
	return nil
}

func printable(text []byte) string {
	out := make([]byte, len(text))
	for i, c := range text {
		if out[i] = c; c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}

// Report is the result of a self-test.
type Report struct {
	// Why says why connections would be lost; empty: they would not.
	Why []string
	// RTT is how long the first probe took to the peer and back, by family that was tried.
	RTT map[string]time.Duration
}

// Lossless says whether the peer can forward to this node.
func (r Report) Lossless() bool { return len(r.Why) == 0 }

// Err is nil, or an error that names all reasons.
func (r Report) Err() error {
	var errs []error
	for _, why := range r.Why {
		errs = append(errs, errors.New(why))
	}
	return errors.Join(errs...)
}
