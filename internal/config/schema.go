package config

import (
	"reflect"
	"strings"
)

// schemaKey is one key that a file may hold.
type schemaKey struct {
	header string // as it is written: [cluster], [[vip]], [pool.NAME.check]
	name   string
	tag    reflect.StructTag
}

// schema lists all keys of a kind of file, from the raw type of its root.
func schema(root reflect.Type) []schemaKey {
	return schemaOf(root, "", "")
}

func schemaOf(t reflect.Type, header, path string) []schemaKey {
	var keys []schemaKey
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("toml")
		if name == "" {
			continue
		}
		sub := join(path, name)
		switch f.Type.Kind() {
		case reflect.Map:
			sub += ".NAME"
			keys = append(keys, schemaOf(f.Type.Elem().Elem(), "["+sub+"]", sub)...)
		case reflect.Slice:
			keys = append(keys, schemaOf(f.Type.Elem().Elem(), "[["+sub+"]]", sub)...)
		default:
			if _, isTable := f.Type.FieldByName("Key"); isTable {
				keys = append(keys, schemaOf(f.Type, "["+sub+"]", sub)...)
			} else {
				keys = append(keys, schemaKey{header: header, name: name, tag: f.Tag})
			}
		}
	}
	return keys
}

// homeOf says in which tables of a file a key belongs; empty when there is none.
func homeOf(root reflect.Type, name string) string {
	var homes []string
	for _, k := range schema(root) {
		if k.name == name {
			homes = append(homes, k.header)
		}
	}
	return strings.Join(homes, " or ")
}
