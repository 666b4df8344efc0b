package lbcore_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/tandem-lb/tandem/internal/testneed"
)

// h11 is a third parser, of another language and other authors: python3-h11, in one
// process for all that this one reads. It ends with its input, that is with this process.
var h11 struct {
	sync.Mutex // protects what follows
	in         io.Writer
	out        *bufio.Reader
}

// debianPython has Debian's packages, whatever else is installed.
const debianPython = "/usr/bin/python3"

func needH11(t testing.TB) {
	t.Helper()
	h11.Lock()
	defer h11.Unlock()
	if h11.in != nil {
		return
	}
	if err := exec.Command(debianPython, "-c", "import h11").Run(); err != nil {
		testneed.Missing(t, "python3-h11 (%v): apt-get install python3-h11", err)
	}
	cmd := exec.Command(debianPython, "testdata/h11_reader.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	h11.in, h11.out = in, bufio.NewReader(out)
}

// readByH11 is readByOurs with that parser; rest is "cut" if bytes are missing.
func readByH11(t testing.TB, raw []byte) (list []message, rest string) {
	t.Helper()
	needH11(t)
	h11.Lock()
	defer h11.Unlock()
	_, err := h11.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...))
	must(t, err)
	line, err := h11.out.ReadBytes('\n')
	must(t, err)
	var read struct {
		Requests []message
		Rest     string
	}
	must(t, json.Unmarshal(line, &read))
	return read.Requests, read.Rest
}

// latin1 is how the Python side writes bytes.
func latin1(list []message) []message {
	out := make([]message, len(list))
	for i, m := range list {
		out[i] = message{asLatin1(m.Method), asLatin1(m.Target), asLatin1(m.Host), asLatin1(m.Body), asLatin1(m.From)}
	}
	return out
}

func asLatin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

// The comparison can fail: h11 does not read everything as the others do.
func TestTheThirdParserReads(t *testing.T) {
	list, rest := readByH11(t, []byte(get+"POST /a HTTP/1.1\r\nHost: \xe9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\xffc\r\n0\r\n\r\n"+get[:9]))
	if len(list) != 2 || list[1] != (message{"POST", "/a", "é", "aÿc", ""}) || rest != "cut" {
		t.Errorf("%+v, %q", list, rest)
	}
	if _, rest := readByH11(t, []byte("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")); rest == "" || rest == "cut" {
		t.Errorf("two lengths: %q", rest)
	}
}
