package http1

import (
	"fmt"
	"strings"
)

// MaxSetFields bounds a set of Fields.
const MaxSetFields = 64

// Fields are fields that every response is given, in place of those of the same names that it has.
// nil means none.
type Fields struct {
	names []string // in lower case
	lines []byte   // as they stand in a head
}

// NewFields makes Fields of names and values. The error says which is none, or one that this package writes
// itself.
func NewFields(list [][2]string) (*Fields, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if len(list) > MaxSetFields {
		return nil, fmt.Errorf("%d fields: want at most %d", len(list), MaxSetFields)
	}
	f := new(Fields)
	for _, nv := range list {
		name, value := nv[0], nv[1]
		if err := checkField(name, value); err != nil {
			return nil, err
		}
		f.names = append(f.names, strings.ToLower(name))
		f.lines = append(f.lines, name+": "+value+"\r\n"...)
	}
	return f, nil
}

func checkField(name, value string) error {
	for i := range len(name) {
		if class[name[i]]&isToken == 0 {
			return fmt.Errorf("%q is no name of a header field", name)
		}
	}
	if name == "" {
		return fmt.Errorf("a header field without a name")
	}
	if (hopByHop | 1<<fieldContentLength | 1<<fieldDate).has(idOf(name)) {
		return fmt.Errorf("the header field %s is not for others to set", name)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value of %s holds a control character", name)
		}
	}
	if value != strings.Trim(value, " \t") {
		return fmt.Errorf("the value of %s begins or ends with white space", name)
	}
	return nil
}

func idOf(name string) fieldID {
	id, _ := lookup([]byte(name))
	return id
}

// replaces has the fields of a head left out that f sets.
func (f *Fields) replaces(h *head) {
	if f == nil {
		return
	}
	for i := range h.fields {
		name, _ := h.Field(i)
		for _, own := range f.names {
			if len(own) == len(name) && equalFold(name, own) {
				h.fields[i].named = true
			}
		}
	}
}

// Append appends the lines of f.
func (f *Fields) Append(dst []byte) []byte {
	if f == nil {
		return dst
	}
	return append(dst, f.lines...)
}
