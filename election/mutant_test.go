package election

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var runMutants = flag.Bool("mutants", false, "let TestMutants run this package's tests against each mutant; some minutes")

// mutant is one rule broken: in a file, one piece of source in place of another.
type mutant struct{ rule, file, old, new string }

// mutants: every rule once at least. What no test catches is a rule that nothing proves.
var mutants = []mutant{
	{"E1: only the active advertises", "machine.go", "if m.state != Init && m.due(m.nextSend) {", "if m.state == Active && m.due(m.nextSend) {"},
	{"E1: priority 0 says nothing", "peers.go", "return p.Group.Priority > 0 && p.Group.State == Active }", "return p.Group.State == Active }"},
	{"E1: one group speaks for all", "advert.go", "if g.Name == group {", "if true {"},
	{"E3: an active that cannot serve stays", "active.go", "if p != nil && !m.fit() {", "if false {"},
	{"E3: connections that may live on are cut", "active.go", "case !m.serving && !m.alive:", "case true:"},
	{"E3: a dead proxy's connections are waited for", "active.go", "case !m.serving && !m.alive:", "case false:"},
	{"E10: fitness moves nothing", "active.go", "		return WhyFitter\n", "		return 0\n"},
	{"E3: a proxy that does not serve is no matter", "machine.go", "\tif !m.serving {\n", "\tif false {\n"},
	{"E3: somebody unfit claims", "wait.go", "!m.settled || !m.fit() ||", "!m.settled ||"},
	{"E4: a claim after three intervals", "timers.go", "missedAdverts = 4", "missedAdverts = 3"},
	{"E4: no skew", "timers.go", "time.Duration(rank) * max(", "0 * time.Duration(rank) * max("},
	{"E4: nobody is asked", "wait.go", "\tm.query(to, via)\n", "\t_ = to\n"},
	{"E4: any nonce will do", "query.go", "m.asked[i].nonce == nonce && nonce != 0", "nonce != 0"},
	{"E4: an answer of an earlier life counts", "query.go", " || p.Boot != ev.Boot && !q.at.After(p.since)", ""},
	{"E4: an answer from before what is known counts", "query.go", "p.Boot == ev.Boot && ev.Group.Epoch < p.Group.Epoch || ", ""},
	{"E4: what was overtaken counts", "machine.go", "h.Boot == p.Boot && h.Seq < p.Seq", "false"},
	{"E4: one path serves and is not asked in time", "wait.go", "\t\t\tbeat = w.p.Interval\n", ""},
	{"E4: an active degraded unnoticed", "peers.go", "\t\tp.path = via\n", ""},
	{"E5: a claim without a proof", "wait.go", "return !m.third ||", "return true || !m.third ||"},
	{"E5: an old proof will do", "wait.go", "!m.proof.Before(m.solicited)", "!m.proof.IsZero()"},
	{"E5: a bare pair needs one, too", "wait.go", "return !m.third ||", "return"},
	{"E4: a claim given up proves that the active is gone", "backup.go", "\t\t\tm.askFirst()\n", ""},
	{"E4: after a claim that ends in silence nobody asks the active", "wait.go", "if !w.p.active() || m", "if m"},
	{"E4: of two actives one is asked", "wait.go", " || m.othersHold(w.p) {", " {"},
	{"E4: who knows of no active asks nobody", "wait.go", "\t\tm.query(nil, AllPaths)\n", ""},
	{"E6: nobody complains", "useful.go", "if m.complains(p) {", "if false {"},
	{"E6: nobody is asked on the segment", "useful.go", "\tm.question(p, q)\n", ""},
	{"E6: a node without a proof that it hears complains", "useful.go", " && !m.proof.Before(p.wire.first)", ""},
	{"E6: a node that hears no more complains", "useful.go", " &&\n\t\tm.hearing.beats(p.Group.Hearing)", ""},
	{"E6: an answer on the segment counts for nothing", "query.go", "\t\t\tp.wire.answer(m.cfg.AdvertInterval)\n", ""},
	{"E6: any answer is one on the segment", "query.go", "if ev.Path == PathWire {", "if true {"},
	{"E6: what was not asked in time counts", "useful.go", "if m.slept || m.now.Sub(v.asked) > after/wireLapsed {", "if false {"},
	{"E6: the gateway is one of many", "useful.go", "if h.Gateway != other.Gateway {", "if false {"},
	{"E6: one station more is enough", "useful.go", "2*int(other.Stations)", "int(other.Stations)"},
	{"E6: the active believes at once", "complained.go", "case m.now.Sub(v.since) < after/wireBeat:", "case false:"},
	{"E6: it does not look around", "complained.go", "\t\tm.do(Solicit{})\n", ""},
	{"E6: it believes whatever it hears itself", "complained.go", " || !ev.Hearing.beats(m.hearing)", ""},
	{"E6: it believes who could not take over", "complained.go", "!p.candidate() || ", ""},
	{"E6: a complaint counts twice", "complained.go", "case ev.Seq <= v.seq:", "case false:"},
	{"E6: a complaint of an earlier life counts", "complained.go", "m.peers[i].Boot != ev.Boot || ", ""},
	{"E6: complaints far apart are one", "complained.go", "m.now.Sub(v.last) <= after/plaintGap", "true"},
	{"E6: who complains unheard is not asked", "complained.go", "\t\tm.askWhoComplains()\n", ""},
	{"E6: the next one may be where the last one was", "peers.go", ", m.useless && p.Group.Hearing.beats(m.hearing)", ""},
	{"E6: who yields as useless does not say so", "status.go", "g.Wire = WireSilent // of itself", "// of itself"},
	{"E7: the segment's answers measure the keeper's", "query.go", "\t\t} else {\n\t\t\tp.rtt", "\t\t}\n\t\t{\n\t\t\tp.rtt"},
	{"E7: a fast signal claims by itself", "query.go", "max(minRound, 2*p.rtt, p.lateness)", "0 * p.rtt"},
	{"E7: a signal of an earlier life counts", "query.go", "p.Boot != ev.Boot || !p.holds()", "!p.holds()"},
	{"E7: a signal shortens an unmeasured wait", "query.go", " || p.rtt == 0 {", " {"},
	{"E7: a yield is not repeated", "draining.go", "m.yielding, m.repeats = true, yieldRepeats", "m.yielding = false"},
	{"E8: an epoch is claimed twice", "backup.go", "min(m.epoch+1, maxEpoch)", "min(m.epoch, maxEpoch)"},
	{"E8: the lower stays", "conflict.go", "p.claimRank().compare(m.claimRank()) > 0 {", "p.claimRank().compare(m.claimRank()) < 0 {"},
	{"E8: the loser is not mute", "become.go", "m.giveEnds(false)\n\tm.fence()\n", "m.giveEnds(false)\n"},
	{"E8: the loser cuts its connections", "conflict.go", "if !m.lossless || m.lossyTo", "if true || m.lossyTo"},
	{"E8: the loser speaks on while it drains", "conflict.go", "	m.fence()\n	m.kept", "	m.kept"},
	{"E8: the winner announces before it forwards", "conflict.go", "if !met || m.cannotForward(p) != \"\" {", "if met || !met {"},
	{"E8: the winner does not forward", "active.go", "		m.heardDraining(p, was)\n", ""},
	{"E8: the winner does not announce when it forwards", "conflict.go", "		m.forgetTable()\n	}\n	m.announce()\n", "		m.forgetTable()\n	}\n"},
	{"E8: the winner stays mute", "become.go", "\tm.unfence()\n\tm.do(Announce{})", "\tm.do(Announce{})"},
	{"E8: the winner does not announce when the loser has let go", "active.go", "m.announce() // it has let go", "// it has let go"},
	{"E8: an active asks nobody who else is", "meet.go", "case m.state == Active && m.verifyBy.IsZero(), m.state", "case m.state"},
	{"E11: who starts asks nobody", "meet.go", ", m.state == Backup && !m.settled:", ":"},
	{"E11: who is known and not heard is not waited for", "backup.go", " && !slices.ContainsFunc(m.known, unheard)", " && unheard != nil"},
	{"E9: the address comes first", "rank.go", "a.compareMerit(b),\n\t\ta.addr.Unmap().Compare(b.addr.Unmap()),", "a.addr.Unmap().Compare(b.addr.Unmap()),\n\t\ta.compareMerit(b),"},
	{"E9: a better one takes over at once", "active.go", "return m.betterSince.Add(m.cfg.HoldDown)", "return m.betterSince"},
	{"E9: an address is worth a move", "active.go", "m.cfg.Preempt && p.rank().compareMerit(m.rank()) > 0", "m.cfg.Preempt && p.rank().compare(m.rank()) > 0"},
	{"E9: one voluntary move follows the other", "complained.go", "if !m.voluntary || m.state != Active {", "if true {"},
	{"E9: preemption brings the VIP back out of reach", "active.go", "case p == nil || p.useless:", "case p == nil:"},
	{"E10: each backend reorders the nodes", "rank.go", "return uint8((int(fitness) + 63) / 64)", "return fitness"},
	{"E10: fitness is yes or no", "rank.go", "return uint8((int(fitness) + 63) / 64)", "return min(fitness, 1)"},
	{"E11: a stranger's answer is no matter", "backup.go", "case ev.Owner != \"\":", "case false:"},
	{"E11: the wire is not asked", "backup.go", "if m.mustProbe {", "if false {"},
	{"§9: the giver is not mute", "giving.go", "	m.fence()\n	m.become(Draining,", "	m.become(Draining,"},
	{"§9: the taker claims without being told", "taking.go", "	t.phase, t.by = takeReady, m.now.Add(answer.For)\n", "	t.phase = takeClaims\n	m.beginClaim()\n"},
	{"§9: a promise never ends", "taking.go", "!m.now.Before(m.take.by)", "false"},
	{"§9: the taker keeps a promise too long", "taking.go", "if m.take.phase == takeReady && m.due(m.take.by) {", "if false {"},
	{"§9: the giver never resumes", "wait.go", " || m.isolated || m.mustGo()", " || m.isolated || m.give.phase == giveHands"},
	{"§9: the giver resumes at once", "giving.go", "m.now.Add(m.resumesAfter(ev.Message.For)), time.Time{}\n	m.lost", "m.now, m.now\n	m.lost"},
	{"§9: two givers wait for each other", "peers.go", " && !(bothGive && m.claimRank().compare(p.claimRank()) > 0)", " && (bothGive || true)"},
	{"§9: both of two givers resume", "peers.go", "bothGive && m.claimRank().compare(p.claimRank()) > 0", "bothGive"},
	{"E4: the giver resumes without a question", "giving.go", "m.now.Add(m.resumesAfter(ev.Message.For)), time.Time{}\n	m.lost", "m.now.Add(m.resumesAfter(ev.Message.For)), m.now\n	m.lost"},
	{"§9: what was told too late is not tried again", "again.go", "w.failed >= handoverTries ||", "true ||"},
	{"§9: it is tried for ever", "again.go", "w.failed >= handoverTries ||", ""},
	{"§9, E13: a busy pair has no more time", "again.go", "return max(promise(m.cfg.AdvertInterval), patience(m.cfg.AdvertInterval, late))", "return promise(m.cfg.AdvertInterval)"},
	{"§9: a table outlives the drain", "taking.go", "	if m.takes(ev, takeForwards) && m.state == Active {\n", "	if false {\n"},
	{"§9: a table outlives the drained node", "taking.go", "!m.peers[i].until.Add(drainerSilence).After(m.now), m.due(t.by):", "m.due(t.by):"},
	{"§9: a table outlives the VIP", "request.go", "		m.refuseLate(m.cfg.Node + \" releases the VIP\")\n", ""},
	{"§9: a late advert of the giver stops the claim", "backup.go", "(p.active() && !m.giver(p) ||", "(p.active() ||"},
	{"§9: a drained node takes the VIP for its own", "status.go", "g.Epoch, g.Standby = m.claim, m.standby()", "g.Epoch = m.claim"},
	{"§9: a drain is lost with a claim", "backup.go", "	case m.state == Draining:\n		m.drainAgain()\n", ""},
	{"§9: the drain has no end", "giving.go", "	case m.due(m.giveDeadline()):\n		m.endDrain()\n", ""},
	{"§9: a third node is taken in", "giving.go", "	case drained != \"\" && to != drained:\n", "	case false:\n"},
	{"§9: who cannot forward promises to", "taking.go", "	case !m.lossless:\n		return MsgUnable, m.notLossless\n", ""},
	{"E12: a taken address is kept", "backup.go", "if m.kept && m.state == Backup && p.active() {", "if false {"},
	{"E12: an isolated node claims", "wait.go", " || m.isolated ||", " ||"},
	{"E12: who got rid of the VIP while isolated stays in Fault", "pause.go", "(m.reason.Why == WhyIsolated || m.retryAt.IsZero())", "m.reason.Why == WhyIsolated"},
	{"E12: it claims before it has listened", "pause.go", "m.floor = later(m.floor, m.now.Add(activeDown(m.cfg.AdvertInterval))) // it could", "// it could"},
	{"E12: an isolated backup is a candidate", "status.go", "if m.isolated {", "if false {"},
	{"E13: gaps are not measured", "peers.go", "\t\tp.gaps.add(m.now, gap)\n", ""},
	{"E13: the own lateness counts for nothing", "machine.go", "\t\tm.late.add(m.now, late)\n", ""},
	{"E13: a backup believes its own sleep", "backup.go", "case m.slept && !m.pardoned:", "case false:"},
	{"E13: who has no history is borne no longer", "peers.go", "p.holds() && m.now.Sub(p.since) < m.cfg.NewFor", "false"},
	{"E13: somebody has no history for ever", "peers.go", "p.holds() && m.now.Sub(p.since) < m.cfg.NewFor", "m.cfg.NewFor > 0 && p.holds()"},
	{"E13: who has no history is asked late", "peers.go", "m.now.Add(p.asked), m.now", "m.now.Add(questionsAfter(p.patience)), m.now"},
	{"E14: a pause does not fence", "pause.go", "\tm.fence()\n\tm.verifyBy", "\tm.verifyBy"},
	{"E14: one question must do", "pause.go", "case m.due(m.verifyAt()):\n\t\tm.query(nil, AllPaths)\n", ""},
	{"E14: one answer stands for all", "pause.go", "if p.awaited {\n\t\t\treturn", "if false && p.awaited {\n\t\t\treturn"},
	{"E14: a claim survives a pause", "pause.go", "if m.pending != nothing {\n\t\t\tm.withdraw(Reason{", "if false {\n\t\t\tm.withdraw(Reason{"},
	{"E14: a claim that nobody was told of for long succeeds", "backup.go", "case unheard >= (missedAdverts-1)*m.cfg.AdvertInterval:", "case false:"},
	{"E14: a backup knows what it knew before a pause", "pause.go", "m.floor, m.relievedAt = later(m.floor, m.now.Add(activeDown(m.cfg.AdvertInterval))), time.Time{}", "m.relievedAt = time.Time{}"},
	{"E14: a proof from before a pause will do", "pause.go", "\tm.solicited, m.proof = time.Time{}, time.Time{}\n", ""},
	{"E3, E4: a backup that becomes fit does not ask", "machine.go", "if m.lost.Why == WhyActiveSilent {", "if false {"},
	{"E2: a hello need not be fresh", "session.go", "h.nonce != 0 && h.echo == p.nonce", "h.nonce != 0"},
	{"E2: a session of an earlier life is believed", "session.go", " || boot != p.cur.boot", ""},
	{"E2: a session speaks for anybody", "session.go", "node != peer || ", ""},
	{"E2: the tag is not looked at", "seal.go", "hmac.Equal(got, tag(signed, key))", "(true || hmac.Equal(got, tag(signed, key)))"},
}

