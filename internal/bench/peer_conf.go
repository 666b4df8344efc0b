package main

import (
	"fmt"
	"strings"
	"time"
)

// A setting is how keepalived is configured for a run.
type setting struct {
	name     string
	advert   string        // advert_int, seconds
	realTime bool          // SCHED_FIFO and locked memory: root only
	notice   time.Duration // within which it acts on what it notices at all
	start    time.Duration // after which a fault does not meet what the start still announces
}

// What became MASTER announces itself again 5 s later (garp_master_delay), which must not
// come after the other's takeover: with adverts every second that takes 3.6 s itself.

// settings are keepalived's default, what cautious people choose, and the fastest that it can.
var settings = []setting{
	{name: "keepalived-1s", advert: "1", notice: 4500 * time.Millisecond, start: 2 * time.Second},
	{name: "keepalived-0.1s", advert: "0.1", notice: 2 * time.Second, start: 5500 * time.Millisecond},
	{name: "keepalived-0.01s-rt", advert: "0.01", realTime: true, notice: 2 * time.Second, start: 5500 * time.Millisecond},
}

// Where the peers' programs are in Debian.
const (
	keepalivedPath = "/usr/sbin/keepalived"
	haproxyPath    = "/usr/sbin/haproxy"
	killallPath    = "/usr/bin/killall"
	peerRemedy     = "apt-get install keepalived haproxy psmisc"
)

// keepalivedConf is the file of balancer number i, as keepalived's own examples have it:
// a MASTER and a BACKUP that track whether HAProxy runs. A fraction of a second needs VRRP
// version 3, which is all that differs, but for real-time priority. Script security is left
// out: in an ordinary user's lab the system's files belong to nobody, and it would refuse them.
func keepalivedConf(s setting, i int) string {
	var b strings.Builder
	state, priority := "MASTER", 101
	if i > 0 {
		state, priority = "BACKUP", 100
	}
	fmt.Fprintf(&b, "global_defs {\n\trouter_id %s\n\tscript_user root\n", balancers[i].name)
	if s.advert != "1" {
		b.WriteString("\tvrrp_version 3\n")
	}
	if s.realTime {
		// With the default limit of processor time between two sleeps, 10 ms, the kernel kills keepalived
		// again and again when it becomes active on a busy machine.
		b.WriteString("\tvrrp_rt_priority 50\n\tvrrp_rlimit_rttime 1000000\n\tvrrp_no_swap\n")
	}
	fmt.Fprintf(&b, `}
vrrp_script haproxy {
	script "%s -0 haproxy"
	interval 1
}
vrrp_instance site {
	state %s
	interface eth0
	virtual_router_id 42
	priority %d
	advert_int %s
	virtual_ipaddress {
		%v/24
	}
	track_script {
		haproxy
	}
}
`, killallPath, state, priority, s.advert, vip)
	return b.String()
}

// haproxyConf is the file of balancer number i: Debian's defaults, the VIP, and the node's
// own address, by which an administrator looks at a backup.
func haproxyConf(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `defaults
	mode http
	timeout connect 5000
	timeout client 50000
	timeout server 50000
frontend site
	bind %v:%d transparent
	bind %s
	default_backend web
backend web
	balance roundrobin
	option httpchk GET /healthz
`, vip, sitePort, balancers[i].at(sitePort))
	for _, a := range apps {
		fmt.Fprintf(&b, "\tserver %s %s check\n", a.name, a.at(appPort))
	}
	return b.String()
}
