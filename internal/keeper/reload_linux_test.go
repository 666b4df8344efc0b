package keeper

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/ipc"
)

// told is all that a configuration makes the keeper and its children do, as they are told.
func told(t *testing.T, c *config.Config) string {
	t.Helper()
	control := controlStart(c, "v", int(c.Log.Level))
	control.ConfigHash = "" // it changes with everything
	b, err := json.Marshal([]any{
		control, proxyStart(c, 1, int(c.Log.Level)), c.Proxy, c.Log, c.Cluster.BalancerKeys, c.Tracks, runnerStarts(c, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	groups := ""
	for _, g := range groupConfigs(c) {
		groups += fmt.Sprintf("%d %v %v\n", g.election.Priority, g.election.Preempt, g.election.DrainDeadline)
	}
	return string(b) + groups
}

// others are values that differ from the reference's, where the kind of value does not suggest one.
var others = map[string]string{
	"join":     `["192.168.42.13"]`,
	"backends": `["10.0.0.22:3000"]`, "allow": `["192.168.43.0/24"]`, "allow_tags": `["zone=b"]`, "speak_for": `["192.168.44.0/24"]`,
	"cookie": `"other"`, "same_site": `"strict"`, "max_age": `"2h"`, "pool.web.protocol": "", "backup_tags": `["role=other"]`, "pool.cache.policy": "", "hash_on": `"header:X-Tenant"`,
	"pool": `"api"`, "listen": `":81"`, "pool.web.policy": `"leastconn"`, "cluster.policy": "", "pool.web.check.status": `"200-299"`, "level": `"debug"`,
	"gossip_key_file": `"other.key"`, "balancer_key_file": `"third.key"`, "status_hosts": `["other.example"]`, "admin_token_file": `"other.key"`, "claim": `"hook"` + "\nhook = [\"/bin/move\"]", "hook": "",
	"mode": "", "sni_pools": "", "send_proxy": `"v2"`, "ca_file": `"other.pem"`, "certificate": `"other.pem"`, "pool.web.tls.verify": "", "frontend.tls.min_version": `"1.3"`, "server_name": `"other.example"`,
	"redirect": "", "response_headers": `["X-A: b"]`, "certificates": `["other.pem"]`, "client_ca_file": `"other.pem"`,
	"ciphers": `["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`, "min_version": `"1.3"`,
	"address": `"192.168.42.43"`, "advertise": `"192.168.42.13"`, "gossip": `":7950"`, "tcp": "", "command": `["/bin/true"]`,
	"frontend.rule.host": `["other.example"]`, "method": `["POST"]`, "frontend.rule.path": "", "path_prefix": `["/other"]`, "header": `["X-Other"]`,
	"frontend.rule.redirect": `"/other"`, "frontend.rule.status": "307",
	"set_request_headers": `["X-Other: b"]`, "add_request_headers": `["X-Other: b"]`, "remove_request_headers": `["X-Other"]`,
	"set_response_headers": `["X-Other: b"]`, "add_response_headers": `["X-Other: b"]`, "remove_response_headers": `["X-Other"]`,
	"error_pages": `["502=sorry.html"]`, "source_rate": `"7/m burst 9"`, "h2c": "",
	"pool.web.check.grpc": "", "pool.rpc.check.grpc": "", "pool.redis.check.tls": "", "pool.web.check.method": `"POST"`, "headers": `["X-Other: b"]`,
	"hook.events": `["active"]`, "serf_tags": "", "template.check": `["/bin/test", "{file}"]`, "reload": `["/bin/other"]`,
}

var (
	keyLine = regexp.MustCompile(`^([a-z0-9_]+) = (.*)$`)
	number  = regexp.MustCompile(`^[0-9]+$`)
	span    = regexp.MustCompile(`^"[0-9]`)
)

// another returns another good value for a key; "" where the other keys leave none.
func another(section, key, value string) string {
	for _, name := range []string{section + "." + key, key} {
		if v, known := others[name]; known {
			return v
		}
	}
	switch {
	case strings.HasPrefix(value, "["):
		return `["192.168.45.0/24"]`
	case strings.HasPrefix(value, `":`):
		return `":1999"`
	case strings.HasPrefix(value, `"/`):
		return `"/other"`
	case value == "true":
		return "false"
	case value == "false":
		return "true"
	case number.MatchString(value):
		n, _ := strconv.Atoi(value)
		return strconv.Itoa(n + 1)
	case span.MatchString(value):
		return `"1100ms"`
	}
	return `"other"`
}

func loadReference(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	c, err := config.Parse("reference.toml", []byte(text), func(name string) ([]byte, error) {
		if strings.HasSuffix(name, ".pem") {
			return pemOf(t, name), nil
		}
		key := slices.Repeat([]byte(name), 8)[:32]
		return []byte(base64.StdEncoding.EncodeToString(key)), nil
	})
	if err != nil {
		return nil, err
	}
	return c, c.Apply(config.Overrides{Name: "lb1"})
}

// A key that is new in reference.toml must either reach somebody by a reload or be refused by
// its name; nothing may be taken as if it were in effect and have none.
func TestEachKeyIsBroughtIntoEffectByAReloadOrRefusedByName(t *testing.T) {
	base := config.Reference + "\n[pool.api]\n"
	old, err := loadReference(t, base)
	if err != nil {
		t.Fatal(err)
	}
	lines, section, tried := strings.Split(base, "\n"), "", 0
	for i, line := range lines {
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		}
		m := keyLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		value := another(section, m[1], m[2])
		if value == "" {
			continue
		}
		t.Run(section+"."+m[1], func(t *testing.T) {
			with := func(value string) (*config.Config, error) {
				text := strings.Join(slices.Concat(lines[:i], []string{m[1] + " = " + value}, lines[i+1:]), "\n")
				if m[1] == "claim" {
					text = strings.Replace(text, "hook = []\n", "", 1)
				}
				if m[1] == "min_version" {
					text = regexp.MustCompile("(?m)^ciphers = .*$").ReplaceAllString(text, "")
				}
				return loadReference(t, text)
			}
			c, err := with(value)
			if err != nil { // it may name the words that are good
				if _, known, ok := strings.Cut(err.Error(), "known here: "); ok {
					words := strings.FieldsFunc(known, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
					words = slices.DeleteFunc(words, func(w string) bool { return strconv.Quote(w) == m[2] })
					c, err = with(strconv.Quote(words[0]))
				}
			}
			if err != nil {
				t.Fatalf("%s = %s is no good other value; give this test one (others): %v", m[1], value, err)
			}
			changes := config.Diff(old, c)
			if len(changes) == 0 {
				t.Fatalf("a reload does not see that %s changed from %s to %s", m[1], m[2], value)
			}
			live := !slices.ContainsFunc(changes, func(c config.Change) bool { return !c.Live })
			if live && told(t, old) == told(t, c) {
				t.Errorf("%s is tagged as live in internal/config, but nobody is told of it: %v", m[1], changes)
			}
			t.Log(changes, "live:", live)
		})
		tried++
	}
	if tried < 45 {
		t.Errorf("only %d keys were tried", tried)
	}
}

// reloading begins a reload from one text to another, as ordered by 9, and has it loaded.
func (c *company) reloading(from, to string) {
	c.t.Helper()
	old, err := loadReference(c.t, from)
	if err != nil {
		c.t.Fatal(err)
	}
	events := make(chan event, 8)
	c.l.emit = func(ev event) { events <- ev }
	c.l.beside = func(f func(context.Context)) { f(c.t.Context()) }
	c.l.control.child.ready.Store(true)
	c.l.reloads.cfg, c.l.reloads.load = old, func() (*config.Config, error) { return loadReference(c.t, to) }
	c.l.proxy.start = proxyStart(old, 1, 0)
	c.l.proxy.listeners = make([]*os.File, len(old.Frontends))
	c.l.askReload(9, false)
	for len(events) > 0 {
		c.l.handle(<-events)
	}
}

func (c *company) outcome() *ipc.Outcome {
	c.t.Helper()
	return next[*ipc.Outcome](c.t, c.control)
}

const reloadBase = "[[vip]]\naddress = \"192.168.42.42\"\n[[frontend]]\nlisten = \":80\"\npool = \"web\"\n[pool.web]\n"

func TestAReloadEndsWithoutEffectWhoeverCannotDoIt(t *testing.T) {
	retries := reloadBase + "retries = 1\n"
	for name, tc := range map[string]struct {
		to   string
		then func(c *company)
		want string
	}{
		"a mistake in the file":  {reloadBase + "retires = 1\n", func(*company) {}, `did you mean "retries"`},
		"what cannot change":     {reloadBase + "[proxy]\nloops = 3\n", func(*company) {}, "proxy.loops"},
		"the proxy refuses":      {retries, func(c *company) { c.says(c.l.proxy.now, &ipc.Prepared{ID: 1, Error: "not so"}) }, "not so"},
		"control refuses":        {retries, func(c *company) { c.l.prepared(controlName, &ipc.Prepared{ID: 1, Error: "nor I"}) }, "nor I"},
		"the proxy dies":         {retries, func(c *company) { c.dies(c.l.proxy.now) }, "proxy process ended"},
		"nobody answers in time": {retries, func(c *company) { c.l.lookAtReload(time.Now().Add(time.Hour)) }, "not ready for it"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newCompany(t)
			c.reloading(reloadBase, tc.to)
			tc.then(c)
			if o := c.outcome(); !strings.Contains(o.Error, tc.want) || o.Remedy == "" {
				t.Errorf("told %+v, want %q and a remedy", o, tc.want)
			}
			if c.l.reloads.now != nil || c.l.reloads.cfg.Pools[0].Retries != 2 || c.l.proxy.start.Pools[0].Retries != 2 {
				t.Error("something has changed")
			}
		})
	}
}

func TestAReloadOfTheSameFileDoesNothing(t *testing.T) {
	c, _ := newCompany(t)
	c.reloading(reloadBase, "# a comment\n"+reloadBase)
	if o := c.outcome(); o.Error != "" || !strings.Contains(o.Message, "already") {
		t.Errorf("told %+v", o)
	}
}
