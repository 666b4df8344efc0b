package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tandem-lb/tandem/internal/api"
)

func newTop() *cobra.Command {
	var (
		look     lookFlags
		interval time.Duration
		times    int
		node     string
	)
	cmd := &cobra.Command{
		Use:     "top",
		Short:   "watch requests, errors and latencies as they come",
		GroupID: groupLook,
		Args:    cobra.NoArgs,
		Long: `Show, over and over, who is active, and for each frontend, pool and backend the requests
and errors a second, how long requests took (half of them no longer than p50, one in a
hundred longer than p99), and connections: over the last 5 s, of all balancers together,
or of --node.

Where it does not write to a terminal it prints once, or -n times. With --json each time
is one line, an object as 'tandem status --cluster --json' prints it.`,
		Example: `  tandem top
  tandem top -n 60 --json >> load.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 100*time.Millisecond || interval > time.Hour {
				return usage("--interval %v: want 100ms to 1h", interval)
			}
			if times < 0 {
				return usage("-n %d: want a number of times, or 0 to go on", times)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			t := &topRun{client: api.NewClient(look.socket), out: cmd.OutOrStdout(), interval: interval, times: times, node: node}
			out, ok := t.out.(*os.File)
			live := ok && term.IsTerminal(int(out.Fd())) && term.IsTerminal(int(os.Stdin.Fd())) && os.Getenv("TERM") != "dumb"
			if live && !look.json {
				return t.watch(ctx, out)
			}
			if times == 0 && !live {
				t.times = 1
			}
			return t.print(ctx, look.json)
		},
	}
	look.add(cmd)
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks")
	cmd.Flags().IntVarP(&times, "times", "n", 0, "how often to look (default: until Ctrl-C in a terminal, else once)")
	nodeFlag(cmd, &node)
	return cmd
}

// topRun is one run of 'tandem top'.
type topRun struct {
	client   *api.Client
	out      io.Writer
	interval time.Duration
	times    int // 0: until ctx ends
	node     string
}

// look asks once.
func (t *topRun) look(ctx context.Context) (api.Cluster, error) {
	c, err := t.client.Cluster(ctx)
	if err != nil {
		return c, err
	}
	return only(c, t.node)
}

// print writes a table, or a line of JSON, each time.
func (t *topRun) print(ctx context.Context, asJSON bool) error {
	var m topModel
	for n := 0; t.times == 0 || n < t.times; n++ {
		if n > 0 && !pause(ctx, t.interval) {
			return nil
		}
		c, err := t.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case asJSON:
			err = json.NewEncoder(t.out).Encode(c)
		default:
			if n > 0 {
				fmt.Fprintln(t.out)
			}
			m.answered(c, nil)
			err = m.print(t.out)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pause waits, and is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// The few words of a terminal that are needed: to have a screen of its own without a cursor,
// and to write a line over another.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// watch shows it on a screen of its own until a key or ctx ends it. A balancer that does not
// answer from the beginning is an error; one that ends later may come back.
func (t *topRun) watch(ctx context.Context, out *os.File) error {
	c, err := t.look(ctx)
	if err != nil {
		return err
	}
	in := int(os.Stdin.Fd())
	was, err := term.MakeRaw(in)
	if err != nil {
		return fmt.Errorf("this terminal cannot be used for 'tandem top': %w; 'tandem top | cat' prints once", err)
	}
	defer term.Restore(in, was)
	fmt.Fprint(out, enterScreen)
	defer fmt.Fprint(out, leaveScreen)

	var m topModel
	m.answered(c, nil)
	tick := time.NewTicker(t.interval)
	defer tick.Stop()
	keys := readKeys()
	for n := 1; !m.quit && (t.times == 0 || n < t.times); {
		draw(out, &m)
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-keys:
			if !ok {
				return nil
			}
			m.pressed(key)
		case <-tick.C:
			n++
			m.answered(t.look(ctx))
		}
	}
	return nil
}

// readKeys reads bytes from the terminal. A read cannot be taken back: the goroutine ends
// with the input, or the program.
func readKeys() <-chan byte {
	keys := make(chan byte)
	go func() {
		defer close(keys)
		var b [1]byte
		for {
			if n, err := os.Stdin.Read(b[:]); n == 0 || err != nil {
				return
			}
			keys <- b[0]
		}
	}()
	return keys
}

func draw(out *os.File, m *topModel) {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	var b strings.Builder
	b.WriteString(home)
	for i, l := range m.screen(width, height) {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(l + clearLine)
	}
	b.WriteString(clearBelow)
	fmt.Fprint(out, b.String())
}
