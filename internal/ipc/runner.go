package ipc

import (
	"encoding/json"
	"time"
)

// What is said to and by a runner, the process that runs hooks as one user. The keeper says
// what it may run; control says when, over a link that the keeper makes; so control cannot
// have it run anything else.

// RunnerStart is the keeper's first message to a runner.
type RunnerStart struct {
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
	ID    uint64   `json:"id"`
	Hook  string   `json:"hook"`
	Env   []string `json:"env"` // TANDEM_… and SERF_… alone
	Stdin []byte   `json:"stdin"`
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
	Target string          `json:"target"`
	Data   json.RawMessage `json:"data"` // what the template sees
}

// Rendered says what became of it.
type Rendered struct {
	Target  string        `json:"target"`
	Changed bool          `json:"changed"`         // the target has another text now
	Error   string        `json:"error,omitempty"` // also of a reload after that
	Took    time.Duration `json:"took"`
}

// Template is what control needs to know of a template.
type Template struct {
	Target     string        `json:"target"`
	User       string        `json:"user"` // names the runner
	Quiescence time.Duration `json:"quiescence"`
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
