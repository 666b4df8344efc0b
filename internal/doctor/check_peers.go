package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ports judges who has the ports that a balancer here will want.
func ports(f Facts) (all []Finding) {
	if f.Running != nil {
		return nil
	}
	for _, l := range f.Listeners {
		what := f.Wanted.purpose(l)
		if what == "" {
			continue
		}
		by := l.Process
		if by == "" {
			by = "something"
		}
		fix := "stop it, or change the port in the configuration"
		if l.Addr.Port() == 7946 {
			fix = "7946 is also the port of Docker Swarm and of MetalLB: stop that, or set cluster.gossip on all members"
		}
		all = append(all, Finding{
			ID: "port-taken", Level: Error, What: fmt.Sprintf("%s has %s port %d (%s)", by, strings.ToUpper(l.Network), l.Addr.Port(), l.Addr.Addr()),
			Why: "the balancer needs it for " + what, Fix: fix,
		})
	}
	return all
}

// purpose is what a port is wanted for, if l stands in the way.
func (w Wanted) purpose(l Listener) string {
	port, tcp := l.Addr.Port(), l.Network == "tcp"
	switch {
	case port == w.GossipPort:
		return "gossip"
	case port == w.AdvertPort && tcp:
		return "the state channel"
	case port == w.AdvertPort:
		return "adverts"
	case port == w.StatusPort && tcp:
		return "the status page"
	}
	for _, f := range w.Frontends {
		if tcp && f.Port() == port && (!f.Addr().IsValid() || f.Addr().IsUnspecified() || l.Addr.Addr().IsUnspecified() || f.Addr() == l.Addr.Addr()) {
			return "a frontend"
		}
	}
	return ""
}

// peers judges the ports of the peers as seen from here.
func peers(f Facts) (all []Finding) {
	if len(f.Wanted.Peers) == 0 && f.Running == nil {
		return []Finding{{
			ID: "no-peer", Level: Note, What: "no other balancer is named", Why: "the VIP has nowhere to go when this host fails",
			Fix: "list all balancers in cluster.join",
		}}
	}
	seen := map[netip.Addr][]PeerPort{}
	for _, p := range f.Peers {
		seen[p.Peer] = append(seen[p.Peer], p)
	}
	for _, peer := range f.Wanted.Peers {
		if ports := seen[peer]; len(ports) > 0 {
			all = append(all, peerPorts(peer, ports))
		}
	}
	return all
}

func peerPorts(peer netip.Addr, ports []PeerPort) Finding {
	var silent, refused []string
	for _, p := range ports {
		switch p.State {
		case PortSilent:
			silent = append(silent, fmt.Sprint(p.Port))
		case PortRefused:
			refused = append(refused, fmt.Sprint(p.Port))
		}
	}
	switch {
	case len(silent) == len(ports):
		return Finding{
			ID: "peer-silent", Level: Warning, What: fmt.Sprintf("%s does not answer on TCP %s", peer, strings.Join(silent, ", ")),
			Why: "it is off, or a firewall is between: then each side would hold the VIP when the other is lost to it", Fix: "open TCP and UDP of these ports between the balancers, both ways; 'ping' tells whether the host is there",
		}
	case len(silent) > 0:
		return Finding{
			ID: "peer-filtered", Level: Error, What: fmt.Sprintf("%s answers, but not on TCP %s", peer, strings.Join(silent, ", ")),
			Why: "a firewall drops it: gossip (7946), adverts and state (7947) need their ports, TCP and UDP, both ways", Fix: "open them on " + peer.String(),
		}
	case len(refused) > 0:
		return Finding{
			ID: "peer-not-started", Level: Note, What: fmt.Sprintf("no balancer listens at %s yet (TCP %s)", peer, strings.Join(refused, ", ")),
			Why: "start order does not matter: it is tried for ever",
		}
	}
	return Finding{ID: "peer", Level: Good, What: fmt.Sprintf("a balancer answers at %s", peer)}
}

