package http1

import (
	"fmt"
	"strings"
)

// MaxSetFields bounds a set of Fields.
const MaxSetFields = 64

// Fields are changes to the fields of a head. nil means none.
type Fields struct {
	names []string // in lower case, of lines that are left out
	lines []byte   // that are added, as they stand in a head
	fold  bool     // "_" in a name is taken for "-"
}

// Edit says what Fields change.
type Edit struct {
	Set, Add [][2]string // name and value; Set goes in place of lines of the same name
	Remove   []string
}

// NewFields makes Fields that every response is given, in place of those of the same names that it has. The error says
// which is none, or one that this package writes itself.
func NewFields(list [][2]string) (*Fields, error) { return NewEdit(Edit{Set: list}, false) }

// NewEdit makes Fields for requests or for responses. In requests a name with "_" in place of "-" is taken for the same,
// as servers do that see fields as CGI variables.
func NewEdit(e Edit, requests bool) (*Fields, error) {
	n := len(e.Set) + len(e.Add) + len(e.Remove)
	if n == 0 {
		return nil, nil
	}
	if n > MaxSetFields {
		return nil, fmt.Errorf("%d fields: want at most %d", n, MaxSetFields)
	}
	own := hopByHop | 1<<fieldContentLength | 1<<fieldDate
	if requests {
		own = hopByHop | rewritten | 1<<fieldForwarded | 1<<fieldForwardedFor | 1<<fieldForwardedPort | 1<<fieldForwardedProto
	}
	f := &Fields{fold: requests}
	for _, nv := range e.Set {
		if err := checkField(nv[0], nv[1], own); err != nil {
			return nil, err
		}
		f.names = append(f.names, strings.ToLower(nv[0]))
		f.lines = appendLine(f.lines, nv)
	}
	for _, nv := range e.Add {
		if err := checkField(nv[0], nv[1], own); err != nil {
			return nil, err
		}
		f.lines = appendLine(f.lines, nv)
	}
	for _, name := range e.Remove {
		if err := checkField(name, "", own); err != nil {
			return nil, err
		}
		f.names = append(f.names, strings.ToLower(name))
	}
	return f, nil
}

func appendLine(dst []byte, nv [2]string) []byte { return append(dst, nv[0]+": "+nv[1]+"\r\n"...) }

func checkField(name, value string, own fieldSet) error {
	for i := range len(name) {
		if class[name[i]]&isToken == 0 {
			return fmt.Errorf("%q is no name of a header field", name)
		}
	}
	if name == "" {
		return fmt.Errorf("a header field without a name")
	}
	if own.has(idOf(name)) {
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

// replaces has the fields of a head left out that f removes or sets.
func (f *Fields) replaces(h *head) {
	if f == nil || len(f.names) == 0 {
		return
	}
	for i := range h.fields {
		name, _ := h.Field(i)
		for _, own := range f.names {
			if len(own) == len(name) && (equalFold(name, own) || f.fold && sameFold(name, own)) {
				h.fields[i].named = true
			}
		}
	}
}

// sameFold reports whether two names of one length are the same but for case, and "_" in place of "-".
func sameFold(name []byte, other string) bool {
	for i, c := range name {
		if fold[c] != fold[other[i]] {
			return false
		}
	}
	return true
}

// Len is how many bytes Append appends.
func (f *Fields) Len() int {
	if f == nil {
		return 0
	}
	return len(f.lines)
}

// Append appends the lines of f.
func (f *Fields) Append(dst []byte) []byte {
	if f == nil {
		return dst
	}
	return append(dst, f.lines...)
}
