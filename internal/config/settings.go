package config

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setting is one key with its effective value, the default included, or one table that
// may be there or not. Its name is the key's, with the table's own name or address in the
// place where the file only counts: frontend.http.listen, vip.192.168.42.42.group.
type setting struct {
	name  string
	value string // as a person would write it
	table bool   // it stands for all settings below it
	live  bool   // takes effect by a reload; of a table: may be added and removed by one
}

// settingsOf lists all settings of a configuration that has been checked.
func settingsOf(raw *rawConfig) []setting {
	return settingsIn(reflect.ValueOf(raw).Elem(), "", false)
}

func settingsIn(v reflect.Value, path string, inLive bool) (all []setting) {
	for _, field := range reflect.VisibleFields(v.Type()) {
		tag := field.Tag
		name, f := tag.Get("toml"), v.FieldByIndex(field.Index)
		if name == "" {
			continue
		}
		name = join(path, name)
		live := inLive || tag.Get("reload") == "live"
		each := func(element reflect.Value, own string) {
			own = join(name, own)
			all = append(all, setting{name: own, table: true, live: live})
			all = append(all, settingsIn(element.Elem(), own, live)...)
		}
		switch {
		case f.Kind() == reflect.Map:
			for _, key := range sortedKeys(f) {
				each(f.MapIndex(key), key.String())
			}
		case f.Kind() == reflect.Slice:
			if rules, ok := f.Interface().([]*rawRule); ok {
				all = append(all, setting{name: name, value: ruleOrder(rules), live: live})
			}
			for i := range f.Len() {
				each(f.Index(i), elementName(f.Index(i).Interface(), i))
			}
		case f.FieldByName("Key").IsValid():
			all = append(all, settingsIn(f, name, live)...)
		default:
			all = append(all, setting{name: name, value: valueText(f.Interface()), live: live})
		}
	}
	return all
}

// elementName tells one table of a list from the others, by what cannot stand twice.
func elementName(element any, i int) string {
	switch e := element.(type) {
	case *rawVIP:
		return e.Address.V
	case *rawFrontend:
		return cmp.Or(e.Name.V, e.Listen.V)
	case *rawRule:
		return ruleName(e, i)
	case *rawHook:
		return hookName(e)
	case *rawTemplate:
		return e.Target.V
	}
	return strconv.Itoa(i + 1)
}

// ruleOrder is a setting of its own: the same rules in another order say something else.
func ruleOrder(rules []*rawRule) string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = ruleName(r, i)
	}
	return "[" + strings.Join(names, ", ") + "]"
}

func valueText(leaf any) string {
	switch l := leaf.(type) {
	case text:
		return quoted(l.V)
	case list:
		words := make([]string, len(l.V))
		for i, t := range l.V {
			words[i] = quoted(t.V)
		}
		return "[" + strings.Join(words, ", ") + "]"
	case number:
		return strconv.Itoa(l.V)
	case toggle:
		return strconv.FormatBool(l.V)
	case span:
		return quoted(spanText(l.V))
	}
	return fmt.Sprint(leaf)
}

// spanText writes a duration without the zeros that nobody writes: 1h, not 1h0m0s.
func spanText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(s)
}
