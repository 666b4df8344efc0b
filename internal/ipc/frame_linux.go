package ipc

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// MaxBody bounds the JSON body of one message, in bytes. A pool of 5,000 backends
	// takes less than 1 MiB.
	MaxBody = 16 << 20
	// MaxFiles bounds the descriptors of one message; the kernel's own limit, SCM_MAX_FD,
	// is 253.
	MaxFiles = 250

	headerLen = 8 // kind u16, descriptors u16, body length u32, big endian
)

// Errors of a frame that cannot be read or written. The connection is of no use after one.
var (
	ErrTooLarge = errors.New("ipc: message too large")
	ErrKind     = errors.New("ipc: message of unknown kind")
	ErrFiles    = errors.New("ipc: wrong number of descriptors in message")
)

// writeFrame sends one message. Descriptors ride on the first byte of the header, so that
// the reader gets them with the header and can never attach them to another message.
func writeFrame(c *net.UnixConn, m Message, fds []int) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("ipc: encode %T: %w", m, err)
	}
	if len(body) > MaxBody || len(fds) > MaxFiles {
		return fmt.Errorf("%w: %T of %d bytes and %d descriptors", ErrTooLarge, m, len(body), len(fds))
	}
	frame := make([]byte, headerLen, headerLen+len(body))
	binary.BigEndian.PutUint16(frame[0:], uint16(m.kind()))
	binary.BigEndian.PutUint16(frame[2:], uint16(len(fds)))
	binary.BigEndian.PutUint32(frame[4:], uint32(len(body)))
	frame = append(frame, body...)

	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	n, _, err := c.WriteMsgUnix(frame, rights, nil)
	if err == nil && n < len(frame) {
		_, err = c.Write(frame[n:])
	}
	if err != nil {
		return fmt.Errorf("ipc: send %T: %w", m, err)
	}
	return nil
}

// readFrame receives one message. It returns io.EOF, unwrapped, when the other side is
// gone between two messages.
func readFrame(c *net.UnixConn) (Message, []*os.File, error) {
	head := make([]byte, headerLen)
	oob := make([]byte, unix.CmsgSpace(4*MaxFiles))
	n, oobn, _, _, err := c.ReadMsgUnix(head, oob)
	if n == 0 || errors.Is(err, io.EOF) {
		return nil, nil, io.EOF
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ipc: receive: %w", err)
	}
	files, err := parseRights(oob[:oobn])
	if err != nil {
		return nil, nil, err
	}
	m, err := readRest(c, head, n, len(files))
	if err != nil {
		closeAll(files)
		return nil, nil, err
	}
	return m, files, nil
}

// readRest reads what is missing of the header, then the body.
func readRest(c *net.UnixConn, head []byte, have, files int) (Message, error) {
	if err := readFull(c, head[have:]); err != nil {
		return nil, fmt.Errorf("ipc: receive header: %w", err)
	}
	m, body, err := parseHeader(head, files)
	if err != nil {
		return nil, err
	}
	if err := readFull(c, body); err != nil {
		return nil, fmt.Errorf("ipc: receive %T: %w", m, err)
	}
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("ipc: decode %T: %w", m, err)
	}
	return m, nil
}

// readFull fills b. The end of the socket inside a message is never the orderly io.EOF.
func readFull(c *net.UnixConn, b []byte) error {
	_, err := io.ReadFull(c, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseHeader checks a header against the bounds and returns an empty message of its kind
// and a buffer for its body.
func parseHeader(head []byte, files int) (Message, []byte, error) {
	kind := Kind(binary.BigEndian.Uint16(head[0:]))
	want := int(binary.BigEndian.Uint16(head[2:]))
	size := int(binary.BigEndian.Uint32(head[4:]))
	m := newMessage(kind)
	switch {
	case m == nil:
		return nil, nil, fmt.Errorf("%w: %d", ErrKind, kind)
	case size > MaxBody:
		return nil, nil, fmt.Errorf("%w: %T of %d bytes", ErrTooLarge, m, size)
	case want != files:
		return nil, nil, fmt.Errorf("%w: %T announces %d and brings %d", ErrFiles, m, want, files)
	}
	return m, make([]byte, size), nil
}

func parseRights(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("ipc: control message: %w", err)
	}
	var files []*os.File
	var failed error
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue // some other ancillary data: not ours, no descriptors in it
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			f, err := Hold(fd, "ipc")
			if err != nil {
				failed = err
				continue // each is to be closed
			}
			files = append(files, f)
		}
	}
	if failed != nil {
		closeAll(files)
		return nil, failed
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
