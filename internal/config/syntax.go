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
// one it is nil. The source is the text that the tree was made from.
func readTree(file string, data []byte) (root *node, src *source, errs Errors) {
	src = newSource(file, bytes.TrimPrefix(data, []byte("\uFEFF"))) // some editors begin so
	switch {
	case len(data) > maxFile:
		return nil, src, Errors{src.at(0, 0).error(fmt.Sprintf("larger than %d bytes", maxFile), "")}
	case !utf8.Valid(data):
		bad := bytes.IndexRune(data, utf8.RuneError)
		return nil, src, Errors{src.at(bad, 1).error("is not UTF-8 text", "save the file as UTF-8")}
	}
	broken := map[int]bool{}
	for shown := src; ; {
		b := &builder{src: src, broken: broken}
		root, err := b.build()
		if err == nil {
			return root, src, append(errs, b.errs...)
		}
		offset := src.offset(err)
		line := src.line(offset)
		if broken[line] {
			return nil, src, errs // what was put in the value's place does not help: inside a list
		}
		errs = append(errs, syntaxError(src, offset, err))
		doc, ok := takeOut(src, line)
		if !ok || len(errs) == maxSyntaxErrors {
			return nil, src, errs
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

// truth is what people write for true and false elsewhere.
var truth = map[string]string{
	"yes": "true", "on": "true", "no": "false", "off": "false",
	"True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
}

// syntaxError words a parser's error. Most of them are forgotten quotes.
func syntaxError(src *source, offset int, err error) *Error {
	from, to := src.span(src.line(offset))
	m := assignment.FindSubmatchIndex(src.data[from:to])
	if m == nil || offset < from+m[4]-1 {
		return src.at(offset, 1).error(reword(err.Error()))
	}
	key := strings.TrimRight(strings.TrimSpace(string(src.data[from:from+m[3]])), " \t=")
	value, _, _ := strings.Cut(string(src.data[from+m[4]:from+m[5]]), "#")
	value = strings.TrimSpace(value)
	at := src.at(from+m[4], len(value))
	switch {
	case value == "":
		return at.error(key+" has no value", "give it one, or delete the line")
	case truth[value] != "":
		return at.error(value+" is no value", fmt.Sprintf("write %s = %s", key, truth[value]))
	case unquoted.MatchString(value):
		return at.error("this value must stand in quotes", fmt.Sprintf("write %s = %q", key, value))
	default:
		return src.at(offset, 1).error(reword(err.Error()))
	}
}

// reword returns message and remedy for what the parser says.
func reword(said string) (msg, remedy string) {
	for _, r := range []struct{ part, msg, remedy string }{
		{"cannot have new lines", "this text has no closing quote", ""},
		{"after array value", "a list goes wrong before this", `write it so: ["a", "b"], texts in quotes, commas between them, ] at the end`},
		{"inline table key-value", "an inline table goes wrong before this", `write it so: { a = 1, b = "c" }, commas between, } at the end`},
		{"start of value", "no value can begin so", `a value is a "text", a number, true, false, a [list] or a { table }`},
		{"'=' after key", "a = is missing", "a line is: key = value, [table], [[table]], or # and a comment"},
		{"start of key", "no key can begin so", "a line is: key = value, [table], [[table]], or # and a comment"},
		{"close table name", "a closing ] is missing", ""},
		{"close array table name", "the closing ]] is missing", ""},
		{"expected newline", "the line should end before this", ""},
	} {
		if strings.Contains(said, r.part) {
			return r.msg, r.remedy
		}
	}
	return "not TOML: " + said, ""
}

// validate adds what single expressions do not show, such as a table extended
// where TOML forbids it, unless something was said about the same line.
func (c *checker) validate(src *source) {
	var derr *toml.DecodeError
	if err := toml.Unmarshal(src.data, &map[string]any{}); !errors.As(err, &derr) {
		return
	}
	line, col := derr.Position()
	for _, e := range c.errs {
		if e.Line == line {
			return
		}
	}
	from, _ := src.span(line)
	c.add(src.at(from+col-1, 1), "not TOML: "+strings.TrimPrefix(derr.Error(), "toml: "), "")
}
