package handover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// States of TCP connections as bits, linux/tcp.h.
const (
	stateEstablished = 1 << 1
	stateSynSent     = 1 << 2
	stateSynReceived = 1 << 3
	stateFinWait1    = 1 << 4
	stateFinWait2    = 1 << 5
	stateCloseWait   = 1 << 8
	stateLastAck     = 1 << 9
	stateClosing     = 1 << 11

	// liveStates are those in which a kernel that does not know the connection would break it.
	// A listening socket is no connection; one in TIME_WAIT is over, and its client may have
	// opened another from the same port since, to the other node.
	liveStates = stateEstablished | stateSynSent | stateSynReceived | stateFinWait1 | stateFinWait2 |
		stateCloseWait | stateLastAck | stateClosing
	// waitingStates are those in which a client may wait for an answer.
	waitingStates = stateEstablished | stateCloseWait
)

// diagTimeout bounds one answer of the kernel; a whole list has many.
const diagTimeout = 2 * time.Second

// listFlows calls each for every TCP connection of this node to one of the VIPs in one of
// the states, in the calling thread's network namespace, until it returns an error. It needs
// no rights.
func listFlows(ctx context.Context, vips []netip.Addr, states uint32, each func(Flow) error) error {
	d, err := openDiag()
	if err != nil {
		return err
	}
	defer d.close()
	return d.list(ctx, vips, states, each)
}

// diag is a socket that the kernel lists sockets by (sock_diag(7)).
type diag struct {
	fd  int
	seq uint32 // of the last question
	buf []byte
}

func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("handover: list sockets: %w", explainDiag(err))
	}
	limit := unix.NsecToTimeval(int64(diagTimeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("handover: list sockets: %w", err)
	}
	return &diag{fd: fd, buf: make([]byte, 64<<10)}, nil
}

func (d *diag) close() error { return unix.Close(d.fd) }

// families are those that the kernel keeps its sockets by.
var families = []byte{unix.AF_INET, unix.AF_INET6}

