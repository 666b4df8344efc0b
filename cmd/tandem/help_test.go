package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// visible are the commands that a user can run, by their whole name.
func visible(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	all := map[string]*cobra.Command{}
	root := newRoot()
	root.InitDefaultCompletionCmd()
	eachCommand(root, func(c *cobra.Command) {
		hidden := false
		for p := c; p != nil; p = p.Parent() {
			hidden = hidden || p.Hidden
		}
		if !hidden && c.Runnable() {
			all[c.CommandPath()] = c
		}
	})
	if len(all) < 20 {
		t.Fatalf("only %d commands", len(all))
	}
	return all
}

func TestEveryCommandIsExplainedAndShowsAnExample(t *testing.T) {
	for name, c := range visible(t) {
		if strings.HasPrefix(name, "tandem completion") || name == "tandem version" || name == "tandem help" {
			continue
		}
		if len(c.Long) < 40 {
			t.Errorf("%s: its help says only %q", name, c.Long)
		}
		if !strings.Contains(c.Example, "tandem ") {
			t.Errorf("%s has no example", name)
		}
		if c.Name() != c.Short && strings.ToUpper(c.Short[:1]) == c.Short[:1] || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q begins small and ends without a full stop, as the others", name, c.Short)
		}
	}
}

func TestEveryCommandThatPrintsDataHasJSON(t *testing.T) {
	without := map[string]bool{ // they run, or write what is a file's own form
		"lb": true, "agent": true, "demo": true, "check": true, "keygen": true, "release": true, "version": true, "help": true, "completion": true,
		"bash": true, "zsh": true, "fish": true, "powershell": true, "watch": true, "top": true, "keys": true, // which asks for list, add, use or remove
		"template": true, "render": true, // the first asks for one of its own, the second writes whatever the file is
	}
	for name, c := range visible(t) {
		if c.Flags().Lookup("json") == nil && !without[c.Name()] {
			t.Errorf("%s has no --json", name)
		}
	}
}

func TestEveryCommandHasAManualPageAndItIsTheSameEachTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1764500000")
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		if code := execute([]string{"man", dir}, os.Stdout, os.Stderr); code != exitDone {
			t.Fatalf("exit code %d", code)
		}
	}
	for name := range visible(t) {
		file := strings.ReplaceAll(name, " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dirs[0], file))
		again, err2 := os.ReadFile(filepath.Join(dirs[1], file))
		if strings.HasPrefix(name, "tandem help") {
			continue
		}
		if err != nil || err2 != nil || string(page) != string(again) || !strings.Contains(string(page), ".SH SYNOPSIS") {
			t.Errorf("%s: %v, %v; %d bytes, and %d in another run", file, err, err2, len(page), len(again))
		}
	}
	for _, hidden := range []string{"keeper", "control", "proxy", "webapp", "man"} {
		if _, err := os.Stat(filepath.Join(dirs[0], "tandem-"+hidden+".1")); err == nil {
			t.Errorf("there is a page about %s, which is hidden", hidden)
		}
	}
}
