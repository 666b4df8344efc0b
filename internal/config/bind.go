package config

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// leaf is one value of a raw type.
type leaf[T any] struct {
	V   T
	Set bool  // it was given; else V is the default
	Bad bool  // it was given, is not acceptable, and has been reported
	At  place // the value; where it was not given, the table it belongs to
}

type (
	text   = leaf[string]
	number = leaf[int]
	toggle = leaf[bool]
	span   = leaf[time.Duration]
	list   = leaf[[]text]
)

// table is embedded in the raw type of each table.
type table struct {
	Key place // the header or key that names it
}

// problem is what is wrong with a value, where its place is known already.
type problem struct{ msg, remedy string }

// binder fills raw types from a tree and collects what is wrong on the way.
type binder struct {
	root    reflect.Type // the raw type of the whole file
	errs    Errors
	partial bool // a table could not be read: what seems missing may have stood in it
}

func (b *binder) add(at place, msg, remedy string) {
	b.errs = append(b.errs, at.error(msg, remedy))
}

// table fills the struct v from n, which is nil for a table that is absent:
// then all its values get their defaults. path names the table in messages.
func (b *binder) table(n *node, v reflect.Value, path string) {
	if n == nil {
		n = newTable(place{})
	}
	if t := v.FieldByName("Key"); t.IsValid() {
		t.Set(reflect.ValueOf(n.key))
	}
	known := map[string]bool{}
	for _, f := range reflect.VisibleFields(v.Type()) { // those of embedded types, too
		name := f.Tag.Get("toml")
		if name == "" {
			continue
		}
		known[name] = true
		b.field(n.fields[name], v.FieldByIndex(f.Index), f.Tag, n.key, join(path, name))
	}
	for _, name := range n.order {
		if !known[name] {
			b.add(n.fields[name].key, fmt.Sprintf("unknown key %q", name), b.unknownRemedy(name, known))
		}
	}
}

// field fills one field: a leaf, a table, a list of tables or a map of them.
func (b *binder) field(n *node, v reflect.Value, tag reflect.StructTag, owner place, path string) {
	if n != nil && n.broken && v.Kind() != reflect.Struct {
		b.partial = true
		return
	}
	switch l := v.Addr().Interface().(type) {
	case *text:
		bindLeaf(b, l, n, tag, owner, path, parseText)
	case *number:
		bindLeaf(b, l, n, tag, owner, path, parseNumber)
	case *toggle:
		bindLeaf(b, l, n, tag, owner, path, parseToggle)
	case *span:
		bindLeaf(b, l, n, tag, owner, path, parseSpan)
	case *list:
		bindLeaf(b, l, n, tag, owner, path, b.parseList)
	default:
		switch v.Kind() {
		case reflect.Map:
			b.tablesByName(n, v, tag, path)
		case reflect.Slice:
			b.tables(n, v, tag, path)
		default:
			b.subTable(n, v, path)
		}
	}
}

func (b *binder) subTable(n *node, v reflect.Value, path string) {
	switch {
	case n != nil && n.broken:
		b.partial, n = true, nil
	case n != nil && n.kind != kindTable:
		b.add(n.at, fmt.Sprintf("%s is %s, but must be a table", path, n.kind), fmt.Sprintf("write [%s]", path))
		n = nil
	}
	b.table(n, v, path)
}

// tables fills a slice from [[path]] or path = [{…}].
func (b *binder) tables(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if n == nil {
		return
	}
	remedy := fmt.Sprintf("write [[%s]] with two brackets, once for each", path)
	if n.kind != kindList {
		b.partial = true
		b.add(n.key, fmt.Sprintf("%s is %s, but must be a list of tables", path, n.kind), remedy)
		return
	}
	b.atMost(n, len(n.items), tag, path)
	for _, item := range n.items {
		if item.kind != kindTable {
			b.partial = true
			b.add(item.at, fmt.Sprintf("this is %s, but must be a table", item.kind), remedy)
			continue
		}
		element := reflect.New(v.Type().Elem().Elem())
		b.table(item, element.Elem(), path)
		v.Set(reflect.Append(v, element))
	}
}

// tablesByName fills a map from [path.NAME].
func (b *binder) tablesByName(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	if n == nil {
		return
	}
	remedy := fmt.Sprintf("write [%s.NAME]", path)
	if n.kind != kindTable {
		b.partial = true
		b.add(n.key, fmt.Sprintf("%s is %s, but must be tables with names", path, n.kind), remedy)
		return
	}
	b.atMost(n, len(n.order), tag, path)
	for _, name := range n.order {
		item := n.fields[name]
		switch {
		case item.broken:
			b.partial = true
		case item.kind != kindTable:
			b.partial = true
			b.add(item.key, fmt.Sprintf("%q stands in [%s], which holds tables with names only", name, path), remedy)
		default:
			element := reflect.New(v.Type().Elem().Elem())
			b.table(item, element.Elem(), join(path, name))
			v.SetMapIndex(reflect.ValueOf(name), element)
		}
	}
}

func (b *binder) atMost(n *node, count int, tag reflect.StructTag, path string) {
	if limit, err := strconv.Atoi(tag.Get("max")); err == nil && count > limit {
		b.add(n.key, fmt.Sprintf("%s has %d entries, more than the %d that are allowed", path, count, limit), "")
	}
}

