package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tandem-lb/tandem/internal/config"
)

// line is one key of the output, with the line of a source that it comes from.
type line struct {
	key, value string
	from       place
	vital      bool    // without it the block means something else
	also       []place // lines that are in the value, too
}

// block is one table of the output.
type block struct {
	head  string // [pool.web]
	from  place
	lines []line
}

func (b *block) set(key, value string, from place) {
	b.lines = append(slices.DeleteFunc(b.lines, func(l line) bool { return l.key == key }), line{key: key, value: value, from: from})
}

func (b *block) vital(key, value string, from place) {
	b.set(key, value, from)
	b.lines[len(b.lines)-1].vital = true
}

// builder collects blocks and what became of each line.
type builder struct {
	blocks []*block
	items  []Item
	all    []*section // of the haproxy.cfg at hand
}

func (b *builder) add(head string, from place) *block {
	n := &block{head: head, from: from}
	b.blocks = append(b.blocks, n)
	return n
}

// table returns the block of that head, which it makes if there is none.
func (b *builder) table(head string, from place) *block {
	for _, x := range b.blocks {
		if x.head == head {
			return x
		}
	}
	return b.add(head, from)
}

func (b *builder) took(p place, became, note string) { b.items = append(b.items, p.item(became, note)) }

// Source is a file to import.
type Source struct {
	Name string
	Data []byte
}

// Import reads the sources, each of which is a haproxy.cfg or a keepalived.conf: what it is is
// seen by what stands in it. node is the name of the balancer that they are from, for what is
// its own; "": then that is reported and left. readFile reads the files that the output names.
func Import(sources []Source, node string, readFile func(string) ([]byte, error)) (Result, error) {
	b := new(builder)
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
		if !utf8.Valid(s.Data) {
			return Result{}, fmt.Errorf("%s is not UTF-8 text", s.Name)
		}
		if isKeepalived(s.Data) {
			b.keepalived(s, node)
		} else {
			b.haproxy(s)
		}
	}
	text, err := b.repair(readFile)
	if err != nil {
		return Result{}, err
	}
	return Result{TOML: text, Report: sorted(b.items, names)}, nil
}

// repair leaves out what package config does not accept, until it accepts the rest.
func (b *builder) repair(readFile func(string) ([]byte, error)) (string, error) {
	b.trim()
	for range maxRounds {
		text, at := b.text()
		_, err := config.Parse("imported.toml", []byte(text), readFile)
		if err == nil {
			return text, nil
		}
		var errs config.Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			return "", err
		}
		done := map[*block]bool{}
		for _, e := range errs { // each round is a whole check, so it deals with all that it can
			o := at[e.Line]
			if o.block != nil && done[o.block] {
				continue // its lines have moved
			}
			if !b.leaveOut(e, at) {
				return "", fmt.Errorf("this cannot be imported: %w", err)
			}
			if done[o.block] = true; o.block == nil {
				break
			}
		}
	}
	return "", errors.New("this cannot be imported: too much of it is wrong")
}

// maxRounds is far more than any file needs: what is left out can only make less wrong.
const maxRounds = 1000

// most is how many tables of a kind a configuration may have.
var most = map[string]int{"[[frontend]]": 256, "[[vip]]": 64, "[pool.": 1000, "[[hook]]": 32, "[track.": 32}

// trim leaves out tables of which there may be no more.
func (b *builder) trim() {
	for kind, limit := range most {
		n := 0
		for _, x := range slices.Clone(b.blocks) {
			if !strings.HasPrefix(x.head, kind) {
				continue
			}
			if n++; n > limit {
				b.drop(x, fmt.Sprintf("there may be %d of them", limit))
			}
		}
	}
}

// origin is where a line of the output comes from.
type origin struct {
	block *block
	line  int // -1: the head
}

// text writes the blocks, and returns for each line of it where it comes from.
func (b *builder) text() (string, map[int]origin) {
	var w strings.Builder
	at, n := map[int]origin{}, 0
	put := func(s string, o origin) {
		n++
		at[n] = o
		w.WriteString(s + "\n")
	}
	for i, blk := range b.blocks {
		if i > 0 {
			put("", origin{})
		}
		put(blk.head, origin{blk, -1})
		for j, l := range blk.lines {
			put(l.key+" = "+l.value, origin{blk, j})
		}
	}
	return w.String(), at
}

