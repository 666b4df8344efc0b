package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxDrops bounds the rules, so that all of them fit one netlink message batch.
const maxDrops = 512

// A drop is a direction in which no frame passes: from one host to another, over whatever segments they share.
type drop struct{ from, to string }

// Drop makes the switches drop every frame from h to other, broadcasts too, and no other frame. It lasts over power losses.
// It needs a kernel with nftables' bridge family (CONFIG_NF_TABLES_BRIDGE).
func (h *Host) Drop(other *Host) error { return h.lab.setDrops(true, drop{h.name, other.name}) }

// Undrop undoes Drop.
func (h *Host) Undrop(other *Host) error { return h.lab.setDrops(false, drop{h.name, other.name}) }

// CutLink drops all frames between two hosts, both ways at the same instant; everything else stays whole.
func (h *Host) CutLink(other *Host) error {
	return h.lab.setDrops(true, drop{h.name, other.name}, drop{other.name, h.name})
}

// HealLink undoes CutLink, and Drop in either direction.
func (h *Host) HealLink(other *Host) error {
	return h.lab.setDrops(false, drop{h.name, other.name}, drop{other.name, h.name})
}

// setDrops changes the set and puts it in force, all or nothing.
func (l *Lab) setDrops(on bool, which ...drop) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	next := map[drop]bool{}
	for d := range l.drops {
		next[d] = true
	}
	for _, d := range which {
		if next[d] = on; !on {
			delete(next, d)
		}
	}
	if len(next) > maxDrops {
		return fmt.Errorf("lab: at most %d drops are allowed", maxDrops)
	}
	if err := l.sw.do(func() error { return commit(dropBatch(next)) }); err != nil {
		return fmt.Errorf("lab: drop frames (this needs a kernel with CONFIG_NF_TABLES_BRIDGE): %w", err)
	}
	l.drops = next
	return nil
}

const dropTable, dropChain = "lab", "forward"

// dropBatch replaces the table by
//
//	table bridge lab {
//		chain forward {
//			type filter hook forward priority 0
//			iifname "FROM.*" oifname "TO.*" drop     (one per drop)
//		}
//	}
func dropBatch(drops map[drop]bool) []*nl.NetlinkRequest {
	name := func(attr int, s string) *nl.RtAttr { return nl.NewRtAttr(attr, nl.ZeroTerminated(s)) }
	hook := nested(unix.NFTA_CHAIN_HOOK,
		nl.NewRtAttr(unix.NFTA_HOOK_HOOKNUM, be32(2)), // NF_BR_FORWARD
		nl.NewRtAttr(unix.NFTA_HOOK_PRIORITY, be32(0)))
	table := name(unix.NFTA_TABLE_NAME, dropTable)
	batch := []*nl.NetlinkRequest{
		nft(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, table), // so that the next one finds something
		nft(unix.NFT_MSG_DELTABLE, 0, table),
		nft(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, table),
		nft(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, name(unix.NFTA_CHAIN_TABLE, dropTable),
			name(unix.NFTA_CHAIN_NAME, dropChain), hook, name(unix.NFTA_CHAIN_TYPE, "filter")),
	}
	sorted := make([]drop, 0, len(drops))
	for d := range drops {
		sorted = append(sorted, d)
	}
	sort.Slice(sorted, func(i, j int) bool {
		return sorted[i].from < sorted[j].from || sorted[i].from == sorted[j].from && sorted[i].to < sorted[j].to
	})
	for _, d := range sorted {
		expressions := nested(unix.NFTA_RULE_EXPRESSIONS,
			meta(unix.NFT_META_IIFNAME), startsWith(d.from+"."),
			meta(unix.NFT_META_OIFNAME), startsWith(d.to+"."),
			dropIt())
		batch = append(batch, nft(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND,
			name(unix.NFTA_RULE_TABLE, dropTable), name(unix.NFTA_RULE_CHAIN, dropChain), expressions))
	}
	batch[len(batch)-1].Flags |= unix.NLM_F_ACK
	return batch
}

// meta loads a fact about the frame into register 1.
func meta(key uint32) *nl.RtAttr {
	return expression("meta", nl.NewRtAttr(unix.NFTA_META_KEY, be32(key)), nl.NewRtAttr(unix.NFTA_META_DREG, be32(unix.NFT_REG_1)))
}

// startsWith goes on only if register 1 begins with s.
func startsWith(s string) *nl.RtAttr {
	return expression("cmp",
		nl.NewRtAttr(unix.NFTA_CMP_SREG, be32(unix.NFT_REG_1)),
		nl.NewRtAttr(unix.NFTA_CMP_OP, be32(unix.NFT_CMP_EQ)),
		nested(unix.NFTA_CMP_DATA, nl.NewRtAttr(unix.NFTA_DATA_VALUE, []byte(s))))
}

func dropIt() *nl.RtAttr {
	verdict := nested(unix.NFTA_DATA_VERDICT, nl.NewRtAttr(unix.NFTA_VERDICT_CODE, be32(0))) // NF_DROP
	return expression("immediate",
		nl.NewRtAttr(unix.NFTA_IMMEDIATE_DREG, be32(unix.NFT_REG_VERDICT)),
		nested(unix.NFTA_IMMEDIATE_DATA, verdict))
}

func expression(name string, attrs ...*nl.RtAttr) *nl.RtAttr {
	return nested(unix.NFTA_LIST_ELEM, nl.NewRtAttr(unix.NFTA_EXPR_NAME, nl.ZeroTerminated(name)), nested(unix.NFTA_EXPR_DATA, attrs...))
}

func nested(attr int, children ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(attr|unix.NLA_F_NESTED, nil)
	for _, c := range children {
		a.AddChild(c)
	}
	return a
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// nft is one message of a batch, for the bridge family.
func nft(kind, flags int, attrs ...*nl.RtAttr) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags)
	r.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_BRIDGE})
	for _, a := range attrs {
		r.AddData(a)
	}
	return r
}

// commit sends a batch, which takes effect as a whole or not at all, and waits for the answer to its last message.
func commit(batch []*nl.NetlinkRequest) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(askLimit.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	edge := func(kind int) []byte {
		r := nl.NewNetlinkRequest(kind, 0)
		r.AddData(&nl.Nfgenmsg{ResId: binary.NativeEndian.Uint16([]byte{0, unix.NFNL_SUBSYS_NFTABLES})})
		return r.Serialize()
	}
	data := edge(unix.NFNL_MSG_BATCH_BEGIN)
	for _, r := range batch {
		data = append(data, r.Serialize()...)
	}
	data = append(data, edge(unix.NFNL_MSG_BATCH_END)...)
	if err := unix.Sendto(fd, data, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil {
		return err
	}
	// The first answer is the first error, or else the acknowledgement.
	if len(messages) == 0 || messages[0].Header.Type != unix.NLMSG_ERROR || len(messages[0].Data) < 4 {
		return errors.New("nftables answered something unexpected")
	}
	if e := -int32(binary.NativeEndian.Uint32(messages[0].Data)); e != 0 {
		return syscall.Errno(e)
	}
	return nil
}