// list asks for both families: a connection over IPv4 to a socket that listens for both is
// one of IPv6 to the kernel.
func (d *diag) list(ctx context.Context, vips []netip.Addr, states uint32, each func(Flow) error) error {
	wanted := make(map[netip.Addr]bool, len(vips))
	for _, v := range vips {
		wanted[v] = true
	}
	for _, family := range families {
		filter := vipFilter(family, vips)
		if filter == nil {
			continue
		}
		if err := d.request(family, states, filter); err != nil {
			return fmt.Errorf("handover: list sockets: %w", err)
		}
		err := d.answers(ctx, func(data []byte) error {
			w, ok := decodeFlow(data)
			if !ok || !wanted[w.Server.Addr()] {
				return nil
			}
			return each(w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// request is struct nlmsghdr, struct inet_diag_req_v2 and the filter.
func (d *diag) request(family byte, states uint32, filter []byte) error {
	const attrBytecode = 1 // INET_DIAG_REQ_BYTECODE
	body := []byte{family, unix.IPPROTO_TCP, 0, 0}
	body = binary.NativeEndian.AppendUint32(body, states)
	body = append(body, make([]byte, socketIDLen)...)
	body = binary.NativeEndian.AppendUint16(body, uint16(4+len(filter)))
	body = binary.NativeEndian.AppendUint16(body, attrBytecode)
	body = append(body, filter...)
	msg := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	msg = binary.NativeEndian.AppendUint16(msg, unix.SOCK_DIAG_BY_FAMILY)
	msg = binary.NativeEndian.AppendUint16(msg, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	d.seq++
	msg = binary.NativeEndian.AppendUint32(msg, d.seq)
	msg = append(msg, 0, 0, 0, 0) // the kernel knows our port
	return unix.Sendto(d.fd, append(msg, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// answers calls each for every socket, until it returns an error. It reads the kernel's
// answer to its end all the same: the next question would be refused else.
func (d *diag) answers(ctx context.Context, each func([]byte) error) error {
	var failed error
	for {
		n, _, err := unix.Recvfrom(d.fd, d.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("handover: list sockets: %w", err)
		}
		done, err := eachMessage(d.buf[:n], d.seq, func(data []byte) error {
			if failed == nil {
				failed = ctx.Err()
			}
			if failed == nil {
				failed = each(data)
			}
			return nil
		})
		if done || err != nil {
			return errors.Join(failed, err)
		}
	}
}

// eachMessage calls each for every socket in a datagram of the kernel's; done says that it
// was the last one.
func eachMessage(data []byte, seq uint32, each func([]byte) error) (done bool, err error) {
	for len(data) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(data))
		kind := binary.NativeEndian.Uint16(data[4:])
		if size < unix.NLMSG_HDRLEN || size > len(data) {
			return false, errors.New("handover: list sockets: a cut message")
		}
		body := data[unix.NLMSG_HDRLEN:size]
		if binary.NativeEndian.Uint32(data[8:]) != seq {
			kind = unix.NLMSG_NOOP // of a question that was given up
		}
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errors.New("handover: list sockets: a cut error")
			}
			errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
			return false, fmt.Errorf("handover: list sockets: %w", explainDiag(errno))
		case unix.SOCK_DIAG_BY_FAMILY:
			if err := each(body); err != nil {
				return false, err
			}
		}
		data = data[min((size+3)&^3, len(data)):]
	}
	return false, nil
}

func explainDiag(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

const (
	socketIDLen = 48 // struct inet_diag_sockid
	addrLen     = 16 // of an address in it
)

// decodeFlow reads struct inet_diag_msg.
func decodeFlow(data []byte) (w Flow, ok bool) {
	const ports, source, dest = 4, 8, 8 + addrLen
	if len(data) < 4+socketIDLen {
		return w, false
	}
	addr := func(at int) netip.Addr {
		if data[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(data[at:]))
		}
		return netip.AddrFrom16([16]byte(data[at:])).Unmap()
	}
	if data[0] != unix.AF_INET && data[0] != unix.AF_INET6 {
		return w, false
	}
	return Flow{
		Server: netip.AddrPortFrom(addr(source), binary.BigEndian.Uint16(data[ports:])),
		Client: netip.AddrPortFrom(addr(dest), binary.BigEndian.Uint16(data[ports+2:])),
	}, true
}

// vipFilter is a program for the kernel (linux/inet_diag.h) that lets through what has one
// of the VIPs as its own address; nil: no socket of the family can have. Without it the
// proxy's connections to its backends, as many again, would be copied too.
//
// For each VIP there is a condition that, where it does not hold, goes on behind the jump
// that follows it; the jump goes to the end, which accepts. Beyond the end is refusal.
func vipFilter(family byte, vips []netip.Addr) []byte {
	const (
		opJump, opSource = 1, 7           // INET_DIAG_BC_JMP, INET_DIAG_BC_S_COND
		opLen, condLen   = 4, 8           // struct inet_diag_bc_op, struct inet_diag_hostcond
		anyPort          = math.MaxUint32 // -1
	)
	var conds [][]byte
	for _, v := range vips {
		if v.Is6() && family == unix.AF_INET {
			continue
		}
		af := byte(unix.AF_INET)
		if v.Is6() {
			af = unix.AF_INET6
		}
		size := opLen + condLen + v.BitLen()/8
		c := []byte{opSource, byte(size)}
		c = binary.NativeEndian.AppendUint16(c, uint16(size+opLen))
		c = append(c, af, byte(v.BitLen()), 0, 0)
		c = binary.NativeEndian.AppendUint32(c, anyPort)
		conds = append(conds, append(c, v.AsSlice()...))
	}
	left := 0
	for i, c := range conds {
		if left += len(c) + opLen; i == len(conds)-1 {
			binary.NativeEndian.PutUint16(c[2:], uint16(len(c)+2*opLen)) // beyond the end
		}
	}
	var out []byte
	for _, c := range conds {
		left -= len(c)
		out = append(append(out, c...), opJump, opLen)
		out = binary.NativeEndian.AppendUint16(out, uint16(left))
		left -= opLen
	}
	return out
}
