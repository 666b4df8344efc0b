package lab

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A sink hands what comes out of a pipe to a Writer. It runs until every holder of the pipe's other end is gone, which may be
// long after the process that it was made for.
type sink struct {
	r       *os.File
	w       io.Writer
	drained chan struct{} // closed when what was in the pipe at the call of drain has been handed on; or at the end
	once    sync.Once
}

// newSink starts a sink and returns the file that feeds it, which the caller closes once it has been passed on.
func newSink(w io.Writer, tasks *sync.WaitGroup) (*sink, *os.File, error) {
	r, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	unix.SetNonblock(int(theirs.Fd()), false)
	s := &sink{r: r, w: w, drained: make(chan struct{})}
	tasks.Go(s.run)
	return s, theirs, nil
}

// run copies. When the Writer fails it goes on reading, so that the program never blocks on a full pipe.
func (s *sink) run() {
	defer s.once.Do(func() { close(s.drained) })
	defer s.r.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := s.r.Read(buf)
		s.write(buf[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.r.SetReadDeadline(time.Time{})
			s.empty(buf)
			s.once.Do(func() { close(s.drained) })
			continue
		}
		if err != nil {
			return
		}
	}
}

// empty reads what is in the pipe right now, and not what others go on writing.
func (s *sink) empty(buf []byte) {
	raw, err := s.r.SyscallConn()
	if err != nil {
		return
	}
	var inPipe uint32
	raw.Control(func(fd uintptr) { inPipe, _ = unix.IoctlGetUint32(int(fd), unix.TIOCINQ) }) // which is FIONREAD
	for left := int(inPipe); left > 0; {
		n := 0
		raw.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), buf) })
		if n <= 0 {
			return
		}
		s.write(buf[:n])
		left -= n
	}
}

func (s *sink) write(b []byte) {
	if len(b) > 0 && s.w != nil {
		if _, err := s.w.Write(b); err != nil {
			s.w = nil
		}
	}
}

// drain returns when all that was written to the pipe before the call has been handed on.
func (s *sink) drain() {
	s.r.SetReadDeadline(time.Unix(1, 0))
	<-s.drained
}
