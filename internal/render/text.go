package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"text/template"
)

const (
	maxSource = 1 << 20  // bytes of a template
	maxText   = 16 << 20 // bytes of what comes out
)

// functions are those of text/template, and these.
var functions = template.FuncMap{
	// ident makes a word of letters, digits, dots, dashes and underscores.
	"ident": func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
				return r
			}
			return '_'
		}, s)
	},
	// hostport puts brackets around an IPv6 address.
	"hostport": func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) },
	"join":     strings.Join,
}

// Text renders the template in the file at source, of at most 1 MiB, into at most 16 MiB. An
// error names the file and the line.
func Text(source string, data Data) ([]byte, error) {
	t, err := parse(source)
	if err != nil {
		return nil, err
	}
	var out bounded
	if err := t.Execute(&out, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Parse says what is wrong with the template in the file at source, whatever the data.
func Parse(source string) error {
	_, err := parse(source)
	return err
}

func parse(source string) (*template.Template, error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if len(text) > maxSource {
		return nil, fmt.Errorf("template: %s has more than %d bytes", source, maxSource)
	}
	return template.New(source).Funcs(functions).Option("missingkey=error").Parse(string(text))
}

var errTooLong = errors.New("more than 16 MiB come out of it")

type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}
