package election

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuestionRoundTrip(t *testing.T) {
	for _, want := range []Question{
		{Node: "lb1", Boot: 7, Session: 3, Nonce: 9, Target: "lb2"},
		{Node: strings.Repeat("x", MaxNameLen), Boot: 1, Nonce: 1<<64 - 1},
		complaining(),
		{Node: "a", Boot: 1, Nonce: 1, Complaint: Complaint{Group: strings.Repeat("x", MaxNameLen), Seq: 1<<64 - 1, For: maxFor}},
	} {
		for _, key := range [][]byte{nil, []byte("secret")} {
			b, err := SealQuestion(nil, &want, key)
			if err != nil {
				t.Fatal(err)
			}
			var keys [][]byte
			if key != nil {
				keys = [][]byte{[]byte("the next key"), key}
			}
			got, err := OpenQuestion(b, keys)
			if err != nil || got != want || !IsQuestion(b) {
				t.Errorf("OpenQuestion = %+v, %v; want %+v", got, err, want)
			}
			if _, err := Open(b, keys); !errors.Is(err, ErrKind) {
				t.Errorf("a question read as an advert: %v, want %v", err, ErrKind)
			}
		}
	}
}

// complaining returns a question that uses every field.
func complaining() Question {
	return Question{
		Node: "lb1", Boot: 1, Session: 2, Nonce: 3, Target: "b",
		Complaint: Complaint{Group: "web", Seq: 4, For: 1500 * time.Millisecond, Hearing: Hearing{Gateway: true, Stations: 6}},
	}
}

// The form is fixed: a change of any byte is a change of the protocol.
func TestComplaintForm(t *testing.T) {
	q := complaining()
	got, err := SealQuestion(nil, &q, nil)
	want := []byte("TA\x01\x14" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x02" +
		"\x00\x00\x00\x00\x00\x00\x00\x03" + "\x03lb1" + "\x01b" +
		"\x00\x00\x00\x00\x00\x00\x00\x04" + "\x00\x16\xe3\x60" + "\x01\x06" + "\x03web")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got  %x, %v\nwant %x", got, err, want)
	}
}

func TestAComplaintIsForOneGroup(t *testing.T) {
	q := complaining()
	ev, ok := q.Complained("web")
	if want := (Complained{Node: "lb1", Boot: 1, Complaint: q.Complaint}); !ok || ev != want {
		t.Errorf("%+v, %v; want %+v", ev, ok, want)
	}
	if _, ok := q.Complained("db"); ok {
		t.Error("a complaint is taken for another group's")
	}
	q.Complaint = Complaint{}
	if _, ok := q.Complained(""); ok {
		t.Error("a question without a complaint has one")
	}
}

func TestQuestionForm(t *testing.T) {
	got, err := SealQuestion(nil, &Question{Node: "lb1", Boot: 1, Session: 2, Nonce: 3, Target: "b"}, nil)
	want := []byte("TA\x01\x04" + "\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x02" +
		"\x00\x00\x00\x00\x00\x00\x00\x03" + "\x03lb1" + "\x01b")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got  %x, %v\nwant %x", got, err, want)
	}
}

func TestQuestionsAreRefusedByName(t *testing.T) {
	good := Question{Node: "lb1", Boot: 1, Nonce: 3, Target: "b"}
	for name, tc := range map[string]struct {
		spoil func(*Question)
		want  error
	}{
		"no node":     {func(q *Question) { q.Node = "" }, ErrName},
		"long target": {func(q *Question) { q.Target = strings.Repeat("x", MaxNameLen+1) }, ErrName},
		"no boot":     {func(q *Question) { q.Boot = 0 }, ErrBoot},
		"no nonce":    {func(q *Question) { q.Nonce = 0 }, ErrNonce},
		"no group":    {func(q *Question) { q.Complaint.Seq = 1 }, ErrName},
		"long group":  {func(q *Question) { q.Complaint.Group = strings.Repeat("x", MaxNameLen+1) }, ErrName},
		"before now":  {func(q *Question) { q.Complaint = Complaint{Group: "web", For: -1} }, ErrFor},
		"for days":    {func(q *Question) { q.Complaint = Complaint{Group: "web", For: maxFor + 1} }, ErrFor},
	} {
		q := good
		tc.spoil(&q)
		if b, err := SealQuestion(nil, &q, nil); !errors.Is(err, tc.want) || len(b) > 0 {
			t.Errorf("%s: %x, %v; want %v", name, b, err, tc.want)
		}
	}
	secret := [][]byte{[]byte("secret")}
	grumble := complaining()
	complaint, _ := SealQuestion(nil, &grumble, nil)
	end := len(complaint) - len("\x03web")
	plain, _ := SealQuestion(nil, &good, nil)
	sealed, _ := SealQuestion(nil, &good, secret[0])
	a := fullAdvert()
	advert, _ := Seal(nil, &a, nil)
	for name, tc := range map[string]struct {
		b    []byte
		keys [][]byte
		want error
	}{
		"nothing":                    {nil, nil, ErrShort},
		"cut":                        {plain[:len(plain)-1], nil, ErrShort},
		"one byte more":              {append(slices.Clone(plain), 0), nil, ErrLong},
		"an advert":                  {advert, nil, ErrKind},
		"two kinds":                  {slices.Concat(plain[:3], []byte{flagQuestion | flagAnswer}, plain[4:]), nil, ErrFlags},
		"sealed, no key":             {sealed, nil, ErrSealed},
		"unsealed, key":              {plain, secret, ErrUnsealed},
		"other key":                  {sealed, [][]byte{[]byte("other")}, ErrTag},
		"nonce zero":                 {slices.Concat(plain[:20], make([]byte, 8), plain[28:]), nil, ErrNonce},
		"complaint: cut":             {complaint[:len(complaint)-1], nil, ErrShort},
		"complaint: one byte more":   {append(slices.Clone(complaint), 0), nil, ErrLong},
		"complaint: no group":        {append(slices.Clone(complaint[:end]), 0), nil, ErrName},
		"complaint: unknown hearing": {slices.Concat(complaint[:end-2], []byte{4}, complaint[end-1:]), nil, ErrFlags},
		"complaint: for days":        {slices.Concat(complaint[:end-6], []byte{255, 255, 255, 255}, complaint[end-2:]), nil, ErrFor},
		"long node":                  {slices.Concat(plain[:28], []byte{64}, plain[29:]), nil, ErrName},
		"flag taken away":            {slices.Concat(sealed[:3], []byte{flagSealed}, sealed[4:]), secret, ErrTag},
	} {
		if q, err := OpenQuestion(tc.b, tc.keys); !errors.Is(err, tc.want) || q != (Question{}) {
			t.Errorf("%s: %+v, %v; want %v", name, q, err, tc.want)
		}
	}
}

// An answer is an advert with an echo; neither can pass for the other, and an echo of nothing is refused.
func TestAnAnswerIsAnAdvertWithAnEcho(t *testing.T) {
	a := fullAdvert()
	a.Echo = 77
	b, err := Seal(nil, &a, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(b, [][]byte{[]byte("secret")})
	if err != nil || got.Echo != 77 {
		t.Fatalf("echo %d, %v", got.Echo, err)
	}
	if ev, ok := got.Answered("web", PathRelay); !ok || ev.Nonce != 77 || ev.Path != PathRelay || ev.Group.Epoch != 7 || ev.Seq != a.Seq {
		t.Errorf("Answered = %+v, %v", ev, ok)
	}
	a.Echo = 0
	if _, ok := a.Answered("web", PathDirect); ok {
		t.Error("an advert passes for an answer")
	}
	plain, _ := Seal(nil, &got, nil)
	if _, err := Open(slices.Concat(plain[:28], make([]byte, 8), plain[36:]), nil); !errors.Is(err, ErrNonce) {
		t.Errorf("an echo of nothing: %v, want %v", err, ErrNonce)
	}
}

func FuzzOpenQuestion(f *testing.F) {
	key := []byte("secret")
	q := Question{Node: "lb1", Boot: 1, Session: 2, Nonce: 3, Target: "b"}
	plain, _ := SealQuestion(nil, &q, nil)
	sealed, _ := SealQuestion(nil, &q, key)
	f.Add(plain)
	f.Add(sealed)
	f.Add(plain[:30])
	q = complaining()
	complaint, _ := SealQuestion(nil, &q, nil)
	f.Add(complaint)
	f.Add(complaint[:len(complaint)-5])
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range [][]byte{nil, key} {
			var keys [][]byte
			if k != nil {
				keys = [][]byte{k}
			}
			if q, err := OpenQuestion(b, keys); err == nil {
				again, err := SealQuestion(nil, &q, k)
				if err != nil || !bytes.Equal(again, b) {
					t.Fatalf("accepted %x, which would be sent as %x (%v)", b, again, err)
				}
			}
		}
	})
}
