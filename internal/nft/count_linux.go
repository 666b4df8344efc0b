package nft

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Counter is what Count has counted.
type Counter struct{ Packets, Bytes uint64 }

// Counters returns what the rules of a table have counted, summed by chain.
func (c *Conn) Counters(f Family, table string) (map[string]Counter, error) {
	msgs, err := c.dump(unix.NFT_MSG_GETRULE, f, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_RULE_TABLE, table)
	})
	if err != nil {
		return nil, fmt.Errorf("nft: read counters: %w", explain(err))
	}
	sums := make(map[string]Counter)
	for _, m := range msgs {
		chain, n, err := decodeCounter(m.Data)
		if err != nil {
			return nil, fmt.Errorf("nft: read counters: %w", err)
		}
		sum := sums[chain]
		sums[chain] = Counter{sum.Packets + n.Packets, sum.Bytes + n.Bytes}
	}
	return sums, nil
}

// decodeCounter reads the description of a rule: its chain, and what it has counted.
func decodeCounter(data []byte) (chain string, n Counter, err error) {
	if len(data) < 4 {
		return "", n, fmt.Errorf("%d bytes are no rule", len(data))
	}
	ad, err := netlink.NewAttributeDecoder(data[4:])
	if err != nil {
		return "", n, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_RULE_CHAIN:
			chain = ad.String()
		case unix.NFTA_RULE_EXPRESSIONS:
			ad.Nested(func(list *netlink.AttributeDecoder) error {
				for list.Next() {
					list.Nested(func(e *netlink.AttributeDecoder) error {
						decodeExpression(e, &n)
						return nil
					})
				}
				return nil
			})
		}
	}
	return chain, n, ad.Err()
}

// decodeExpression adds to n what the expression has counted, if it is a counter.
func decodeExpression(e *netlink.AttributeDecoder, n *Counter) {
	name := ""
	for e.Next() {
		switch e.Type() {
		case unix.NFTA_EXPR_NAME:
			name = e.String() // comes first
		case unix.NFTA_EXPR_DATA:
			if name != "counter" {
				continue
			}
			e.Nested(func(d *netlink.AttributeDecoder) error {
				d.ByteOrder = binary.BigEndian
				for d.Next() {
					switch d.Type() {
					case unix.NFTA_COUNTER_PACKETS:
						n.Packets += d.Uint64()
					case unix.NFTA_COUNTER_BYTES:
						n.Bytes += d.Uint64()
					}
				}
				return nil
			})
		}
	}
}
