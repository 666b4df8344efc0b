package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	maxSegments = 8
	maxHosts    = 250
	maxNICs     = 8
)

// nameForm leaves room for ".0" in the 15 bytes of an interface's name.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,11}$`)

// A Lab is a set of segments and the hosts plugged into them. Its methods may be called from any goroutine.
type Lab struct {
	sw    *machine // holds the bridges
	tasks sync.WaitGroup

	mu       sync.Mutex
	segments map[string]int // name → index of its bridge
	first    string
	hosts    map[string]*Host
	order    []*Host
	closed   bool
	forwards forwards
	drops    map[drop]bool
}

// New builds the segments. It needs to be inside (see Enter). Call Close when done with it.
func New(cfg Config) (*Lab, error) {
	if outer == nil {
		return nil, ErrNotEntered
	}
	if len(cfg.Segments) == 0 {
		cfg.Segments = []string{"lan"}
	}
	if len(cfg.Segments) > maxSegments {
		return nil, fmt.Errorf("lab: %d segments; at most %d are allowed", len(cfg.Segments), maxSegments)
	}
	l := &Lab{segments: map[string]int{}, first: cfg.Segments[0], hosts: map[string]*Host{}, drops: map[drop]bool{}}
	var err error
	if l.sw, err = newMachine(roleSwitch, "switch", &l.tasks); err != nil {
		return nil, err
	}
	for _, name := range cfg.Segments {
		if err := l.addSegment(name); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// addSegment makes a bridge: no spanning tree, so that a port forwards as soon as it is up, and no multicast snooping, so that
// multicast reaches everyone as it does on a plain switch.
func (l *Lab) addSegment(name string) error {
	if !nameForm.MatchString(name) || l.segments[name] != 0 {
		return fmt.Errorf("lab: segment name %q is doubled or not 1 to 12 of a-z, 0-9 and -, beginning with a letter", name)
	}
	return l.sw.ask(func(nl *netlink.Handle) error {
		off := false
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		br := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}
		if err := nl.LinkAdd(br); err != nil {
			return fmt.Errorf("lab: add bridge %s: %w", name, err)
		}
		if err := nl.LinkSetUp(br); err != nil {
			return fmt.Errorf("lab: bring up bridge %s: %w", name, err)
		}
		l.segments[name] = br.Index
		return nil
	})
}

// Host adds a host: its own network, pid, mount, uts and ipc namespaces, lo, eth0 with these addresses plugged into the first
// segment, its own /proc, an empty /run, and its name as hostname. Names are 1 to 12 of a-z, 0-9 and "-", beginning with a letter.
func (l *Lab) Host(name string, addrs ...netip.Prefix) (*Host, error) {
	h, err := l.register(name, addrs)
	if err != nil {
		return nil, err
	}
	if err := h.PowerOn(); err != nil {
		l.mu.Lock()
		delete(l.hosts, name)
		l.mu.Unlock()
		return nil, err
	}
	return h, nil
}

// register makes a host that is powered off.
func (l *Lab) register(name string, addrs []netip.Prefix) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, ErrClosed
	case !nameForm.MatchString(name) || l.hosts[name] != nil:
		return nil, fmt.Errorf("lab: host name %q is doubled or not 1 to 12 of a-z, 0-9 and -, beginning with a letter", name)
	case len(l.order) == maxHosts:
		return nil, fmt.Errorf("lab: at most %d hosts are allowed", maxHosts)
	}
	h := &Host{lab: l, name: name, number: byte(len(l.order) + 1)}
	h.nics = []nic{h.newNIC(l.first, addrs)}
	h.mac = h.nics[0].mac
	l.hosts[name] = h
	l.order = append(l.order, h)
	return h, nil
}

func (l *Lab) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Close kills everything in every host and removes hosts and segments. When it returns no Writer is called any more. It may be
// called twice.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.closed = true
	hosts := l.order
	l.mu.Unlock()
	l.forwards.close()
	for _, h := range hosts {
		if m := h.running.Load(); m != nil {
			m.kill() // all of them begin to end before the first is waited for
		}
	}
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.remove())
	}
	l.sw.kill()
	errs = append(errs, l.sw.bury())
	l.sw.release()
	quiet := make(chan struct{})
	go func() {
		l.tasks.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
	case <-time.After(endLimit):
		errs = append(errs, fmt.Errorf("lab: a Writer of a process has not returned for %v", endLimit))
	}
	return errors.Join(errs...)
}
