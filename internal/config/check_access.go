package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// maxErrorPage bounds an error page: each answer with it takes as much memory.
const maxErrorPage = 32 << 10 // bytes

func (c *checker) access(raw *rawAccess) AccessLog {
	f := raw.File
	if f.Set && !f.Bad && f.V != "stdout" && !strings.HasPrefix(f.V, "/") {
		c.add(f.At, fmt.Sprintf("the log's path %q is not absolute", f.V), `begin it with /, or write "stdout"`)
	}
	if !f.Set && !c.partial {
		for _, k := range []struct {
			name string
			set  bool
			at   place
		}{{"format", raw.Format.Set, raw.Format.At}, {"sample", raw.Sample.Set, raw.Sample.At}} {
			if k.set {
				c.add(k.at, k.name+" is about an access log, and there is none", `give file = "/var/log/tandem/access.log", or "stdout"`)
			}
		}
	}
	return AccessLog{File: f.V, Format: raw.Format.V, Sample: raw.Sample.V}
}

// pageTypes are the types of error pages, by the endings of their files.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".json": "application/json",
}

// errorPages reads the files of "STATUS=FILE".
func (c *checker) errorPages(l list) (all []ErrorPage) {
	seen := map[string]place{}
	for _, t := range l.V {
		code, file, found := strings.Cut(t.V, "=")
		status, err := strconv.Atoi(code)
		kind := pageTypes[strings.ToLower(filepath.Ext(file))]
		switch {
		case !found || err != nil || status < 400 || status > 599:
			c.add(t.At, fmt.Sprintf("%q is not a status from 400 to 599 and a file", t.V), `for example "503=/etc/tandem/503.html"`)
			continue
		case kind == "":
			c.add(t.At, fmt.Sprintf("it is not known what type %q is of", file), "end its name in .html, .txt or .json")
			continue
		}
		once(c, seen, code, t.At, "the error page of "+code)
		body, err := c.readFile(file)
		if errors.Is(err, errTooOpen) { // it is for everybody
			err = nil
		}
		switch {
		case err != nil:
			c.add(t.At, fmt.Sprintf("cannot read %s: %v", file, plain(err)), "is the name right? a relative one means beside this file")
		case len(body) == 0:
			c.add(t.At, file+" is empty", "write something into it, or leave it out")
		case len(body) > maxErrorPage:
			c.add(t.At, fmt.Sprintf("%s is larger than %d bytes", file, maxErrorPage), "have it load its pictures from elsewhere")
		default:
			all = append(all, ErrorPage{Status: status, File: file, Type: kind, Body: body})
		}
	}
	return all
}
