package election

import (
	"cmp"
	"fmt"
)

// What a transcript shows of a machine.

func (tr *transcript) print(actions []Action) {
	for _, a := range actions {
		line := ""
		switch a := a.(type) {
		case Send:
			g := tr.m.Advert()
			if g == tr.said {
				continue
			}
			tr.said = g
			line = "send " + advertText(g)
		case Probe:
			tr.token = a.Token
			line = fmt.Sprintf("probe #%d", a.Token)
		case Claim:
			tr.token = a.Token
			line = fmt.Sprintf("claim #%d epoch %d", a.Token, a.Epoch)
		case Announce:
			line = "announce"
		case Release:
			tr.token = a.Token
			line = fmt.Sprintf("release #%d", a.Token)
		case Query:
			tr.nonce = a.Nonce
			tr.asked = append(tr.asked, a)
			complains := a.Complaint != Complaint{}
			if (a.Round == 0 && !complains || a.Round > 1 && a.Via == AllPaths) && !tr.allRounds {
				continue
			}
			line = fmt.Sprintf("query round %d to %s by %v", a.Round, cmp.Or(a.Node, "all"), a.Via)
			if c := a.Complaint; complains {
				line += fmt.Sprintf(", complaint %d: silent for %v; %s", c.Seq, c.For, hearingText(c.Hearing))
			}
		case Solicit:
			line = "solicit"
			if a.Silent != "" {
				line += ", whatever " + a.Silent + " sends"
			}
		case Fence:
			line = "fence"
		case Unfence:
			line = "unfence"
		case Changed:
			line = fmt.Sprintf("%v → %v: %v", a.From, a.To, a.Reason)
		}
		fmt.Fprintf(&tr.out, "%v  %s\n", tr.now.Sub(epochStart), line)
	}
}

func hearingText(h Hearing) string {
	s := fmt.Sprint("hears ", h.Stations)
	if h.Gateway {
		s += " and the gateway"
	}
	return s
}

func advertText(g GroupAdvert) string {
	s := g.State.String()
	if g.Claiming {
		s += " claiming"
	}
	s = fmt.Sprintf("%s, epoch %d, priority %d, fitness %d", s, g.Epoch, g.Priority, g.Fitness)
	if (g.Hearing != Hearing{}) {
		s += ", " + hearingText(g.Hearing)
	}
	if g.Wire != WireUnknown {
		s += ", wire " + g.Wire.String()
	}
	return "“" + s + "”"
}

func (tr *transcript) status() {
	s := tr.m.Status()
	fmt.Fprintf(&tr.out, "%s is %v since %v: %v; active: %q, epoch %d, transitions %d\n",
		s.Node, s.State, s.Since.Sub(epochStart), s.Reason, s.Active, s.Epoch, s.Transitions)
	if s.Foreign != "" {
		fmt.Fprintf(&tr.out, "foreign claimant %s\n", s.Foreign)
	}
	if s.Fenced {
		fmt.Fprintf(&tr.out, "fenced\n")
	}
	if s.Wire == WireSilent {
		fmt.Fprintf(&tr.out, "the active is silent on the wire\n")
	}
	if !s.HeldUntil.IsZero() {
		fmt.Fprintf(&tr.out, "no voluntary move until %v\n", s.HeldUntil.Sub(epochStart))
	}
	if s.PathDegraded != 0 {
		fmt.Fprintf(&tr.out, "the active answers by %v only\n", s.PathDegraded)
	}
	for _, p := range s.Peers {
		fmt.Fprintf(&tr.out, "  %s %v, epoch %d, priority %d, fitness %d, silent %v%s\n",
			p.Node, p.State, p.Epoch, p.Priority, p.Fitness, p.Silent, map[bool]string{true: ", useless"}[p.Useless])
	}
}
