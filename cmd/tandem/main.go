// Command tandem is a high-availability load balancer in one binary: balancer, agent
// beside the apps, and the operator's command line.
//
// This package holds flags, output and exit codes only. Exit codes: 0 done, 1 failed,
// 2 wrong usage, 3 no balancer reachable.
package main

import (
	"os"

	"github.com/tandem-lb/tandem/internal/lab"
)

func main() {
	lab.Init() // a helper of the lab never comes back from here
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}
