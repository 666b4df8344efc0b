package doctor

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestSocketsThatListenAreFoundWithTheirProcess(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := netip.MustParseAddrPort(l.Addr().String())
	all := listenersHere()
	i := slices.IndexFunc(all, func(l Listener) bool { return l.Network == "tcp" && l.Addr == want })
	if i < 0 || all[i].Process == "" {
		t.Errorf("%v is not among %v, or without its process", want, all)
	}
}

func TestTablesOfTheKernelAreRead(t *testing.T) {
	got := parseSockets("tcp6", `  sl  local_address  remote_address st tx rx tr tm retr uid timeout inode
   0: 00000000000000000000000001000000:1F0A 00000000000000000000000000000000:0000 0A 0 0 0 0 0 77 1
   1: 0100007F:0050 0200007F:0051 01 0 0 0 0 0 78 1
   2: nonsense:1F0A 0:0 0A 0 0 0 0 0 79 1
`)
	if len(got) != 1 || got[0].addr != netip.MustParseAddrPort("[::1]:7946") || got[0].inode != "77" || got[0].network != "tcp" {
		t.Errorf("read %+v", got)
	}
	const routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth1\t002AA8C0\t0\t1\t0\t0\t0\t00FFFFFF\neth0\t00000000\t010000A0\t3\t0\t0\t0\t00000000\n"
	if got := defaultInterface(routes); got != "eth0" {
		t.Errorf("the default route leaves by %q", got)
	}
}
