package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

// A fault is how a harm is done and undone.
type fault struct {
	needs  role                 // something that only some stacks have
	inject func(v victim) error // does it
	undo   func(v victim) error // nil: whoever supervises the daemons undoes it, or there is nothing to undo
}

// A victim is a site at the moment of a fault.
type victim struct {
	*site
	active, backup *node
	held           *held // threads that a fault keeps from running
}

// held is what undoing needs to know of stopped threads.
type held struct {
	grip   *grip
	pid    int    // of the process of the one that was left to run
	sender thread // that one, as it was
}

var faults = map[string]fault{
	"nothing": {inject: func(victim) error { return nil }},

	"power-loss":   {inject: victim.powerLoss, undo: victim.powerBack},
	"proxy-kill":   {inject: kill(roleProxy)},
	"proxy-freeze": {inject: victim.freezeProxy, undo: victim.thawProxy},
	"loop-stuck":   {inject: victim.hangLoop, undo: victim.letGo},
	"keeper-kill":  {inject: kill(roleKeeper), undo: victim.startDaemons},
	"keeper-stuck": {inject: victim.hangKeeper, undo: victim.letGoKeeper},
	"control-kill": {needs: roleControl, inject: kill(roleControl)},
	"node-freeze":  {inject: victim.freezeNode, undo: victim.thawNode},

	"proxy-kill-alone":   {inject: kill(roleProxy)},
	"keeper-kill-alone":  {inject: kill(roleKeeper), undo: victim.startDaemons},
	"control-kill-alone": {needs: roleControl, inject: kill(roleControl)},

	"stop": {inject: victim.stopDaemons, undo: victim.startDaemons},

	"advert-path-cut":  {inject: victim.cut, undo: victim.heal},
	"adverts-filtered": {inject: victim.filterAdverts, undo: victim.unfilter},
	"cut-to-backup":    {inject: victim.cutToBackup, undo: victim.heal},
	"cut-to-active":    {inject: victim.cutToActive, undo: victim.heal},
	"partition":        {inject: victim.part, undo: victim.unite},
	"deaf-backup":      {inject: victim.deafenBackup, undo: victim.undeafenBackup},
	"deaf-active":      {inject: victim.deafenActive, undo: victim.undeafenActive},
	"mute-active":      {inject: victim.silence, undo: victim.unsilence},
	"isolate-active":   {inject: victim.isolate, undo: victim.unisolate},
	"link-blip":        {inject: victim.unplug, undo: victim.plug},
	"link-down-up":     {inject: victim.unplug, undo: victim.plug},

	"state-port":   {needs: roleChannel, inject: victim.rejectChannel, undo: victim.unfilter},
	"nft-flush":    {needs: roleRules, inject: func(v victim) error { return v.active.nft("flush ruleset") }},
	"restart-both": {inject: victim.powerLossBoth, undo: victim.powerBackBoth},
}

func (v victim) powerLoss() error { return v.active.powerOff() }
func (v victim) powerBack() error { return v.active.powerOn() }

func (v victim) powerLossBoth() error {
	return errors.Join(v.active.powerOff(), v.backup.powerOff())
}

func (v victim) powerBackBoth() error {
	return errors.Join(v.active.powerOn(), v.backup.powerOn())
}

// kill ends all of the active's processes of a role, as the kernel does when memory is short.
func kill(r role) func(victim) error {
	return func(v victim) error {
		list, err := v.active.of(r)
		if err != nil {
			return err
		}
		return signalAll(list, syscall.SIGKILL)
	}
}

func (v victim) stopDaemons() error  { return v.active.stop() }
func (v victim) startDaemons() error { return v.active.start() }

// A keeper may replace a frozen proxy: then there is nothing to thaw, and SIGCONT does
// nothing to those that run.
func (v victim) freezeProxy() error { return freeze(v.proxies) }
func (v victim) thawProxy() error   { return thaw(v.active.processes) }
func (v victim) freezeNode() error  { return freeze(v.active.processes) }
func (v victim) thawNode() error    { return thaw(v.active.processes) }

// hangLoop stops one thread of the proxy. Which of its threads are loops shows in what they
// do: under load it is loops that work.
func (v victim) hangLoop() error {
	var looks [][]thread
	for range lookTimes {
		all, err := v.proxyThreads()
		if err != nil {
			return err
		}
		looks = append(looks, all)
		time.Sleep(lookEvery)
	}
	loop, found := busiest(looks)
	if !found {
		return fmt.Errorf("no thread of %s's proxy was seen to wait for sockets", v.active.name)
	}
	var err error
	v.held.grip, err = grab([]int{loop.tid})
	return err
}

