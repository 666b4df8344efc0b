package vip

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// frameSocket is a packet socket that tells when the kernel received each frame.
// A frame may wait in the socket while this process is busy or paused, and what it
// says may no longer be so. One goroutine may receive.
type frameSocket struct {
	*packet.Conn
	raw syscall.RawConn
	buf [2048]byte // more than any ARP or NDP frame needs; what is cut off fails to decode
	oob [64]byte   // room for the timestamp
}

// openFrameSocket receives frames of one EtherType that pass the filter.
func openFrameSocket(ifi Interface, etherType int, filter []bpf.RawInstruction) (*frameSocket, error) {
	dev := &net.Interface{Index: ifi.Index, Name: ifi.Name, HardwareAddr: ifi.MAC}
	conn, err := packet.Listen(dev, packet.Raw, etherType, &packet.Config{Filter: filter})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		optErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	})
	if err == nil {
		err = optErr
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &frameSocket{Conn: conn, raw: raw}, nil
}

// receive waits for the next frame; it is valid until the next call. pkttype is the kernel's
// word for whom it is: PACKET_HOST for this interface alone; PACKET_OTHERHOST for another
// station, or for a VLAN that this node is not in.
func (s *frameSocket) receive() (frame []byte, at time.Time, pkttype uint8, err error) {
	var n, oobn int
	var from unix.Sockaddr
	var recvErr error
	err = s.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, from, recvErr = unix.Recvmsg(int(fd), s.buf[:], s.oob[:], 0)
			if recvErr != unix.EINTR {
				return recvErr != unix.EAGAIN
			}
		}
	})
	if err == nil {
		err = recvErr
	}
	if err != nil {
		return nil, time.Time{}, 0, err
	}
	pkttype = unix.PACKET_BROADCAST // says least
	if ll, ok := from.(*unix.SockaddrLinklayer); ok {
		pkttype = ll.Pkttype
	}
	return s.buf[:n], receivedAt(s.oob[:oobn], time.Now()), pkttype, nil
}

// receivedAt reads the kernel's timestamp, two 64-bit numbers of the wall clock,
// and expresses it relative to now, so that it compares well with monotonic times.
func receivedAt(oob []byte, now time.Time) time.Time {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return now
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS_NEW && len(m.Data) >= 16 {
			sec := int64(binary.NativeEndian.Uint64(m.Data))
			nsec := int64(binary.NativeEndian.Uint64(m.Data[8:]))
			return now.Add(-max(0, now.Sub(time.Unix(sec, nsec))))
		}
	}
	return now
}
