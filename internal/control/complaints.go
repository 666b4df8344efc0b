package control

import "time"

// Bounds of what is said of apps that no pool takes: who can announce any app could fill the
// log with them.
const (
	maxComplaints = 50
	complaintsPer = time.Minute
)

// complaints knows which apps were refused at the last look, so that each is logged once.
type complaints struct {
	known   map[refusal]bool
	window  time.Time // when the present minute began
	said    int       // in it
	unsaid  int       // in it
	leftOut int       // of the minute before, by news
}

// news returns those of refused that are to be logged, and sets leftOut to how many of an
// earlier minute were not, if that is to be said now.
func (c *complaints) news(refused []refusal, now time.Time) []refusal {
	c.leftOut = 0
	if now.Sub(c.window) >= complaintsPer {
		c.window, c.leftOut, c.said, c.unsaid = now, c.unsaid, 0, 0
	}
	var out []refusal
	next := make(map[refusal]bool, len(refused))
	for _, r := range refused {
		next[r] = true
		switch {
		case c.known[r]:
		case c.said < maxComplaints:
			c.said++
			out = append(out, r)
		default:
			c.unsaid++
		}
	}
	c.known = next
	return out
}