// TestMutants applies each mutant, and with -mutants sees that the other tests catch it.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.rule, func(t *testing.T) {
			source, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%q stands in %s %d times, want once: adapt the list", m.old, m.file, n)
			}
			if *runMutants {
				m.mustBeCaught(t, strings.Replace(string(source), m.old, m.new, 1))
			}
		})
	}
}

func (m mutant) mustBeCaught(t *testing.T, source string) {
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
	here, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {here: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{changed: []byte(source), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "test")
	if out, err := exec.Command("go", "test", "-c", "-o", program, "-vet=off", "-overlay", overlay, ".").CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	// What is quick comes first: most are caught by it. One that never ends is caught, too.
	const slow, slowest = "TestOneFault|TestOutages|TestHandoverInterruptedAtEachStep", "TestSimulation"
	for _, which := range [][]string{
		{"-test.skip", "TestMutants|TestThePackageIsPure|" + slow + "|" + slowest},
		{"-test.run", slow},
		{"-test.run", slowest},
	} {
		out, err := exec.Command(program, append(which, "-test.short", "-test.failfast", "-test.timeout", "3m", "-schedules", "1000")...).CombinedOutput()
		switch text := string(out); {
		case err == nil:
			continue
		case !strings.Contains(text, "--- FAIL") && !strings.Contains(text, "panic:"):
			t.Errorf("it does not run: %v\n%s", err, text)
		}
		return
	}
	t.Error("no test catches it")
}
