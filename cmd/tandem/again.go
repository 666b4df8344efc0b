package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tandem-lb/tandem/internal/paint"
)

// againEvery is how often --watch shows all of it again.
const againEvery = time.Second

// again shows something once, or with --watch again and again.
type again struct{ watch bool }

func (a *again) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.watch, "watch", false, "show it anew every second, until Ctrl-C; with --json one object in a line")
}

// run calls show once, or again and again until Ctrl-C or SIGTERM, which is no error.
func (a *again) run(cmd *cobra.Command, asJSON bool, show func(ctx context.Context, w io.Writer) error) error {
	out := cmd.OutOrStdout()
	if !a.watch {
		return show(cmd.Context(), out)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p := page{out: out, json: asJSON}
	if f, ok := out.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p.watch(ctx, show)
}

// page is where the whole is shown anew: a terminal's screen in place of the last one, elsewhere below it.
type page struct {
	out      io.Writer
	json     bool
	terminal bool
}

// watch ends with ctx, which is no error, or with an error of the first time. Of a later one, which a restart of the
// balancer brings, the words stand in the place of what was to be shown.
func (p *page) watch(ctx context.Context, show func(ctx context.Context, w io.Writer) error) error {
	tick := time.NewTicker(againEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		var b bytes.Buffer
		err := show(ctx, paint.With(&b, paint.To(p.out)))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return err
		case err != nil && p.json:
			b.Reset()
			_ = json.NewEncoder(&b).Encode(map[string]string{"error": err.Error()}) // texts can be encoded
		case err != nil:
			fmt.Fprintf(&b, "\n%v\n", err)
		}
		if err := p.turn(b.Bytes(), first); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// turn shows the next one.
func (p *page) turn(text []byte, first bool) error {
	var b bytes.Buffer
	switch {
	case p.json:
		if err := json.Compact(&b, text); err != nil {
			return err
		}
		b.WriteByte('\n')
	case p.terminal:
		b.WriteString("\x1b[H\x1b[2J")
		b.Write(text)
	default:
		if !first {
			b.WriteByte('\n')
		}
		b.Write(text)
	}
	_, err := p.out.Write(b.Bytes())
	return err
}
