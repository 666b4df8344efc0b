package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/tandem-lb/tandem/internal/lab"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	lab.Init()
	if len(os.Args) == 2 && os.Args[1] == spinArg {
		spin()
	}
	if len(os.Args) > 1 && os.Args[1] == "table" {
		if err := printTables(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(exitFailed)
		}
		return
	}
	if proxyChild(os.Args[1:]) || crowdChild(os.Args[1:]) {
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "proxy" {
		os.Exit(proxyMain(os.Args[2:]))
	}
	if len(os.Args) == 3 && os.Args[1] == dockerClientArg {
		os.Exit(exitWith(dockerClientMain(os.Args[2])))
	}
	for name, do := range map[string]func([]string) int{
		"docker": dockerMain, "handover": handoverMain, "apps": appsMain, "membership": membershipMain,
	} {
		if len(os.Args) > 1 && os.Args[1] == name {
			os.Exit(do(os.Args[2:]))
		}
	}
	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(exitOK)
	case err != nil:
		os.Exit(exitUsage)
	}
	code, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = max(code, exitFailed)
	}
	os.Exit(code)
}

// exitWith says what went wrong, if anything, and returns the exit code.
func exitWith(err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return exitFailed
}

// spinArg makes this program a busy loop: one of those that overload a machine.
const spinArg = "spin"

// spin keeps one processor busy until it is killed.
func spin() {
	for n := uint64(0); ; n++ {
		_ = n
	}
}
