package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/tandem-lb/tandem/internal/nft"
)

// ReleaseAll clears the calling thread's network namespace of what a Tandem that is gone
// left: every nftables table of ours, so that the kernel answers for its addresses again
// (a VIP of keepalived, say, would stay mute), and those of the given addresses that stand
// on an interface as a Claimer puts them there, with a lease. It goes on after an error,
// returns what it did, a line each, and may be repeated. A table which a running process
// owns stays, and is an error.
func ReleaseAll(ctx context.Context, vips ...netip.Addr) (did []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	did, tablesErr := removeTables()
	removed, addrsErr := removeLeased(vips)
	if err := errors.Join(tablesErr, addrsErr); err != nil {
		return append(did, removed...), fmt.Errorf("vip: release: %w", err)
	}
	return append(did, removed...), nil
}

func removeTables() (did []string, err error) {
	conn, err := nft.Open()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	tables, err := conn.Tables()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, t := range tables {
		if !strings.HasPrefix(t.Name, tablePrefix) {
			continue
		}
		switch err := conn.Remove(t.Family, t.Name); {
		case errors.Is(err, nft.ErrOwned):
			errs = append(errs, fmt.Errorf("nftables table %s %s: %w; stop tandem first", t.Family, t.Name, err))
		case err != nil:
			errs = append(errs, fmt.Errorf("nftables table %s %s: %w", t.Family, t.Name, err))
		default:
			did = append(did, fmt.Sprintf("removed nftables table %s %s", t.Family, t.Name))
		}
	}
	return did, errors.Join(errs...)
}
