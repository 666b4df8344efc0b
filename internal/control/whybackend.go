package control

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/timeline"
	"github.com/tandem-lb/tandem/membership"
)

// maxTold bounds the entries of the timeline in the story of a backend.
const maxTold = 12

// sighting is a backend as one balancer sees it.
type sighting struct {
	node string
	at   time.Time // of what it said
	pool string
	b    api.Backend
}

func (s sighting) id() string { return s.pool + "/" + s.b.ID }

// names are all by which an operator may mean a backend.
func (s sighting) names() []string {
	short := strings.TrimPrefix(s.b.ID, staticPrefix)
	names := []string{s.b.ID, short, s.b.Addr.String(), s.pool + "/" + short, s.pool + "/" + s.b.Addr.String()}
	if short == s.b.ID {
		names = append(names, membership.AppMember(s.b.ID))
	}
	return names
}

// member is the one that has the app, "" for a static backend.
func (s sighting) member() string {
	if strings.HasPrefix(s.b.ID, staticPrefix) {
		return ""
	}
	return membership.AppMember(s.b.ID)
}

func outsideNames(o api.Outside) []string {
	return []string{o.App, o.Member, o.Addr.String(), o.Pool + "/" + o.App}
}

// means says whether a name is one of names, or, where that is looked for, the host that an
// agent named its members after: web1 of web1-3000.
func means(name string, names []string, host bool) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n == name || host && strings.HasPrefix(n, name+"-") })
}

// backendStory tells why a backend gets no requests, or that it does. Where a name means
// several, the first one that gets none is told. ok is false when nobody knows the name.
func backendStory(c api.Cluster, name string, all []timeline.Entry) (story api.Story, ok bool) {
	for _, host := range []bool{false, true} {
		seen := sightings(c, func(s sighting) bool { return s.pool == name || means(name, s.names(), host) })
		for _, o := range outsideOf(c) {
			of := slices.ContainsFunc(seen, func(s sighting) bool { return s.id() == o.Pool+"/"+o.App })
			if means(name, outsideNames(o), host) && !of {
				return outsideStory(o, all), true
			}
		}
		if len(seen) > 0 {
			return storyOf(c, name, seen, all), true
		}
	}
	return api.Story{}, false
}

// sightings are those of all balancers that are heard of.
func sightings(c api.Cluster, which func(sighting) bool) (seen []sighting) {
	for _, v := range c.Nodes {
		if !v.Heard() {
			continue
		}
		for _, p := range v.Status.Pools {
			for _, b := range p.Backends {
				if s := (sighting{v.Node, v.Status.At, p.Name, b}); which(s) {
					seen = append(seen, s)
				}
			}
		}
	}
	return seen
}

func storyOf(c api.Cluster, name string, seen []sighting, all []timeline.Entry) api.Story {
	first := seen[0]
	if i := slices.IndexFunc(seen, func(s sighting) bool { return s.b.Why != "" }); i >= 0 {
		first = seen[i]
	}
	same := slices.DeleteFunc(slices.Clone(seen), func(s sighting) bool { return s.id() != first.id() })
	story := api.Story{Complete: true, Events: eventsOf(first.names(), all), Next: nextFor(first)}
	rate := 0.0
	for _, s := range same {
		story.Sure = append(story.Sure, seenBy(s))
		if s.b.Live != nil {
			rate += s.b.Live.Requests
		}
	}
	story.Headline, story.Why = verdict(c, first, same, rate)
	var others []string
	for _, s := range seen {
		if s.id() != first.id() && !slices.Contains(others, s.id()) {
			others = append(others, s.id())
		}
	}
	if len(others) > 0 {
		story.Next = append(story.Next, fmt.Sprintf("%s also means %s", name, strings.Join(others[:min(len(others), 8)], ", ")))
	}
	return story
}

