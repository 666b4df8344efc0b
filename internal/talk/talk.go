// Package talk is what agents and balancers ask each other, in JSON, by way of membership's questions and answers:
// nobody else may import both ends, and neither needs to know the other.
//
// An agent that drains asks each balancer what is still under way to its apps ([InFlight]); a balancer asks an agent
// for lines of its processes' logs ([Log]).
//
// Everything is bounded, and what a hostile member sends is an error at worst.
package talk

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxBytes bounds a question and an answer; membership carries no more.
const MaxBytes = 60 << 10

// MaxLogBytes is how much text an agent looks at for one answer: in JSON it fits, unless there is much in it that JSON
// writes in another way, and then Fit leaves some for the next answer.
const MaxLogBytes = 40 << 10

// maxLineBytes is what is told of a line that would not fit by itself, at six bytes for one.
const maxLineBytes = 8 << 10

// Question holds exactly one of these.
type Question struct {
	InFlight *InFlightQuestion `json:"in_flight,omitempty"`
	Log      *LogQuestion      `json:"log,omitempty"`
}

// InFlightQuestion asks a balancer about all apps of the agent that asks.
type InFlightQuestion struct{}

// InFlight is the answer to an InFlightQuestion.
type InFlight struct {
	// Accepting says that a request may still be sent to one of the apps: not each of the balancer's proxies is known to
	// have taken note that they drain.
	Accepting bool `json:"accepting"`
	Requests  int  `json:"requests"` // under way, upgraded connections among them
}

// LogQuestion asks an agent for lines that its processes have printed.
type LogQuestion struct {
	Run     string `json:"run,omitempty"`     // of the agent, from an earlier answer; of another run, After means nothing
	After   uint64 `json:"after,omitempty"`   // the newest line that the asker has
	Last    int    `json:"last,omitempty"`    // without Run: how many of the newest lines
	Process string `json:"process,omitempty"` // of this one only

	Challenge []byte `json:"challenge,omitempty"` // from an earlier answer
	Proof     []byte `json:"proof,omitempty"`     // see Sign
}

// Log is the answer to a LogQuestion.
type Log struct {
	Run   string `json:"run"`
	Lines []Line `json:"lines"` // oldest first
	Next  uint64 `json:"next"`  // After of the next question
	Lost  uint64 `json:"lost,omitempty"`
	More  bool   `json:"more,omitempty"` // there is more at once

	// Challenge, in place of all the rest, is what the asker has to sign first; see LogQuestion.Sign.
	Challenge []byte `json:"challenge,omitempty"`
}

// Line is one line of a log.
type Line struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Process string    `json:"process"`
	Stream  string    `json:"stream"` // out or err
	Text    string    `json:"text"`
	Cut     bool      `json:"cut,omitempty"` // it goes on in the next line of the process
}

// Encode writes a question or an answer, or returns why it cannot be sent.
func Encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && len(b) > MaxBytes {
		err = fmt.Errorf("talk: %d bytes, where %d fit", len(b), MaxBytes)
	}
	return b, err
}

// ParseQuestion reads a question.
func ParseQuestion(b []byte) (Question, error) {
	var q Question
	if err := decode(b, &q); err != nil {
		return q, err
	}
	if (q.InFlight != nil) == (q.Log != nil) {
		return q, errors.New("talk: a question of a kind that is not known here; is one of both of an older version?")
	}
	return q, nil
}

// ParseAnswer reads an answer into what it should be.
func ParseAnswer(b []byte, into any) error { return decode(b, into) }

func decode(b []byte, into any) error {
	if len(b) > MaxBytes {
		return fmt.Errorf("talk: %d bytes, where %d are allowed", len(b), MaxBytes)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("talk: not understood: %w", err)
	}
	return nil
}

// Fit writes the answer. It leaves out the newest lines until it can be sent, which are for the next one, and cuts a
// line that is too long by itself.
func (l Log) Fit() ([]byte, error) {
	for {
		b, err := json.Marshal(l)
		if err != nil || len(b) <= MaxBytes || len(l.Lines) == 0 {
			return b, err
		}
		if half := len(l.Lines) / 2; half > 0 {
			l.Lines = l.Lines[:half]
			l.Next, l.More = l.Lines[half-1].Seq, true
			continue
		}
		line := l.Lines[0]
		line.Text, line.Cut = strings.ToValidUTF8(line.Text[:min(len(line.Text), maxLineBytes)], ""), true
		l.Lines = []Line{line}
	}
}
