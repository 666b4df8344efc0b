package main

import (
	"errors"
	"syscall"
	"time"
)

// A fault is a harm, how long it lasts, and its undoing.
type fault struct {
	needs  role                 // a process that only some stacks have
	inject func(v victim) error // does it
	hold   time.Duration        // how long it lasts at least
	calm   bool                 // it lasts until the site is calm, for holdMax at most
	undo   func(v victim) error // nil: whoever supervises the daemons undoes it
}

// A victim is a site at the moment of a fault.
type victim struct {
	*site
	active, backup *node
}

var faults = map[string]fault{
	// The control of the experiment: what is measured here is the machine's and the client's own doing.
	"nothing": {inject: func(victim) error { return nil }, hold: 5 * time.Second},

	"power-loss": {inject: victim.powerLoss, hold: 1500 * time.Millisecond, calm: true, undo: victim.powerBack},

	// Three seconds: a check that looks once a second has then had its chance.
	"proxy-kill":   {inject: kill(roleProxy), hold: 3 * time.Second, calm: true},
	"proxy-freeze": {inject: victim.freezeProxy, hold: 5 * time.Second, undo: victim.thawProxy},
	"keeper-kill":  {inject: kill(roleKeeper), hold: 5 * time.Second, undo: victim.startDaemons},
	"control-kill": {needs: roleControl, inject: kill(roleControl), hold: 3 * time.Second, calm: true},
	"node-freeze":  {inject: victim.freezeNode, hold: 5 * time.Second, undo: victim.thawNode},
	"stop":         {inject: victim.stopDaemons, hold: 2 * time.Second, calm: true, undo: victim.startDaemons},

	"advert-path-cut": {inject: victim.cut, hold: 5 * time.Second, undo: victim.heal},
	"deaf-backup":     {inject: victim.deafenBackup, hold: 5 * time.Second, undo: victim.undeafenBackup},
	"deaf-active":     {inject: victim.deafenActive, hold: 5 * time.Second, undo: victim.undeafenActive},
	"mute-active":     {inject: victim.silence, hold: 5 * time.Second, undo: victim.unsilence},
	"isolate-active":  {inject: victim.isolate, hold: 5 * time.Second, undo: victim.unisolate},
	"link-blip":       {inject: victim.unplug, hold: 500 * time.Millisecond, undo: victim.plug},
	"link-down-up":    {inject: victim.unplug, hold: 3 * time.Second, undo: victim.plug},

	"restart-both": {inject: victim.powerLossBoth, hold: time.Second, undo: victim.powerBackBoth},
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

func (v victim) proxies() ([]process, error) { return v.active.of(roleProxy) }

func (v victim) cut() error  { return v.active.host.CutLink(v.backup.host) }
func (v victim) heal() error { return v.active.host.HealLink(v.backup.host) }

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
