package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxMessage = 160 << 10        // bytes of one message: fits a socket buffer of the default size
	maxFiles   = 3                // descriptors in one message
	sendLimit  = 10 * time.Second // for a helper to take a message; helpers themselves wait for ever
)

// A message is what the processes of a lab say to each other; one of the fields is set.
type message struct {
	Failed *failure `json:",omitempty"` // init → maker: not built
	Ready  bool     `json:",omitempty"` // init → maker: built

	Start   *start   `json:",omitempty"` // lab → host's init, with stdin, stdout, stderr
	Started *started `json:",omitempty"` // host's init → lab, with the pidfd
	Exited  *exited  `json:",omitempty"` // host's init → lab

	Listen    *int    `json:",omitempty"` // program → outer: the port on 127.0.0.1
	Listening *string `json:",omitempty"` // outer → program: "" with the listening socket, else the error
}

type start struct {
	ID   int
	Path string
	Argv []string
	Env  []string
	Dir  string
}

type started struct {
	ID, Pid int
	Error   string `json:",omitempty"`
}

type exited struct {
	ID     int
	Status uint32 // wait status
}

// A wire carries messages and descriptors between two processes. One goroutine may receive; any may send.
type wire struct {
	conn    *net.UnixConn
	sending sync.Mutex
	limit   time.Duration // for one send; 0: as long as it takes
}

// newWire makes a connected pair: one end for this process, the other as a file to be inherited by a child.
func newWire() (*wire, *os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("lab: socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "lab-wire")
	ours, err := wireOf(os.NewFile(uintptr(pair[0]), "lab-wire"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	ours.limit = sendLimit
	return ours, theirs, nil
}

// wireOf makes a wire of a socket and closes the file it came as.
func wireOf(f *os.File) (*wire, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("lab: not a unix socket")
	}
	return &wire{conn: u}, nil
}

// send sends one message with descriptors, which stay open here.
func (w *wire) send(m message, fds ...int) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	if len(data) > maxMessage {
		return fmt.Errorf("lab: arguments and environment of %d bytes; at most %d are allowed", len(data), maxMessage)
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	w.sending.Lock()
	defer w.sending.Unlock()
	if w.limit > 0 {
		w.conn.SetWriteDeadline(time.Now().Add(w.limit))
	}
	if _, _, err := w.conn.WriteMsgUnix(data, rights, nil); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// receive waits for one message. The descriptors belong to the caller. io.EOF means that the other side is gone.
func (w *wire) receive(buf []byte) (m message, fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := w.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return m, nil, err
	}
	if n == 0 {
		return m, nil, io.EOF
	}
	if fds, err = parseRights(oob[:oobn]); err != nil {
		return m, nil, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("lab: message cut short")
	} else {
		err = json.Unmarshal(buf[:n], &m)
	}
	if err != nil {
		closeAll(fds)
		return m, nil, err
	}
	return m, fds, nil
}

func parseRights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	var fds []int
	for i := range controls {
		more, err := unix.ParseUnixRights(&controls[i])
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("lab: %w", err)
		}
		fds = append(fds, more...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

func (w *wire) close() { w.conn.Close() }
