package election

import "strings"

// Path is a way by which a query and its answer go, or a set of them.
type Path uint8

// The paths (E4). They differ in what they share: a broken one says nothing about the others.
const (
	PathDirect Path = 1 << iota // to the node's own address, from and to the advert socket
	PathWire                    // on the VIP's segment: to the MAC that answers for the VIP
	PathRelay                   // through random members of the cluster, to which it is opaque

	AllPaths = PathDirect | PathWire | PathRelay
)

// String returns the paths' words as they stand in logs and status: "wire", "direct+relay", "" for none.
func (p Path) String() string {
	var words []string
	for i, word := range []string{"direct", "wire", "relay"} {
		if p&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, "+")
}
