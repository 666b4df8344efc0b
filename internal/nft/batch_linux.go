package nft

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Family is a place where packets are looked at.
type Family uint8

// The families in use.
const (
	ARP    Family = unix.NFPROTO_ARP
	IPv6   Family = unix.NFPROTO_IPV6
	Bridge Family = unix.NFPROTO_BRIDGE
	Netdev Family = unix.NFPROTO_NETDEV
)

// String returns nft's word for the family.
func (f Family) String() string {
	switch f {
	case ARP:
		return "arp"
	case IPv6:
		return "ip6"
	case Bridge:
		return "bridge"
	case Netdev:
		return "netdev"
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_INET:
		return "inet"
	}
	return fmt.Sprintf("family-%d", uint8(f))
}

// Hooks, each of its family.
const (
	HookARPIn         = 0 // NF_ARP_IN, linux/netfilter_arp.h
	HookARPOut        = 1
	HookIn            = unix.NF_INET_LOCAL_IN
	HookOut           = unix.NF_INET_LOCAL_OUT
	HookBridgeForward = 2 // NF_BR_FORWARD
	HookIngress       = unix.NF_NETDEV_INGRESS
)

// TableFlags say how long a table lives.
type TableFlags uint32

// The flags of linux/netfilter/nf_tables.h; golang.org/x/sys lacks them.
const (
	Owned      TableFlags = 2 // NFT_TABLE_F_OWNER, Linux 5.12: goes with the Conn that made it
	Persistent TableFlags = 4 // NFT_TABLE_F_PERSIST, Linux 6.9: stays all the same, free for a new owner
)

// Chain is a list of rules that hangs on a hook.
type Chain struct {
	Name     string
	Hook     uint32
	Priority int32
	Device   string // of the netdev family
}

// Batch is a list of commands. The zero value is empty and ready. It keeps the first error
// for Commit.
type Batch struct {
	msgs []netlink.Message
	err  error
}

// Table adds a table. It is no error if it exists with the same flags.
func (b *Batch) Table(f Family, name string, flags TableFlags) {
	b.add(f, unix.NFT_MSG_NEWTABLE, netlink.Create, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_TABLE_NAME, name)
		ae.Uint32(unix.NFTA_TABLE_FLAGS, uint32(flags))
	})
}

// Delete removes a table with all that is in it. It is an error if there is none.
func (b *Batch) Delete(f Family, name string) {
	b.add(f, unix.NFT_MSG_DELTABLE, 0, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_TABLE_NAME, name)
	})
}

// Flush removes all rules of a table and leaves it and its chains.
func (b *Batch) Flush(f Family, name string) {
	b.add(f, unix.NFT_MSG_DELRULE, 0, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_RULE_TABLE, name)
	})
}

// Chain adds a chain that accepts what no rule of it decides.
func (b *Batch) Chain(f Family, table string, c Chain) {
	b.add(f, unix.NFT_MSG_NEWCHAIN, netlink.Create, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_CHAIN_TABLE, table)
		ae.String(unix.NFTA_CHAIN_NAME, c.Name)
		ae.String(unix.NFTA_CHAIN_TYPE, "filter")
		ae.Nested(unix.NFTA_CHAIN_HOOK, func(ae *netlink.AttributeEncoder) error {
			ae.ByteOrder = binary.BigEndian
			ae.Uint32(unix.NFTA_HOOK_HOOKNUM, c.Hook)
			ae.Int32(unix.NFTA_HOOK_PRIORITY, c.Priority)
			if c.Device != "" {
				ae.String(unix.NFTA_HOOK_DEV, c.Device)
			}
			return nil
		})
	})
}

// Rule adds a rule at the end of a chain.
func (b *Batch) Rule(f Family, table, chain string, parts ...Part) {
	b.add(f, unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_RULE_TABLE, table)
		ae.String(unix.NFTA_RULE_CHAIN, chain)
		ae.Nested(unix.NFTA_RULE_EXPRESSIONS, func(ae *netlink.AttributeEncoder) error {
			for _, part := range parts {
				for _, e := range part {
					data, err := e.encode(f)
					if err != nil {
						return fmt.Errorf("expression %T: %w", e, err)
					}
					ae.Bytes(unix.NLA_F_NESTED|unix.NFTA_LIST_ELEM, data)
				}
			}
			return nil
		})
	})
}

// add appends one command.
func (b *Batch) add(f Family, kind int, flags netlink.HeaderFlags, fill func(*netlink.AttributeEncoder)) {
	ae := netlink.NewAttributeEncoder()
	ae.ByteOrder = binary.BigEndian
	fill(ae)
	attrs, err := ae.Encode()
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("nft: encode command: %w", err)
	}
	b.msgs = append(b.msgs, netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | netlink.Acknowledge | flags,
		},
		Data: append(genmsg(uint8(f), 0), attrs...),
	})
}

// genmsg is struct nfgenmsg, in front of every command.
func genmsg(family uint8, resource uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
}
