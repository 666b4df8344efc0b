package membership

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Bounds of TCP connections to other members.
const (
	// connectTimeout lets one lost SYN be repeated (after 1 s). memberlist would wait for streamTimeout, and a host
	// that comes back then be found later than by asking anew.
	connectTimeout = 1500 * time.Millisecond
	streamTimeout  = 3 * time.Second // everything on one stream together
)

// boundedTransport bounds every outgoing stream in time (memberlist sets no deadline on some of them), and tells those
// who try to join when they have been connected.
type boundedTransport struct {
	memberlist.NodeAwareTransport
	attempts *attempts
}

// DialTimeout connects to addr.
func (t boundedTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout connects to a member.
func (t boundedTransport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := t.NodeAwareTransport.DialAddressTimeout(a, min(timeout, connectTimeout))
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(streamTimeout)); err != nil {
		conn.Close()
		return nil, err
	}
	t.attempts.connected(a.Name)
	return conn, nil
}

// attempts are the joins under way. memberlist's error does not tell a host that is off from one that is busy, so each
// attempt bears a name that comes by here, in place of the node's, which nobody needs.
type attempts struct {
	mu   sync.Mutex // protects the following
	next uint64
	all  map[string]*atomic.Bool
}

func newAttempts() *attempts { return &attempts{all: map[string]*atomic.Bool{}} }

// begin registers an attempt, whose flag is set once somebody has taken its connection, and returns its name.
func (a *attempts) begin(flag *atomic.Bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	name := "attempt-" + strconv.FormatUint(a.next, 10)
	a.all[name] = flag
	return name
}

func (a *attempts) end(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, name)
}

func (a *attempts) connected(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if flag := a.all[name]; flag != nil {
		flag.Store(true)
	}
}

// netTransport is memberlist's transport on sockets, with the address to advertise chosen by us and with dials that
// end when the Cluster is closed.
type netTransport struct {
	*memberlist.NetTransport
	advertise netip.AddrPort
	ctx       context.Context // ends with Shutdown
	cancel    context.CancelFunc
}

// newNetTransport binds TCP and UDP at bind.
func newNetTransport(bind netip.AddrPort, advertise netip.Addr, logger *log.Logger) (*netTransport, error) {
	// The kernel may choose a TCP port that UDP cannot have: then another try is due.
	var nt *memberlist.NetTransport
	var err error
	for range 10 {
		nt, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{bind.Addr().String()}, BindPort: int(bind.Port()), Logger: logger,
		})
		if err == nil || bind.Port() != 0 {
			break
		}
	}
	if err != nil {
		// The library wraps nothing, so its words are all there is to tell by.
		if strings.Contains(err.Error(), "address already in use") {
			return nil, fmt.Errorf("%w at %v: another tandem, Docker Swarm or MetalLB may use it; choose another one: %w", ErrPortTaken, bind, err)
		}
		return nil, fmt.Errorf("membership: cannot listen for gossip at %v: %w (is the address one of this host's?)", bind, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	port := uint16(nt.GetAutoBindPort())
	return &netTransport{NetTransport: nt, advertise: netip.AddrPortFrom(advertise, port), ctx: ctx, cancel: cancel}, nil
}

// FinalAdvertiseAddr returns the address chosen before.
func (t *netTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.advertise.Addr().AsSlice(), int(t.advertise.Port()), nil
}

// DialAddressTimeout connects to a member.
func (t *netTransport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	return dialer.DialContext(t.ctx, "tcp", a.Addr)
}

// Shutdown ends dials that are under way and closes the sockets.
func (t *netTransport) Shutdown() error {
	t.cancel()
	return t.NetTransport.Shutdown()
}
