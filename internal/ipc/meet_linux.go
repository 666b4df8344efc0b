package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The meeting socket is where a keeper finds the living proxy of an earlier one (E11). A
// keeper makes it; the proxy that serves holds it, and reads it only while it has no keeper.

// meetingBacklog bounds the keepers that wait; there is one at a time, by its lock.
const meetingBacklog = 4

// Who is the process at the other end, as the kernel knows it.
type Who struct {
	PID int
	UID uint32
}

// Peer returns who made the other end: of a pair, its maker; at the meeting socket, who
// came, or for who came the proxy that attends it.
func (c *Conn) Peer() (Who, error) {
	raw, err := c.sock.SyscallConn()
	if err != nil {
		return Who{}, fmt.Errorf("ipc: peer: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Who{}, fmt.Errorf("ipc: peer: %w", err)
	}
	if failed != nil {
		return Who{}, fmt.Errorf("ipc: peer: %w", failed)
	}
	return Who{PID: int(cred.Pid), UID: cred.Uid}, nil
}

// NewMeeting makes the meeting socket at path, in place of what lies there.
func NewMeeting(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("meeting socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("meeting socket: %w", err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("meeting socket: %w", err)
	}
	f, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("meeting socket: %w", err)
	}
	return f, nil
}

// Attend makes this process the one that is met at the meeting socket: whoever comes sees
// its credentials instead of the maker's, because the kernel takes those of the last to
// call listen(2). f stays the caller's.
func Attend(f *os.File) (*net.UnixListener, error) {
	if err := unix.Listen(int(f.Fd()), meetingBacklog); err != nil {
		return nil, fmt.Errorf("meeting socket: listen: %w", err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("meeting socket: %w", err)
	}
	u, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("meeting socket: it is a %T", l)
	}
	u.SetUnlinkOnClose(false) // it is the keeper's to remove
	return u, nil
}

// Meet goes to the meeting socket at path and returns who attends it. The error is
// fs.ErrNotExist or ECONNREFUSED when there is nobody.
func Meet(path string) (*Conn, Who, error) {
	sock, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, Who{}, fmt.Errorf("meeting socket: %w", err)
	}
	c := FromUnix(sock)
	who, err := c.Peer()
	if err != nil {
		c.Close()
		return nil, Who{}, err
	}
	return c, who, nil
}

// First reads one message, within patience, before Run is called. The files are the
// caller's.
func (c *Conn) First(patience time.Duration) (Message, []*os.File, error) {
	c.sock.SetReadDeadline(time.Now().Add(patience))
	m, files, err := readFrame(c.sock)
	if err != nil {
		return nil, nil, err
	}
	c.sock.SetReadDeadline(time.Time{})
	return m, files, nil
}
