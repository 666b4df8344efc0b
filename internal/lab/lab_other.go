//go:build !linux

package lab

import (
	"context"
	"net"
	"net/netip"
	"os"
	"runtime"
)

// problem is what every call says on a system that has no network namespaces.
var problem = &Problem{
	Cause:  "the lab is made of Linux network namespaces, and this is " + runtime.GOOS,
	Remedy: "run it on Linux: in a virtual machine, in WSL2 on Windows, or in a container: docker run --rm --privileged -v \"$PWD\":/src -w /src golang:1.26 go run ./cmd/tandem demo",
}

// Init does nothing here.
func Init() {}

// Enter fails here.
func Enter() (inside bool, code int, err error) { return false, 1, problem }

// Preflight says that a lab needs Linux.
func Preflight() error { return problem }

// A Lab needs Linux.
type Lab struct{}

// New fails here.
func New(Config) (*Lab, error) { return nil, problem }

// Host fails here.
func (l *Lab) Host(string, ...netip.Prefix) (*Host, error) { return nil, problem }

// Close does nothing here.
func (l *Lab) Close() error { return nil }

// A Host needs Linux.
type Host struct{}

// Name is empty here.
func (h *Host) Name() string { return "" }

// MAC is nil here.
func (h *Host) MAC() net.HardwareAddr { return nil }

// Attach fails here.
func (h *Host) Attach(string, ...netip.Prefix) error { return problem }

// Neighbour fails here.
func (h *Host) Neighbour(netip.Addr) (net.HardwareAddr, error) { return nil, problem }

// Addrs fails here.
func (h *Host) Addrs() ([]netip.Prefix, error) { return nil, problem }

// Start fails here.
func (h *Host) Start(Command) (*Process, error) { return nil, problem }

// Do fails here.
func (h *Host) Do(func() error) error { return problem }

// Dial fails here.
func (h *Host) Dial(context.Context, string, netip.AddrPort) (net.Conn, error) { return nil, problem }

// Listen fails here.
func (h *Host) Listen(string, netip.AddrPort) (net.Listener, error) { return nil, problem }

// ListenPacket fails here.
func (h *Host) ListenPacket(string, netip.AddrPort) (net.PacketConn, error) { return nil, problem }

// Forward fails here.
func (h *Host) Forward(int, netip.AddrPort) (net.Addr, error) { return nil, problem }

// PortDown fails here.
func (h *Host) PortDown() error { return problem }

// PortUp fails here.
func (h *Host) PortUp() error { return problem }

// Drop fails here.
func (h *Host) Drop(*Host) error { return problem }

// Undrop fails here.
func (h *Host) Undrop(*Host) error { return problem }

// CutLink fails here.
func (h *Host) CutLink(*Host) error { return problem }

// HealLink fails here.
func (h *Host) HealLink(*Host) error { return problem }

// CutOff fails here.
func (h *Host) CutOff(string) error { return problem }

// SilenceOn fails here.
func (h *Host) SilenceOn(string) error { return problem }

// Reattach fails here.
func (h *Host) Reattach(string) error { return problem }

// PowerOff fails here.
func (h *Host) PowerOff() error { return problem }

// PowerOn fails here.
func (h *Host) PowerOn() error { return problem }

// A Process needs Linux.
type Process struct{}

// Pid is 0 here.
func (p *Process) Pid() int { return 0 }

// HostPid is 0 here.
func (p *Process) HostPid() int { return 0 }

// Signal fails here.
func (p *Process) Signal(os.Signal) error { return problem }

// Done is nil here.
func (p *Process) Done() <-chan struct{} { return nil }

// Wait fails here.
func (p *Process) Wait() error { return problem }
