package keeper

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// The proxy writes the access log, but may open no file: the keeper opens it, and sends the
// descriptor to each proxy, and a new one when the file is to be opened anew.

// logsAsked is an event: the access log is to be opened anew.
type logsAsked struct{}

// logOpened is what came of it.
type logOpened struct {
	file *os.File
	err  error
}

// ReopenLogs has the access log opened anew whenever a value comes from asked. It is called
// before Run.
func (k *Keeper) ReopenLogs(asked <-chan os.Signal) { k.logsAsked = asked }

// listenForLogs passes signals on to the loop.
func (k *Keeper) listenForLogs(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.logsAsked:
			k.loop.emit(logsAsked{})
		}
	}
}

// openAccessLog opens the file for more lines; nil for none.
func openAccessLog(path string) (*os.File, error) {
	switch path {
	case "":
		return nil, nil
	case "stdout":
		fd, err := unix.FcntlInt(os.Stdout.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("access log: standard output: %w", err)
		}
		return os.NewFile(uintptr(fd), path), nil
	}
	// A FIFO without a reader is an error, and not a wait.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o640)
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	return f, nil
}

// reopenLog opens the access log anew, beside the loop.
func (l *loop) reopenLog() {
	path := l.proxy.start.LogFile
	if path == "" {
		return
	}
	l.beside(func(context.Context) {
		f, err := openAccessLog(path)
		l.emit(logOpened{f, err})
	})
}

func (l *loop) logOpened(ev logOpened) {
	if ev.err != nil {
		l.log.Error("opening the access log anew; the old file is written on", "err", ev.err)
		return
	}
	l.log.Info("the access log was opened anew", "file", l.proxy.start.LogFile)
	l.proxy.setLog(ev.file)
}

// setLog has all proxies write to f from now on; nil: nowhere.
func (d *proxyDesk) setLog(f *os.File) {
	d.closeLog()
	d.accessLog = f
	for _, p := range d.all() {
		if p.conn != nil {
			d.tellLog(p)
		}
	}
}

func (d *proxyDesk) tellLog(p *proxyEnd) {
	switch {
	case p.adopted != nil && p.adopted.Build != ipc.Build(): // which might not know the message
	case d.accessLog == nil:
		p.send(&ipc.AccessLog{})
	default:
		p.send(&ipc.AccessLog{}, d.accessLog)
	}
}

func (d *proxyDesk) closeLog() {
	if d.accessLog != nil {
		d.accessLog.Close()
		d.accessLog = nil
	}
}

// logFormat is how the requests of a frontend are written; "" if they are not.
func logFormat(c *config.Config, f config.Frontend) string {
	if c.AccessLog.File == "" || !f.AccessLog {
		return ""
	}
	return c.AccessLog.Format
}

func errorPages(pages []config.ErrorPage) (out []ipc.ErrorPage) {
	for _, p := range pages {
		out = append(out, ipc.ErrorPage{Status: p.Status, Type: p.Type, Body: p.Body})
	}
	return out
}
