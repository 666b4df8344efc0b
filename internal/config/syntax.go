package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

const (
	maxFile         = 1 << 20 // bytes; far more than any configuration needs
	maxSyntaxErrors = 20      // then the file is something else than TOML
)

// readTree parses a file into a tree. After a syntax error on a line that is
// a key and its value, the tree holds a broken node there; after any other
// one it is nil.
func readTree(file string, data []byte) (root *node, errs Errors) {
	src := newSource(file, data)
	switch {
	case len(data) > maxFile:
		return nil, Errors{src.at(0, 0).error(fmt.Sprintf("larger than %d bytes", maxFile), "")}
	case !utf8.Valid(data):
		bad := bytes.IndexRune(data, utf8.RuneError)
		return nil, Errors{src.at(bad, 1).error("is not UTF-8 text", "save the file as UTF-8")}
	}
	broken := map[int]bool{}
	for shown := src; ; {
		b := &builder{src: src, broken: broken}
		root, err := b.build()
		if err == nil {
			errs = append(errs, b.errs...)
			if len(errs) == 0 {
				errs = validate(src)
			}
			return root, errs
		}
		offset := src.offset(err)
		line := src.line(offset)
		if broken[line] {
			return nil, errs // what was put in the value's place does not help: inside a list
		}
		errs = append(errs, syntaxError(src, offset, err))
		doc, ok := takeOut(src, line)
		if !ok || len(errs) == maxSyntaxErrors {
			return nil, errs
		}
		broken[line] = true
		src = newSource(file, doc)
		src.shown = shown
	}
}

// offset returns where in the text a parser's error is.
func (s *source) offset(err error) int {
	var perr *unstable.ParserError
	if !errors.As(err, &perr) {
		return 0
	}
	return min(cap(s.data)-cap(perr.Highlight), max(0, len(s.data)-1))
}

// assignment is a line that gives a key a value.
var assignment = regexp.MustCompile(`^(\s*[A-Za-z0-9_.-]+\s*=[ \t]*)(.*)$`)

// unquoted is a value that was meant as text but has no quotes.
var unquoted = regexp.MustCompile(`^[^\s"'\[\]{}#,]+$`)

// takeOut returns the text with one line's value replaced by an empty one, so
// that the rest of the file can be read and all of its errors be told at
// once. It refuses lines that are no key = value.
func takeOut(src *source, line int) ([]byte, bool) {
	from, to := src.span(line)
	m := assignment.FindSubmatchIndex(src.data[from:to])
	if m == nil {
		return nil, false
	}
	return slices.Concat(src.data[:from+m[4]], []byte(`""`), src.data[to:]), true
}

// syntaxError words a parser's error.
func syntaxError(src *source, offset int, err error) *Error {
	from, to := src.span(src.line(offset))
	if m := assignment.FindSubmatchIndex(src.data[from:to]); m != nil {
		key := strings.TrimRight(strings.TrimSpace(string(src.data[from:from+m[3]])), " \t=")
		value := strings.TrimSpace(string(src.data[from+m[4] : from+m[5]]))
		if value == "" || value[0] == '#' {
			return src.at(from+m[4], 1).error(key+" has no value", "give it one, or delete the line")
		}
		if unquoted.MatchString(value) {
			return src.at(from+m[4], len(value)).error("this value must stand in quotes",
				fmt.Sprintf(`write %s = "%s"`, key, value))
		}
	}
	remedy := ""
	if strings.Contains(err.Error(), "'=' after key") || strings.Contains(err.Error(), "start of key") {
		remedy = "a line is: key = value, [table], [[table]], or # and a comment"
	}
	return src.at(offset, 1).error("not TOML: "+err.Error(), remedy)
}

// validate finds what single expressions do not show and the builder has not
// seen, such as a table extended where TOML forbids it.
func validate(src *source) Errors {
	err := toml.Unmarshal(src.data, &map[string]any{})
	if err == nil {
		return nil
	}
	var derr *toml.DecodeError
	if !errors.As(err, &derr) {
		return Errors{src.at(0, 0).error("not TOML: "+err.Error(), "")}
	}
	line, col := derr.Position()
	from, _ := src.span(max(1, line))
	return Errors{src.at(from+max(0, col-1), 1).error("not TOML: "+strings.TrimPrefix(derr.Error(), "toml: "), "")}
}
