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
	"github.com/tandem-lb/tandem/internal/paint"
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
and errors a second, what limits have refused of them, how long requests took (half of them no longer than p50, one in a
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

	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	t.show(ctx, out, c, readKeys(os.Stdin), resized)
	return nil
}

// show draws what is answered, and again with each key and each new size, until one of them, ctx or the number of
// times ends it. Nobody waits for an answer: a balancer that gives none leaves the keys working.
func (t *topRun) show(ctx context.Context, out *os.File, first api.Cluster, keys <-chan string, resized <-chan os.Signal) {
	m := topModel{ink: paint.To(out)}
	m.answered(first, nil)
	tick := time.NewTicker(t.interval)
	defer tick.Stop()
	type answer struct {
		c   api.Cluster
		err error
	}
	var answers chan answer // nil: nothing was asked
	for n := 1; !m.quit && (t.times == 0 || n < t.times); {
		draw(out, &m)
		select {
		case <-ctx.Done():
			return
		case key, ok := <-keys:
			if !ok {
				return
			}
			m.pressed(key)
		case <-resized:
		case a := <-answers:
			answers = nil
			n++
			m.answered(a.c, a.err)
		case <-tick.C:
			if answers != nil {
				continue
			}
			ask := make(chan answer, 1)
			answers = ask
			go func() {
				c, err := t.look(ctx)
				ask <- answer{c, err}
			}()
		}
	}
}

// readKeys reads keys from a terminal. A read cannot be taken back: the goroutine ends with
// the input, or the program.
func readKeys(in io.Reader) <-chan string {
	keys := make(chan string)
	go func() {
		defer close(keys)
		b := make([]byte, 64)
		for {
			n, err := in.Read(b)
			for _, key := range splitKeys(string(b[:n])) {
				keys <- key
			}
			if n == 0 || err != nil {
				return
			}
		}
	}()
	return keys
}

// splitKeys takes apart what was read at once: letters, and the sequences that the keys of no letter send (ECMA-48,
// 5.4: ESC [, parameters, and a last byte).
func splitKeys(s string) (keys []string) {
	for len(s) > 0 {
		n := 1
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			last := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			n = len(s) - len(rest) + last + 1
		}
		keys, s = append(keys, s[:n]), s[n:]
	}
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
