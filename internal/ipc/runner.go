package ipc

import (
	"encoding/json"
	"time"
)

// What is said to and by a runner, the process that runs hooks as one user. The keeper says
// what it may run; control says when, over a link that the keeper makes; so control cannot
// have it run anything else.
//
// A reload says anew what it may run, under another number, which each order names: so an
// order that was given before the reload means what it meant then, in whatever order the
// keeper's word and control's come. A runner knows the one in effect, the one before it, and
// the one of a reload that is prepared.

// RunnerStart is the keeper's first message to a runner. One that has neither hooks nor
// templates after a reload ends, when what it runs has ended and control has hung up.
type RunnerStart struct {
	Programs  uint64        `json:"programs"` // its number; see ControlStart
	Hooks     []Program     `json:"hooks,omitempty"`
	Templates []TemplateJob `json:"templates,omitempty"`
	LogLevel  int           `json:"log_level"`
}

// Program is what a runner may run, under a name.
type Program struct {
	Name    string        `json:"name"`
	Argv    []string      `json:"argv"`
	Timeout time.Duration `json:"timeout"`
}

// RunHook has a runner run a hook's program. It is answered by [HookEnded] with the same ID.
type RunHook struct {
	ID       uint64   `json:"id"`
	Programs uint64   `json:"programs"` // of which Hook is one
	Hook     string   `json:"hook"`
	Env      []string `json:"env"` // TANDEM_… and SERF_… alone
	Stdin    []byte   `json:"stdin"`
}

// HookEnded says what became of a program.
type HookEnded struct {
	ID       uint64        `json:"id"`
	Error    string        `json:"error,omitempty"` // empty: it has succeeded
	TimedOut bool          `json:"timed_out,omitempty"`
	Output   string        `json:"output,omitempty"` // the first 4 KiB
	Took     time.Duration `json:"took"`
	At       time.Time     `json:"at"`
}

// TemplateJob is a template that a runner may render, under the name of its target.
type TemplateJob struct {
	Source  string        `json:"source"`
	Target  string        `json:"target"`
	Check   []string      `json:"check,omitempty"`
	Reload  []string      `json:"reload,omitempty"`
	Timeout time.Duration `json:"timeout"` // of each of both programs
	Keep    int           `json:"keep"`
}

// Render has a runner render a template. It is answered by [Rendered] of the same target.
type Render struct {
	Programs uint64          `json:"programs"` // of which Target is one
	Target   string          `json:"target"`
	Data     json.RawMessage `json:"data,omitempty"`  // what the template sees; none: a trial is only whether it parses
	Trial    bool            `json:"trial,omitempty"` // change nothing, and say what would go wrong
}

// Rendered says what became of it.
type Rendered struct {
	Programs uint64        `json:"programs"`        // of the order
	Trial    bool          `json:"trial,omitempty"` // likewise
	Target   string        `json:"target"`
	Changed  bool          `json:"changed"`         // the target has another text now
	Error    string        `json:"error,omitempty"` // also of a reload after that
	Took     time.Duration `json:"took"`
}

// Template is what control needs to know of a template.
type Template struct {
	Target     string        `json:"target"`
	User       string        `json:"user"` // names the runner
	Quiescence time.Duration `json:"quiescence"`
	Version    string        `json:"version"` // another one: something about it is different, be it the text in its source
}

// Hook is what control needs to know of a hook.
type Hook struct {
	Name        string            `json:"name"`
	Events      []string          `json:"events"`
	Format      string            `json:"format"` // json or serf
	SerfTags    map[string]string `json:"serf_tags,omitempty"`
	User        string            `json:"user"` // names the runner
	Concurrency int               `json:"concurrency"`
	Queue       int               `json:"queue"`
	ActiveOnly  bool              `json:"active_only,omitempty"`
}

func newRunnerMessage(k Kind) Message {
	switch k {
	case kindRunnerStart:
		return new(RunnerStart)
	case kindRunHook:
		return new(RunHook)
	case kindHookEnded:
		return new(HookEnded)
	case kindRender:
		return new(Render)
	case kindRendered:
		return new(Rendered)
	}
	return nil
}

func (*RunnerStart) kind() Kind { return kindRunnerStart }
func (*RunHook) kind() Kind     { return kindRunHook }
func (*HookEnded) kind() Kind   { return kindHookEnded }
func (*Render) kind() Kind      { return kindRender }
func (*Rendered) kind() Kind    { return kindRendered }
