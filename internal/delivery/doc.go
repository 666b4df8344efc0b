// Package delivery holds the tests of what reaches a user: the released binaries and their
// Debian package, the lab of virtual machines, and the README's commands, tried on bare
// systems.
//
// A bare system is what debootstrap makes, once for all tests, booted by systemd-nspawn with
// its own systemd: so units, maintainer scripts and provisioning scripts run as they do on a
// machine. All of that lives in mount and process namespaces of the test's own, and ends with
// it; machines have network namespaces of their own, joined by a bridge in another.
package delivery
