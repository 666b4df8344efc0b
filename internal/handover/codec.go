package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// MaxBatch bounds an encoded Batch, in bytes.
const MaxBatch = 16 << 10

// Batch is what has changed among the connections that a node holds.
type Batch struct {
	Reset bool // all that was said before is void
	Added []Flow
	Gone  []Flow
}

// The form of a batch: a version, flags, and then runs of clients of the same server, each
//
//	1 byte   runSix: IPv6 addresses; runGone: the connections are gone
//	4 or 16  the server's address, and 2 bytes its port
//	2 bytes  how many clients follow, 1 or more; 4 or 16 bytes address and 2 bytes port each
//
// Numbers are big endian.
const (
	batchVersion = 1
	batchReset   = 1

	runSix  = 1
	runGone = 2
)

// errBatch is the common part of what is wrong with a batch.
var errBatch = errors.New("handover: a batch of connections cannot be read")

// encode returns what has changed as one or more encoded batches, none longer than MaxBatch.
// Flows of one server should follow each other.
func (b Batch) encode() (batches [][]byte) {
	e := encoder{out: []byte{batchVersion, 0}}
	if b.Reset {
		e.out[1] = batchReset
	}
	for _, w := range b.Gone {
		e.add(runGone, w)
	}
	for _, w := range b.Added {
		e.add(0, w)
	}
	if len(e.out) > 2 || b.Reset {
		e.done = append(e.done, e.out)
	}
	return e.done
}

// NoClients is the message of a node that has no connections any more.
func NoClients() []byte { return []byte{batchVersion, batchReset} }

// encoder fills batches with runs.
type encoder struct {
	done  [][]byte
	out   []byte // begins with version and flags
	run   int    // where in out the last run has its count; 0: none
	kind  byte   // of that run
	serve netip.AddrPort
}

func (e *encoder) add(kind byte, w Flow) {
	if w.Server.Addr().Is6() {
		kind |= runSix
	}
	size := w.Server.Addr().BitLen()/8 + 2
	if len(e.out)+1+size+2+size > MaxBatch {
		e.done = append(e.done, e.out)
		e.out, e.run = []byte{batchVersion, 0}, 0
	}
	if e.run == 0 || e.kind != kind || e.serve != w.Server {
		e.out = append(e.out, kind)
		e.out = appendAddrPort(e.out, w.Server)
		e.run, e.kind, e.serve = len(e.out), kind, w.Server
		e.out = append(e.out, 0, 0)
	}
	e.out = appendAddrPort(e.out, w.Client)
	count := e.out[e.run:]
	binary.BigEndian.PutUint16(count, binary.BigEndian.Uint16(count)+1)
}

func appendAddrPort(out []byte, a netip.AddrPort) []byte {
	return binary.BigEndian.AppendUint16(append(out, a.Addr().AsSlice()...), a.Port())
}

// DecodeBatch reads one encoded batch. Clients that nobody could be, such as multicast
// addresses, are an error.
func DecodeBatch(data []byte) (b Batch, err error) {
	switch {
	case len(data) > MaxBatch:
		return b, fmt.Errorf("%w: %d bytes", errBatch, len(data))
	case len(data) < 2 || data[0] != batchVersion || data[1]&^batchReset != 0:
		return b, fmt.Errorf("%w: not of version %d", errBatch, batchVersion)
	}
	b.Reset = data[1]&batchReset != 0
	for data = data[2:]; len(data) > 0; {
		kind := data[0]
		if kind&^(runSix|runGone) != 0 {
			return Batch{}, fmt.Errorf("%w: a run of kind %d", errBatch, kind)
		}
		flows := &b.Added
		if kind&runGone != 0 {
			flows = &b.Gone
		}
		if *flows, data, err = decodeRun(*flows, kind&runSix != 0, data[1:]); err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

// decodeRun appends the flows of one run and returns what is behind it.
func decodeRun(flows []Flow, isSix bool, data []byte) ([]Flow, []byte, error) {
	length := 4
	if isSix {
		length = 16
	}
	size := length + 2
	if len(data) < size+2 {
		return nil, nil, fmt.Errorf("%w: cut", errBatch)
	}
	server := addrPortOf(data[:size])
	count := int(binary.BigEndian.Uint16(data[size:]))
	data = data[size+2:]
	if count == 0 || len(data) < count*size {
		return nil, nil, fmt.Errorf("%w: %d clients in %d bytes", errBatch, count, len(data))
	}
	for range count {
		w := Flow{Client: addrPortOf(data[:size]), Server: server}
		if !w.plausible() {
			return nil, nil, fmt.Errorf("%w: a connection from %v to %v", errBatch, w.Client, w.Server)
		}
		flows, data = append(flows, w), data[size:]
	}
	return flows, data, nil
}

// addrPortOf reads an address and a port, which is the last two bytes.
func addrPortOf(data []byte) netip.AddrPort {
	a, _ := netip.AddrFromSlice(data[:len(data)-2])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(data[len(data)-2:]))
}

// plausible says whether both ends can be those of a connection over a wire.
func (w Flow) plausible() bool {
	for _, end := range []netip.AddrPort{w.Client, w.Server} {
		a := end.Addr()
		if end.Port() == 0 || !a.IsValid() || a.Is4In6() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
			return false
		}
		if a.Is4() && a.As4() == [4]byte{255, 255, 255, 255} {
			return false
		}
	}
	return w.Client.Addr().Is4() == w.Server.Addr().Is4() && w.Client.Addr() != w.Server.Addr()
}
