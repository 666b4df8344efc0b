package vip

import (
	"bytes"
	"net"
	"sync"
	"time"
)

// stationMemory is how long a station counts as there after its last frame.
const stationMemory = time.Minute

// maxStations bounds what is remembered; the one heard longest ago goes first.
const maxStations = 256

// Stations is what was heard of other stations on the segment.
type Stations struct {
	Count  int       // distinct hardware addresses heard within the last 60 s, at most 256
	Newest time.Time // when the kernel received the newest frame of any of them; zero: none
}

// stations remembers who sent ARP or NDP frames, and when last.
type stations struct {
	mu   sync.Mutex
	seen map[[6]byte]time.Time
}

func (s *stations) note(mac net.HardwareAddr, at time.Time) {
	if !isStation(mac) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[[6]byte]time.Time)
	}
	key := [6]byte(mac)
	if last, known := s.seen[key]; known && last.After(at) {
		return
	} else if !known && len(s.seen) >= maxStations {
		s.forgetOldest()
	}
	s.seen[key] = at
}

func (s *stations) forgetOldest() {
	var oldest [6]byte
	var when time.Time
	for mac, at := range s.seen {
		if when.IsZero() || at.Before(when) {
			oldest, when = mac, at
		}
	}
	delete(s.seen, oldest)
}

func (s *stations) count(now time.Time) (st Stations) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mac, at := range s.seen {
		if now.Sub(at) > stationMemory {
			delete(s.seen, mac)
			continue
		}
		st.Count++
		if at.After(st.Newest) {
			st.Newest = at
		}
	}
	return st
}

func (s *stations) heardOther(than net.HardwareAddr, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mac, at := range s.seen {
		if !at.Before(since) && !bytes.Equal(mac[:], than) {
			return true
		}
	}
	return false
}
