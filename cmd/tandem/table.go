package main

import (
	"bufio"
	"cmp"
	"io"
	"strings"

	"github.com/tandem-lb/tandem/internal/paint"
)

// table aligns cells under a heading; each is as wide as what is seen of it. An empty cell is shown as a dash.
type table struct {
	w    io.Writer
	ink  paint.Ink
	rows [][]string // all of the same length
}

func newTable(w io.Writer, heading ...string) *table {
	t := &table{w: w, ink: paint.To(w)}
	for i := range heading {
		heading[i] = t.ink.Bold(heading[i])
	}
	t.row(heading...)
	return t
}

func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = cmp.Or(cells[i], "-")
	}
	t.rows = append(t.rows, cells)
}

// flush writes it. Nothing follows the last cell of a row, however short it is.
func (t *table) flush() error {
	const gap = 2
	widths := make([]int, len(t.rows[0]))
	for _, r := range t.rows {
		for i, c := range r {
			widths[i] = max(widths[i], paint.Width(c))
		}
	}
	b := bufio.NewWriter(t.w)
	for _, r := range t.rows {
		for i, c := range r {
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-paint.Width(c)+gap))
			}
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}
