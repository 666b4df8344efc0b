package nft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// groupTables is NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h: every change of every table.
const groupTables = 7

// Watcher hears of changes in one network namespace's nftables.
type Watcher struct{ nl *netlink.Conn }

// NewWatcher begins to listen in the calling thread's network namespace: what changes from
// now on is not missed. Run or Close must follow.
func NewWatcher() (*Watcher, error) {
	nl, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("nft: watch: %w", explain(err))
	}
	if err := nl.JoinGroup(groupTables); err != nil {
		nl.Close()
		return nil, fmt.Errorf("nft: watch: %w", explain(err))
	}
	return &Watcher{nl}, nil
}

// Close ends the Watcher; a Run under way returns.
func (w *Watcher) Close() error { return w.nl.Close() }

// Run calls deleted, with "" when news were lost, whenever a table has gone, or a chain or a
// rule of it, until ctx ends or the Watcher is closed. It closes the Watcher. What is replaced
// within one batch is news as well: look before you mend.
func (w *Watcher) Run(ctx context.Context, deleted func(f Family, table string)) error {
	stop := context.AfterFunc(ctx, func() { w.nl.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer w.nl.Close()
	for {
		msgs, err := w.nl.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			deleted(0, "")
			continue
		case err != nil:
			return fmt.Errorf("nft: watch: %w", err)
		}
		for _, m := range msgs {
			if f, name, ok := deletedTable(m); ok {
				deleted(f, name)
			}
		}
	}
}

// deletedTable reads a message about something that has gone: the table it was of.
func deletedTable(m netlink.Message) (Family, string, bool) {
	switch m.Header.Type {
	case unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELTABLE,
		unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELCHAIN,
		unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELRULE:
	default:
		return 0, "", false
	}
	if len(m.Data) < 4 {
		return 0, "", false
	}
	ad, err := netlink.NewAttributeDecoder(m.Data[4:])
	if err != nil {
		return 0, "", false
	}
	for ad.Next() {
		if ad.Type() == unix.NFTA_TABLE_NAME { // likewise NFTA_CHAIN_TABLE and NFTA_RULE_TABLE
			return Family(m.Data[0]), ad.String(), ad.Err() == nil
		}
	}
	return 0, "", false
}
