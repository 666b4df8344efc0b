package nft

import (
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// commitTimeout bounds the kernel's answer to one batch. It commits in about a millisecond.
const commitTimeout = 2 * time.Second

// Errors to branch on.
var (
	// ErrUnsupported says that this kernel lacks the family, an expression, or a flag.
	ErrUnsupported = errors.New("this kernel's nftables cannot do it")
	// ErrOwned says that the table belongs to somebody else.
	ErrOwned = errors.New("the table belongs to another process")
	// ErrNotFound says that there is no such table.
	ErrNotFound = errors.New("no such table")
)

// Conn is a netlink socket. Tables that it makes with Owned are its own.
type Conn struct {
	nl   *netlink.Conn
	port uint32 // by which the kernel knows the socket
}

// Open makes a Conn in the calling thread's network namespace, which it keeps. Commit needs
// CAP_NET_ADMIN there.
func Open() (*Conn, error) {
	nl, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("nft: open netlink: %w", explain(err))
	}
	port, err := portOf(nl)
	if err != nil {
		nl.Close()
		return nil, fmt.Errorf("nft: open netlink: %w", err)
	}
	return &Conn{nl, port}, nil
}

func portOf(nl *netlink.Conn) (port uint32, err error) {
	raw, err := nl.SyscallConn()
	if err != nil {
		return 0, err
	}
	var sa unix.Sockaddr
	var nameErr error
	if err := raw.Control(func(fd uintptr) { sa, nameErr = unix.Getsockname(int(fd)) }); err != nil {
		return 0, err
	}
	if own, ok := sa.(*unix.SockaddrNetlink); ok {
		port = own.Pid
	}
	return port, nameErr
}

// Close closes the socket; owned tables that are not persistent go with it.
func (c *Conn) Close() error { return c.nl.Close() }

// Commit makes the kernel carry out the batch as one transaction. On any error nothing of it
// has happened.
func (c *Conn) Commit(b *Batch) error {
	if b.err != nil {
		return b.err
	}
	if len(b.msgs) == 0 {
		return nil
	}
	edge := func(kind int) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
			Data:   genmsg(unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES),
		}
	}
	msgs := append([]netlink.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}, b.msgs...)
	msgs = append(msgs, edge(unix.NFNL_MSG_BATCH_END))
	if err := c.nl.SetDeadline(time.Now().Add(commitTimeout)); err != nil {
		return fmt.Errorf("nft: %w", err)
	}
	if _, err := c.nl.SendMessages(msgs); err != nil {
		return fmt.Errorf("nft: send batch: %w", explain(err))
	}
	// One acknowledgement for each command. After an error no others need follow.
	for acks := 0; acks < len(b.msgs); {
		got, err := c.nl.Receive()
		if err != nil {
			c.discard()
			return fmt.Errorf("nft: commit: %w", explain(err))
		}
		acks += len(got)
	}
	return nil
}

// discard reads what is left of the answers to a batch that has failed, so that it is not
// taken for the answer to the next one.
func (c *Conn) discard() {
	c.nl.SetDeadline(time.Now().Add(10 * time.Millisecond))
	for range 1024 {
		if _, err := c.nl.Receive(); err != nil && errors.Is(err, unix.EAGAIN) || isTimeout(err) {
			return
		}
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// explain gives the usual errors their names.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EPROTONOSUPPORT):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (or CAP_NET_ADMIN is missing): %w", ErrOwned, err)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// Remove deletes a table if it is there. A table of the same name that another process
// owns stays, and is ErrOwned.
func (c *Conn) Remove(f Family, name string) error {
	var b Batch
	b.Delete(f, name)
	if err := c.Commit(&b); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}
