package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// link is one connection to the collector.
type link struct {
	conn   net.Conn
	framed bool       // each message with its length in front
	broken chan error // the collector has closed, or the connection is lost; capacity 1
	reader sync.WaitGroup
	stop   func() bool
}

// connect makes a link, which is cut when sending ends.
func (s *Sender) connect(sending context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(sending, dialTimeout)
	defer cancel()
	var (
		conn net.Conn
		err  error
	)
	switch s.cfg.Network {
	case "tls":
		conn, err = (&tls.Dialer{Config: s.cfg.TLS}).DialContext(ctx, "tcp", s.cfg.Address)
	default:
		conn, err = (&net.Dialer{}).DialContext(ctx, s.cfg.Network, s.cfg.Address)
	}
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, framed: s.cfg.Network != "udp", broken: make(chan error, 1)}
	l.stop = context.AfterFunc(sending, func() { conn.Close() })
	if l.framed {
		l.reader.Go(func() {
			// A collector says nothing: what comes is the end, and messages written after it would be lost.
			_, err := io.Copy(io.Discard, conn)
			if err == nil {
				err = errors.New("the collector has closed the connection")
			}
			l.broken <- err
		})
	}
	return l, nil
}

// send writes one message. That a UDP receiver is not there is news about an earlier message.
func (l *link) send(message []byte) error {
	select {
	case err := <-l.broken:
		return err
	default:
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if l.framed {
		message = append(fmt.Appendf(nil, "%d ", len(message)), message...)
	}
	_, err := l.conn.Write(message)
	if !l.framed && errors.Is(err, syscall.ECONNREFUSED) {
		_, err = l.conn.Write(message)
	}
	return err
}

func (l *link) close() {
	l.stop()
	l.conn.Close()
	l.reader.Wait()
}