// paths judges what gets through to the peers.
func paths(f Facts) (all []Finding) {
	for _, p := range f.Paths {
		if p.MTU > 0 && p.MTU < p.Want {
			all = append(all, Finding{
				ID: "path-mtu", Level: Error, What: fmt.Sprintf("packets of %d bytes come back from %s, and none of %d, which this host sends", p.MTU, p.Peer, p.Want),
				Why: "small adverts get through, and what is larger hangs: gossip, and the connections that a handover forwards", Fix: fmt.Sprintf("give all hosts and the switches between the same MTU; ping -M do -s %d %s tries it", p.Want-echoBytes, p.Peer),
			})
		}
		refused := slices.ContainsFunc(f.Peers, func(o PeerPort) bool {
			return o.Peer == p.Peer && o.Port == f.Wanted.AdvertPort && o.State == PortRefused
		})
		if refused && p.UDP == PortSilent {
			all = append(all, Finding{
				ID: "udp-filtered", Level: Warning, What: fmt.Sprintf("%s says that nobody listens on TCP %d, and says nothing about UDP", p.Peer, f.Wanted.AdvertPort),
				Why: "a firewall seems to drop UDP, and adverts are UDP", Fix: fmt.Sprintf("open UDP %d on %s; once both balancers run, doctor knows whether they hear each other", f.Wanted.AdvertPort, p.Peer),
			})
		}
	}
	return all
}

// echoBytes are the headers of a ping, which its size leaves out.
const echoBytes = 28

// hearing judges what the running balancer hears of those that gossip knows.
func hearing(f Facts) (all []Finding) {
	if f.Running == nil {
		return nil
	}
	for _, b := range f.Running.Gone {
		all = append(all, Finding{
			ID: "balancer-gone", Level: Error, What: "the balancer " + b + " is not there: gossip has lost it",
			Why: "without another balancer nobody takes over", Fix: "look at its power, its network and its log; 'tandem why' tells what was seen of it",
		})
	}
	for _, g := range f.Running.Groups {
		for _, b := range f.Running.Balancers {
			if !slices.Contains(g.Heard, b) {
				all = append(all, Finding{
					ID: "peer-unheard", Level: Error, What: fmt.Sprintf("gossip knows the balancer %s, but its adverts do not come (group %s)", b, g.Name),
					Why: "the balancers ask each other on detours before a takeover, which is slower and the last resort", Fix: "open UDP and TCP of advert_port (7947) between them, both ways; 'tandem status' says what else answers",
				})
			}
		}
		for _, b := range g.DeafTo {
			all = append(all, Finding{
				ID: "not-heard", Level: Error, What: fmt.Sprintf("the balancer %s does not hear the adverts of this one (group %s)", b, g.Name),
				Why: "UDP does not get there: it asks on detours before it takes over, which is slower and the last resort", Fix: "open UDP and TCP of advert_port (7947) on " + b + ", for this host",
			})
		}
		if g.State == "fault" {
			all = append(all, Finding{
				ID: "fault", Level: Error, What: fmt.Sprintf("group %s is in fault here: %s", g.Name, g.Reason),
				Why: "this balancer cannot take the VIP", Fix: "'tandem why' tells what happened",
			})
		}
	}
	return all
}

func keys(f Facts) (all []Finding) {
	r := f.Running
	if r == nil {
		return nil
	}
	add := func(id, level, what, why, fix string) {
		all = append(all, Finding{ID: id, Level: level, What: what, Why: why, Fix: fix})
	}
	if !r.Authenticated {
		add("unauthenticated", Warning, "adverts are not authenticated", "whoever reaches their port can move the VIP", "tandem keygen balancer.key, and name it as balancer_key_file on all balancers")
	}
	if !r.Encrypted {
		add("unencrypted", Note, "gossip is not encrypted", "whoever reaches its port can announce apps", "tandem keygen gossip.key, and name it as gossip_key_file everywhere")
	}
	for reason, n := range r.Refused {
		if strings.Contains(reason, "authentic") || strings.Contains(reason, "key") {
			add("balancer-keys-differ", Error, fmt.Sprintf("%d adverts were refused: %s", n, reason), "a balancer with another balancer key takes no part here, and both would hold the VIP", "put the same balancer_key_file on all balancers; sha256sum tells whether they are the same")
		}
	}
	if len(r.KeysDiffer) > 0 {
		add("gossip-keys-differ", Warning, "other gossip keys than here are held by "+strings.Join(r.KeysDiffer, ", "), "a rotation is not finished", "'tandem keys list' shows who holds which; finish it with 'tandem keys'")
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return strings.Compare(a.ID+a.What, b.ID+b.What) })
	return all
}

func configurations(f Facts) []Finding {
	if f.Running == nil || len(f.Running.OtherConfigs) == 0 {
		return nil
	}
	return []Finding{{
		ID: "configurations-differ", Level: Warning, What: "another configuration is in effect on " + strings.Join(f.Running.OtherConfigs, ", "),
		Why: "what works now may not after a failover", Fix: "put the same file on all balancers, and run 'tandem reload' on each",
	}}
}
