package keeper

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/testneed"
)

func TestAFrontendListensOnTheFamiliesItNames(t *testing.T) {
	six := func() bool {
		l, err := net.Listen("tcp6", "[::1]:0")
		if err == nil {
			l.Close()
		}
		return err == nil
	}()
	for _, tc := range []struct {
		listen     string // address without port
		four, sixs bool
	}{
		{"", true, six},
		{"0.0.0.0", true, false},
		{"::", false, six},
		{"127.0.0.1", true, false},
	} {
		var addr netip.Addr
		if tc.listen != "" {
			addr = netip.MustParseAddr(tc.listen)
		}
		if addr.Is6() && !six {
			continue
		}
		files, err := listenFrontend(netip.AddrPortFrom(addr, testneed.FreePort(t)), 3)
		if err != nil {
			t.Fatalf("listen on %q: %v", tc.listen, err)
		}
		if len(files) != 3 {
			t.Errorf("listen on %q made %d sockets, want one a loop, 3", tc.listen, len(files))
		}
		port := portOf(t, int(files[0].Fd()))
		for network, want := range map[string]bool{"tcp4": tc.four, "tcp6": tc.sixs} {
			host := map[string]string{"tcp4": "127.0.0.1", "tcp6": "::1"}[network]
			c, err := net.Dial(network, net.JoinHostPort(host, port))
			if err == nil {
				c.Close()
			}
			if got := err == nil; got != want {
				t.Errorf("listen on %q: %s connects: %v, want %v", tc.listen, network, got, want)
			}
		}
		closeFiles(files)
	}
}

func TestAnAddressThatIsNotHereCanBeListenedOn(t *testing.T) {
	files, err := listenFrontend(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.42"), testneed.FreePort(t)), 1) // TEST-NET-1
	if err != nil {
		t.Fatalf("a backup cannot listen on the VIP: %v", err)
	}
	closeFiles(files)
}

// What is accepted has it from the listening socket: nobody sets it for each connection.
func TestAcceptedConnectionsAreAskedWhetherTheirClientIsThereStill(t *testing.T) {
	files, err := listenFrontend(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), testneed.FreePort(t)), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFiles(files)
	client, err := net.Dial("tcp4", "127.0.0.1:"+portOf(t, int(files[0].Fd())))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("x")); err != nil { // TCP_DEFER_ACCEPT
		t.Fatal(err)
	}
	var fd int
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if fd, _, err = unix.Accept(int(files[0].Fd())); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer unix.Close(fd)
	for option, want := range map[[2]int]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:  1,
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}: keepIdle,
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}:  keepProbes,
	} {
		if got, err := unix.GetsockoptInt(fd, option[0], option[1]); err != nil || got != want {
			t.Errorf("option %v of an accepted connection is %d, %v; want %d", option, got, err, want)
		}
	}
}

func TestATakenPortIsExplained(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = listenFrontend(netip.MustParseAddrPort(l.Addr().String()), 1)
	if err == nil || !strings.Contains(err.Error(), "ss -ltnp") || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("listen on a taken port: %v; want the address and how to find who has it", err)
	}
}

func portOf(t *testing.T, fd int) string {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return strconv.Itoa(sa.Port)
	case *unix.SockaddrInet6:
		return strconv.Itoa(sa.Port)
	}
	t.Fatalf("socket name of type %T", sa)
	return ""
}

func TestTheStatusPageWaitsForALateProcessAndNamesAPortThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	if _, err := listenStatus(addr); err == nil || !strings.Contains(err.Error(), addr.String()) || !strings.Contains(err.Error(), `"off"`) {
		t.Errorf("a port that is taken for good: %v; want its name and the remedy", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	f, err := listenStatus(addr)
	if err != nil {
		t.Fatalf("a port that is free soon: %v", err)
	}
	f.Close()
}
