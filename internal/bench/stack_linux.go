package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A role is what a process of a balancer does.
type role string

const (
	roleKeeper  role = "keeper" // holds the VIP
	roleProxy   role = "proxy"
	roleControl role = "control" // Tandem only
	roleChannel role = "channel" // of TCP between the balancers; Tandem only, and no process
	roleRules   role = "rules"   // of nftables; likewise
	roleOther   role = ""
)

// A stack is a product under test: what runs on the hosts, and which process is which.
type stack struct {
	name     string
	roles    []role                              // that its balancers have
	peer     bool                                // it is not ours
	notice   time.Duration                       // within which it notices a fault that it notices at all, and has acted
	after    time.Duration                       // within which it begins whatever the return from a fault costs
	home     string                              // the balancer that it moves back to when all is well; empty: none
	vipOn    string                              // the balancer that has the VIP for good; empty: the stack moves it
	start    time.Duration                       // after which a start has no more to announce
	known    time.Duration                       // after which its balancers fail over as they always will
	patience time.Duration                       // of the client; 0: its default
	setUp    func(n *node) error                 // prepares a balancer's fresh host
	balancer func(i int) (units []unit, e error) // of balancer number i, in the order in which they start
	app      func(p place) unit
	role     func(args []string) role // of a process, by its command line
}

// has tells whether the stack's balancers have a process of that role.
func (s *stack) has(r role) bool { return r == roleOther || slices.Contains(s.roles, r) }

// maxOpen is how many requests the client leaves open at once: all that a patient one may have
// to; 0: its default.
func (s *stack) maxOpen() int { return int(s.patience/(2*time.Millisecond)) * 6 / 5 }

// joins tells whether the stack goes through a fault that nobody has named.
func (s *stack) joins(fault string) bool {
	h, _ := harmOf(fault)
	return !s.peer || h.beside == withAll || h.beside == withDefault && s.name == settings[0].name
}

// stacksFor returns Tandem and the peers that were asked for, of those that can run here.
func stacksFor(o options, errOut io.Writer) []*stack {
	var out []*stack
	for _, advert := range o.adverts {
		out = append(out, tandem(advert))
	}
	for _, s := range settings {
		switch {
		case !slices.Contains(o.peers, s.name):
		case s.realTime && !trulyRoot():
			fmt.Fprintf(errOut, "%s is left out: it needs real-time priority; run with sudo\n", s.name)
		default:
			out = append(out, keepalived(s))
		}
	}
	return out
}

// trulyRoot tells whether this user namespace is the system's first: an ordinary user is
// root in a lab too, but not for the scheduler.
func trulyRoot() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	f := strings.Fields(string(b))
	return err == nil && len(f) == 3 && f[2] == "4294967295"
}

// tandem is ours, with the defaults of its flags; advert 0 is one of them.
func tandem(advert time.Duration) *stack {
	join := balancers[0].addr.Addr().String() + "," + balancers[1].addr.Addr().String()
	name := "tandem"
	if advert > 0 {
		name += "-" + advert.String()
	}
	return &stack{
		name:  name,
		roles: []role{roleKeeper, roleProxy, roleControl, roleChannel, roleRules},
		// A stuck proxy is noticed after 1 s, and that an active is deaf after 1.2 s.
		notice: 2 * time.Second,
		after:  1500 * time.Millisecond,
		known:  5 * time.Second, // election.DefaultNewFor
		setUp:  func(*node) error { return nil },
		balancer: func(int) ([]unit, error) {
			args := []string{"lb", "--vip", vip.String(), "--join", join, "--listen", fmt.Sprint(":", sitePort), "--pool", "web"}
			if advert > 0 {
				args = append(args, "--advert-interval", advert.String())
			}
			return []unit{{path: tandemPath(), args: args}}, nil
		},
		app: func(p place) unit {
			return unit{path: tandemPath(), args: append([]string{
				"agent", "--pool", "web", "--port", fmt.Sprint(appPort), "--join", vip.String(), "--", tandemPath(),
			}, webapp(p)...)}
		},
		role: func(args []string) role {
			if len(args) < 2 {
				return roleOther
			}
			return map[string]role{"lb": roleKeeper, "proxy": roleProxy, "control": roleControl}[args[1]]
		},
	}
}

// keepalived is the peer, with HAProxy.
func keepalived(s setting) *stack {
	const haproxyRestart = 100 * time.Millisecond // Restart=always in Debian's unit, and systemd's RestartSec
	return &stack{
		name:  s.name,
		roles: []role{roleKeeper, roleProxy},
		peer:  true,
		// Three adverts and the skew, or the script's interval of 1 s and the skew.
		notice: s.notice,
		after:  s.notice + 500*time.Millisecond,
		home:   balancers[0].name,
		start:  s.start,
		setUp:  nonlocalBind,
		balancer: func(i int) ([]unit, error) {
			dir := filepath.Join(os.Getenv(workVar), s.name, balancers[i].name)
			va, ha := filepath.Join(dir, "keepalived.conf"), filepath.Join(dir, "haproxy.cfg")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, err
			}
			for file, text := range map[string]string{va: keepalivedConf(s, i), ha: haproxyConf(i)} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					return nil, err
				}
			}
			// Their pid files are in the host's own /run, which is as fresh as the host: in a folder that outlives
			// it, keepalived takes an old number, which is somebody's in a young host, for itself running.
			return []unit{
				{path: keepalivedPath, args: []string{"--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file", va}},
				{path: haproxyPath, args: []string{"-W", "-db", "-f", ha, "-p", "/run/haproxy.pid"}, restart: haproxyRestart},
			}, nil
		},
		app: func(p place) unit { return unit{path: tandemPath(), args: webapp(p)} },
		role: func(args []string) role {
			return map[string]role{"keepalived": roleKeeper, "haproxy": roleProxy}[path.Base(args[0])]
		},
	}
}

// webapp is the app's own command line, the same for all.
func webapp(p place) []string {
	return []string{"webapp", "--listen", fmt.Sprint(":", appPort), "--name", p.name}
}

// nonlocalBind lets HAProxy bind the VIP where it is not, as its users do.
func nonlocalBind(n *node) error {
	return n.host.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_nonlocal_bind", []byte("1"), 0)
	})
}
