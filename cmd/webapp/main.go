// Command webapp is a small web application to put behind a balancer.
package main

import (
	"os"

	"github.com/tandem-lb/tandem/internal/webapp"
)

func main() { os.Exit(webapp.Main(os.Args[1:], os.Stderr)) }
