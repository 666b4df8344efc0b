package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	// settled is how long all has been well before: a backup bears the silence of an active that it has
	// just met for longer.
	settled = 5 * time.Second
	// waiting clients ask for something that takes long when the active loses its power.
	waiting = 20
	// waitingTold is how long the peer has to learn who they are.
	waitingTold = 2 * time.Second
	// waitingMax is how long a client waits before it gives up by itself: HAProxy's usual timeout is longer.
	waitingMax = 15 * time.Second
)

// crash has clients wait for an answer, takes the active's power, and notes when each has
// connected again and got an answer.
func crash(p *planner) error {
	if err := p.rest(settled); err != nil {
		return err
	}
	active, err := p.onlyActive()
	if err != nil {
		return err
	}
	back := make(chan time.Duration, waiting)
	for range waiting {
		c, err := p.ask("/slow?ms=60000")
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_, err := http.ReadResponse(bufio.NewReader(c), nil)
			var slow net.Error
			if errors.As(err, &slow) && slow.Timeout() {
				back <- 0
				return
			}
			back <- p.again()
		}()
	}
	if err := p.rest(waitingTold); err != nil {
		return err
	}
	if err := p.movedTo(p.other(active), active.powerOff); err != nil {
		return err
	}
	for range waiting {
		if at := <-back; at == 0 {
			p.r.Hung++
		} else {
			p.r.BackMS = append(p.r.BackMS, millis(max(0, at-p.movedAt)))
		}
	}
	return nil
}

// ask begins a request on a new connection.
func (p *planner) ask(path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	to := netip.AddrPortFrom(vip, sitePort)
	c, err := p.client.Dial(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(waitingMax))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, to); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// again connects until an answer has come, and returns when that was, 0 for never.
func (p *planner) again() time.Duration {
	for end := time.Now().Add(waitingMax); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c, err := p.ask("/")
		if err != nil {
			continue
		}
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
		c.Close()
		if err == nil {
			return p.log.Now()
		}
	}
	return 0
}