// verdict is the story in two sentences.
func verdict(c api.Cluster, first sighting, same []sighting, rate float64) (headline, why string) {
	who := fmt.Sprintf("%s in pool %s", strings.TrimPrefix(first.b.ID, staticPrefix), first.pool)
	without := 0
	for _, s := range same {
		if s.b.Why != "" {
			without++
		}
	}
	switch {
	case without == len(same):
		return who + " gets no requests", first.b.Why
	case without > 0:
		return fmt.Sprintf("%s gets no requests from %s", who, first.node), first.b.Why + " The other balancers see it up."
	case rate > 0:
		return fmt.Sprintf("%s gets requests: %.1f a second of late", who, rate), "Nothing keeps requests from it."
	}
	pool := 0.0
	for _, v := range c.Nodes {
		if !v.Heard() {
			continue
		}
		for _, p := range v.Status.Pools {
			if p.Name == first.pool && p.Live != nil {
				pool += p.Live.Requests
			}
		}
	}
	if pool == 0 {
		return who + " gets no requests", "It is up, and nobody asks for its pool just now."
	}
	return who + " has had no requests of late", fmt.Sprintf("It is up; the %.1f requests a second of its pool go to others, by the policy and the weights.", pool)
}

// seenBy is how one balancer sees it.
func seenBy(s sighting) string {
	b := s.b
	out := fmt.Sprintf("%s sees it %s since %s", s.node, b.State, b.Since.Format("2006-01-02 15:04:05 MST"))
	if b.Reason != "" {
		out += ": " + b.Reason
	}
	if !b.CheckedAt.IsZero() {
		out += fmt.Sprintf("; checked %v before that was said", max(0, s.at.Sub(b.CheckedAt)).Round(time.Millisecond))
	}
	return out + fmt.Sprintf("; weight %d, %d requests so far, %d now", b.Weight, b.Requests, b.Current)
}

// eventsOf is what the timelines tell of a backend, its member, and orders about either.
func eventsOf(names []string, all []timeline.Entry) []api.Entry {
	out := slices.DeleteFunc(slices.Clone(all), func(e timeline.Entry) bool {
		words := strings.Fields(e.Name)
		switch e.Kind {
		case timeline.KindBackend, timeline.KindMember:
			return !slices.Contains(names, e.Name)
		case timeline.KindOrder: // "drain web/web1"
			return len(words) < 2 || !slices.Contains(names, words[len(words)-1])
		}
		return true
	})
	return entries(out[max(0, len(out)-maxTold):])
}

func nextFor(s sighting) []string {
	name := strings.TrimPrefix(s.b.ID, staticPrefix)
	member := s.member()
	switch s.b.State {
	case "maint", "drain":
		if s.b.ByHand != nil && s.b.ByHand.State != "" {
			return []string{fmt.Sprintf("'tandem ready %s' gives it requests again", name)}
		}
		return []string{fmt.Sprintf("'tandem members' shows what its agent announces; 'tandem logs %s' shows what the app prints", member)}
	case "down":
		next := []string{fmt.Sprintf("does the app run, and answer at %s? ask it from a balancer", s.b.Addr)}
		if member != "" {
			next = append(next, fmt.Sprintf("'tandem logs %s' shows what it prints", member))
		}
		return next
	}
	return []string{"'tandem top' shows who gets how many"}
}

func outsideOf(c api.Cluster) []api.Outside {
	for _, v := range c.Nodes {
		if v.Node == c.Node && v.Status != nil {
			return v.Status.Outside
		}
	}
	return nil
}

func outsideStory(o api.Outside, all []timeline.Entry) api.Story {
	return api.Story{
		Headline: fmt.Sprintf("%s gets no requests: it is not in pool %s", o.App, o.Pool), Why: o.Why, Complete: true,
		Events: eventsOf(outsideNames(o), all), Sure: []string{"no balancer has it in a pool"},
		Next: []string{fmt.Sprintf("is the host of %s up, and its agent? 'tandem members' shows what is known of it", o.Member), fmt.Sprintf("'tandem logs %s' shows what it prints", o.Member)},
	}
}
