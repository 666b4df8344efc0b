package webapp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"syscall"
	"time"
)

// Main runs the app as a program: flags in, exit code out (0 done, 1 failed,
// 2 usage). SIGTERM and SIGINT drain it; a second one ends it at once.
func Main(args []string, stderr io.Writer) int {
	cfg := Config{Log: slog.New(slog.NewTextHandler(stderr, nil))}
	flags := flag.NewFlagSet("webapp", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.Listen, "listen", ":3000", "`address` and port to listen on")
	flags.StringVar(&cfg.Name, "name", "", "`name` shown in answers (default: the host name)")
	flags.DurationVar(&cfg.Delay, "delay", 0, "`time` before each answer of /")
	flags.DurationVar(&cfg.Drain, "drain", 10*time.Second, "`time` that requests may still take after SIGTERM")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "webapp: %q is no flag; see: webapp -help\n", flags.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // gives the next signal its usual effect
	if err := Run(ctx, cfg); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}
