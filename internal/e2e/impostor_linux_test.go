package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// impostors are agents on a host that may gossip, but holds no balancer key: in the names of both balancers and of an
// app, and for another's address.
var impostors = [][]string{{"--name", "lb1"}, {"--name", "lb2"}, {"--name", "web1-3000"}, {"--name", "evil", "--addr", "192.168.42.21"}}

// Who may gossip can say that it is somebody else, or speak for somebody else, and send rubbish to where gossip listens.
// It moves no VIP, ends no process, and takes no request.
func TestAnImpostorMovesNothingAndIsServedNothing(t *testing.T) {
	s, active := newKeyedPair(t)
	was, began := map[string]status{}, time.Now()
	for _, lb := range balancers {
		st, err := s.status(lb)
		if err != nil {
			t.Fatal(err)
		}
		was[lb] = st
	}
	s.start("web3", "webapp", "--listen", ":3000", "--name", "evil")
	for _, as := range impostors {
		s.start("web3", append([]string{"agent", "--pool", "web", "--port", "3000", "--join", "192.168.42.11,192.168.42.12"}, as...)...)
	}
	for _, lb := range balancers {
		s.rubbish(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 42, byte(numbers[lb])}), 7946))
	}
	for _, lb := range balancers {
		s.until(lb+" tells its operator of the impostors", func() (bool, string) {
			log := s.logs[lb].tail()
			return strings.Contains(log, "another live member uses this node's name") &&
				strings.Contains(log, "two live members use one name") && strings.Contains(log, "an address that is not its own"), log
		})
	}
	for range 40 {
		if app, err := s.get(); err != nil || app != "web1" && app != "web2" {
			t.Errorf("a request was answered by %q, %v", app, err)
		}
	}
	for _, lb := range balancers {
		st, err := s.status(lb)
		if err != nil {
			t.Fatal(err)
		}
		if st.Groups[0].Epoch != was[lb].Groups[0].Epoch || st.Groups[0].State != was[lb].Groups[0].State {
			t.Errorf("%s: %+v, before %+v", lb, st.Groups[0], was[lb].Groups[0])
		}
		for i, p := range st.Processes {
			if p.PID != was[lb].Processes[i].PID {
				t.Errorf("%s: the %s has been started again", lb, p.Name)
			}
		}
	}
	s.stays(active, 200*time.Millisecond)
	if most := s.mostOwners(began); most > 1 {
		t.Errorf("the VIP had %d owners at once", most)
	}
}

// rubbish sends what no member says, by datagram and by stream; some of it begins as gossip does.
func (s *site) rubbish(to netip.AddrPort) {
	s.t.Helper()
	for i := range 200 {
		sum := sha256.Sum256(fmt.Append(nil, i))
		b := append([]byte{byte(i % 16), 244, 6, 't', 'a', 'n', 'd', 'e', 'm'}[i%2:], sum[:]...)
		network := "udp"
		if i%10 == 0 {
			network = "tcp"
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		c, err := s.hosts["web3"].Dial(ctx, network, to)
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = c.Write(b) // the other side may have closed it already
		c.Close()
	}
}
