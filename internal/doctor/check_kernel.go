package doctor

import (
	"fmt"
	"maps"
	"slices"
)

// kernel judges what the kernel can do, as far as a balancer that runs has not tried.
func kernel(f Facts) (all []Finding) {
	if f.Running != nil {
		for _, g := range f.Running.Groups {
			if g.Answers == "lease-only" {
				all = append(all, Finding{
					ID: "lease-only", Level: Warning, What: fmt.Sprintf("the kernel answers ARP for group %s: %s", g.Name, g.Note),
					Why: "a keeper that is killed lets go of the VIP after 2 s, not at once, and a handover breaks connections", Fix: "a kernel with nftables and its arp family (CONFIG_NF_TABLES_ARP); in a container: NET_ADMIN",
				})
			}
		}
		return all
	}
	if !f.NFTables {
		all = append(all, Finding{
			ID: "no-nftables", Level: Warning, What: "the kernel speaks no nftables here",
			Why: "without it the kernel answers ARP for the VIP, a killed keeper lets go of it only after 2 s, and a handover breaks connections", Fix: "modprobe nf_tables; in a container: give it NET_ADMIN",
		})
	}
	if f.Kernel != [2]int{} && (f.Kernel[0] < 5 || f.Kernel[0] == 5 && f.Kernel[1] < 12) {
		all = append(all, Finding{
			ID: "old-kernel", Level: Note, What: fmt.Sprintf("the kernel is %d.%d", f.Kernel[0], f.Kernel[1]),
			Why: "before 5.12 tables are not removed by the kernel when their owner dies; the next start cleans them up",
		})
	}
	return all
}

// losslessness tells what the running balancer's self-tests have found.
func losslessness(f Facts) (all []Finding) {
	if f.Running == nil {
		return nil
	}
	for _, g := range f.Running.Groups {
		if g.Lossy != "" {
			all = append(all, Finding{
				ID: "handover-lossy", Level: Warning, What: fmt.Sprintf("a handover of group %s breaks connections: %s", g.Name, g.Lossy),
				Why: "a planned switch costs what is under way, as a crash does", Fix: "see what 'tandem status' says of who answers for the VIP",
			})
			continue
		}
		for _, peer := range slices.Sorted(maps.Keys(g.SelfTests)) {
			why := g.SelfTests[peer]
			if !slices.Contains(g.Heard, peer) {
				continue // what was tried before it fell silent says nothing now
			}
			if why == "" {
				all = append(all, Finding{ID: "handover", Level: Good, What: fmt.Sprintf("group %s can be handed over to %s without loss", g.Name, peer)})
				continue
			}
			all = append(all, Finding{
				ID: "self-test", Level: Warning, What: fmt.Sprintf("group %s cannot be handed over to %s without loss: %s", g.Name, peer, why),
				Why: "what the new active forwards does not arrive at the old one", Fix: "allow forged source addresses between them (hypervisors: MAC spoofing, forged transmits), turn LRO off, and put both on one segment",
			})
		}
	}
	return all
}

// enoughFiles is a limit of open files that 10,000 clients do not reach: each request has two.
const enoughFiles = 65536

func limits(f Facts) (all []Finding) {
	if f.OpenFiles > 0 && f.OpenFiles < enoughFiles {
		all = append(all, Finding{
			ID: "few-files", Level: Warning, What: fmt.Sprintf("%d files may be open at once", f.OpenFiles),
			Why: "each client takes one, and its request another; beyond it connections wait", Fix: "LimitNOFILE=1048576 in the unit, or ulimit -n",
		})
	}
	if f.CPUs > 0 && f.CPUs < 1 {
		what := fmt.Sprintf("a CPU quota of %.2f is set for this cgroup", f.CPUs)
		if f.Throttled > 0 {
			what += fmt.Sprintf(", and was used up in %d periods", f.Throttled)
		}
		all = append(all, Finding{
			ID: "cpu-quota", Level: Warning, What: what,
			Why: "when it is used up the kernel stops the keeper for the rest of 100 ms: adverts are late, and a peer may have to ask before it stays backup", Fix: "give the unit no CPUQuota, or weigh it (CPUWeight)",
		})
	}
	return all
}

// managers of the network may take an address away that they did not set.
func managers(f Facts) (all []Finding) {
	fixes := map[string]string{
		"NetworkManager":   "nmcli device set IFACE managed no, or leave it: the balancer puts a VIP back within milliseconds",
		"systemd-networkd": "KeepConfiguration=yes in the .network file, or leave it: the balancer puts a VIP back within milliseconds",
	}
	for _, m := range f.Managers {
		all = append(all, Finding{
			ID: "network-manager", Level: Note, What: m + " manages the network here", Why: "when it configures the interface anew it removes addresses that are not its own, the VIP among them",
			Fix: fixes[m],
		})
	}
	return all
}
