package lbcore

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
)

var errAborted = errors.New("given up")

// TLSCounters only grow.
type TLSCounters struct {
	Handshakes uint64 // completed
	Resumed    uint64 // of them: by a ticket
	Failed     TLSFailures
}

// TLSFailures counts handshakes that failed, by reason.
type TLSFailures struct {
	Timeout     uint64 // took longer than it may
	Gone        uint64 // the client went away
	NotTLS      uint64 // the client speaks something else
	NoCommon    uint64 // no version, cipher, key exchange or protocol that both have
	UnknownName uint64 // no certificate is for the name that the client asks for (StrictSNI)
	Certificate uint64 // the client has none, or a bad one
	Refused     uint64 // the client did not like ours, or says no for another reason
	Other       uint64
}

// Total is the sum of all.
func (f TLSFailures) Total() uint64 {
	return f.Timeout + f.Gone + f.NotTLS + f.NoCommon + f.UnknownName + f.Certificate + f.Refused + f.Other
}

// tlsCounts are written by one loop.
type tlsCounts struct {
	handshakes, resumed                                                           atomic.Uint64
	timeout, gone, notTLS, noCommon, unknownName, certificate, refused, otherwise atomic.Uint64
}

func (c *TLSCounters) add(n *tlsCounts) {
	c.Handshakes += n.handshakes.Load()
	c.Resumed += n.resumed.Load()
	c.Failed.Timeout += n.timeout.Load()
	c.Failed.Gone += n.gone.Load()
	c.Failed.NotTLS += n.notTLS.Load()
	c.Failed.NoCommon += n.noCommon.Load()
	c.Failed.UnknownName += n.unknownName.Load()
	c.Failed.Certificate += n.certificate.Load()
	c.Failed.Refused += n.refused.Load()
	c.Failed.Other += n.otherwise.Load()
}

// failed counts a handshake that failed with err.
func (n *tlsCounts) failed(err error) {
	if reason := n.reason(err); reason != nil {
		reason.Add(1)
	}
}

// noCommonTexts are what crypto/tls says, which has no types for it, when client and
// server have nothing in common. A test has it say each.
var noCommonTexts = []string{
	"unsupported versions", "no cipher suite supported", "no key exchanges supported",
	"unsupported application protocols", "no supported signature", "none of the supported signature",
	"incompatible point formats",
}

// reason returns the counter for err; nil for one that was counted when it was aborted.
func (n *tlsCounts) reason(err error) *atomic.Uint64 {
	var (
		header tls.RecordHeaderError
		verify *tls.CertificateVerificationError
		op     *net.OpError
		errno  syscall.Errno
	)
	text := err.Error()
	switch {
	case errors.Is(err, errAborted):
		return nil
	case strings.Contains(text, "no certificates configured"):
		return &n.unknownName
	case errors.As(err, &header):
		return &n.notTLS
	case errors.As(err, &verify), strings.Contains(text, "client didn't provide a certificate"), strings.Contains(text, "client certificate"):
		return &n.certificate
	case errors.As(err, &op) && op.Op == "remote error":
		return &n.refused
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &errno):
		return &n.gone
	}
	for _, t := range noCommonTexts {
		if strings.Contains(text, t) {
			return &n.noCommon
		}
	}
	return &n.otherwise
}
