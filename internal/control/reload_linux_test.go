package control

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/ipc"
)

func TestAReloadBringsWholePoolsAndBackendsThatGetNoRequestYet(t *testing.T) {
	now := &ipc.Pools{Pools: []ipc.PoolBackends{
		{Name: "web", Backends: []ipc.Backend{backend("a", false), backend("b", true)}},
		{Name: "goes", Backends: []ipc.Backend{backend("g", false)}},
	}}
	coming := &ipc.Pools{Pools: []ipc.PoolBackends{
		{Name: "api", Backends: []ipc.Backend{backend("x", false)}},
		{Name: "web", Backends: []ipc.Backend{backend("b", false), backend("c", false)}},
	}}
	want := &ipc.Pools{Reload: 7, Pools: []ipc.PoolBackends{
		{Name: "web", Backends: []ipc.Backend{backend("a", false), backend("b", true), backend("c", true)}},
		{Name: "goes", Backends: []ipc.Backend{backend("g", false)}},
		{Name: "api", Backends: []ipc.Backend{backend("x", false)}},
	}}
	same := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, reloadLists(now, coming, 7), same); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	if len(now.Pools) != 2 || len(now.Pools[0].Backends) != 2 {
		t.Error("the lists in effect were changed")
	}
}
