package handover_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tandem-lb/tandem/internal/handover"
	"github.com/tandem-lb/tandem/internal/lab"
	"github.com/tandem-lb/tandem/internal/nft"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(lab.TestMain(m))
}

// roleVariable makes this binary play a part in place of running tests.
const roleVariable = "HANDOVER_TEST_ROLE"

// patience is how long a test waits for what must happen. It never passes in a good run.
const patience = 10 * time.Second

var (
	vip4   = netip.MustParseAddr("192.168.42.42")
	other4 = netip.MustParseAddr("192.168.42.43")
	vip6   = netip.MustParseAddr("fd42::42")
	web4   = netip.AddrPortFrom(vip4, 80)
	web6   = netip.AddrPortFrom(vip6, 80)
	vips   = []netip.Addr{vip4, other4, vip6}
)

// node is a host of the bed, with its own addresses.
type node struct {
	*lab.Host
	own []netip.Addr
}

// bed is a client and two nodes on one switch. Both nodes have the VIPs and answer on port
// 80 with their name; the client sends to the one that point names.
type bed struct {
	t            *testing.T
	lab          *lab.Lab
	client, a, b node

	mu   sync.Mutex
	held map[string]*net.TCPConn // a node's name and the client's end → the node's end
}

// accepted returns a node's end of a connection, by the client's end.
func (bed *bed) accepted(n node, client netip.AddrPort) *net.TCPConn {
	bed.t.Helper()
	bed.mu.Lock()
	defer bed.mu.Unlock()
	c := bed.held[n.Name()+client.String()]
	if c == nil {
		bed.t.Fatalf("%s has no connection from %v", n.Name(), client)
	}
	return c
}

func newBed(t *testing.T) *bed {
	t.Helper()
	lab.Need(t)
	l, err := lab.New(lab.Config{})
	check(t, err)
	t.Cleanup(func() { l.Close() })
	bed := &bed{t: t, lab: l, held: make(map[string]*net.TCPConn)}
	for i, n := range []*node{&bed.client, &bed.a, &bed.b} {
		name := []string{"client", "a", "b"}[i]
		n.own = []netip.Addr{
			netip.MustParseAddr(fmt.Sprintf("192.168.42.%d", 10+i)), netip.MustParseAddr(fmt.Sprintf("fd42::%d", 10+i)),
		}
		addrs := []netip.Prefix{netip.PrefixFrom(n.own[0], 24), netip.PrefixFrom(n.own[1], 64)}
		if n != &bed.client {
			addrs = append(addrs, netip.PrefixFrom(vip4, 32), netip.PrefixFrom(other4, 32), netip.PrefixFrom(vip6, 128))
		}
		n.Host, err = l.Host(name, addrs...)
		check(t, err)
	}
	for _, n := range []node{bed.a, bed.b} {
		bed.serve(n)
	}
	bed.point(bed.a)
	bed.meet()
	return bed
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers each line that comes in with "NAME: LINE".
func (bed *bed) serve(n node) {
	bed.t.Helper()
	l, err := n.Listen("tcp", netip.MustParseAddrPort("[::]:80"))
	check(bed.t, err)
	bed.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			bed.t.Cleanup(func() { c.Close() })
			bed.mu.Lock()
			bed.held[n.Name()+addrPort(c.RemoteAddr()).String()] = c.(*net.TCPConn)
			bed.mu.Unlock()
			go func() {
				in := bufio.NewReaderSize(c, 1<<20)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						c.Close()
						return
					}
					fmt.Fprintf(c, "%s: %s", n.Name(), line)
				}
			}()
		}
	}()
}

// meet makes the nodes learn the client's hardware address. A kernel that is not muted as
// package vip does it would ask for it in the VIP's name, and the answer would go to whoever
// the client takes for the VIP's owner.
func (bed *bed) meet() {
	bed.t.Helper()
	for _, n := range []node{bed.a, bed.b} {
		for _, own := range n.own {
			bed.dial(netip.AddrPortFrom(own, 80)).by(n)
		}
	}
}

