package main

import "time"

// A harm is what is known of a fault wherever this program is built.
type harm struct {
	name string
	does string // for the table of measured.md
	// beside says which peers go through it unless faults are named: none of them, keepalived with its
	// default settings, or every setting. What does not depend on how fast adverts are is asked once,
	// and of variations of a cut, one.
	beside crowd
	// hold is how long it lasts at least; 0: as long as the stack may take to notice it.
	hold time.Duration
	calm bool // it lasts until the site is calm, for holdMax at most
	// late: what a start still announces seconds later must be over, since it would hide what the fault does.
	late bool
	// lone: there is no backup any more: it lost its power before.
	lone bool
	// What Tandem promises about it, at whatever speed.
	two   bool // there are two owners meanwhile, as is documented
	stays bool // the active stays the active
}

// A crowd is how many peers share a fault.
type crowd int

const (
	alone crowd = iota
	withDefault
	withAll
)

// harms are all faults, in the order in which they are run.
var harms = []harm{
	// The control of the experiment: what is measured here is the machine's and the client's own doing.
	{name: "nothing", does: "nothing", stays: true},

	{name: "power-loss", does: "the active's port goes down, all its processes are killed; later it starts again", beside: withAll, hold: time.Second, calm: true},
	{name: "proxy-kill", does: "SIGKILL to the active's proxy", beside: withAll, calm: true},
	{name: "proxy-freeze", does: "the active's proxy is stopped, later continued", beside: withDefault},
	{name: "loop-stuck", does: "one thread of the active's proxy, its busiest, stands still for a while", beside: withDefault},
	{name: "keeper-kill", does: "SIGKILL to what holds the VIP; later it is started again", beside: withDefault},
	{name: "keeper-stuck", does: "all of what holds the VIP stands still but the thread that sends adverts (keepalived has none of its own)"},
	{name: "control-kill", does: "SIGKILL to the active's control process", hold: time.Second, calm: true, stays: true},
	{name: "proxy-kill-alone", does: "SIGKILL to the proxy of the only balancer", beside: withDefault, calm: true, lone: true, stays: true},
	{name: "keeper-kill-alone", does: "SIGKILL to what holds the VIP at the only balancer; later it is started again", beside: withDefault, hold: time.Second, lone: true, stays: true},
	{name: "control-kill-alone", does: "SIGKILL to the control process of the only balancer", hold: time.Second, calm: true, lone: true, stays: true},
	{name: "node-freeze", does: "all of the active stopped for 5 s, then thawed", beside: withAll, hold: 5 * time.Second},
	{name: "stop", does: "SIGTERM to the active; later it is started again", beside: withAll, hold: time.Second, calm: true},

	{name: "advert-path-cut", does: "no frame passes between the balancers; clients and apps reach both", beside: withAll, late: true, stays: true},
	{name: "adverts-filtered", does: "a firewall on the backup drops adverts", late: true, stays: true},
	{name: "cut-to-backup", does: "frames from the active to the backup are lost", late: true, stays: true},
	{name: "cut-to-active", does: "frames from the backup to the active are lost", late: true, stays: true},
	{name: "partition", does: "the balancers and their apps are two islands; the client reaches both", late: true, two: true},
	{name: "deaf-backup", does: "the backup receives nothing", beside: withDefault, late: true, stays: true},
	{name: "deaf-active", does: "the active receives nothing", beside: withDefault, late: true},
	{name: "mute-active", does: "nothing that the active sends arrives", late: true},
	{name: "isolate-active", does: "the active's port passes nothing, the carrier stays", late: true},
	{name: "link-blip", does: "the active's port is down for 500 ms", beside: withAll, hold: 500 * time.Millisecond},
	{name: "link-down-up", does: "the active's port goes down, later up", beside: withDefault},

	{name: "state-port", does: "a firewall on both balancers answers the keepers' TCP channel with resets", stays: true},
	{name: "nft-flush", does: "nft flush ruleset on the active", hold: time.Second, stays: true},
	{name: "restart-both", does: "both balancers lose power, and start again a second later", beside: withDefault, hold: time.Second},
}

// harmOf finds a fault by its name.
func harmOf(name string) (harm, bool) {
	for _, h := range harms {
		if h.name == name {
			return h, true
		}
	}
	return harm{}, false
}

// faultNames are the names of all.
func faultNames() []string {
	var out []string
	for _, h := range harms {
		out = append(out, h.name)
	}
	return out
}
