package control

import "time"

// noteDifference logs that configurations differ, or do no longer.
func (p *Process) noteDifference(now time.Time) {
	p.mu.Lock()
	others := otherConfigs(p.now.Load().ConfigHash, p.pic.members)
	p.mu.Unlock()
	if !p.differs.look(others, now) {
		return
	}
	if len(others) == 0 {
		p.log.Info("all balancers have the same configuration again")
		return
	}
	p.log.Warn("other balancers have another configuration; put the same file on all, and 'tandem reload' on each", "balancers", others, "since", p.differs.since)
}
