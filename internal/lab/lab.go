package lab

import (
	"errors"
	"fmt"
	"io"
)

// A Problem is why no lab can be built here, and the one thing to do about it.
type Problem struct {
	Cause  string // one sentence, no full stop
	Remedy string // a command, or one sentence, no full stop
}

// Error says both, cause first.
func (p *Problem) Error() string { return p.Cause + "; " + p.Remedy }

// Errors of this package; test with errors.Is.
var (
	ErrClosed     = errors.New("lab: closed")
	ErrOff        = errors.New("lab: host is powered off")
	ErrOn         = errors.New("lab: host is powered on")
	ErrNotEntered = errors.New("lab: not inside: call Init and Enter first")
)

// Config of a Lab. The zero value is one segment called "lan".
type Config struct {
	// Segments names the lab's switches (bridges), 1 to 8 of them; the first is the one that Host plugs eth0 into.
	// Names are 1 to 12 of a-z, 0-9 and "-", beginning with a letter.
	Segments []string
}

// A Command is a program to run in a host, in the manner of exec.Cmd.
type Command struct {
	Path   string    // default /proc/self/exe: this very binary; else as the host's init sees it, without a PATH search
	Args   []string  // without argv[0], which is the last element of Path
	Env    []string  // nil means the caller's own environment; at most 128 KiB together with Args
	Dir    string    // default: the caller's
	Stdout io.Writer // nil discards; an *os.File is passed on as it is, anything else is fed by a goroutine of Process
	Stderr io.Writer // likewise; may be the same as Stdout
}

// An ExitError is how a process ended, if not with exit code 0.
type ExitError struct {
	Code   int // exit code, -1 if a signal ended it
	Signal int // the signal that ended it, else 0; 9 also when the power went
}

// Error says it in words.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("lab: process ended by signal %d", e.Signal)
	}
	return fmt.Sprintf("lab: process ended with exit code %d", e.Code)
}
