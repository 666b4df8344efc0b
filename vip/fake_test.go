package vip_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandem-lb/tandem/vip/viptest"
)

func TestClaimerOnASimulatedSegment(t *testing.T) {
	viptest.Run(t, func(t *testing.T, body func(*testing.T, viptest.Net)) {
		synctest.Test(t, func(t *testing.T) { body(t, viptest.NewSegment()) })
	})
}
