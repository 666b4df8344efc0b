package keeper

import (
	"os"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// sockets returns what the proxy listens on, by Listen.
func (d *proxyDesk) sockets() map[string][]*os.File {
	out := make(map[string][]*os.File, len(d.start.Frontends))
	for i, f := range d.start.Frontends {
		out[f.Listen] = d.listeners[i*d.start.Loops : (i+1)*d.start.Loops]
	}
	return out
}

// adopt makes start what proxies are told from now on. Sockets of frontends that are left out
// are closed here first, so that the proxy's are the last: it serves what waits on them.
func (d *proxyDesk) adopt(start ipc.ProxyStart, fresh map[string][]*os.File) {
	have := d.sockets()
	var listeners []*os.File
	for _, f := range start.Frontends {
		files := have[f.Listen]
		if files == nil {
			files = fresh[f.Listen]
		}
		delete(have, f.Listen)
		listeners = append(listeners, files...)
	}
	closeSockets(have)
	d.start, d.listeners = start, listeners
}

func closeSockets(sockets map[string][]*os.File) {
	for _, files := range sockets {
		closeFiles(files)
	}
}
