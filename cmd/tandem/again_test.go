package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// watched is what a page shows of rounds that are 1 to 3, of which the second fails.
func watched(t *testing.T, p page) string {
	t.Helper()
	var b bytes.Buffer
	p.out = &b
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	n := 0
	err := p.watch(ctx, func(_ context.Context, w io.Writer) error {
		if n++; n == 3 {
			defer time.AfterFunc(againEvery/2, stop)
		}
		if n == 2 {
			return errors.New("no balancer answers")
		}
		_, err := fmt.Fprintf(w, "{\n \"round\": %d\n}\n", n)
		return err
	})
	if err != nil || n != 3 {
		t.Errorf("%d rounds, and %v", n, err)
	}
	return b.String()
}

func TestWatchShowsAllOfItAgainAndGoesOnAfterAnError(t *testing.T) {
	for _, tc := range []struct {
		name string
		page page
		want string
	}{
		{"plain", page{}, "{\n \"round\": 1\n}\n\n\nno balancer answers\n\n{\n \"round\": 3\n}\n"},
		{"json", page{json: true}, "{\"round\":1}\n{\"error\":\"no balancer answers\"}\n{\"round\":3}\n"},
		{"terminal", page{terminal: true}, "\x1b[H\x1b[2J{\n \"round\": 1\n}\n\x1b[H\x1b[2J\nno balancer answers\n\x1b[H\x1b[2J{\n \"round\": 3\n}\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := watched(t, tc.page); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			})
		})
	}
}

func TestWatchEndsWithTheErrorOfItsFirstTime(t *testing.T) {
	fault := errors.New("no balancer answers")
	p := page{out: io.Discard}
	if err := p.watch(t.Context(), func(context.Context, io.Writer) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
}
