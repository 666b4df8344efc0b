package main

import "testing"

func TestThePeersAreConfiguredAsTheirDocumentsShow(t *testing.T) {
	for i, p := range balancers {
		golden(t, "haproxy-"+p.name+".cfg", haproxyConf(i))
		for _, s := range settings {
			golden(t, s.name+"-"+p.name+".conf", keepalivedConf(s, i))
		}
	}
}
