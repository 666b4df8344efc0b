package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// policies of IPVS that have a counterpart.
var schedulers = map[string]string{"rr": "roundrobin", "wrr": "roundrobin", "lc": "leastconn", "wlc": "leastconn", "sh": "hash"}

// virtualServer imports a virtual_server: a frontend and its pool.
func (b *builder) virtualServer(s *statement) {
	addr, err := netip.ParseAddr(s.arg(1))
	port, perr := strconv.ParseUint(s.arg(2), 10, 16)
	if p := s.child("protocol"); err != nil || perr != nil || port == 0 || p != nil && p.arg(1) != "TCP" {
		b.leave(s, "a frontend is an address and a TCP port")
		return
	}
	name := label(fmt.Sprintf("%s-%d", strings.ReplaceAll(addr.String(), ":", "-"), port))
	f := b.add("[[frontend]]", s.place)
	f.vital("listen", quote(net(addr, strconv.Itoa(int(port)))), s.place)
	f.vital("pool", quote(name), s.place)
	f.vital("mode", quote("tcp"), s.place)
	pool := b.table(poolHead(name), s.place)
	b.took(s.place, Changed, "the proxy makes connections of its own to the servers, which see its address and not the client's")
	for _, c := range s.body {
		switch word := c.words[0]; {
		case word == "lb_algo" || word == "lvs_sched":
			b.scheduler(c, pool)
		case word == "real_server":
			b.realServer(c, s, pool)
		case word == "sorry_server":
			b.sorryServer(c, s, pool)
		case word == "delay_loop":
			b.checkTime(c, "check.interval", pool)
		case inherited[word] || word == "protocol":
			b.took(c.place, Taken, either(word == "protocol", "", "its checks have it"))
		case virtualServerLeft[word] != "":
			b.leave(c, virtualServerLeft[word])
		default:
			b.leave(c, "there is nothing like it")
		}
	}
}

// virtualServerLeft says why lines of a virtual_server are not there.
var virtualServerLeft = map[string]string{
	"lb_kind": "the proxy answers clients itself", "lvs_method": "the proxy answers clients itself",
	"persistence_timeout": `policy = "hash" keeps a client at its backend for as long as that is up: write it if that is what you need`,
	"delay_before_retry":  retriesCome, "warmup": "checks begin at once, and jitter keeps them apart",
	"quorum": "a pool serves while one backend is up: panic_threshold says what holds below a share of them",
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func (b *builder) scheduler(s *statement, pool *block) {
	if p := schedulers[s.arg(1)]; p != "" {
		pool.set("policy", quote(p), s.place)
		b.took(s.place, Taken, "policy")
		return
	}
	b.took(s.place, Changed, "there is roundrobin, leastconn, random and hash; roundrobin was put in the place of "+s.arg(1))
}

// realServer imports a real_server of a virtual_server, of which it inherits.
func (b *builder) realServer(s, vs *statement, pool *block) {
	addr, ok := serverAddr(s, vs)
	if !ok {
		b.leave(s, "a backend is an address and a port")
		return
	}
	words := ""
	for _, c := range s.body {
		if c.words[0] == "weight" {
			words = " weight=" + c.arg(1)
		}
	}
	addBackend(pool, addr, words, s.place)
	if slices.ContainsFunc(s.body, func(c *statement) bool { return checkers[c.words[0]] }) {
		b.took(s.place, Taken, "backend")
	} else {
		b.took(s.place, Changed, "backend; it is checked as its pool is, where keepalived took it for up")
	}
	checked := false
	for _, c := range s.body {
		switch word := c.words[0]; {
		case word == "weight" && c.arg(1) == "1", inherited[word]:
			b.took(c.place, Taken, either(word == "weight", "", "its checks have it"))
		case word == "weight":
			b.took(c.place, Changed, "who has no weight has 100 here, and 1 there")
		case checkers[word] && checked:
			b.leave(c, "a backend has one check, and this is another: let one path of the app say whether all is well")
		case checkers[word]:
			checked = true
			b.checker(c, []*statement{c, s, vs}, pool, addr)
		case strings.HasSuffix(word, "_CHECK"):
			b.leave(c, "there is no such check: HTTP, TCP, TLS and gRPC are asked; an agent beside the app can run a program")
		case virtualServerLeft[word] != "":
			b.leave(c, virtualServerLeft[word])
		default:
			b.leave(c, "there is nothing like it")
		}
	}
}

// serverAddr reads an address and a port, which is that of the virtual_server if it is not given.
func serverAddr(s, vs *statement) (netip.AddrPort, bool) {
	text := s.arg(2)
	if text == "" {
		text = vs.arg(2)
	}
	addr, err := netip.ParseAddr(s.arg(1))
	port, perr := strconv.ParseUint(text, 10, 16)
	return netip.AddrPortFrom(addr, uint16(port)), err == nil && perr == nil && port != 0
}

// sorryServer: who serves when no real server is up is a backup.
func (b *builder) sorryServer(s, vs *statement, pool *block) {
	addr, ok := serverAddr(s, vs)
	if !ok {
		b.leave(s, "a backend is an address and a port")
		return
	}
	for _, c := range vs.body {
		if a, ok := serverAddr(c, vs); ok && c.words[0] == "real_server" && a == addr {
			b.leave(s, "it is a real_server, too: a backup is given nothing while others are up")
			return
		}
	}
	addBackend(pool, addr, " backup", s.place)
	b.took(s.place, Changed, "a backup: it is given requests while no other backend is up; unlike there it must pass the pool's check")
}
