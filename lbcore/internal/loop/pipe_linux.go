package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PipeSize is what a Pipe holds, if the kernel grants it (an unprivileged user
// gets 64 MiB in all), in bytes.
const PipeSize = 1 << 20

// Pipe moves bytes between sockets without copying them to the program and
// back. Fill it only while it is empty: that it is full cannot be told from an
// empty socket.
type Pipe struct {
	r, w int
	held int
}

// NewPipe makes an empty pipe.
func NewPipe() (*Pipe, syscall.Errno) {
	var fds [2]int32
	_, _, e := unix.RawSyscall(unix.SYS_PIPE2, uintptr(unsafe.Pointer(&fds)), unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if e != 0 {
		return nil, e
	}
	p := &Pipe{r: int(fds[0]), w: int(fds[1])}
	_, _, _ = unix.RawSyscall(unix.SYS_FCNTL, uintptr(p.w), unix.F_SETPIPE_SZ, PipeSize)
	return p, 0
}

// Held is the number of bytes in the pipe.
func (p *Pipe) Held() int { return p.held }

// Fill takes at most most bytes from a socket. n is 0 with errno 0 at the end of
// the stream. That n is less than most does not mean that the socket is empty.
func (p *Pipe) Fill(fd int, most int64) (n int, errno syscall.Errno) {
	n, errno = splice(fd, p.w, int(min(most, PipeSize)))
	p.held += n
	return n, errno
}

// Drain gives a socket as much of what the pipe holds as it takes. That something
// stays does not mean that the socket is full.
func (p *Pipe) Drain(fd int) (n int, errno syscall.Errno) {
	n, errno = splice(p.r, fd, p.held)
	p.held -= n
	return n, errno
}

// Close gives the pipe back to the kernel.
func (p *Pipe) Close() {
	Close(p.r)
	Close(p.w)
}

func splice(from, to, most int) (n int, errno syscall.Errno) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}