// bindLeaf sets one value: parsed, checked against the bounds in its tag, or
// the default.
func bindLeaf[T any](b *binder, l *leaf[T], n *node, tag reflect.StructTag, owner place, path string,
	parse func(*node, reflect.StructTag) (T, *problem),
) {
	l.At = owner
	if n == nil {
		if example := tag.Get("need"); example != "" {
			l.Bad = true
			b.add(owner, path+" is missing", fmt.Sprintf("for example: %s = %s", tag.Get("toml"), exampleOf(l, example)))
		}
		if d, ok := tag.Lookup("default"); ok {
			l.V, _ = parse(&node{kind: defaultKind(l), text: d}, tag)
		}
		return
	}
	l.Set, l.At, l.Bad = true, n.at, n.broken
	if n.broken {
		return
	}
	v, p := parse(n, tag)
	if p != nil {
		l.Bad = true
		b.add(n.at, path+" "+p.msg, p.remedy)
		return
	}
	l.V = v
}

// exampleOf writes an example of a value as it stands in a file.
func exampleOf(l any, example string) string {
	switch l.(type) {
	case *number:
		return example
	case *list:
		return fmt.Sprintf("[%q]", example)
	default:
		return strconv.Quote(example)
	}
}

// defaultKind is the kind a default in a tag stands for.
func defaultKind(l any) kind {
	switch l.(type) {
	case *number:
		return kindNumber
	case *toggle:
		return kindBool
	default:
		return kindText
	}
}

func wrongKind(n *node, want kind) *problem {
	p := &problem{msg: fmt.Sprintf("must be %s, but is %s", want, n.kind)}
	if want == kindText && (n.kind == kindNumber || n.kind == kindFloat || n.kind == kindBool) {
		p.remedy = fmt.Sprintf("write %q", n.text)
	}
	return p
}

func parseText(n *node, tag reflect.StructTag) (string, *problem) {
	if n.kind != kindText {
		return "", wrongKind(n, kindText)
	}
	if n.text == "" {
		return "", &problem{msg: "is empty", remedy: "leave it out"}
	}
	if choice := tag.Get("oneof"); choice != "" {
		known := strings.Split(choice, ",")
		for _, k := range known {
			if n.text == k {
				return n.text, nil
			}
		}
		return "", &problem{msg: fmt.Sprintf("knows no %q", n.text), remedy: didYouMean(n.text, known)}
	}
	return n.text, nil
}

func parseNumber(n *node, tag reflect.StructTag) (int, *problem) {
	if n.kind != kindNumber {
		p := wrongKind(n, kindNumber)
		if _, err := strconv.Atoi(n.text); err == nil {
			p.remedy = "write " + n.text + " without quotes"
		}
		return 0, p
	}
	low, high := tag.Get("min"), tag.Get("max")
	v, err := strconv.ParseInt(n.text, 0, 64)
	if err != nil {
		return 0, &problem{msg: fmt.Sprintf("must be a whole number from %s to %s, but is %q", low, high, n.text)}
	}
	lowest, _ := strconv.ParseInt(low, 10, 64)
	highest, _ := strconv.ParseInt(high, 10, 64)
	if v < lowest || v > highest {
		return 0, &problem{msg: fmt.Sprintf("is %d, which is not from %s to %s", v, low, high)}
	}
	return int(v), nil
}

func parseToggle(n *node, _ reflect.StructTag) (bool, *problem) {
	if n.kind != kindBool {
		p := wrongKind(n, kindBool)
		if n.text == "true" || n.text == "false" {
			p.remedy = "write " + n.text + " without quotes"
		}
		return false, p
	}
	return n.text == "true", nil
}

func parseSpan(n *node, tag reflect.StructTag) (time.Duration, *problem) {
	const remedy = `a duration is a number with ms, s, m or h, in quotes: "20ms", "1.5s", "10m"`
	if n.kind != kindText {
		return 0, &problem{msg: fmt.Sprintf("must be a duration, but is %s", n.kind), remedy: remedy}
	}
	v, err := time.ParseDuration(n.text)
	if err != nil {
		return 0, &problem{msg: fmt.Sprintf("is not a duration: %q", n.text), remedy: remedy}
	}
	lowest, _ := time.ParseDuration(tag.Get("min"))
	highest, _ := time.ParseDuration(tag.Get("max"))
	if v < lowest || v > highest {
		return 0, &problem{msg: fmt.Sprintf("is %s, which is not from %s to %s", n.text, tag.Get("min"), tag.Get("max"))}
	}
	return v, nil
}

// parseList reports what is wrong with single items itself and returns the
// good ones.
func (b *binder) parseList(n *node, tag reflect.StructTag) ([]text, *problem) {
	if n.kind != kindList {
		p := wrongKind(n, kindList)
		if n.kind == kindText {
			p.remedy = fmt.Sprintf("write [%q]", n.text)
		}
		return nil, p
	}
	b.atMost(n, len(n.items), tag, "the list")
	var texts []text
	for _, item := range n.items {
		v, p := parseText(item, "")
		if p != nil {
			b.add(item.at, "this item "+p.msg, p.remedy)
			continue
		}
		texts = append(texts, text{V: v, Set: true, At: item.at})
	}
	return texts, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// unknownRemedy names a near key of the same table, or the table in which a
// key of that name belongs, or all keys of this one.
func (b *binder) unknownRemedy(name string, known map[string]bool) string {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	sort.Strings(names)
	home := homeOf(b.root, name)
	if balancer := reflect.TypeFor[rawConfig](); home == "" && b.root != balancer && homeOf(balancer, name) != "" {
		return fmt.Sprintf("it is a balancer's, in %s", homeOf(balancer, name))
	}
	near := didYouMean(name, names)
	if strings.HasPrefix(near, "did you mean") {
		return near
	}
	if home != "" {
		return fmt.Sprintf("%q belongs in %s", name, home)
	}
	return near
}
