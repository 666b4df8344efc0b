package main

import (
	"net/netip"
	"strconv"
	"time"
)

// The network: everybody on one switch.
var (
	vip        = netip.MustParseAddr("192.168.42.42")
	clientAddr = netip.MustParsePrefix("192.168.42.100/24")
	busyAddr   = netip.MustParsePrefix("192.168.42.200/24") // the host of the busy loops
	eyeAddr    = netip.MustParseAddr("192.168.42.250")      // who asks for the VIP's owner; nobody has it

	balancers = []place{
		{"lb1", netip.MustParsePrefix("192.168.42.11/24")},
		{"lb2", netip.MustParsePrefix("192.168.42.12/24")},
	}
	apps = []place{
		{"web1", netip.MustParsePrefix("192.168.42.21/24")},
		{"web2", netip.MustParsePrefix("192.168.42.22/24")},
		{"web3", netip.MustParsePrefix("192.168.42.23/24")},
	}
)

const (
	sitePort = 80
	appPort  = 3000
)

// A place is a host's name and address.
type place struct {
	name string
	addr netip.Prefix
}

// at is an address and port of the place.
func (p place) at(port uint16) string {
	return p.addr.Addr().String() + ":" + strconv.Itoa(int(port))
}

// phaseMax is how much longer than it must a fault waits, by chance: else it would meet
// whatever goes round once a second, adverts first of all, always at the same place.
const phaseMax = time.Second

// The waits of a repetition.
const (
	startMax  = 60 * time.Second       // for a site to serve
	calmFor   = 300 * time.Millisecond // nothing failed for so long: calm
	sureFor   = 100 * time.Millisecond // the one owner for so long: sure
	holdMax   = 15 * time.Second       // for a site to become calm while harmed
	settleMax = time.Minute            // at most, until calm: black holes of 53 s have been seen
)
