package vip_test

import (
	"os"
	"testing"

	"github.com/tandem-lb/tandem/internal/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }
