package election

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestTranscripts plays testdata/*.txt: what happens to one machine, and what it does. After a change of the
// rules run
//
//	go test ./election -run TestTranscripts -rewrite
//
// and commit the difference only if you understand what caused it and want it.
//
// Commands; times are counted from the last new:
//
//	new node=a [addr= priority= interval= preempt settle= answer= retry= holddown=]
//	new … active           the same, and then the cold start of a lone node up to Active, unprinted
//	hear NODE STATE [epoch= priority= fitness= boot= addr= interval= late= seq= claiming gateway stations= wire=]
//	keep NODE STATE …      the same, and again every interval during run, until silence NODE
//	run FOR                time passes; Tick at each Deadline
//	sleep FOR              time passes without a Tick, then Tick
//	nap FOR                time passes without a Tick
//	seeds [known=b+c] | probed [owner= err=] | claimed [err=] | released [err=] | fitness N | serving yes|no
//	conflict MAC | gone NODE (PeerGone) | ended NODE [boot=] (Gone) | shutdown
//	answered NODE STATE … [path= nonce=] | received | stations yes|no | isolated yes|no | paused FOR
//	hearing [gateway] [stations=] | complained NODE [seq= for= boot= gateway stations=]
//	status | advert | rounds (print each query round from now on, not only the first of a silence)
//	keep-answering PATH (whoever is asked answers at once, by that path, what it said last) | stop-answering
//
// Answers carry the token of the last request unless told token=. The adverts of each interval are left out
// when they only repeat what was said before.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			tr := &transcript{}
			datadriven.RunTest(t, file, tr.command)
		})
	}
}

type transcript struct {
	m     *Machine
	now   time.Time
	token uint64 // of the last request
	nonce uint64 // of the last query
	said  GroupAdvert
	kept  map[string]*keptPeer
	out   strings.Builder

	allRounds  bool // print each query round, not only the first of a silence
	asked      []Query
	answering  Path   // by which questions are answered at once; 0: they are not
	complaints uint64 // that were handed in
}

// keptPeer is heard again every interval.
type keptPeer struct {
	heard Heard
	next  time.Time
}

func (tr *transcript) command(t *testing.T, d *datadriven.TestData) string {
	tr.out.Reset()
	if d.Cmd == "new" {
		tr.create(t, d)
		return tr.out.String()
	}
	switch d.Cmd {
	case "run":
		tr.run(tr.now.Add(duration(t, d.CmdArgs[0].Key)))
	case "nap":
		tr.now = tr.now.Add(duration(t, d.CmdArgs[0].Key))
	case "sleep":
		tr.now = tr.now.Add(duration(t, d.CmdArgs[0].Key))
		tr.print(tr.m.Tick(tr.now))
	case "keep":
		h := heardOf(t, d)
		tr.kept[h.Node] = &keptPeer{h, tr.now.Add(h.Interval)}
		tr.step(h)
	case "silence":
		delete(tr.kept, d.CmdArgs[0].Key)
	case "rounds":
		tr.allRounds = true
	case "keep-answering":
		tr.answering = pathOf(d.CmdArgs[0].Key)
	case "stop-answering":
		tr.answering = 0
	case "status":
		tr.status()
	case "advert":
		fmt.Fprintln(&tr.out, advertText(tr.m.Advert()))
	default:
		tr.step(tr.event(t, d))
	}
	if tr.out.Len() == 0 {
		return "ok\n"
	}
	return tr.out.String()
}

func (tr *transcript) create(t *testing.T, d *datadriven.TestData) {
	cfg := Config{Group: "vip", Boot: 1, Preempt: d.HasArg("preempt")}
	d.MaybeScanArgs(t, "node", &cfg.Node)
	cfg.Addr = netip.MustParseAddr(arg(t, d, "addr", "10.0.0.1"))
	cfg.Priority = uint8(number(t, d, "priority", 0))
	for name, field := range map[string]*time.Duration{
		"interval": &cfg.AdvertInterval, "settle": &cfg.SettleTimeout, "answer": &cfg.AnswerTimeout,
		"retry": &cfg.RetryInterval, "holddown": &cfg.HoldDown, "newfor": &cfg.NewFor,
	} {
		*field = duration(t, arg(t, d, name, "0s"))
	}
	if !d.HasArg("newfor") { // a transcript need not begin with seconds in which peers get a history
		cfg.NewFor = -1
	}
	m, err := New(cfg, epochStart)
	if err != nil {
		fmt.Fprintln(&tr.out, err)
		return
	}
	*tr = transcript{m: m, now: epochStart, kept: make(map[string]*keptPeer)}
	tr.print(m.Tick(tr.now))
	if d.HasArg("active") {
		tr.step(SeedsTried{})
		tr.run(tr.now.Add(activeDown(m.cfg.AdvertInterval)))
		tr.step(Probed{Token: tr.token})
		tr.step(Claimed{Token: tr.token})
		tr.out.Reset()
		tr.status()
	}
}

func (tr *transcript) event(t *testing.T, d *datadriven.TestData) Event {
	var err error
	if s := arg(t, d, "err", ""); s != "" {
		err = errors.New(s)
	}
	token := number(t, d, "token", tr.token)
	switch d.Cmd {
	case "hear":
		return heardOf(t, d)
	case "seeds":
		return SeedsTried{Known: strings.FieldsFunc(arg(t, d, "known", ""), func(r rune) bool { return r == '+' })}
	case "probed":
		return Probed{Token: token, Owner: arg(t, d, "owner", ""), Err: err}
	case "claimed":
		return Claimed{Token: token, Err: err}
	case "released":
		return Released{Token: token, Err: err}
	case "fitness":
		var v uint8
		if _, err := fmt.Sscan(d.CmdArgs[0].Key, &v); err != nil {
			d.Fatalf(t, "%v", err)
		}
		return Fitness{Value: v}
	case "serving":
		return Serving{OK: d.CmdArgs[0].Key == "yes", Reason: arg(t, d, "reason", "")}
	case "conflict":
		return Conflict{MAC: d.CmdArgs[0].Key}
	case "gone":
		return PeerGone{Node: d.CmdArgs[0].Key}
	case "shutdown":
		return Shutdown{}
	case "answered":
		return Answered{Heard: heardOf(t, d), Nonce: number(t, d, "nonce", tr.nonce), Path: pathOf(arg(t, d, "path", "direct"))}
	case "received":
		return Received{At: tr.now}
	case "stations":
		return Stations{Third: d.CmdArgs[0].Key == "yes"}
	case "isolated":
		return Isolated{Yes: d.CmdArgs[0].Key == "yes"}
	case "hearing":
		return hearingOf(t, d)
	case "complained":
		return Complained{
			Node: d.CmdArgs[0].Key, Boot: number(t, d, "boot", 1),
			Complaint: Complaint{Group: "vip", Seq: tr.plaints(t, d), For: duration(t, arg(t, d, "for", "750ms")), Hearing: hearingOf(t, d)},
		}
	case "ended":
		return Gone{Node: d.CmdArgs[0].Key, Boot: number(t, d, "boot", 1)}
	case "paused":
		return Paused{For: duration(t, d.CmdArgs[0].Key)}
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return nil
}

func hearingOf(t *testing.T, d *datadriven.TestData) Hearing {
	return Hearing{Gateway: d.HasArg("gateway"), Peer: d.HasArg("peer"), Stations: uint8(number(t, d, "stations", 0))}
}

// plaints counts the complaints, as those who complain do.
func (tr *transcript) plaints(t *testing.T, d *datadriven.TestData) uint64 {
	tr.complaints++
	return number(t, d, "seq", tr.complaints)
}

func pathOf(word string) Path {
	for p := range AllPaths + 1 {
		if p.String() == word {
			return p
		}
	}
	panic("unknown path " + word)
}

func heardOf(t *testing.T, d *datadriven.TestData) Heard {
	h := Heard{
		Node: d.CmdArgs[0].Key, Boot: number(t, d, "boot", 1),
		Addr:     netip.MustParseAddr(arg(t, d, "addr", "10.0.0."+fmt.Sprint(d.CmdArgs[0].Key[0]-'a'+1))),
		Interval: duration(t, arg(t, d, "interval", "20ms")), Late: duration(t, arg(t, d, "late", "0s")),
		Seq: number(t, d, "seq", 0),
		Group: GroupAdvert{
			Name: "vip", Claiming: d.HasArg("claiming"), Epoch: number(t, d, "epoch", 0),
			Priority: uint8(number(t, d, "priority", DefaultPriority)), Fitness: uint8(number(t, d, "fitness", 255)),
			Hearing: hearingOf(t, d),
		},
	}
	h.Group.Wire = Wire(slices.Index(wireNames[:], arg(t, d, "wire", "unknown")))
	for s, name := range stateNames {
		if name == d.CmdArgs[1].Key {
			h.Group.State = State(s)
			return h
		}
	}
	d.Fatalf(t, "unknown state %q", d.CmdArgs[1].Key)
	return h
}

// run lets time pass, hearing the kept peers BEFORE a Tick of the same moment, as the contract asks.
func (tr *transcript) run(end time.Time) {
	for range 100_000 {
		next := tr.m.Deadline()
		var speaker *keptPeer
		for _, k := range tr.kept {
			if next.IsZero() || !k.next.After(next) && (speaker == nil || k.heard.Node < speaker.heard.Node || k.next.Before(next)) {
				next, speaker = k.next, k
			}
		}
		if next.IsZero() || next.After(end) {
			tr.now = end
			return
		}
		tr.now = later(tr.now, next)
		if speaker != nil {
			speaker.next = speaker.next.Add(speaker.heard.Interval)
			tr.step(speaker.heard)
		} else {
			tr.print(tr.m.Tick(tr.now))
		}
		tr.answer()
	}
	fmt.Fprintln(&tr.out, "the deadline does not move on")
}

// answer answers what has been asked, as keep-answering says.
func (tr *transcript) answer() {
	questions := tr.asked
	tr.asked = nil
	for _, q := range questions {
		if k := tr.kept[q.Node]; k != nil && q.Via&tr.answering != 0 {
			tr.step(Answered{Heard: k.heard, Nonce: q.Nonce, Path: tr.answering})
		}
	}
}

// step hands the event in, and lets the Tick follow that it may make due.
func (tr *transcript) step(ev Event) {
	actions := tr.m.Step(tr.now, ev)
	said := tr.said
	tr.said = GroupAdvert{} // an advert out of turn is always worth a line
	tr.print(actions)
	if tr.said == (GroupAdvert{}) {
		tr.said = said
	}
	if d := tr.m.Deadline(); !d.IsZero() && !d.After(tr.now) {
		tr.print(tr.m.Tick(tr.now))
	}
}

func arg(t *testing.T, d *datadriven.TestData, name, otherwise string) string {
	if d.HasArg(name) {
		d.ScanArgs(t, name, &otherwise)
	}
	return otherwise
}

func number(t *testing.T, d *datadriven.TestData, name string, otherwise uint64) uint64 {
	if d.HasArg(name) {
		d.ScanArgs(t, name, &otherwise)
	}
	return otherwise
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	v, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
