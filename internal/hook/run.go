package hook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

const (
	// maxOutput is how much of what a program writes is kept, for the log, in bytes.
	maxOutput = 4 << 10
	// closing is how long a program that has ended may leave its output open to others.
	closing = 100 * time.Millisecond
)

// Path is where programs look for others.
const Path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Program is what [Run] runs.
type Program struct {
	Argv    []string
	Dir     string   // where it runs; empty: /
	Env     []string // the whole environment
	Stdin   []byte
	Timeout time.Duration         // it is killed then; 0: when ctx ends
	Output  io.Writer             // nil: both outputs together, the first 4 KiB, are kept for the Result
	Start   func(*exec.Cmd) error // nil: its Start method; another gives up rights before
}

// Result is what became of a program.
type Result struct {
	Err      string        `json:"error,omitempty"` // empty: it has succeeded
	TimedOut bool          `json:"timed_out,omitempty"`
	Output   string        `json:"output,omitempty"`
	Took     time.Duration `json:"took"`
	At       time.Time     `json:"at"` // its end
}

// Error returns what went wrong, with the output, or nil. One whose time was over is
// context.DeadlineExceeded.
func (r Result) Error() error {
	if r.Err == "" {
		return nil
	}
	err := errors.New(r.Err)
	if r.TimedOut {
		err = fmt.Errorf("%s: %w", r.Err, context.DeadlineExceeded)
	}
	if r.Output != "" {
		err = fmt.Errorf("%w: %q", err, r.Output)
	}
	return err
}

// Run runs a program in a process group of its own, which is killed when the time is over
// or ctx ends. A program that has ended may leave something running; nothing waits for it.
func Run(ctx context.Context, p Program) Result {
	began := time.Now()
	bound, cancel := ctx, context.CancelFunc(func() {})
	if p.Timeout > 0 {
		bound, cancel = context.WithTimeout(ctx, p.Timeout)
	}
	defer cancel()
	var kept boundedOutput
	out := p.Output
	if out == nil {
		out = &kept
	}
	cmd := exec.CommandContext(bound, p.Argv[0], p.Argv[1:]...)
	cmd.Dir, cmd.Env = cmp.Or(p.Dir, "/"), p.Env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(p.Stdin), out, out
	cmd.WaitDelay = closing
	asGroup(cmd)
	start := p.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	err := start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	r := Result{Output: strings.TrimSpace(kept.kept.String()), Took: time.Since(began), At: time.Now()}
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay) && bound.Err() == nil: // it has succeeded, and left something running
	case errors.Is(bound.Err(), context.DeadlineExceeded):
		r.Err, r.TimedOut = fmt.Sprintf("killed after %v", r.Took.Round(time.Millisecond)), true
	case bound.Err() != nil:
		r.Err = "killed, since whoever ran it ended"
	default:
		r.Err = err.Error()
	}
	return r
}

// boundedOutput keeps the first that is written to it, and takes the rest for nothing. The
// same writer for both outputs gets one call at a time.
type boundedOutput struct{ kept bytes.Buffer }

func (b *boundedOutput) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), maxOutput-b.kept.Len())])
	return len(p), nil
}
