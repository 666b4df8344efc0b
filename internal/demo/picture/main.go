// Picture draws a run of the demo: it reads what tandem demo prints, as it comes, and writes an
// SVG in which each line appears when it did, and the VIP moves when it did.
//
//	go run ./cmd/tandem demo | go run ./internal/demo/picture > deploy/docs/pictures/demo.svg
//
// The animation is CSS; where there is none, or none is wanted, all lines are there at once. A
// wait of more than two seconds is shown as one of two.
package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// A line is what was printed, and when it is shown, from the first line on.
type line struct {
	at   time.Duration
	text string
}

// linesMax bounds a recording.
const linesMax = 500

// waitMax is the longest wait between two lines that is shown.
const waitMax = 2 * time.Second

func main() {
	lines, err := record(os.Stdin, time.Now)
	if err == nil && len(lines) == 0 {
		err = fmt.Errorf("nothing came on standard input: pipe 'tandem demo' into this")
	}
	if err == nil {
		_, err = io.WriteString(os.Stdout, draw(lines))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func record(r io.Reader, now func() time.Time) (lines []line, err error) {
	before, shown := time.Time{}, time.Duration(0)
	for s := bufio.NewScanner(r); ; {
		if !s.Scan() {
			return lines, s.Err()
		}
		at := now()
		if !before.IsZero() {
			shown += min(at.Sub(before), waitMax)
		}
		before = at
		if len(lines) == linesMax {
			return nil, fmt.Errorf("more than %d lines", linesMax)
		}
		lines = append(lines, line{shown, strings.TrimRight(s.Text(), " ")})
	}
}

var active = regexp.MustCompile(`\bactive (lb\d)\b`)

// Sizes in user units; a character is charWidth wide.
const (
	lineHeight = 15
	charWidth  = 7.25
	columns    = 112
	head       = 96
	pause      = 8 * time.Second // at the end, before it begins anew
)

// draw returns the SVG.
func draw(lines []line) string {
	whole := lines[len(lines)-1].at + pause
	percent := func(d time.Duration) float64 { return 100 * d.Seconds() / whole.Seconds() }
	width, height := int(columns*charWidth)+20, head+len(lines)*lineHeight+20
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="A recorded run of tandem demo">
<style>
text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#d5dbe3;white-space:pre}
.b{fill:#1d2733;stroke:#51606f}.v{fill:#1f6feb}.f{fill:#ff9b8e}.o{fill:#7ee2a0}
@media (prefers-reduced-motion:no-preference){
.l{animation:%.1fs step-end infinite}
`, width, height, whole.Seconds())
	for i, l := range lines {
		fmt.Fprintf(&b, "#l%d{animation-name:k%d}@keyframes k%d{0%%{opacity:0}%.2f%%{opacity:1}}\n", i, i, i, max(percent(l.at), 0.01))
	}
	fmt.Fprintf(&b, ".m{animation:m %.1fs linear infinite}@keyframes m{%s}\n}\n</style>\n", whole.Seconds(), moves(lines, percent))
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#10161d\"/>\n", width, height)
	for i, lb := range []string{"lb1", "lb2"} {
		x := place(i)
		fmt.Fprintf(&b, "<rect class=\"b\" x=\"%d\" y=\"50\" width=\"150\" height=\"30\" rx=\"4\"/><text x=\"%d\" y=\"69\">%s 192.168.42.1%d</text>\n", x, x+12, lb, i+1)
	}
	fmt.Fprintf(&b, "<g class=\"m\" transform=\"translate(%d,0)\"><rect class=\"v\" x=\"0\" y=\"16\" width=\"150\" height=\"24\" rx=\"12\"/><text x=\"14\" y=\"32\">VIP 192.168.42.42</text></g>\n", place(last(lines)))
	for i, l := range lines {
		class := "l"
		switch {
		case strings.HasPrefix(l.text, "ok:"):
			class = "l o"
		case failing.MatchString(l.text):
			class = "l f"
		}
		text := []rune(l.text)
		text = text[:min(len(text), columns)]
		fmt.Fprintf(&b, "<text id=\"l%d\" class=\"%s\" x=\"12\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", i, class, head+(i+1)*lineHeight, html.EscapeString(string(text)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

var failing = regexp.MustCompile(`\b[1-9]\d* failed\b|^NOT ok`)

// place is where balancer i stands.
func place(i int) int { return 250 + i*210 }

// moves are the key frames of the VIP: it is where the latest line says.
func moves(lines []line, percent func(time.Duration) float64) string {
	var b strings.Builder
	const step = 0.4 // of the whole, in which it is seen to move
	at, known := 0, false
	put := func(p float64, i int) { fmt.Fprintf(&b, "%.2f%%{transform:translate(%dpx,0)}", p, place(i)) }
	for _, l := range lines {
		m := active.FindStringSubmatch(l.text)
		if m == nil {
			continue
		}
		i := int(m[1][2] - '1')
		switch {
		case !known:
			put(0, i)
		case i != at:
			put(percent(l.at)-step, at)
			put(percent(l.at), i)
		}
		at, known = i, true
	}
	put(100, at)
	return b.String()
}

// last is the number of the balancer that has the VIP at the end.
func last(lines []line) (i int) {
	for _, l := range lines {
		if m := active.FindStringSubmatch(l.text); m != nil {
			i = int(m[1][2] - '1')
		}
	}
	return i
}
