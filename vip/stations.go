package vip

import (
	"bytes"
	"net"
	"net/netip"
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
	seen map[[6]byte]sighting
}

// sighting is the last that was heard of one station.
type sighting struct {
	at     time.Time
	direct time.Time  // the last frame for this node alone; zero: none
	addr   netip.Addr // the owner that it named
}

// Station is another station on the segment.
type Station struct {
	MAC  [6]byte
	Addr netip.Addr // what it last said it has; invalid: it said nothing
}

func (s *stations) note(f Frame) {
	if !isStation(f.Source) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[[6]byte]sighting)
	}
	key := [6]byte(f.Source)
	last, known := s.seen[key]
	if !known && len(s.seen) >= maxStations {
		s.forgetOldest()
	}
	if f.At.After(last.at) {
		last.at = f.At
	}
	if f.Direct && f.At.After(last.direct) {
		last.direct, last.addr = f.At, f.Owner
	}
	s.seen[key] = last
}

func (s *stations) forgetOldest() {
	var oldest [6]byte
	var when time.Time
	for mac, last := range s.seen {
		if when.IsZero() || last.at.Before(when) {
			oldest, when = mac, last.at
		}
	}
	delete(s.seen, oldest)
}

func (s *stations) direct(list []Station, since time.Time) []Station {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mac, last := range s.seen {
		if !last.direct.Before(since) && !last.direct.IsZero() {
			list = append(list, Station{mac, last.addr})
		}
	}
	return list
}

func (s *stations) count(now time.Time) (st Stations) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mac, last := range s.seen {
		if now.Sub(last.at) > stationMemory {
			delete(s.seen, mac)
			continue
		}
		st.Count++
		if last.at.After(st.Newest) {
			st.Newest = last.at
		}
	}
	return st
}

func (s *stations) heardOther(than net.HardwareAddr, since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for mac, last := range s.seen {
		if !last.at.Before(since) && !bytes.Equal(mac[:], than) {
			return true
		}
	}
	return false
}
