package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/paint"
)

// topModel is what 'tandem top' shows, and in which way.
type topModel struct {
	cluster api.Cluster
	err     error // of the last question; what is shown is older then
	order   int   // of backends, in topOrders
	held    bool  // nothing new is taken in
	first   int   // line that stands at the top
	room    int   // lines that stood below the head when it was last drawn
	quit    bool
	asked   bool      // something was answered once
	ink     paint.Ink // of the screen
}

// answered takes in what the balancer said.
func (m *topModel) answered(c api.Cluster, err error) {
	switch {
	case m.held:
	case err != nil:
		m.err = err
	default:
		m.cluster, m.err, m.asked = c, nil, true
	}
}

// pressed takes in one key: a letter, or what a terminal sends for one of no letter.
func (m *topModel) pressed(key string) {
	switch key {
	case "q", "\x03", "\x04": // Ctrl-C and Ctrl-D come as bytes from a raw terminal
		m.quit = true
	case "s":
		m.order = (m.order + 1) % len(topOrders)
	case " ":
		m.held = !m.held
	case "j", "\x1b[B": // down
		m.first++
	case "k", "\x1b[A": // up
		m.first = max(0, m.first-1)
	case "\x1b[6~": // page down
		m.first += m.room
	case "\x1b[5~": // page up
		m.first = max(0, m.first-m.room)
	}
}

// screen is what stands on a terminal of this size: no more lines, and none longer.
func (m *topModel) screen(width, height int) []string {
	head := []string{m.ink.Bold(m.title())}
	if m.err != nil {
		head = append(head, m.ink.Red("! "+m.err.Error()))
	}
	var b bytes.Buffer
	if m.asked {
		m.print(paint.With(&b, m.ink))
	}
	body := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	m.room = max(0, height-len(head))
	m.first = max(0, min(m.first, len(body)-m.room))
	body = body[m.first:]
	lines := append(head, body[:min(len(body), m.room)]...)
	for i, l := range lines {
		lines[i] = paint.Cut(l, width)
	}
	return lines[:min(len(lines), height)]
}

func (m *topModel) title() string {
	held := "space holds"
	if m.held {
		held = "HELD, space goes on"
	}
	return fmt.Sprintf("tandem top  %s  q quits  %s  s sorts by %s  j k and arrows scroll", m.cluster.At.Format("15:04:05"), held, topOrders[(m.order+1)%len(topOrders)])
}

// print writes the whole of it, as it stands in a file.
func (m *topModel) print(w io.Writer) error {
	if err := printCluster(w, m.cluster); err != nil {
		return err
	}
	frontends, pools := topRows(m.cluster)
	fmt.Fprintln(w)
	t := newTable(w, "FRONTEND", "REQ/S", "ERR/S", "REFUSED/S", "P50", "P95", "P99", "CONNECTIONS", "IN/S", "OUT/S")
	for _, f := range frontends {
		t.row(f.Name, perSecond(f.Live.Requests), errorRate(t.ink, f.Live.Errors), refusedRate(t.ink, f.Live.Refused), briefly(f.Live.P50), briefly(f.Live.P95), briefly(f.Live.P99),
			fmt.Sprint(f.Current), bytesPerSecond(f.Live.BytesIn), bytesPerSecond(f.Live.BytesOut))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = newTable(w, "POOL, BACKEND", "STATE", "REQ/S", "ERR/S", "P50", "P95", "P99", "NOW")
	for _, p := range pools {
		t.topRow(p.Name, p)
		for _, b := range sortRows(p.children, topOrders[m.order]) {
			t.topRow("  "+b.Name, b)
		}
	}
	return t.flush()
}

func (t *table) topRow(name string, r *topRow) {
	t.row(name, r.painted(t.ink), perSecond(r.Live.Requests), errorRate(t.ink, r.Live.Errors), briefly(r.Live.P50), briefly(r.Live.P95), briefly(r.Live.P99), fmt.Sprint(r.Current))
}
