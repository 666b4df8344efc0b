package doctor

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	peerTime   = time.Second // for one attempt to reach a peer's port
	maxTargets = 64          // peers that are tried
	capNetRaw  = 13          // capabilities(7)
)

// Collect finds the facts out. It listens on the wire of the VIPs for the time given, which
// should be longer than the advert interval of a VRRP router (1 s unless configured).
func Collect(ctx context.Context, w Wanted, r *Running, listen time.Duration) Facts {
	f := Facts{Wanted: w, Running: r, ARP: map[netip.Addr][]string{}}
	f.Interfaces = interfacesHere(&f)
	f.Caps = capsHere()
	f.Listeners = listenersHere()
	f.Managers = managersHere()
	f.NFTables, f.Kernel, f.Synced = speaksNFTables(), kernelHere(), clockSynced()
	pid, proxy := "self", "self"
	if r != nil {
		pid, proxy = strconv.Itoa(r.PID), strconv.Itoa(r.ProxyPID)
	}
	f.OpenFiles = openFiles(proxy)
	f.CPUs, f.Throttled = cpuQuota(pid)
	var wg sync.WaitGroup
	wg.Go(func() { f.Peers = peersThere(ctx, w) })
	wg.Go(func() { f.Paths = pathsThere(ctx, w, f.Interfaces, f.Caps&(1<<capNetRaw) != 0) })
	f.listenOnWires(ctx, listen)
	wg.Wait()
	return f
}

func readText(path string) string {
	b, _ := os.ReadFile(path) // what cannot be read is not known
	return strings.TrimSpace(string(b))
}

func readInt(path string) int {
	n, _ := strconv.Atoi(readText(path))
	return n
}

func interfacesHere(f *Facts) (all []Interface) {
	ifs, err := net.Interfaces()
	if err != nil {
		f.Unknown = append(f.Unknown, "network interfaces: "+err.Error())
	}
	way := defaultInterface(readText("/proc/net/route"))
	for _, i := range ifs {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		conf := func(of, key string) int { return readInt(filepath.Join("/proc/sys/net/ipv4/conf", of, key)) }
		out := Interface{
			Name: i.Name, MAC: i.HardwareAddr.String(), Up: i.Flags&net.FlagUp != 0, MTU: i.MTU, Default: i.Name == way,
			Carrier:  readText(filepath.Join("/sys/class/net", i.Name, "carrier")) != "0" && i.Flags&net.FlagRunning != 0,
			RPFilter: max(conf("all", "rp_filter"), conf(i.Name, "rp_filter")),
			ProxyARP: conf("all", "proxy_arp")+conf(i.Name, "proxy_arp") > 0,
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				out.Addrs = append(out.Addrs, p)
			}
		}
		all = append(all, out)
	}
	return all
}

// defaultInterface reads /proc/net/route: interface, destination, gateway, …
func defaultInterface(table string) string {
	for line := range strings.Lines(table) {
		if cells := strings.Fields(line); len(cells) > 7 && cells[1] == "00000000" && cells[7] == "00000000" {
			return cells[0]
		}
	}
	return ""
}

func capsHere() uint64 {
	for line := range strings.Lines(readText("/proc/self/status")) {
		if mask, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return n
		}
	}
	return 0
}

// listenersHere are all sockets that wait for somebody, with whose they are where that may be seen.
func listenersHere() (all []Listener) {
	owners := map[string]string{}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, "socket:[") {
			pid := strings.Split(l, "/")[2]
			owners[strings.Trim(to[len("socket:"):], "[]")] = fmt.Sprintf("%s (process %s)", readText("/proc/"+pid+"/comm"), pid)
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		for _, l := range parseSockets(table, readText("/proc/net/"+table)) {
			all = append(all, Listener{l.network, l.addr, owners[l.inode]})
		}
	}
	return all
}

type socket struct {
	network string
	addr    netip.AddrPort
	inode   string
}

