package owners

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// Host is what a Watch needs to know of a host; *lab.Host is one.
type Host interface {
	Name() string
	MAC() net.HardwareAddr
	// Do runs fn on a thread inside the host's network namespace.
	Do(fn func() error) error
}

// Config of a [Watch]. All but Interval and Interface are required.
type Config struct {
	VIP       netip.Addr           // the address in question (IPv4)
	Sender    netip.Addr           // who asks: an address on the segment that nobody has
	Eye       Host                 // the host whose interface the requests leave from
	Interface string               // its name there; default eth0
	Hosts     []Host               // everyone whose kernel can be asked
	Interval  time.Duration        // between two requests; default 5 ms, 1 ms at least
	Now       func() time.Duration // the clock that stamps the book; monotonic
}

// Watch fills a [Book] from the wire and from the kernels.
type Watch struct {
	*Book
	cfg   Config
	names map[[6]byte]string
}

// New checks cfg and returns a watch that has begun nothing yet.
func New(cfg Config) (*Watch, error) {
	if cfg.Interface == "" {
		cfg.Interface = "eth0"
	}
	if cfg.Interval == 0 {
		cfg.Interval = 5 * time.Millisecond
	}
	if !cfg.VIP.Is4() || !cfg.Sender.Is4() || cfg.VIP == cfg.Sender {
		return nil, errors.New("owners: VIP and Sender must be two IPv4 addresses")
	}
	if cfg.Eye == nil || cfg.Now == nil || cfg.Interval < time.Millisecond {
		return nil, errors.New("owners: no Eye, no Now, or an interval under 1 ms")
	}
	w := &Watch{cfg: cfg, names: map[[6]byte]string{}}
	var hosts []string
	for _, h := range cfg.Hosts {
		if len(h.MAC()) != 6 {
			return nil, errors.New("owners: " + h.Name() + " has no Ethernet address")
		}
		w.names[[6]byte(h.MAC())] = h.Name()
		hosts = append(hosts, h.Name())
	}
	w.Book = NewBook(hosts...)
	return w, nil
}

// name of the host with that MAC, or the MAC itself.
func (w *Watch) name(mac [6]byte) string {
	if n, ok := w.names[mac]; ok {
		return n
	}
	return net.HardwareAddr(mac[:]).String()
}
