package e2e

import (
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab"
)

type finding struct{ ID, Level, What string }

// doctor runs it in a host and returns what it finds; errors makes it end with 1.
func (s *site) doctor(host string, args ...string) (found []finding, failed bool) {
	s.t.Helper()
	out, err := s.tandem(host, append([]string{"doctor", "--json"}, args...)...)
	if jerr := json.Unmarshal([]byte(out), &found); jerr != nil {
		s.t.Fatalf("doctor: %q, %v, %v", out, err, jerr)
	}
	return found, err != nil
}

func ids(found []finding) (all []string) {
	for _, f := range found {
		if f.Level != "good" {
			all = append(all, f.ID)
		}
	}
	return all
}

// vrrpAdvert is a keepalived's of version 2, VRID 51, priority 150, for 192.168.42.42.
var vrrpAdvert = []byte{0x21, 51, 150, 1, 0, 1, 0, 0, 192, 168, 42, 42, 0, 0, 0, 0, 0, 0, 0, 0}

func TestDoctorNamesTheFaultsOfALab(t *testing.T) {
	s := newSite(t)
	s.eye.close() // a stranger will own the VIP, on purpose
	s.eye = nil
	peers := []string{"--vip", vip.String(), "--join", "192.168.42.11,192.168.42.12,192.168.42.99"}
	s.start("web3", "lb", "--vip", vip.String(), "--listen", ":80", "--pool", "x", "--status", "off", "--name", "stranger")
	s.start("lb1", "webapp", "--listen", ":7946", "--name", "swarm")
	s.until("the stranger has the VIP", func() (bool, string) {
		st, err := s.status("web3")
		return err == nil && len(st.Groups) == 1 && st.Groups[0].State == "active", "it has not"
	})
	stop := make(chan struct{})
	defer close(stop)
	speakVRRP(t, s, stop)

	// lb2 is there, with a smaller MTU and a firewall.
	s.command("lb2", "/sbin/ip", "link", "set", "eth0", "mtu", "1400")
	s.command("lb2", "/usr/sbin/nft", "table inet fw {\n chain in {\n type filter hook input priority 0\n udp dport 7947 drop\n }\n}")
	found, failed := s.doctor("lb1", append(peers, "--wire", "1500ms")...)
	for _, want := range []string{"port-taken", "vip-owner", "vrrp-same-vip", "peer-not-started", "peer-silent", "path-mtu", "udp-filtered"} {
		if !slices.Contains(ids(found), want) {
			t.Errorf("%s is not found; instead %v", want, ids(found))
		}
	}
	if !failed {
		t.Error("there are errors, and it ended with 0")
	}
	for _, f := range found {
		if f.ID == "port-taken" && !strings.Contains(f.What, "7946") {
			t.Errorf("%+v", f)
		}
	}
	if _, owner, ok := strings.Cut(what(found, "vip-owner"), ":"); !ok || owner == "" {
		t.Errorf("who answers for the VIP is not told: %q", what(found, "vip-owner"))
	}
}

// command runs a command of the system in a host.
func (s *site) command(host, path string, args ...string) {
	s.t.Helper()
	log := new(logBuffer)
	p, err := s.hosts[host].Start(lab.Command{Path: path, Args: args, Stdout: log, Stderr: log})
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		s.t.Fatalf("%s %v in %s: %v: %s", path, args, host, err, log.tail())
	}
}

func what(found []finding, id string) string {
	for _, f := range found {
		if f.ID == id {
			return f.What
		}
	}
	return ""
}

// speakVRRP has web2 say to lb1 that it holds the VIP, until stop.
func speakVRRP(t *testing.T, s *site, stop <-chan struct{}) {
	t.Helper()
	var c net.PacketConn
	err := s.hosts["web2"].Do(func() (err error) {
		c, err = net.ListenPacket("ip4:112", "0.0.0.0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	to := net.IPAddr{IP: netip.MustParseAddr("192.168.42.11").AsSlice()}
	go func() {
		defer c.Close()
		for tick := time.Tick(100 * time.Millisecond); ; {
			c.WriteTo(vrrpAdvert, &to) // one that is lost is followed by others
			select {
			case <-stop:
				return
			case <-tick:
			}
		}
	}()
}

func TestDoctorIsContentWithAPairThatRuns(t *testing.T) {
	s, active := newPair(t)
	s.until("doctor finds no error, and that the VIP can be handed over", func() (bool, string) {
		found, failed := s.doctor(active, "--vip", vip.String(), "--wire", "300ms")
		lossless := slices.ContainsFunc(found, func(f finding) bool { return f.ID == "handover" && f.Level == "good" })
		return !failed && lossless && slices.Contains(ids(found), "unauthenticated"), strings.Join(ids(found), " ")
	})
}