// How threads are watched: for some hundred requests.
const (
	lookTimes = 30
	lookEvery = 10 * time.Millisecond
)

func (v victim) proxyThreads() (all []thread, err error) {
	list, err := v.proxies()
	if err != nil {
		return nil, err
	}
	for _, p := range list { // HAProxy's master is one of these, and idle
		some, err := threads(p.pid)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (v victim) letGo() error {
	v.held.grip.release()
	return nil
}

// senderName is what the keeper calls the thread that sends adverts.
const senderName = "adverts"

// hangKeeper stops all threads of what holds the VIP, but for the one that sends adverts.
func (v victim) hangKeeper() error {
	list, err := v.active.of(roleKeeper)
	if err != nil {
		return err
	}
	var stop []int
	for _, p := range list {
		all, err := threads(p.pid)
		if err != nil {
			return err
		}
		for _, t := range all {
			if t.name == senderName {
				v.held.pid, v.held.sender = p.pid, t
				continue
			}
			stop = append(stop, t.tid)
		}
	}
	if v.held.sender.tid == 0 && v.stack.has(roleControl) {
		return fmt.Errorf("no thread of %s's keeper is called %s", v.active.name, senderName)
	}
	v.held.grip, err = grab(stop)
	return err
}

// letGoKeeper lets them go, and makes sure that the sender had been at work all the while:
// else the fault was another one.
func (v victim) letGoKeeper() error {
	was := v.held.sender
	var is thread
	all, err := threads(v.held.pid)
	for _, t := range all {
		if t.tid == was.tid {
			is = t
		}
	}
	v.held.grip.release()
	if was.tid != 0 && is.naps-was.naps < sendsLeast {
		return fmt.Errorf("the thread that sends adverts stood still too: it slept %d times, then %d times (%w)", was.naps, is.naps, err)
	}
	return nil
}

// sendsLeast is how many adverts at least leave in the time of a fault: some 100 do.
const sendsLeast = 10

func (v victim) proxies() ([]process, error) { return v.active.of(roleProxy) }

func (v victim) cut() error  { return v.active.host.CutLink(v.backup.host) }
func (v victim) heal() error { return v.active.host.HealLink(v.backup.host) }

func (v victim) cutToBackup() error { return v.active.host.Drop(v.backup.host) }
func (v victim) cutToActive() error { return v.backup.host.Drop(v.active.host) }

// part leaves the active two of the apps, and the backup the third.
func (v victim) part() error { return v.across((*lab.Host).CutLink) }

func (v victim) unite() error { return v.across((*lab.Host).HealLink) }

func (v victim) across(do func(a, b *lab.Host) error) error {
	last := len(v.apps) - 1
	var errs []error
	for _, left := range append([]*node{v.active}, v.apps[:last]...) {
		for _, right := range []*node{v.backup, v.apps[last]} {
			errs = append(errs, do(left.host, right.host))
		}
	}
	return errors.Join(errs...)
}

// filterTable is a firewall's own table.
const filterTable = "bench"

// filterAdverts drops Tandem's adverts and answers, which are UDP, and VRRP, protocol 112.
func (v victim) filterAdverts() error {
	return v.backup.nft(firewall("udp dport 7947 drop", "ip protocol 112 drop"))
}

// rejectChannel answers like a firewall that does not know this port. The rules of both
// ends and directions hit connections that stand, too, whoever dialled.
func (v victim) rejectChannel() error {
	rules := firewall("tcp dport 7947 reject with tcp reset", "tcp sport 7947 reject with tcp reset")
	return errors.Join(v.active.nft(rules), v.backup.nft(rules))
}

func (v victim) unfilter() error {
	const remove = "add table inet " + filterTable + "; delete table inet " + filterTable
	return errors.Join(v.active.nft(remove), v.backup.nft(remove))
}

// firewall is a table with these rules for what comes in.
func firewall(rules ...string) string {
	return "add table inet " + filterTable + " { chain in { type filter hook input priority 0; " + strings.Join(rules, "; ") + "; }; }"
}

func (v victim) unplug() error { return v.active.host.PortDown() }
func (v victim) plug() error   { return v.active.host.PortUp() }

func (v victim) deafenActive() error   { return v.active.host.Deafen() }
func (v victim) undeafenActive() error { return v.active.host.Undeafen() }
func (v victim) deafenBackup() error   { return v.backup.host.Deafen() }
func (v victim) undeafenBackup() error { return v.backup.host.Undeafen() }
func (v victim) silence() error        { return v.active.host.Silence() }
func (v victim) unsilence() error      { return v.active.host.Unsilence() }
func (v victim) isolate() error        { return v.active.host.Isolate() }
func (v victim) unisolate() error      { return v.active.host.Unisolate() }