// leaveOut takes out what an error is about, or puts in what is missing altogether.
func (b *builder) leaveOut(e *config.Error, at map[int]origin) bool {
	o, known := at[e.Line]
	if !known || o.block == nil {
		return b.complete(e)
	}
	blk := o.block
	if strings.HasPrefix(blk.head, "[[vip]]") && strings.Contains(e.Msg, "frontend") && !b.has("[[frontend]]") {
		return b.complete(e)
	}
	if o.line < 0 || blk.lines[o.line].vital {
		if o.line >= 0 {
			b.took(blk.lines[o.line].from, Left, e.Msg)
		}
		b.drop(blk, e.Msg)
		return true
	}
	b.took(blk.lines[o.line].from, Left, e.Msg)
	blk.lines = slices.Delete(blk.lines, o.line, o.line+1)
	return true
}

// drop leaves a block out, and with it the one that it is a part of, or that is a part of it: a
// frontend without its certificates would serve in the clear.
func (b *builder) drop(blk *block, why string) {
	i := slices.Index(b.blocks, blk)
	if i < 0 {
		return // with the one that it is a part of
	}
	for _, x := range slices.Clone(b.blocks) {
		if poolTLSHead(x.head) == blk.head {
			b.unserve(x, why)
		}
		if poolTLSHead(blk.head) == x.head {
			b.drop(x, why)
		}
	}
	i = slices.Index(b.blocks, blk)
	from, to := i, i+1
	if blk.head == tlsHead && i > 0 {
		from--
	}
	for b.blocks[from].head == "[[frontend]]" && to < len(b.blocks) && (b.blocks[to].head == tlsHead || b.blocks[to].head == ruleHead) {
		to++
	}
	for _, x := range b.blocks[from:to] {
		b.took(x.from, Left, why)
	}
	b.blocks = slices.Delete(b.blocks, from, to)
}

// unserve leaves the backends of a pool out: without its TLS they would be spoken to in the clear.
func (b *builder) unserve(pool *block, why string) {
	pool.lines = slices.DeleteFunc(pool.lines, func(l line) bool {
		if l.key == "backends" {
			for _, from := range append(l.also, l.from) {
				b.took(from, Left, why)
			}
		}
		return l.key == "backends"
	})
}

const tlsHead = "[frontend.tls]"

func (b *builder) has(head string) bool {
	return slices.ContainsFunc(b.blocks, func(x *block) bool { return x.head == head })
}

// complete puts in a frontend and its pool where the sources have none, as keepalived.conf.
func (b *builder) complete(*config.Error) bool {
	if b.has("[[frontend]]") {
		return false
	}
	f := b.add("[[frontend]]", place{})
	f.vital("listen", quote(":80"), place{})
	f.vital("pool", quote("web"), place{})
	b.table("[pool.web]", place{})
	b.items = append(b.items, Item{Became: Changed, Note: `a frontend on :80 and the pool "web" were added, since a balancer has one; import haproxy.cfg beside this to have its own`})
	return true
}

// quote writes a text as TOML does; control characters that have no escape of their own are left
// out.
func quote(s string) string {
	var w strings.Builder
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r == '\r':
			w.WriteString(`\r`)
		case r == '\n':
			w.WriteString(`\n`)
		case r == '\t':
			w.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r == utf8.RuneError:
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
	return w.String()
}

func quoteList(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quote(w)
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// label makes a name of what pools and frontends are called elsewhere; "" if nothing is left.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, s)
	if len(s) > 63 {
		s = s[:63]
	}
	return strings.Trim(s, "-_.")
}

// poolHead is the table of a pool; a dot in the name would begin another table.
func poolHead(name string) string { return "[pool." + key(name) + "]" }

// key writes a name as a part of a table's.
func key(name string) string {
	if strings.Contains(name, ".") {
		return quote(name)
	}
	return name
}
