package delivery

import "strings"

// asks starts a client on the machine, which asks at the VIP 30 times a second, each time on a
// new connection. It is one program: one for each request would take a third of a processor.
func (m *machine) asks() {
	m.t.Helper()
	m.run(`: > /tmp/answers; systemd-run -q sh -c 'exec stdbuf -oL curl -s -o /dev/null -m 5 --rate 30/s -H "Connection: close" -w "%{http_code}\n" "http://192.168.42.42/?[1-1000000]" > /tmp/answers'`)
	m.answers()
}

// answers are the statuses that the client has got so far, 000 where there was no answer, and the one of
// the request that is under way: what hangs now is of now.
func (m *machine) answers() []string {
	m.t.Helper()
	read := func() []string { return strings.Fields(m.run("cat /tmp/answers")) }
	before, all := len(read()), []string(nil)
	m.until("its client has an answer", func() (bool, string) { all = read(); return len(all) > before, "" })
	return all[:before+1]
}

func failures(answers []string) (n int) {
	for _, status := range answers {
		if status != "200" {
			n++
		}
	}
	return n
}
