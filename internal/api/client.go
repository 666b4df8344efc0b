package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

const (
	clientTimeout = orderTimeout + 5*time.Second // questions are answered at once, orders may take a while
	maxAnswer     = 64 << 20
)

// ErrUnreachable says that no balancer answers on the socket.
var ErrUnreachable = errors.New("no balancer answers")

// Client talks to one balancer.
type Client struct {
	socket string
	http   http.Client
}

// NewClient makes a client for the socket at path. Nothing is connected before a call.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{
		socket: path,
		http: http.Client{
			Timeout:   clientTimeout,
			Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		},
	}
}

// Status asks for everything the balancer knows.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.get(ctx, "/v1/status", &s)
}

// Members asks for the cluster's members as the balancer called node sees them; "" is the one
// that answers.
func (c *Client) Members(ctx context.Context, node string) ([]Member, error) {
	var m []Member
	return m, c.get(ctx, "/v1/members?"+ofNode(node), &m)
}

// ReplaceProxy has a new proxy process take the place of the one that serves. It returns
// when the new one does; the old one may go on with its connections for long. It is that of
// the balancer called node, as with the following, "" for the one that answers.
func (c *Client) ReplaceProxy(ctx context.Context, node string) (Done, error) {
	var d Done
	return d, c.call(ctx, http.MethodPost, "/v1/proxy/replace?"+ofNode(node), &d)
}

func ofNode(node string) string { return url.Values{"node": {node}}.Encode() }

// HandOver moves a group's VIPs, or all, to another node, the best one unless to names it. It
// returns when that node is active; the old one goes on with its connections until they end.
func (c *Client) HandOver(ctx context.Context, group, to string) (Done, error) {
	var d Done
	return d, c.call(ctx, http.MethodPost, "/v1/handover?"+url.Values{"group": {group}, "to": {to}}.Encode(), &d)
}

// Maintain takes a balancer out of service, or back. It returns when its VIPs have moved.
func (c *Client) Maintain(ctx context.Context, node string, on bool) (Done, error) {
	var d Done
	return d, c.call(ctx, http.MethodPost, "/v1/maint/"+map[bool]string{true: "on", false: "off"}[on]+"?"+ofNode(node), &d)
}

// send makes a call with a body.
func (c *Client) send(ctx context.Context, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.callWith(ctx, http.MethodPost, path, bytes.NewReader(b), into)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, into)
}

func (c *Client) call(ctx context.Context, method, path string, into any) error {
	return c.callWith(ctx, method, path, nil, into)
}

func (c *Client) callWith(ctx context.Context, method, path string, send io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://tandem"+path, send)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the balancer's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		e := new(Error)
		if json.Unmarshal(body, e) != nil || e.Message == "" {
			e.Message = fmt.Sprintf("%s answered %s to %s %s", c.socket, resp.Status, method, path)
		}
		return e
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer of %s to %s %s is not what this version of tandem expects: %w", c.socket, method, path, err)
	}
	return nil
}

// explain names the socket and the next step for each way of not reaching it.
func (c *Client) explain(err error) error {
	remedy := "look at the balancer's log"
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		remedy = "start one with 'tandem lb', or name its socket with --socket"
	case errors.Is(err, fs.ErrPermission):
		remedy = "use sudo, or join the group that owns the socket"
	}
	return fmt.Errorf("%w on %s (%w); %s", ErrUnreachable, c.socket, err, remedy)
}
