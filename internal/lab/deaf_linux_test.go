package lab_test

import "testing"

func TestADeafHostIsHeardAndHearsNobody(t *testing.T) {
	l := newLab(t)
	a, b, c := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24"), newHost(t, l, "c", "10.0.0.3/24")
	echo(t, a, "10.0.0.1:80")
	echo(t, c, "10.0.0.3:80")
	if err := askUDP(t, a, b, "10.0.0.2:9"); err != nil { // and a knows b's MAC from now on
		t.Fatal(err)
	}
	if err := a.Deafen(); err != nil {
		t.Fatal(err)
	}
	if err := askUDP(t, a, b, "10.0.0.2:9"); err != nil {
		t.Errorf("what a sends: %v", err)
	}
	mustNotReach(t, b, "10.0.0.1:80")
	mustNotReach(t, c, "10.0.0.1:80")
	mustAsk(t, b, "10.0.0.3:80")
	if err := a.Undeafen(); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, b, "10.0.0.1:80")
	awaitReach(t, c, "10.0.0.1:80")
}

func TestASilencedHostHearsAndIsNotHeard(t *testing.T) {
	l := newLab(t)
	a, b, c := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24"), newHost(t, l, "c", "10.0.0.3/24")
	echo(t, a, "10.0.0.1:80")
	echo(t, c, "10.0.0.3:80")
	if err := askUDP(t, b, a, "10.0.0.1:9"); err != nil { // and b knows a's MAC from now on
		t.Fatal(err)
	}
	if err := a.Silence(); err != nil {
		t.Fatal(err)
	}
	if err := askUDP(t, b, a, "10.0.0.1:9"); err != nil {
		t.Errorf("what a is sent: %v", err)
	}
	mustNotReach(t, b, "10.0.0.1:80")
	mustAsk(t, b, "10.0.0.3:80")
	if err := a.Unsilence(); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, b, "10.0.0.1:80")
}

func TestAnIsolatedHostReachesNobodyAndComesBack(t *testing.T) {
	l := newLab(t)
	a, b := newHost(t, l, "a", "10.0.0.1/24"), newHost(t, l, "b", "10.0.0.2/24")
	echo(t, a, "10.0.0.1:80")
	echo(t, b, "10.0.0.2:80")
	if err := a.Isolate(); err != nil {
		t.Fatal(err)
	}
	mustNotReach(t, a, "10.0.0.2:80")
	mustNotReach(t, b, "10.0.0.1:80")
	if err := a.Unisolate(); err != nil {
		t.Fatal(err)
	}
	awaitReach(t, a, "10.0.0.2:80")
	awaitReach(t, b, "10.0.0.1:80")
}
