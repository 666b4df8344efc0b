package syslog

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Severities of RFC 5424, 6.2.1, table 2.
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// ownName is APP-NAME of what the sender itself has to say.
const ownName = "tandem-agent"

// encode returns the message as RFC 5424, 6 has it, version 1, without structured data.
func (s *Sender) encode(m Message) []byte {
	severity := severityInfo
	switch {
	case m.App == ownName:
		severity = severityWarning
	case m.Failing:
		severity = severityError
	}
	pid := "-"
	if m.PID > 0 {
		pid = strconv.Itoa(m.PID)
	}
	b := fmt.Appendf(nil, "<%d>1 %s %s %s %s - - ", 8*s.cfg.Facility+severity,
		m.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), word(s.cfg.Host, 255), word(m.App, 48), pid)
	b = append(b, text(m.Text)...)
	if s.cfg.Network == "udp" && len(b) > maxDatagram {
		b = bytes.ToValidUTF8(b[:maxDatagram], nil) // a letter may be cut in two
	}
	return b
}

// word makes a header field of at most max bytes: printable ASCII without spaces, or "-" for none.
func word(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), max)]
}

// text makes a MSG that no collector trips over: UTF-8, and without the controls that end a line for some.
func text(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// dropNotice tells the collector what it will never see.
func dropNotice(n uint64) Message {
	return Message{Time: time.Now(), App: ownName, Text: fmt.Sprintf("%d lines were dropped, since this collector did not take them in time", n)}
}
