// Package delivery holds the tests of what reaches a user: the released binaries and their
// Debian package, and what the documents say is done with them, word for word: README, the
// Docker lab, the migration guide, Ansible's role, the lab of virtual machines.
//
// A bare system is what mmdebstrap makes, Debian's minimum and little else, once for all tests;
// a second layer on it has what documents begin with, such as keepalived. Each machine has a
// disk of its own on these, and is booted by systemd-nspawn with its own systemd: so units,
// maintainer scripts and provisioning scripts run as they do on a machine. All of that lives in
// memory, in mount and process namespaces of the test's own, and ends with it; machines have
// network namespaces of their own, joined by a bridge in another. Docker Engine is this machine's.
//
// This takes both processors for minutes, and other packages' tests measure: so it is done only when
// asked for, as root, with what .ci/run installs, and go test ./... skips it:
//
//	TANDEM_TEST_SYSTEMS=1 go test -timeout 25m ./internal/delivery
//
// The tests that count what a client loses within a second have the machine to themselves, the demo
// and the Docker lab, after what all begin with is made. Then the others run, four beside each other,
// since they wait for machines half of the time. What they type and how long it took is printed with
// -v; deploy/docs/install.md has the figures.
package delivery
