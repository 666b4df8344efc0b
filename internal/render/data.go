package render

import (
	"fmt"
	"net/netip"
)

// Data is what a template sees.
type Data struct {
	Node    string       `json:"node"`   // this balancer
	Active  bool         `json:"active"` // which is the active one
	VIPs    []netip.Addr `json:"vips"`
	Members []Member     `json:"members"` // that are there, by name
	Pools   []Pool       `json:"pools"`   // as in the configuration, by name
}

// Member is a member that is there.
type Member struct {
	Name string            `json:"name"`
	Role string            `json:"role"` // balancer or agent
	Host string            `json:"host"` // its address
	Tags map[string]string `json:"tags,omitempty"`
}

// Pool is a pool with the backends that it has now, whatever their state.
type Pool struct {
	Name     string    `json:"name"`
	Backends []Backend `json:"backends"` // static ones, then members by name
}

// Backend is one running app.
type Backend struct {
	Name   string            `json:"name"`
	Host   string            `json:"host"` // an address; an IPv6 one has no brackets
	Port   int               `json:"port"`
	Weight int               `json:"weight"` // 1 to 256
	State  string            `json:"state"`  // up, down, drain or maint, as this balancer's checks say
	Drain  bool              `json:"drain"`  // it is to get no new requests
	Tags   map[string]string `json:"tags,omitempty"`
}

// Pool returns the pool of that name. There being none is an error.
func (d Data) Pool(name string) (Pool, error) {
	for _, p := range d.Pools {
		if p.Name == name {
			return p, nil
		}
	}
	return Pool{}, fmt.Errorf("no pool %q is configured", name)
}

// Up returns the backends that are up.
func (p Pool) Up() []Backend {
	var up []Backend
	for _, b := range p.Backends {
		if b.State == "up" {
			up = append(up, b)
		}
	}
	return up
}
