package lbcore_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/testneed"
	"github.com/tandem-lb/tandem/lbcore"
)

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testneed.Missing(t, "%s: apt-get install %[1]s", name)
	}
	return path
}

// openssl runs s_client against the frontend; what in says goes to it.
type openssl struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func (l *bed) openssl(t *testing.T, args ...string) *openssl {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "openssl"), append([]string{"s_client", "-connect", l.addr, "-servername", "x"}, args...)...)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = cmd.Stdout
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	return &openssl{t, in, bufio.NewReader(out), cmd}
}

// until reads to a line that holds what.
func (o *openssl) until(what string) string {
	o.t.Helper()
	var all strings.Builder
	for {
		line, err := o.out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, what) {
			return all.String()
		}
		if err != nil {
			o.t.Fatalf("openssl never says %q: %v; it said:\n%s", what, err, all.String())
		}
	}
}

func TestOpenSSLUpdatesItsKeysAndIsServedOn(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", hello("served\n"))), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	o := l.openssl(t, "-tls1_3", "-CAfile", a.caFile(), "-verify_return_error")
	o.until("Verify return code: 0 (ok)")
	for _, command := range []string{"k", "K", "K"} { // the keys of its side, or of both
		fmt.Fprintln(o.in, command)
		o.until("KEYUPDATE")
		fmt.Fprint(o.in, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		o.until("served")
	}
}

func TestOpenSSLMayNotRenegotiate(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", hello("served\n"))), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}}))
	o := l.openssl(t, "-tls1_2", "-CAfile", a.caFile())
	o.until("Verify return code: 0 (ok)")
	fmt.Fprintln(o.in, "R")
	o.until("RENEGOTIATING")
	o.until("alert unexpected message")
	eventually(t, "the connection's end", func() bool { return l.counters().Current == 0 })
}

// A session that begins at one balancer goes on at the other, which has the same
// secret; also for openssl, and in both versions.
func TestASessionOfOneBalancerResumesAtTheOther(t *testing.T) {
	a := newAuthority(t)
	secret := [][]byte{bytes.Repeat([]byte{7}, 32)}
	frontend := func(secret [][]byte) *bed {
		return newBed(t, one(httpBackend(t, "s1", hello("served"))), secure(&lbcore.TLSConfig{
			Certificates: []tls.Certificate{a.sign("x")}, TicketSecrets: secret,
		}))
	}
	lb1, lb2, other := frontend(secret), frontend(secret), frontend([][]byte{bytes.Repeat([]byte{8}, 32)})
	without := frontend(nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := trusting(a, "x")
		cfg.MaxVersion = version
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for i, step := range []struct {
			at      *bed
			resumes bool
		}{{lb1, false}, {lb1, true}, {lb2, true}, {lb1, true}, {other, false}, {without, false}} {
			c := step.at.mustTLS(cfg)
			c.say(get) // tickets come with it in TLS 1.3
			c.answer(t)
			if got := c.ConnectionState().DidResume; got != step.resumes {
				t.Errorf("%s, step %d: resumed %v, want %v", tls.VersionName(version), i, got, step.resumes)
			}
			c.Close()
		}
	}
	if n := lb2.counters().TLS; n.Handshakes != 2 || n.Resumed != 2 {
		t.Errorf("the second balancer counted %+v", n)
	}

	session := a.file("session")
	o := lb1.openssl(t, "-sess_out", session)
	o.until("Verify return code")
	fmt.Fprint(o.in, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	_ = o.cmd.Wait()
	lb2.openssl(t, "-sess_in", session).until("Reused, TLSv1.3")
}

func TestCurlAsksOverTLS(t *testing.T) {
	a := newAuthority(t)
	l := newBed(t, one(httpBackend(t, "s1", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d;", r.Header.Get("X-Forwarded-Proto"), n)
	})), secure(&lbcore.TLSConfig{Certificates: []tls.Certificate{a.sign("x")}, ClientCerts: lbcore.ClientCertsRequired, ClientCAs: a.pool()}))
	host, port, _ := strings.Cut(l.addr, ":")
	url := "https://x:" + port + "/"
	me := a.certFile(a.sign("me"))
	out, err := exec.Command(tool(t, "curl"), "-sS", "--http1.1", "--resolve", "x:"+port+":"+host, "--cacert", a.caFile(), "--cert", me,
		url, url, "--next", "-sS", "--http1.1", "--resolve", "x:"+port+":"+host, "--cacert", a.caFile(), "--cert", me, "-d", strings.Repeat("x", 70_000), url).CombinedOutput()
	if err != nil || string(out) != "https 0;https 0;https 70000;" {
		t.Errorf("curl: %v: %q", err, out)
	}
	if n := l.counters(); n.TLS.Handshakes != n.Accepted || n.Requests != 3 {
		t.Errorf("counted %+v", n)
	}
	out, err = exec.Command(tool(t, "curl"), "-sS", "--resolve", "x:"+port+":"+host, "--cacert", a.caFile(), url).CombinedOutput()
	if err == nil {
		t.Errorf("curl without a certificate is let in: %q", out)
	}
}
