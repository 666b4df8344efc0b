package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	startLimit = 20 * time.Second // for a host to start a program
	endLimit   = 20 * time.Second // for the kernel to end a host
	askLimit   = 10 * time.Second // for the kernel to answer on netlink
)

// A machine is one life of a host (from power on to power off) or the switch: an init process and its namespaces.
type machine struct {
	name  string
	init  *exec.Cmd
	wire  *wire
	tasks *sync.WaitGroup // the lab's: Close waits for watch, and for those that feed Writers
	dead  chan struct{}   // closed when all its processes are gone and all of them are settled

	mu      sync.Mutex
	nextID  int
	starts  map[int]chan started // asked for, not answered; each has room for the answer
	running map[int]*Process
	ended   bool // no more processes

	use sync.RWMutex // write-locked to close these two
	net *os.File     // the network namespace; nil once released
	nl  *netlink.Handle
}

// newMachine starts an init in fresh namespaces and waits until it is built.
func newMachine(role, name string, tasks *sync.WaitGroup) (*machine, error) {
	w, theirs, err := newWire()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"tandem-lab-" + role, name}
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
	}
	if err := cmd.Start(); err != nil {
		w.close()
		return nil, fmt.Errorf("lab: %s: %w", name, err)
	}
	theirs.Close()
	m := &machine{
		name: name, init: cmd, wire: w, tasks: tasks, dead: make(chan struct{}),
		starts: map[int]chan started{}, running: map[int]*Process{},
	}
	err = awaitReady(w, false)
	if err == nil {
		err = m.open()
	}
	tasks.Go(m.watch)
	if err != nil {
		m.kill()
		<-m.dead
		m.release()
		return nil, fmt.Errorf("lab: %s: %w", name, err)
	}
	return m, nil
}

// open takes hold of the network namespace.
func (m *machine) open() error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.init.Process.Pid))
	if err != nil {
		return err
	}
	m.net = f
	if m.nl, err = netlink.NewHandleAt(netns.NsHandle(f.Fd()), unix.NETLINK_ROUTE); err != nil {
		return err
	}
	return m.nl.SetSocketTimeout(askLimit)
}

// watch hears the init out, settles what ran there, and buries it.
func (m *machine) watch() {
	defer close(m.dead)
	buf := make([]byte, maxMessage)
	for {
		msg, fds, err := m.wire.receive(buf)
		if err != nil {
			break
		}
		switch {
		case msg.Started != nil:
			m.answer(*msg.Started, fds)
		case msg.Exited != nil:
			closeAll(fds)
			m.exited(msg.Exited.ID, unix.WaitStatus(msg.Exited.Status))
		default:
			closeAll(fds)
		}
	}
	m.wire.close()
	m.init.Process.Kill() // it ends by itself at this point; never wait for one that does not
	m.init.Wait()
	m.mu.Lock()
	m.ended = true
	left := m.running
	m.running = nil
	for _, c := range m.starts {
		close(c)
	}
	m.starts = nil
	m.mu.Unlock()
	for _, p := range left {
		m.tasks.Go(func() { p.finish(unix.WaitStatus(unix.SIGKILL)) })
	}
}

// kill ends all processes of the machine. The kernel does it, as the death of a pid namespace's init demands, but only once that
// init has been scheduled; those that we know of are hit without that delay.
func (m *machine) kill() {
	m.init.Process.Kill()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.running {
		p.Signal(syscall.SIGKILL)
	}
}

// bury waits for the end after a kill.
func (m *machine) bury() error {
	select {
	case <-m.dead:
		return nil
	case <-time.After(endLimit):
		return fmt.Errorf("lab: %s: still not dead %v after SIGKILL; it may hang in the kernel (state D)", m.name, endLimit)
	}
}

// release lets go of the network namespace, which ends with its last socket. Buried machines only.
func (m *machine) release() {
	m.use.Lock()
	defer m.use.Unlock()
	if m.nl != nil {
		m.nl.Close()
	}
	if m.net != nil {
		m.net.Close()
	}
	m.nl, m.net = nil, nil
}

// answer notes how a start went.
func (m *machine) answer(s started, fds []int) {
	m.mu.Lock()
	c := m.starts[s.ID]
	delete(m.starts, s.ID)
	p := m.running[s.ID]
	if s.Error != "" {
		delete(m.running, s.ID)
	} else if len(fds) == 1 && p != nil {
		p.adopt(s.Pid, fds[0])
		fds = nil
	} else if len(fds) == 1 {
		unix.PidfdSendSignal(fds[0], unix.SIGKILL, nil, 0) // nobody waits for it any more
	}
	m.mu.Unlock()
	closeAll(fds)
	if c != nil {
		c <- s
	}
}

func (m *machine) exited(id int, status unix.WaitStatus) {
	m.mu.Lock()
	p := m.running[id]
	delete(m.running, id)
	m.mu.Unlock()
	if p != nil {
		m.tasks.Go(func() { p.finish(status) })
	}
}

// do calls f on this goroutine and a thread that is in the machine's network namespace meanwhile.
func (m *machine) do(f func() error) (err error) {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("lab: %w", err)
	}
	defer func() {
		defer home.Close()
		if lost := netns.Set(home); lost != nil { // then it stays locked, and the runtime ends it with its goroutine
			err = errors.Join(err, fmt.Errorf("lab: this thread cannot leave the network of %s: %w", m.name, lost))
			return
		}
		runtime.UnlockOSThread()
	}()
	if err := m.enter(); err != nil {
		return fmt.Errorf("lab: enter the network of %s: %w", m.name, err)
	}
	return f()
}

// enter moves the calling thread.
func (m *machine) enter() error {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.net == nil {
		return ErrOff
	}
	return netns.Set(netns.NsHandle(m.net.Fd()))
}

// ask talks netlink to the machine's kernel side.
func (m *machine) ask(f func(nl *netlink.Handle) error) error {
	m.use.RLock()
	defer m.use.RUnlock()
	if m.nl == nil {
		return ErrOff
	}
	return f(m.nl)
}
