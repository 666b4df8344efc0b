package guide

import (
	"fmt"
	"regexp"
)

// onHost names the host that the sentence before a block says it is for.
var onHost = regexp.MustCompile(`On (lb1|lb2|either):$`)

// Steps are the blocks of a document that are typed on one host of a pair, in its order, and
// which of them have been. One goroutine owns them.
type Steps struct {
	blocks []Block
	done   map[int]bool // by their index
}

// Steps returns those whose sentence before says "On lb1:", "On lb2:" or "On either:".
func (d Document) Steps() *Steps {
	s := &Steps{done: map[int]bool{}}
	for _, b := range d.Blocks {
		if onHost.MatchString(b.Intro) {
			s.blocks = append(s.blocks, b)
		}
	}
	return s
}

// Follow types the steps that stand under a heading, from the one number to before the other, each
// on its host; on lb1 where either will do. It is an error if there are fewer.
func (s *Steps) Follow(heading string, from, to int, typed func(host string, b Block)) error {
	n := 0
	for i, b := range s.blocks {
		if b.Under != heading {
			continue
		}
		if n >= from && n < to {
			host := onHost.FindStringSubmatch(b.Intro)[1]
			if host == "either" {
				host = "lb1"
			}
			typed(host, b)
			s.done[i] = true
		}
		n++
	}
	if n < to {
		return fmt.Errorf("%d blocks under %q, want %d", n, heading, to)
	}
	return nil
}

// Left are the steps that have not been typed.
func (s *Steps) Left() (left []Block) {
	for i, b := range s.blocks {
		if !s.done[i] {
			left = append(left, b)
		}
	}
	return left
}
