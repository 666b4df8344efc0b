package nft

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tableOwner is NFTA_TABLE_OWNER of linux/netfilter/nf_tables.h; golang.org/x/sys lacks it.
const tableOwner = 7

// Table is a table as the kernel describes it.
type Table struct {
	Family Family
	Name   string
	Flags  TableFlags
	Owner  uint32 // netlink port of the Conn that owns it; 0: nobody
}

// Tables lists all tables of all families. It needs CAP_NET_ADMIN.
func (c *Conn) Tables() ([]Table, error) {
	msgs, err := c.dump(unix.NFT_MSG_GETTABLE, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("nft: list tables: %w", explain(err))
	}
	var tables []Table
	for _, m := range msgs {
		if t, err := decodeTable(m.Data); err == nil {
			tables = append(tables, t)
		}
	}
	return tables, nil
}

// Rules returns how many rules a table has; 0 too if there is none.
func (c *Conn) Rules(f Family, table string) (int, error) {
	msgs, err := c.dump(unix.NFT_MSG_GETRULE, f, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_RULE_TABLE, table)
	})
	if err != nil {
		return 0, fmt.Errorf("nft: list rules: %w", explain(err))
	}
	return len(msgs), nil
}

// Owns reports whether the table belongs to this Conn.
func (c *Conn) Owns(t Table) bool { return t.Owner != 0 && t.Owner == c.port }

func (c *Conn) dump(kind int, f Family, fill func(*netlink.AttributeEncoder)) ([]netlink.Message, error) {
	ae := netlink.NewAttributeEncoder()
	if fill != nil {
		fill(ae)
	}
	attrs, err := ae.Encode()
	if err != nil {
		return nil, err
	}
	if err := c.nl.SetDeadline(time.Now().Add(commitTimeout)); err != nil {
		return nil, err
	}
	return c.nl.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | netlink.Dump,
		},
		Data: append(genmsg(uint8(f), 0), attrs...),
	})
}

// decodeTable reads the description of a table.
func decodeTable(data []byte) (t Table, err error) {
	if len(data) < 4 {
		return t, fmt.Errorf("nft: %d bytes are no table", len(data))
	}
	ad, err := netlink.NewAttributeDecoder(data[4:])
	if err != nil {
		return t, err
	}
	ad.ByteOrder = binary.BigEndian
	t.Family = Family(data[0])
	for ad.Next() {
		switch ad.Type() {
		case unix.NFTA_TABLE_NAME:
			t.Name = ad.String()
		case unix.NFTA_TABLE_FLAGS:
			t.Flags = TableFlags(ad.Uint32())
		case tableOwner:
			t.Owner = ad.Uint32()
		}
	}
	return t, ad.Err()
}
