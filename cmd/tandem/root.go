package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// Exit codes.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitUnreachable
)

// exitError ends the program with a code of its own; a nil err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error of how a command was called.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

const (
	groupRun   = "run"
	groupSteer = "steer"
	groupLook  = "look"
	groupSetup = "setup"
)

// execute runs one command line and returns its exit code.
func execute(args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	began := false // until a command's own code runs, every error is one of usage
	eachCommand(root, func(c *cobra.Command) {
		if run := c.RunE; run != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error {
				began = true
				return run(cmd, args)
			}
		}
	})
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return exitDone
	}
	var own *exitError
	code := exitFailed
	switch {
	case errors.As(err, &own):
		code = own.code
		if own.err == nil { // all has been said
			return code
		}
	case !began:
		code = exitUsage
	case errors.Is(err, api.ErrUnreachable):
		code = exitUnreachable
	}
	fmt.Fprintf(errOut, "%s %v\n", paint.To(errOut).Red("tandem:"), err)
	if next := nextStep(err); next != "" && code == exitFailed {
		fmt.Fprintln(errOut, next)
	}
	if code == exitUsage {
		fmt.Fprintln(errOut, "See 'tandem --help', or --help after a command.")
	}
	return code
}

// nextStep is what to do about an error that does not say so itself.
func nextStep(err error) string {
	var told *api.Error
	switch {
	case errors.As(err, &told) && told.Remedy == "":
		return "'tandem status', 'tandem timeline' and the balancer's log may say more."
	case errors.As(err, &told):
		return ""
	case errors.Is(err, fs.ErrPermission):
		return "Try it as root, or as the user that the balancer runs as."
	case errors.Is(err, fs.ErrNotExist):
		return "Is the path right?"
	}
	return ""
}

// eachCommand calls do with every command below c.
func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	for _, sub := range c.Commands() {
		do(sub)
		eachCommand(sub, do)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tandem",
		Short: "a high-availability load balancer in one binary",
		Long: `Tandem is a high-availability load balancer in one binary.

Two or more balancers share a virtual IP (VIP) and all carry the proxy; web apps
join by gossip and are served at once. Try it on this machine, without root:

  tandem demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetVersionTemplate("tandem {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupSteer, Title: "Steer one that runs:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupSetup, Title: "Set up:"},
	)
	root.SetHelpCommandGroupID(groupSetup)
	root.SetCompletionCommandGroupID(groupSetup)
	root.AddCommand(
		newDemo(), newLB(), newAgent(), newReload(), newHandover(), newDrain(), newReady(), newMaint(), newWeight(), newJoin(), newLeave(), newEvent(),
		newStatus(), newTop(), newMembers(), newBackends(), newTimeline(), newWhy(), newLogs(), newWatch(), newTemplate(), newRoute(),
		newCheck(), newDoctor(), newImport(), newKeygen(), newKeys(), newRelease(), newVersion(),
		newWebapp(), newMan(),
	)
	root.AddCommand(childCommands()...)
	return root
}
