package main

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// about fills in what a figure is worth nothing without.
func (r *Report) about(o options, stacks []*stack) {
	r.Command = command()
	r.Commit = commitOf(o)
	r.CPUs, r.CPU, r.Kernel, r.Go, r.Root = runtime.NumCPU(), cpu(), kernel(), runtime.Version(), trulyRoot()
	r.Versions = map[string]string{}
	for _, st := range stacks {
		if st.peer {
			r.Versions["keepalived"] = version(keepalivedPath, "--version")
			r.Versions["HAProxy"] = version(haproxyPath, "-v")
		}
	}
}

// command is how this run was asked for.
func command() string {
	return strings.Join(append([]string{"go run ./internal/bench"}, os.Args[1:]...), " ")
}

// commitOf names what is measured; of a binary that was given nobody knows the commit.
func commitOf(o options) string {
	if o.tandem != "" {
		return "of " + o.tandem
	}
	return commit()
}

// commit names the source tree's, with a "+" if the tree differs from it.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "?"
	}
	name := strings.TrimSpace(string(head))
	if changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changes) > 0 {
		name += "+"
	}
	return name
}

var versionNumber = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)

// version is the first number of that form that a program tells about itself.
func version(program, flag string) string {
	text, err := exec.Command(program, flag).CombinedOutput()
	if number := versionNumber.FindString(string(text)); err == nil && number != "" {
		return number
	}
	return "?"
}

// cpu is the processor's name.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func loadAverages() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 3 {
		return "?"
	}
	return strings.Join(f[:3], " ")
}
