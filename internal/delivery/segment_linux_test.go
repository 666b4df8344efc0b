package delivery

import (
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// A segment is a switch that machines are plugged into, in a network namespace of its own.
type segment struct {
	t   *testing.T
	pid string // of a process in the namespace
}

func newSegment(t *testing.T) *segment {
	t.Helper()
	c := exec.Command("unshare", "--net", "sh", "-c", "ip link add bridge type bridge && ip link set bridge up && echo ready && exec sleep infinity")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait() // it was killed
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal("the switch was not made: ", err)
	}
	return &segment{t, strconv.Itoa(c.Process.Pid)}
}

// plug gives a machine the interface eth1 with an address, and before it eth0, which on all
// of Vagrant's machines has the same address and leads to nobody else.
func (s *segment) plug(m *machine, addr string) {
	s.t.Helper()
	port := "port-" + m.name // a moment after the power was cut it may still be there
	run(s.t, "", nil, "nsenter", "-t", s.pid, "-n", "sh", "-c", "{ ip link del "+port+" 2> /dev/null; true; } && "+
		"ip link add "+port+" type veth peer name eth1 netns "+m.pid()+" && ip link set "+port+" master bridge up")
	m.run("ip link add eth0 type veth peer name nat && ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip link set nat up && " +
		"ip addr add " + addr + "/24 dev eth1 && ip link set eth1 up")
}