// parseSockets reads a table of /proc/net: sl, local, remote, state, …, inode is the tenth.
func parseSockets(table, text string) (all []socket) {
	network := strings.TrimSuffix(table, "6")
	for line := range strings.Lines(text) {
		cells := strings.Fields(line)
		if len(cells) < 10 || network == "tcp" && cells[3] != "0A" { // TCP_LISTEN
			continue
		}
		host, port, _ := strings.Cut(cells[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		addr, ok := parseHexAddr(host)
		if err == nil && ok {
			all = append(all, socket{network, netip.AddrPortFrom(addr, uint16(n)), cells[9]})
		}
	}
	return all
}

// parseHexAddr reads words of four bytes in the byte order of the machine.
func parseHexAddr(s string) (netip.Addr, bool) {
	var b []byte
	for ; len(s) >= 8; s = s[8:] {
		n, err := strconv.ParseUint(s[:8], 16, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(n))
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok && s == ""
}

func managersHere() (all []string) {
	for name, path := range map[string]string{"NetworkManager": "/run/NetworkManager/devices", "systemd-networkd": "/run/systemd/netif/links"} {
		if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func kernelHere() (v [2]int) {
	fmt.Sscanf(readText("/proc/sys/kernel/osrelease"), "%d.%d", &v[0], &v[1]) // else it is not known
	return v
}

func clockSynced() *bool {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return nil
	}
	synced := state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0
	return &synced
}

// speaksNFTables asks the kernel for the number of its rule set's generation.
func speaksNFTables() bool {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	const getGeneration = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN
	ask := binary.NativeEndian.AppendUint32(nil, 20)
	ask = binary.NativeEndian.AppendUint16(ask, getGeneration)
	ask = binary.NativeEndian.AppendUint16(ask, unix.NLM_F_REQUEST)
	ask = append(ask, make([]byte, 12)...) // sequence, port, and an empty nfgenmsg
	if err := unix.Sendto(fd, ask, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false
	}
	b := make([]byte, 512)
	n, _, err := unix.Recvfrom(fd, b, 0)
	return err == nil && n >= 8 && binary.NativeEndian.Uint16(b[4:]) == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN
}

func openFiles(pid string) uint64 {
	for line := range strings.Lines(readText("/proc/" + pid + "/limits")) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if soft := strings.Fields(rest)[0]; soft != "unlimited" {
				n, _ := strconv.ParseUint(soft, 10, 64)
				return n
			}
		}
	}
	return 0
}

// cpuQuota is the smallest quota on the way from a process's cgroup to the root (cgroup v2).
func cpuQuota(pid string) (cpus float64, throttled uint64) {
	path, ok := strings.CutPrefix(readText("/proc/"+pid+"/cgroup"), "0::")
	if !ok {
		return 0, 0
	}
	for dir := filepath.Join("/sys/fs/cgroup", path); strings.HasPrefix(dir, "/sys/fs/cgroup"); dir = filepath.Dir(dir) {
		var quota, period float64
		if n, _ := fmt.Sscan(readText(filepath.Join(dir, "cpu.max")), &quota, &period); n < 2 || period <= 0 {
			continue
		}
		if c := quota / period; cpus == 0 || c < cpus {
			cpus = c
			for line := range strings.Lines(readText(filepath.Join(dir, "cpu.stat"))) {
				fmt.Sscanf(line, "nr_throttled %d", &throttled)
			}
		}
	}
	return cpus, throttled
}

// peersThere tries the ports of all peers at once.
func peersThere(ctx context.Context, w Wanted) []PeerPort {
	var wg sync.WaitGroup
	targets := w.Peers[:min(len(w.Peers), maxTargets)]
	all := make([]PeerPort, 0, 2*len(targets))
	for _, peer := range targets {
		for _, port := range []uint16{w.GossipPort, w.AdvertPort} {
			all = append(all, PeerPort{Peer: peer, Port: port})
		}
	}
	for i := range all {
		wg.Go(func() { all[i].State = tryPort(ctx, netip.AddrPortFrom(all[i].Peer, all[i].Port)) })
		if w.StatusPort != 0 && all[i].Port == w.GossipPort {
			wg.Go(func() { all[i].Offset = clockOffset(ctx, netip.AddrPortFrom(all[i].Peer, w.StatusPort)) })
		}
	}
	wg.Wait()
	return all
}

func tryPort(ctx context.Context, at netip.AddrPort) string {
	c, err := (&net.Dialer{Timeout: peerTime}).DialContext(ctx, "tcp", at.String())
	switch {
	case err == nil:
		c.Close()
		return PortOpen
	case strings.Contains(err.Error(), unix.ECONNREFUSED.Error()):
		return PortRefused
	}
	return PortSilent
}

// clockOffset compares this clock with the Date of a peer's status page; nil: it has none.
func clockOffset(ctx context.Context, at netip.AddrPort) *time.Duration {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+at.String()+"/", nil)
	if err != nil {
		return nil
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return nil
	}
	middle := began.Add(time.Since(began) / 2)
	offset := date.Add(500 * time.Millisecond).Sub(middle) // it tells whole seconds
	return &offset
}
