package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The children parse bytes from anybody. What they hold is read from the kernel, not from
// what they say.
func TestControlAndProxyHoldNoRights(t *testing.T) {
	s := newSite(t)
	s.startLB("lb1")
	s.untilOwnedBy("lb1")
	uids := map[string]string{}
	for _, name := range []string{"control", "proxy"} {
		pid := s.process("lb1", name)
		if got := procStatus(t, fmt.Sprintf("/proc/%d/status", pid))["Name"]; got != "tandem-"+name {
			t.Errorf("ps calls the %s process %q", name, got)
		}
		for _, tid := range s.threads(pid) {
			st := procStatus(t, fmt.Sprintf("/proc/%d/task/%s/status", pid, tid))
			for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
				if strings.Trim(st[set], "0") != "" {
					t.Errorf("thread %s of %s: %s is %s, want none", tid, name, set, st[set])
				}
			}
			if st["NoNewPrivs"] != "1" {
				t.Errorf("thread %s of %s: NoNewPrivs is %s, want 1", tid, name, st["NoNewPrivs"])
			}
			uids[name] = strings.Fields(st["Uid"])[0]
		}
	}
	st, err := s.status("lb1")
	if err != nil {
		t.Fatal(err)
	}
	keeper := procStatus(t, fmt.Sprintf("/proc/%d/status", s.process("lb1", "keeper")))
	if keeper["Name"] != "tandem" {
		t.Errorf("ps calls the keeper %q", keeper["Name"])
	}
	// KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_NICE.
	if got, want := keeper["CapEff"], "00000000008035e0"; got != want {
		t.Errorf("the keeper has the capabilities %s, want the eight it needs, %s", got, want)
	}
	for _, p := range st.Processes {
		if p.Name == "keeper" {
			continue
		}
		own := uids[p.Name] != strings.Fields(keeper["Uid"])[0]
		if p.OwnUser != own {
			t.Errorf("status says of %s own_user %v; the kernel says uid %s, keeper %s", p.Name, p.OwnUser, uids[p.Name], keeper["Uid"])
		}
		if !own && p.UserNote == "" {
			t.Errorf("%s shares the keeper's user and status does not say why", p.Name)
		}
		if !p.NoNew || strings.Trim(p.CapEff, "0") != "" {
			t.Errorf("status of %s is not what the kernel says: %+v", p.Name, p)
		}
	}
	if secondUser(t) && (uids["control"] == uids["proxy"] || uids["proxy"] == "0") {
		t.Errorf("there is a second user, and control and proxy run as %v", uids)
	}
}

// secondUser says whether this user namespace has more than one.
func secondUser(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(text))
	return len(f) > 3 || f[2] != "1"
}

func procStatus(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		k, v, _ := strings.Cut(line, ":")
		out[k] = strings.TrimSpace(v)
	}
	return out
}
