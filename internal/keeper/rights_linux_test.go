package keeper

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// field reads one line of a /proc/PID/status.
func field(status, key string) string {
	for line := range strings.Lines(status) {
		if k, v, _ := strings.Cut(line, ":"); k == key {
			return strings.TrimSpace(v)
		}
	}
	return "missing"
}

func statusOfChild(t *testing.T, who identity) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("/bin/cat", "/proc/self/status")
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := startWithoutRights(cmd, who); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAChildHasNoRightsAndCannotGainAny(t *testing.T) {
	who := identityFor("proxy", proxyUID)
	for name, id := range map[string]identity{"own user": who, "keeper's user": {}} {
		t.Run(name, func(t *testing.T) {
			if name == "own user" && who.cred == nil {
				t.Logf("no second user here: %s", who.note)
			}
			s := statusOfChild(t, id)
			for _, key := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
				if got := field(s, key); strings.Trim(got, "0") != "" {
					t.Errorf("%s of the child is %s, want none", key, got)
				}
			}
			if got := field(s, "NoNewPrivs"); got != "1" {
				t.Errorf("NoNewPrivs of the child is %s, want 1", got)
			}
			if hasCap(unix.CAP_SETPCAP) {
				if got := field(s, "CapBnd"); strings.Trim(got, "0") != "" {
					t.Errorf("CapBnd of the child is %s, want none: it could gain rights by an exec", got)
				}
			}
			if id.cred != nil {
				if got := strings.Fields(field(s, "Uid")); got[0] != "61948" || got[1] != "61948" || got[2] != "61948" {
					t.Errorf("Uid of the child is %v, want its own, 61948, in all places", got)
				}
			}
		})
	}
}

// A container that was given NET_ADMIN and NET_RAW alone: nothing can be taken out of the
// bounding set, and an exec as uid 0 would take all that is in it.
func TestAChildOfUIDZeroWithoutSETPCAPGainsNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an exec as another user than uid 0 gains nothing anyway")
	}
	cmd := exec.Command("/bin/cat", "/proc/self/status")
	var out bytes.Buffer
	cmd.Stdout, cmd.SysProcAttr = &out, &syscall.SysProcAttr{}
	var err error
	onThrowawayThread(func() {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		both := uint32(1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW)
		data := [2]unix.CapUserData{{Effective: both, Permitted: both}}
		if err = unix.Capset(&hdr, &data[0]); err != nil {
			return
		}
		if err = dropThreadRights(false); err == nil {
			err = cmd.Run()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if got := field(out.String(), key); strings.Trim(got, "0") != "" {
			t.Errorf("%s of the child is %s, want none", key, got)
		}
	}
	if strings.Trim(field(out.String(), "CapBnd"), "0") == "" {
		t.Error("nothing is left in the bounding set: this test proves nothing")
	}
}

func TestTheKeeperKeepsItsRights(t *testing.T) {
	before, err := readRights(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	statusOfChild(t, identity{})
	// The thread that gave up its rights is gone; a thread made after it has all of them.
	for range 20 {
		var after string
		done := make(chan struct{})
		go func() {
			defer close(done)
			b, _ := os.ReadFile("/proc/thread-self/status")
			after = string(b)
		}()
		<-done
		if got := field(after, "CapEff"); got != before.CapEff {
			t.Fatalf("a thread of the keeper has CapEff %s after a child's start, want %s", got, before.CapEff)
		}
	}
}

func TestASecondUserIsRecognised(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"rootless lab", "         0       1000          1\n", false},
		{"whole system", "         0          0 4294967295\n", true},
		{"container", "0 100000 65536\n", true},
		{"two ranges, the second has it", "0 1000 1\n61000 200000 2000\n", true},
		{"two ranges, none has it", "0 1000 1\n1 100000 1000\n", false},
	} {
		file := dir + "/" + strings.ReplaceAll(tc.name, " ", "_")
		if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := idMapped(file, proxyUID); err != nil || got != tc.want {
			t.Errorf("%s: idMapped = %v, %v; want %v", tc.name, got, err, tc.want)
		}
	}
}
