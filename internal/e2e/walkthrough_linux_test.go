package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// walkthrough is the document whose commands are run here.
const walkthrough = "../../deploy/docs/walkthrough.md"

// step is a block of the document: a command, and what it shows.
type step struct {
	line int // of the document
	host string
	args []string
	want []string
}

var prompt = regexp.MustCompile(`^(lb[12])\$ tandem (.*)$`)

// steps reads the blocks that begin with a prompt.
func steps(t *testing.T, text string) (all []step) {
	t.Helper()
	inside := false
	for i, line := range strings.Split(text, "\n") {
		m := prompt.FindStringSubmatch(line)
		switch {
		case line == "```console":
			inside = true
		case line == "```":
			inside = false
		case inside && m != nil:
			all = append(all, step{line: i + 1, host: m[1], args: words(m[2])})
		case inside && len(all) > 0:
			last := &all[len(all)-1]
			last.want = append(last.want, line)
		case inside:
			t.Fatalf("line %d: a block begins without a prompt", i+1)
		}
	}
	return all
}

// words splits a command as a shell does, as far as the document needs it.
func words(command string) (all []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(command, -1) {
		all = append(all, m[1]+m[2])
	}
	return all
}

// shows says whether an output has these lines, in their order. Within a line, … stands for
// anything, and runs of spaces are as one; a line that is … alone, for any lines.
func shows(out string, want []string) (ok bool, missing string) {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	at, skip := 0, false
	for _, w := range want {
		if strings.TrimSpace(w) == "…" {
			skip = true
			continue
		}
		fields := strings.Fields(w)
		for i, f := range fields {
			fields[i] = strings.ReplaceAll(regexp.QuoteMeta(f), "…", ".*")
		}
		is := regexp.MustCompile(`^\s*` + strings.Join(fields, `\s+`) + `\s*$`)
		for skip && at < len(lines) && !is.MatchString(lines[at]) {
			at++
		}
		if at >= len(lines) || !is.MatchString(lines[at]) {
			return false, w
		}
		at, skip = at+1, false
	}
	if at < len(lines) && !skip {
		return false, "an end before: " + lines[at]
	}
	return true, ""
}

func TestShowsSaysNo(t *testing.T) {
	for _, c := range []struct {
		out  string
		want string
		ok   bool
	}{
		{"a b\nc\n", "a   b\nc", true},
		{"a b\nc\n", "a …\nc", true},
		{"a b\nc\nd\n", "…\nd", true},
		{"a b\nc\nd\n", "a b\n…", true},
		{"a b\nc\n", "a b", false},
		{"a b\nc\n", "a b\nd", false},
		{"a b\nc\n", "c\na b", false},
		{"a.b\n", "a+b", false},
		{"a b x\n", "a b", false},
		{"", "a", false},
	} {
		if ok, missing := shows(c.out, strings.Split(c.want, "\n")); ok != c.ok {
			t.Errorf("%q shows %q: %v, missing %q", c.out, c.want, ok, missing)
		}
	}
}

// The night that the document tells of: somebody drains web2 and forgets it; lb1 loses its
// power, and comes back; web3's host dies.
func (s *site) night() {
	t := s.t
	t.Helper()
	state := map[string]string{"lb1": t.TempDir(), "lb2": t.TempDir()}
	start := func(lb string) {
		s.env = append(os.Environ(), "STATE_DIRECTORY="+state[lb]) // as systemd says it; a flag would differ
		s.startLB(lb)
		s.env = nil
	}
	start("lb1")
	s.untilOwnedBy("lb1")
	start("lb2")
	s.startApp("web1", "web2", "web3")
	s.untilServedBy("web1", "web2", "web3")
	s.untilLinked("lb1")
	if out, err := s.tandem("lb1", "drain", "web2-3000"); err != nil || !strings.Contains(out, "lb2 did the same") {
		t.Fatal(out, err)
	}
	s.power("lb1", false)
	s.untilOwnedBy("lb2")
	s.untilSays("lb2", "gossip has found out", "lb1: failed", "timeline", "--kind", "member", "--node", "lb2")
	s.power("lb1", true)
	start("lb1")
	s.until("lb1 sees web3 up again", func() (bool, string) {
		st, err := s.status("lb1")
		return err == nil && len(st.Pools) == 1 && slices.ContainsFunc(st.Pools[0].Backends, func(b struct{ ID, State string }) bool { return b.ID == "web3-3000" && b.State == "up" }), fmt.Sprint(st.Pools, err)
	})
	if err := s.hosts["web3"].PowerOff(); err != nil {
		t.Fatal(err)
	}
	s.untilSays("lb1", "gossip has found out", "web3-3000: failed", "timeline", "--kind", "member", "--node", "lb1")
	s.untilSays("lb1", "lb1 could take over from lb2 again", "lb1 can take over without loss", "status", "--cluster")
}

// untilSays waits until a command prints a text.
func (s *site) untilSays(host, what, text string, args ...string) {
	s.t.Helper()
	s.until(what, func() (bool, string) {
		out, err := s.tandem(host, args...)
		return err == nil && strings.Contains(out, text), fmt.Sprint(out, err)
	})
}

func TestTheWalkThroughAnswersItsQuestions(t *testing.T) {
	text, err := os.ReadFile(walkthrough)
	if err != nil {
		t.Fatal(err)
	}
	all := steps(t, string(text))
	if len(all) < 8 {
		t.Fatalf("%s has %d commands", walkthrough, len(all))
	}
	s := newSite(t)
	s.night()
	for _, st := range all {
		out, err := s.tandem(st.host, st.args...)
		ok, missing := shows(out, st.want)
		// What an order leads to may take a moment to be seen.
		for end := time.Now().Add(patience); !st.order() && !ok && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			out, err = s.tandem(st.host, st.args...)
			ok, missing = shows(out, st.want)
		}
		if err != nil || !ok {
			t.Fatalf("%s:%d: %s$ tandem %s: %v; it does not show %q:\n%s", walkthrough, st.line, st.host, strings.Join(st.args, " "), err, missing, out)
		}
		t.Logf("%s$ tandem %s\n%s", st.host, strings.Join(st.args, " "), out)
	}
}

// order says that the command changes something.
func (st step) order() bool { return st.args[0] == "ready" || st.args[0] == "handover" }
