package control

import (
	"fmt"
	"net"
	"os"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// stateFiles is how many files a node that keeps a state has: of the members, the gossip
// keys, two of the timeline, and what was set of backends by hand.
const stateFiles = 5

// given is what the keeper opened for this process, which has no right to.
type given struct {
	admin    net.Listener
	page     net.Listener // of the status page; nil: there is none
	members  *os.File     // nil without a state directory, as the following
	keys     *os.File
	timeline []*os.File
	hands    *os.File
}

// take sorts the descriptors of a start order. Their end is close.
func take(m *ipc.ControlStart, files []*os.File) (*given, error) {
	want := 1
	if m.StatusPage {
		want = 2
	}
	if n := len(files) - want; n != 0 && n != stateFiles {
		closeAll(files)
		return nil, fmt.Errorf("the keeper sent %d descriptors, want the sockets, and perhaps the files of members, gossip keys, timeline and backends", len(files))
	}
	g, err := new(given), error(nil)
	if state := files[1 : len(files)-want+1]; len(state) > 0 {
		g.members, g.keys, g.timeline, g.hands = state[0], state[1], state[2:4], state[4]
	}
	if g.admin, err = listener(files[0], "admin socket"); err == nil && m.StatusPage {
		g.page, err = listener(files[len(files)-1], "status page")
	}
	if err != nil {
		g.close()
		closeAll(files) // what was not taken
		return nil, err
	}
	return g, nil
}

// listener takes over a listening socket that the keeper made. The file of a unix socket
// stays when this process ends: it belongs to the keeper.
func listener(f *os.File, what string) (net.Listener, error) {
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l, nil
}

func (g *given) close() {
	for _, l := range []net.Listener{g.admin, g.page} {
		if l != nil {
			l.Close()
		}
	}
	closeAll(append([]*os.File{g.members, g.keys, g.hands}, g.timeline...))
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
