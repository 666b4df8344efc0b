package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tandem-lb/tandem/internal/lab/client"
)

// fine is a report with nothing to complain about.
func fine() Report {
	r := Report{Balancers: 2, Backends: 3}
	for _, name := range Faults {
		f := Fault{Name: name, OutageMS: 9, Requests: 610, ActiveBefore: "lb2", ActiveAfter: "lb2", MaxOwners: 1}
		switch name {
		case PowerLoss:
			f.ActiveBefore, f.OutageMS, f.Failed = "lb1", 93, 45
			f.tally.Kinds = map[client.Kind]int{client.Unreachable: 5, client.Timeout: 40}
		case CleanShutdown:
			f.ActiveAfter, f.Failed = "lb1", 2
		}
		r.Faults = append(r.Faults, f)
	}
	return r
}

func TestVerdictNamesEachConditionThatIsBroken(t *testing.T) {
	for _, tc := range []struct {
		name   string
		break_ func(*Report)
		want   string // empty: ok
	}{
		{"fine", func(*Report) {}, ""},
		{"failures of a power loss are allowed", func(r *Report) { r.Faults[0].Failed = 500 }, ""},
		{"failures of a clean shutdown are allowed at this stage", func(r *Report) { r.Faults[4].Failed = 5 }, ""},
		{"a second of outage is allowed", func(r *Report) { r.Faults[0].OutageMS = 1000 }, ""},
		{"200 requests are enough", func(r *Report) { r.Faults[3].Requests = 200 }, ""},
		{"a longer outage", func(r *Report) { r.Faults[0].OutageMS = 1001 }, "power-loss: an outage of 1001 ms"},
		{"three seconds on a busy machine are allowed", func(r *Report) { r.Faults[0].OutageMS = 3000; r.Faults[1].tally.Skipped = 200 }, ""},
		{"a longer outage on a busy machine", func(r *Report) { r.Faults[0].OutageMS = 3001; r.Faults[1].tally.Skipped = 200 }, "power-loss: an outage of 3001 ms, 3000"},
		{"too few requests", func(r *Report) { r.Faults[3].Requests = 199 }, "app-start: 199 requests"},
		{"two owners", func(r *Report) { r.Faults[4].MaxOwners = 2 }, "clean-shutdown: the VIP had 2 owners"},
		{"no owner", func(r *Report) { r.Faults[4].MaxOwners = 0 }, "clean-shutdown: the VIP had 0 owners"},
		{"nobody active at the end", func(r *Report) { r.Faults[0].ActiveAfter = "" }, "power-loss: not exactly one"},
		{"an app that has the VIP at the end", func(r *Report) { r.Faults[0].ActiveAfter = "web3" }, "power-loss: not exactly one"},
		{"a failure on power-back", func(r *Report) { r.Faults[1].Failed = 1 }, "power-back: 1 requests failed"},
		{"a failure on app-stop", func(r *Report) { r.Faults[2].Failed = 1 }, "app-stop: 1 requests failed"},
		{"a failure on app-start", func(r *Report) { r.Faults[3].Failed = 1 }, "app-start: 1 requests failed"},
		{"waited in vain", func(r *Report) { r.Faults[2].waited = "web1 to end" }, "app-stop: waited in vain for web1 to end"},
		{"a fault is missing", func(r *Report) { r.Faults = r.Faults[:4] }, "4 of 5 faults"},
		{"nothing was injected", func(r *Report) { r.Faults = nil }, "0 of 5 faults"},
		{"one fault twice", func(r *Report) { r.Faults[1].Name = PowerLoss }, "power-loss came where power-back belongs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := fine()
			tc.break_(&r)
			got := r.Verdict()
			switch {
			case tc.want == "" && len(got) > 0:
				t.Errorf("complains: %q", got)
			case tc.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tc.want)):
				t.Errorf("got %q, want exactly one that begins with %q", got, tc.want)
			}
		})
	}
}

func TestTheJSONObjectHasTheAgreedForm(t *testing.T) {
	r := fine()
	r.OK = true
	r.Faults[0].waited = "is not part of it"
	var b bytes.Buffer
	if err := r.writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	const want = `{"balancers":2,"backends":3,"faults":[` +
		`{"fault":"power-loss","outage_ms":93,"requests":610,"failed":45,"active_before":"lb1","active_after":"lb2","max_owners":1},` +
		`{"fault":"power-back","outage_ms":9,"requests":610,"failed":0,"active_before":"lb2","active_after":"lb2","max_owners":1},` +
		`{"fault":"app-stop","outage_ms":9,"requests":610,"failed":0,"active_before":"lb2","active_after":"lb2","max_owners":1},` +
		`{"fault":"app-start","outage_ms":9,"requests":610,"failed":0,"active_before":"lb2","active_after":"lb2","max_owners":1},` +
		`{"fault":"clean-shutdown","outage_ms":9,"requests":610,"failed":2,"active_before":"lb2","active_after":"lb1","max_owners":1}` +
		`],"ok":true}` + "\n"
	if b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
	b.Reset()
	if err := (Report{Balancers: 2, Backends: 3}).writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	if want := `{"balancers":2,"backends":3,"faults":[],"ok":false}` + "\n"; b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
}

func TestAPartOfAMillisecondOfOutageIsNotNone(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000,
	} {
		if got := millis(d); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
}

func TestTheTableIsPlainWithoutColourAndNamesWhatIsWrong(t *testing.T) {
	r := fine()
	r.OK = true
	var b bytes.Buffer
	view{w: &b}.table(r)
	const want = `
fault              outage  requests  failed   active           owners at once   how they failed
power-loss          93 ms       610      45   lb1 -> lb2       1                40 timeout, 5 unreachable
power-back           9 ms       610       0   lb2              1
app-stop             9 ms       610       0   lb2              1
app-start            9 ms       610       0   lb2              1
clean-shutdown       9 ms       610       2   lb2 -> lb1       1

ok: the site survived all of it
`
	if b.String() != want {
		t.Errorf("got %s", b.String())
	}
	b.Reset()
	r.OK = false
	r.Faults[1].tally.Late = 200
	r.Faults[2].Failed, r.Faults[2].ActiveAfter = 3, ""
	view{w: &b, ink: true}.table(r)
	for _, part := range []string{"\x1b[31m      3\x1b[0m", "lb2 -> ?", "app-stop: 3 requests failed", "app-stop: not exactly one", "200 of 3050 requests left late"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("%q is missing in %s", part, b.String())
		}
	}
}

func TestTailKeepsTheLastLinesAndBoundsThem(t *testing.T) {
	var log tail
	for i := range 3 * tailLines {
		_, _ = log.Write([]byte(strings.Repeat("x", i*20) + "\nsec"))
		_, _ = log.Write([]byte("ond\n"))
	}
	_, _ = log.Write([]byte("and a part"))
	all := log.last(1 << 20)
	if len(all) != tailLines+1 {
		t.Errorf("keeps %d lines", len(all))
	}
	for _, l := range all {
		if len(l) > lineMax {
			t.Errorf("keeps a line of %d bytes", len(l))
		}
	}
	if got := log.last(2); got[0] != "second" || got[1] != "and a part" {
		t.Errorf("got %q", got)
	}
}

func TestListeningReadsTheKernelsTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0B2AA8C0:1F0B 0C2AA8C0:0BB8 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
`
	for port, want := range map[uint16]bool{80: true, 8080: false, 0x1f0b: false, 0xbb8: false} {
		if got := listening([]byte(table), port); got != want {
			t.Errorf("port %d: got %v", port, got)
		}
	}
}
