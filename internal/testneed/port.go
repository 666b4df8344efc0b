package testneed

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that FreePort chooses from lie below those that the kernel gives to connections and to
// whoever leaves the choice to it (net.ipv4.ip_local_port_range): so none of these takes the port
// before the test does.
const firstPort, lastPort = 15_000, 32_767

// FreePort returns a TCP port that nobody listens at, at any address of this host.
func FreePort(t T) uint16 {
	t.Helper()
	for range 100 {
		port := firstPort + rand.N(lastPort-firstPort+1)
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			return uint16(port)
		}
	}
	t.Fatal(fmt.Sprintf("no port from %d to %d is free", firstPort, lastPort))
	return 0
}
