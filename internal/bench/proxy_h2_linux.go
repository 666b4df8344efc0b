package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

const h2loadPath = "/usr/bin/h2load"

// h2loadSaid is where h2load says how it went: all, those that failed, and those with a good status.
var (
	h2loadRequests = regexp.MustCompile(`(?m)^requests: (\d+) total, .* (\d+) succeeded, (\d+) failed`)
	h2loadGood     = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx`)
)

// h2load does the measurement by that program, which nghttp2 comes with. What the proxy spent is of the whole run, its
// few handshakes included.
func (l *loader) h2load() (ProxyTrial, error) {
	path := "/"
	if l.mode == loadBig {
		path = "/big"
	}
	lasts := max(time.Second, l.time).Round(time.Second)                        // it counts in seconds
	ctx, cancel := context.WithTimeout(context.Background(), lasts+time.Minute) // it waits for ever where HTTP/2 is not spoken
	defer cancel()
	before, began := spentBy(l.pid), time.Now()
	out, err := exec.CommandContext(ctx, h2loadPath, "-t1", "-c", strconv.Itoa(l.conns), "-m", strconv.Itoa(l.h2),
		"-D", strconv.Itoa(int(lasts/time.Second)), "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--connect-to="+l.addr,
		"https://"+net.JoinHostPort("bench.example", "443")+path).CombinedOutput()
	after, took := spentBy(l.pid), time.Since(began)
	if err != nil {
		return ProxyTrial{}, fmt.Errorf("h2load: %w: %s", err, out)
	}
	all, good := h2loadRequests.FindSubmatch(out), h2loadGood.FindSubmatch(out)
	if all == nil || good == nil {
		return ProxyTrial{}, fmt.Errorf("h2load says %s", out)
	}
	n, failed := number(good[1]), number(all[3])
	t := ProxyTrial{Requests: n, Failed: failed + number(all[2]) - n, PerS: float64(n) / took.Seconds()}
	if n == 0 {
		return t, fmt.Errorf("nothing was answered: %s", out)
	}
	one, whole := before.cpuTo(after)
	per := float64(time.Microsecond) * float64(n)
	if l.mode == loadBig {
		per = float64(time.Second) * float64(n) * bigBody / 1e9
	}
	t.Value, t.Whole = float64(one)/per, float64(whole)/per
	return t, nil
}

func number(b []byte) int {
	n, _ := strconv.Atoi(string(b)) // it is of digits
	return n
}