// point makes the client send to this node what it sends to the VIPs.
func (bed *bed) point(to node) {
	bed.t.Helper()
	check(bed.t, bed.client.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		for _, vip := range vips {
			err := netlink.NeighSet(&netlink.Neigh{
				LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: vip.AsSlice(), HardwareAddr: to.MAC(),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// forward opens a table on one node towards another.
func (bed *bed) forward(on, to node) (t *handover.Table) {
	bed.t.Helper()
	check(bed.t, on.Do(func() (err error) {
		t, err = handover.Open(context.Background(), bed.config(to))
		return err
	}))
	bed.t.Cleanup(func() { t.Close() })
	return t
}

// config is that of a table towards a node.
func (bed *bed) config(to node) handover.Config {
	return handover.Config{
		Group: "web", Device: "eth0", VIPs: vips, Peers: to.own, PeerMACs: []net.HardwareAddr{to.MAC()},
	}
}

// talk is a connection of the client.
type talk struct {
	*net.TCPConn
	t  *testing.T
	in *bufio.Reader
}

func (bed *bed) dial(to netip.AddrPort) *talk {
	bed.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := bed.client.Dial(ctx, "tcp", to)
	check(bed.t, err)
	return bed.talk(c)
}

func (bed *bed) talk(c net.Conn) *talk {
	bed.t.Cleanup(func() { c.Close() })
	return &talk{c.(*net.TCPConn), bed.t, bufio.NewReaderSize(c, 1<<20)}
}

// say sends a line and returns who answered.
func (k *talk) say(line string) (who string) {
	k.t.Helper()
	who, err := k.ask(line)
	check(k.t, err)
	return who
}

func (k *talk) ask(line string) (who string, err error) {
	k.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(k, "%s\n", line); err != nil {
		return "", err
	}
	answer, err := k.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	who, echo, _ := strings.Cut(strings.TrimSuffix(answer, "\n"), ": ")
	if echo != line {
		return "", errors.New("the answer is not to the question")
	}
	return who, nil
}

// by fails unless the line is answered by a node.
func (k *talk) by(n node) {
	k.t.Helper()
	if who := k.say("hello"); who != n.Name() {
		k.t.Fatalf("%s answered %v, want %s", who, k.RemoteAddr(), n.Name())
	}
}

// eventually waits for something that must happen.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// frame puts an IP packet on the client's wire, to a hardware address.
func (bed *bed) frame(to net.HardwareAddr, ip []byte) {
	bed.t.Helper()
	etherType := unix.ETH_P_IP
	if ip[0]>>4 == 6 {
		etherType = unix.ETH_P_IPV6
	}
	check(bed.t, bed.client.Do(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		c, err := packet.Listen(ifi, packet.Raw, etherType, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		data := append(append(append([]byte(nil), to...), bed.client.MAC()...), byte(etherType>>8), byte(etherType))
		_, err = c.WriteTo(append(data, ip...), &packet.Addr{HardwareAddr: to})
		return err
	}))
}

// stats are the table's.
func stats(t *testing.T, table *handover.Table) handover.Stats {
	t.Helper()
	st, err := table.Stats()
	check(t, err)
	return st
}

// counter reads one of the kernel's counters of a node: file is snmp or snmp6.
func counter(t *testing.T, n node, file, group, name string) (value int) {
	t.Helper()
	check(t, n.Do(func() error {
		data, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			switch {
			case file == "snmp6" && fields[0] == name:
				value, err = strconv.Atoi(fields[1])
				return err
			case fields[0] != group+":":
			case names == nil:
				names = fields
			default:
				value, err = strconv.Atoi(fields[slices.Index(names, name)])
				return err
			}
		}
		return fmt.Errorf("no counter %s in %s", name, file)
	}))
	return value
}

// guard drops what leaves a node with a source address other than its own ones.
func guard(t *testing.T, n node) {
	t.Helper()
	check(t, n.Do(func() error {
		const egress, ipSource, ip6Source = 1, 12, 8
		c, err := nft.Open()
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		var b nft.Batch
		b.Table(nft.Netdev, "guard", 0)
		b.Chain(nft.Netdev, "guard", nft.Chain{Name: "out", Hook: egress, Device: "eth0"})
		b.Rule(nft.Netdev, "guard", "out", nft.EtherType(unix.ETH_P_IP), nft.NotEqual(nft.NetworkHeader, ipSource, n.own[0].AsSlice()), nft.Drop)
		b.Rule(nft.Netdev, "guard", "out", nft.EtherType(unix.ETH_P_IPV6), nft.Protocol(unix.IPPROTO_TCP), nft.NotEqual(nft.NetworkHeader, ip6Source, n.own[1].AsSlice()), nft.Drop)
		return c.Commit(&b)
	}))
}
