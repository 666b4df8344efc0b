package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/ipc"
)

// deferAccept is how long the kernel keeps a connection to itself until the client has
// sent something, in seconds (TCP_DEFER_ACCEPT): an HTTP client speaks first, so accept
// and the first read become one step. After it, the connection is accepted all the same.
const deferAccept = 5

// A client's kernel is asked whether the client is there still once a connection has been
// silent for keepIdle, and again keepProbes times keepEvery later, in seconds: accepted sockets
// have these options from the listening one. Else a node that drains would wait until the
// deadline for clients that another node has told to reconnect while it was away: the end of
// those connections never came here.
const (
	keepIdle   = 20
	keepEvery  = 5
	keepProbes = 3
)

// listenFrontend opens n sockets on one address, one for each of the proxy's loops; the
// kernel spreads connections over them (SO_REUSEPORT). IP_FREEBIND lets a backup listen on
// a VIP that it does not hold. An address without IP means all, of both families.
func listenFrontend(addr netip.AddrPort, n int) ([]*os.File, error) {
	network, address := listenAddress(addr)
	lc := net.ListenConfig{Control: frontendOptions}
	lc.SetMultipathTCP(false) // an MPTCP socket takes TCP_DEFER_ACCEPT, then ignores it
	var files []*os.File
	for range n {
		f, err := listenOne(&lc, network, address)
		if err != nil {
			closeFiles(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// listenAddress is addr in the words of package net.
func listenAddress(addr netip.AddrPort) (network, address string) {
	network, host := "tcp", "" // both families
	switch {
	case addr.Addr().Is4():
		network, host = "tcp4", addr.Addr().String()
	case addr.Addr().Is6():
		network, host = "tcp6", addr.Addr().String()
	}
	return network, net.JoinHostPort(host, strconv.Itoa(int(addr.Port())))
}

// statusWait is how long the control process of a keeper that was killed may take to end,
// and with it the socket of its status page. It takes milliseconds.
const statusWait = time.Second

// listenStatus opens the socket of the status page. Unlike a frontend's, nobody else may
// have one of its kind: with two balancers on a host it would be chance whose page is seen.
func listenStatus(addr netip.AddrPort) (*os.File, error) {
	network, address := listenAddress(addr)
	for end := time.Now().Add(statusWait); ; time.Sleep(20 * time.Millisecond) {
		f, err := listenOne(new(net.ListenConfig), network, address)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) || time.Now().After(end) {
			return nil, fmt.Errorf(`status page: %w; or set [control] status (--status) to another port, or to "off"`, err)
		}
	}
}

func listenOne(lc *net.ListenConfig, network, address string) (*os.File, error) {
	l, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return nil, explainListen(address, err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	defer f.Close()
	fd, err := ipc.Copy(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return ipc.Hold(fd, address)
}

func frontendOptions(network, _ string, c syscall.RawConn) error {
	var failed error
	set := func(fd uintptr, level, option, value int, name string) {
		if err := unix.SetsockoptInt(int(fd), level, option, value); err != nil {
			failed = errors.Join(failed, fmt.Errorf("set %s: %w", name, err))
		}
	}
	err := c.Control(func(fd uintptr) {
		set(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT")
		set(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1, "IP_FREEBIND")
		if network == "tcp6" {
			set(fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1, "IPV6_FREEBIND")
		}
		set(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferAccept, "TCP_DEFER_ACCEPT")
		set(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, "SO_KEEPALIVE")
		set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdle, "TCP_KEEPIDLE")
		set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepEvery, "TCP_KEEPINTVL")
		set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepProbes, "TCP_KEEPCNT")
	})
	return errors.Join(err, failed)
}

// explainListen adds the remedy for the usual causes.
func explainListen(address string, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		remedy = "; something else has this port: find it with 'ss -ltnp', stop it, or listen elsewhere"
	case errors.Is(err, unix.EACCES):
		remedy = "; a port below 1024 needs root or CAP_NET_BIND_SERVICE"
	}
	return fmt.Errorf("listen on %s: %w%s", address, err, remedy)
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
