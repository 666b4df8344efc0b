package guide

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Block is an indented or fenced part of a document.
type Block struct {
	File  string // as it was given to Read
	Line  int    // of its first line, from 1
	Under string // the heading above it, without the marks
	Intro string // the paragraph before it, on one line
	Lines []string
}

// Text returns the lines as they are, each ended.
func (b Block) Text() string { return strings.Join(b.Lines, "\n") + "\n" }

// At names the place of the block's line i, from 0.
func (b Block) At(i int) string { return fmt.Sprintf("%s:%d", b.File, b.Line+i) }

// TOML tells whether the block is a piece of a configuration: it begins with a table.
func (b Block) TOML() bool {
	for _, l := range b.Lines {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			return table.MatchString(l)
		}
	}
	return false
}

var table = regexp.MustCompile(`^\[\[?[a-z][\w.:"-]*\]\]?(\s+#.*)?$`)

// A Mark is a link or a piece of code in the running text.
type Mark struct {
	File string
	Line int
	Text string
}

// At names its place.
func (m Mark) At() string { return fmt.Sprintf("%s:%d", m.File, m.Line) }

// A Document is what stands in one file.
type Document struct {
	File     string
	Blocks   []Block
	Links    []Mark   // targets of links and pictures
	Code     []Mark   // between backticks, on one line or over two
	Headings []string // without the marks
}

// Files are the documents of the repository at root: README.md, all of deploy/docs and of
// .github. It is an error if there are none.
func Files(root string) ([]string, error) {
	var files []string
	for _, pattern := range []string{"README.md", "deploy/docs/*.md", ".github/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no documents in %s", root)
	}
	return files, nil
}

// Read reads a file.
func Read(file string) (Document, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Document{}, err
	}
	return Parse(file, string(text)), nil
}

// Parse reads text that stands in a file of that name. It knows as much of Markdown as these
// documents use.
func Parse(file, text string) Document {
	p := parser{Document: Document{File: file}}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); {
		i = p.next(lines, i)
	}
	p.endText()
	return p.Document
}

type parser struct {
	Document
	under string
	intro string   // the paragraph before the present place
	text  []string // the present paragraph
	from  int      // its first line, from 1
}

// next reads what begins at line i and returns where the rest begins.
func (p *parser) next(lines []string, i int) int {
	line := lines[i]
	switch {
	case strings.HasPrefix(line, "```"):
		end := i + 1
		for end < len(lines) && !strings.HasPrefix(lines[end], "```") {
			end++
		}
		p.block(lines[i+1:end], i+1)
		return end + 1
	case strings.HasPrefix(line, indent) && len(p.text) == 0:
		end := i
		for end < len(lines) && (strings.HasPrefix(lines[end], indent) || strings.TrimSpace(lines[end]) == "") {
			end++
		}
		p.block(lines[i:end], i)
		return end
	case strings.HasPrefix(line, "#"):
		p.endText()
		p.under = strings.TrimSpace(strings.TrimLeft(line, "#"))
		p.Headings = append(p.Headings, p.under)
		p.intro = ""
	case strings.TrimSpace(line) == "":
		p.endText()
	default:
		if len(p.text) == 0 {
			p.from = i + 1
		}
		p.text = append(p.text, line)
	}
	return i + 1
}

const indent = "    "

func (p *parser) block(lines []string, at int) {
	p.endText()
	b := Block{File: p.File, Line: at + 1, Under: p.under, Intro: p.intro}
	for _, l := range lines {
		b.Lines = append(b.Lines, strings.TrimPrefix(l, indent))
	}
	for len(b.Lines) > 0 && strings.TrimSpace(b.Lines[len(b.Lines)-1]) == "" {
		b.Lines = b.Lines[:len(b.Lines)-1]
	}
	if len(b.Lines) > 0 {
		p.Blocks = append(p.Blocks, b)
	}
}

var (
	link = regexp.MustCompile(`\]\(([^()\s]+)\)|\b(?:src|href)="([^"]+)"`)
	code = regexp.MustCompile("`([^`]+)`")
)

func (p *parser) endText() {
	if len(p.text) == 0 {
		return
	}
	whole := strings.Join(p.text, "\n")
	line := func(at int) int { return p.from + strings.Count(whole[:at], "\n") }
	bare := code.ReplaceAllStringFunc(whole, func(s string) string { return strings.Repeat("`", len(s)) })
	for _, m := range link.FindAllStringSubmatchIndex(bare, -1) {
		for _, g := range [][]int{m[2:4], m[4:6]} {
			if g[0] >= 0 {
				p.Links = append(p.Links, Mark{p.File, line(g[0]), whole[g[0]:g[1]]})
			}
		}
	}
	for _, m := range code.FindAllStringSubmatchIndex(whole, -1) {
		p.Code = append(p.Code, Mark{p.File, line(m[2]), strings.Join(strings.Fields(whole[m[2]:m[3]]), " ")})
	}
	p.intro = strings.Join(strings.Fields(whole), " ")
	p.text = nil
}

// Anchor is a heading as the end of a link to it.
func Anchor(heading string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
			return r
		}
		return -1
	}, strings.ToLower(heading))
	return kept
}

// Words splits a command line as a shell does, as far as these documents need it: quotes,
// comments, and that |, >, &&, ; and the like end a command. It returns one command after the
// other; variables are left as they are.
func Words(line string) [][]string {
	var all [][]string
	var words []string
	for _, token := range tokens.FindAllString(line, -1) {
		switch {
		case strings.HasPrefix(token, "#"):
			return end(all, words)
		case strings.Trim(token, "|&;") == "":
			all, words = end(all, words), nil
		case token[0] == '>' || token[0] == '<' || token == "2>":
			words = append(words, token) // with what follows; see end
		default:
			words = append(words, unquote.Replace(token))
		}
	}
	return end(all, words)
}

var (
	tokens  = regexp.MustCompile(`#.*|&&|\|\||[|;&]|2>|[<>]+|(?:"[^"]*"|'[^']*'|[^\s"'|;&<>])+`)
	unquote = strings.NewReplacer(`"`, "", `'`, "")
)

// end adds a command, without where its output goes and what comes before the program's name.
func end(all [][]string, words []string) [][]string {
	if i := slices.IndexFunc(words, func(w string) bool { return w[0] == '>' || w[0] == '<' || w == "2>" }); i >= 0 {
		words = words[:i]
	}
	for len(words) > 0 && (words[0] == "sudo" || words[0] == "$" || words[0] == "exec" || assigned.MatchString(words[0])) {
		words = words[1:]
	}
	if len(words) == 0 {
		return all
	}
	return append(all, words)
}

var assigned = regexp.MustCompile(`^[A-Z_]+=`)
