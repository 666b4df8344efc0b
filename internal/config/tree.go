package config

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// kind is what a node of the file is.
type kind string

const (
	kindText   kind = "a text in quotes"
	kindNumber kind = "a whole number"
	kindBool   kind = "true or false"
	kindFloat  kind = "a number with a point"
	kindDate   kind = "a date or time"
	kindList   kind = "a list"
	kindTable  kind = "a table"
)

// node is one value of the file, with the places of the value and of the key
// or header that names it.
type node struct {
	kind   kind
	text   string // of a scalar
	items  []*node
	order  []string // a table's keys in the order of the file
	fields map[string]*node
	key    place
	at     place

	header  bool // a table that had its own [header]
	headers bool // a list made of [[headers]]
	broken  bool // its line had a syntax error, reported already
}

func newTable(at place) *node {
	return &node{kind: kindTable, fields: map[string]*node{}, key: at, at: at}
}

func (n *node) put(name string, child *node) {
	n.fields[name] = child
	n.order = append(n.order, name)
}

// builder turns the parser's flat expressions into a tree of nodes.
type builder struct {
	src    *source
	broken map[int]bool // lines whose value was taken out
	errs   Errors
	parser unstable.Parser
}

// build reads the source. A syntax error ends it.
func (b *builder) build() (*node, error) {
	b.parser.Reset(b.src.data)
	root := newTable(place{file: b.src.file})
	table := root
	for b.parser.NextExpression() {
		e := b.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = b.openTable(root, e)
		case unstable.ArrayTable:
			table = b.openElement(root, e)
		case unstable.KeyValue:
			b.keyValue(table, e)
		}
	}
	return root, b.parser.Error()
}

func (b *builder) place(r unstable.Range) place {
	return b.src.at(int(r.Offset), int(r.Length))
}

// walk follows all parts of a key but the last, making tables on the way, and
// returns the last table, the last part and its place; nil after a conflict.
func (b *builder) walk(from *node, keys unstable.Iterator) (*node, string, place) {
	table := from
	keys.Next()
	for {
		part := keys.Node()
		name, at := string(part.Data), b.place(part.Raw)
		if !keys.Next() {
			return table, name, at
		}
		child, ok := table.fields[name]
		if !ok {
			child = newTable(at)
			table.put(name, child)
		}
		if child.kind == kindList && child.headers && len(child.items) > 0 {
			child = child.items[len(child.items)-1]
		}
		if child.kind != kindTable {
			b.conflict(name, at, child)
			return nil, name, at
		}
		table = child
	}
}

func (b *builder) conflict(name string, at place, earlier *node) {
	if earlier.broken {
		return
	}
	b.errs = append(b.errs, at.error(
		fmt.Sprintf("%q is given twice", name),
		fmt.Sprintf("it stands on line %d already, as %s", earlier.key.line, earlier.kind)))
}

// openTable handles [header]. After a conflict the keys that follow go into a
// table that nobody reads.
func (b *builder) openTable(root *node, e *unstable.Node) *node {
	parent, name, at := b.walk(root, e.Key())
	if parent == nil {
		return newTable(at)
	}
	table, ok := parent.fields[name]
	switch {
	case !ok:
		table = newTable(at)
		parent.put(name, table)
	case table.kind != kindTable || table.header:
		b.conflict(name, at, table)
		return newTable(at)
	}
	table.header, table.key, table.at = true, at, at
	return table
}

// openElement handles [[header]].
func (b *builder) openElement(root *node, e *unstable.Node) *node {
	element := newTable(place{})
	parent, name, at := b.walk(root, e.Key())
	element.key, element.at = at, at
	if parent == nil {
		return element
	}
	list, ok := parent.fields[name]
	switch {
	case !ok:
		list = &node{kind: kindList, headers: true, key: at, at: at}
		parent.put(name, list)
	case !list.headers:
		b.conflict(name, at, list)
		return element
	}
	list.items = append(list.items, element)
	return element
}

// keyValue handles key = value in a table, inline ones included.
func (b *builder) keyValue(table *node, e *unstable.Node) {
	parent, name, at := b.walk(table, e.Key())
	if parent == nil {
		return
	}
	if earlier, ok := parent.fields[name]; ok {
		b.conflict(name, at, earlier)
		return
	}
	value := b.value(e.Value(), at)
	value.broken = b.broken[at.line]
	parent.put(name, value)
}

// value copies a parser's node: it is valid for one expression only.
func (b *builder) value(v *unstable.Node, key place) *node {
	n := &node{key: key, at: key, text: strings.Clone(string(v.Data))}
	if v.Raw.Length > 0 {
		n.at = b.place(v.Raw)
	}
	switch v.Kind {
	case unstable.String:
		n.kind = kindText
	case unstable.Integer:
		n.kind = kindNumber
	case unstable.Bool:
		n.kind = kindBool
	case unstable.Float:
		n.kind = kindFloat
	case unstable.Array:
		n.kind = kindList
		for items := v.Children(); items.Next(); {
			n.items = append(n.items, b.value(items.Node(), key))
		}
	case unstable.InlineTable:
		n.kind, n.fields = kindTable, map[string]*node{}
		n.header = true
		for items := v.Children(); items.Next(); {
			b.keyValue(n, items.Node())
		}
	default:
		n.kind = kindDate
	}
	return n
}
