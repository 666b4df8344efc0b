//go:build linux

package lab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
)

var errSoon = errors.New("lab: not built yet")

// Init must be the first call in main and in TestMain. When this process was started as one of the lab's helpers
// it does that work and never returns; else it does nothing.
func Init() {}

// Enter runs this program again (same arguments, environment, standard input and output) inside fresh network, mount, pid, uts and ipc
// namespaces, and a user namespace when it lacks the rights. The copy sees inside = true; the original waits for it, passes on
// SIGINT, SIGTERM, SIGHUP and SIGQUIT, and returns its exit code. However the original ends, SIGKILL too, all that is inside ends with it.
func Enter() (inside bool, code int, err error) { return false, 1, errSoon }

// Preflight tries what a lab needs, in about 30 ms, and returns nil or a *Problem with one cause and one remedy.
func Preflight() error { return errSoon }

// A Lab is a set of switches and the hosts plugged into them. Its methods may be called from any goroutine.
type Lab struct{}

// New builds the switches. It needs to be inside (see Enter).
func New(Config) (*Lab, error) { return nil, errSoon }

// Host adds a host: its own network, pid, mount, uts and ipc namespaces, lo, eth0 with these addresses plugged into the first segment,
// its own /proc, an empty /run, and its name as hostname. Names are 1 to 12 of a-z, 0-9 and "-", beginning with a letter.
func (l *Lab) Host(string, ...netip.Prefix) (*Host, error) { return nil, errSoon }

// Close kills everything in every host and removes hosts and switches. It may be called twice.
func (l *Lab) Close() error { return nil }

// A Host is one machine of a Lab. Its methods may be called from any goroutine.
type Host struct{}

// Name is the host's name and hostname.
func (h *Host) Name() string { return "" }

// MAC is the address of eth0; it stays the same over PowerOff and PowerOn.
func (h *Host) MAC() net.HardwareAddr { return nil }

// Attach plugs a further interface (eth1, eth2, …) into the named segment and gives it these addresses.
func (h *Host) Attach(string, ...netip.Prefix) error { return errSoon }

// Addrs asks the kernel for all addresses of the host's interfaces, lo and IPv6 link-local ones left out.
func (h *Host) Addrs() ([]netip.Prefix, error) { return nil, errSoon }

// Start runs a program in the host.
func (h *Host) Start(Command) (*Process, error) { return nil, errSoon }

// Do calls f on this goroutine, locked to a thread that is in the host's network namespace meanwhile: sockets that f itself makes belong to
// the host and stay there. Goroutines that f starts do not.
func (h *Host) Do(func() error) error { return errSoon }

// Dial connects from the host; network is tcp or udp.
func (h *Host) Dial(context.Context, string, netip.AddrPort) (net.Conn, error) { return nil, errSoon }

// Listen accepts connections in the host; network is tcp.
func (h *Host) Listen(string, netip.AddrPort) (net.Listener, error) { return nil, errSoon }

// ListenPacket receives datagrams in the host; network is udp.
func (h *Host) ListenPacket(string, netip.AddrPort) (net.PacketConn, error) { return nil, errSoon }

// Forward listens on 127.0.0.1:localPort (0: any) in the network that Enter was called in, the user's own, and pipes every connection to
// the given address as seen from the host.
func (h *Host) Forward(int, netip.AddrPort) (net.Addr, error) { return nil, errSoon }

// PortDown takes the switch's ports to this host down: no frame passes, and the host's interfaces lose their carrier.
func (h *Host) PortDown() error { return errSoon }

// PortUp undoes PortDown.
func (h *Host) PortUp() error { return errSoon }

// Drop makes the switches drop every frame from h to other, and only those.
func (h *Host) Drop(*Host) error { return errSoon }

// Undrop undoes Drop.
func (h *Host) Undrop(*Host) error { return errSoon }

// CutLink drops all frames between two hosts, both ways; everything else stays whole.
func (h *Host) CutLink(*Host) error { return errSoon }

// HealLink undoes CutLink.
func (h *Host) HealLink(*Host) error { return errSoon }

// PowerOff takes the ports down and kills everything in the host at once, as a power loss does.
func (h *Host) PowerOff() error { return errSoon }

// PowerOn brings a fresh host of the same name, addresses and MAC; nothing runs in it until Start.
func (h *Host) PowerOn() error { return errSoon }

// A Process runs in a host.
type Process struct{}

// Pid is the process id as the lab's own /proc shows it.
func (p *Process) Pid() int { return 0 }

// HostPid is the process id as the host's own /proc shows it.
func (p *Process) HostPid() int { return 0 }

// Signal sends a signal; os.ErrProcessDone once it has ended.
func (p *Process) Signal(os.Signal) error { return errSoon }

// Done is closed once the process has ended and all that it wrote has been handed to Stdout and Stderr.
func (p *Process) Done() <-chan struct{} { return nil }

// Wait waits for Done; nil for exit code 0, else an *ExitError.
func (p *Process) Wait() error { return errSoon }
