package lbcore

import (
	"strings"
	"testing"
)

func stickyOf(list []*Backend, secrets ...string) *stickyView {
	c := &StickyConfig{Cookie: "lb", SameSite: "Lax"}
	for _, s := range secrets {
		c.Secrets = append(c.Secrets, []byte(s))
	}
	for _, b := range list {
		b.sticky.Store(nil)
	}
	return newSticky(&PoolConfig{Name: "web", Sticky: c}, list)
}

const (
	oneSecret   = "the first secret"
	otherSecret = "the other secret"
)

func TestACookieIsFoundAmongOthers(t *testing.T) {
	list := named(3, nil)
	v := stickyOf(list, oneSecret)
	token := list[1].sticky.Load().tokens[0]
	for value, want := range map[string]struct {
		b    *Backend
		said bool
	}{
		"lb=" + token:                          {list[1], true},
		"a=b; lb=" + token + "; c=d":           {list[1], true},
		"lb=forged; lb=" + token:               {list[1], true},
		"lb=\"" + token + "\"":                 {list[1], true},
		"lb=" + token[:21]:                     {nil, true},
		"lb=" + token + "A":                    {nil, true},
		"lb=" + strings.ToUpper(token) + "=":   {nil, true},
		"lb=":                                  {nil, true},
		"xlb=" + token:                         {nil, false},
		"LB=" + token:                          {nil, false}, // cookies' names are case-sensitive
		"":                                     {nil, false},
		"a=\"lb=" + token + "\"; lb2=" + token: {nil, false},
	} {
		if b, said := v.find([]byte(value)); b != want.b || said != want.said {
			t.Errorf("%q: %v, %v", value, b, said)
		}
	}
}

func TestSecretsRotateAndAreNeededAndTokensDifferByPool(t *testing.T) {
	list := named(2, nil)
	old := stickyOf(list, oneSecret)
	token := list[0].sticky.Load().tokens[0]
	if !old.has(list[0]) {
		t.Error("a backend is not in its own view")
	}
	if b, _ := stickyOf(list, otherSecret, oneSecret).find([]byte("lb=" + token)); b != list[0] {
		t.Error("an old secret's cookie is not taken while that is accepted")
	}
	if b, said := stickyOf(list, otherSecret).find([]byte("lb=" + token)); b != nil || !said {
		t.Error("a cookie of an unknown secret is taken")
	}
	c := &StickyConfig{}
	if c.token([]byte(oneSecret), "web", "s1") == c.token([]byte(oneSecret), "web s1", "") {
		t.Error("two pools have the same tokens")
	}
}

// FuzzCookie holds find against the plainest way to say the same.
func FuzzCookie(f *testing.F) {
	list := named(3, nil)
	v := stickyOf(list, oneSecret)
	token := list[2].sticky.Load().tokens[0]
	for _, s := range []string{"", ";", "lb", "lb=", "lb=" + token, "a=b; lb=" + token, "lb=x;lb=" + token, "lb = " + token, "=;=", "lb=\"" + token} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var want *Backend
		said := false
		for _, one := range strings.Split(value, ";") {
			name, token, _ := strings.Cut(strings.TrimLeft(one, " \t"), "=")
			if name != "lb" {
				continue
			}
			said = true
			for _, b := range list {
				if want == nil && strings.Trim(token, " \t\"") == b.sticky.Load().tokens[0] {
					want = b
				}
			}
		}
		if b, s := v.find([]byte(value)); b != want || s != said {
			t.Errorf("%q: %v, %v, want %v, %v", value, b, s, want, said)
		}
	})
}
