package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestAPictureIsSVGInWhichTheVIPMoves(t *testing.T) {
	at := time.Unix(0, 0)
	now := func() time.Time { at = at.Add(time.Second); return at }
	lines, err := record(strings.NewReader("a <b> & c\n  1.0 s  500 req/s  active lb1\n  2.0 s  30 failed  active lb2\nok: all\n"), now)
	if err != nil || len(lines) != 4 || lines[3].at != 3*time.Second {
		t.Fatalf("%v, %v", lines, err)
	}
	svg := draw(lines)
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a &lt;b&gt; &amp; c", "0.00%{transform:translate(250px,0)}17.78%{transform:translate(250px,0)}18.18%{transform:translate(460px,0)}", `class="l f"`, `class="l o"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
}

func TestARecordingIsBounded(t *testing.T) {
	if _, err := record(strings.NewReader(strings.Repeat("x\n", linesMax+1)), time.Now); err == nil {
		t.Error("it is not")
	}
}
