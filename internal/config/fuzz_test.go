package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// Whatever the text: no panic; either a whole configuration or errors, and
// those point into the text.
func FuzzParse(f *testing.F) {
	f.Add(Reference)
	f.Add(small)
	f.Add("a = [[[{b = [1,\n2, {}]}]]]\n[a.b]\n[[a.b.c]]\na.b.c = 1\n")
	f.Add("[[vip]]\naddress=1\n[vip]\n[vip.x]\nvip = \n'a'.\"b\" = '''x\ny'''\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := Parse("fuzz.toml", []byte(text), readTestKey)
		if err == nil {
			if invalid := toml.Unmarshal([]byte(strings.TrimPrefix(text, "\uFEFF")), &map[string]any{}); invalid != nil {
				t.Errorf("accepted what is not TOML: %v", invalid)
			}
			for _, front := range cfg.Frontends {
				if !hasPool(cfg, front.Pool) || front.Listen.Port() == 0 {
					t.Errorf("a frontend without pool or port: %+v", front)
				}
			}
			for _, v := range cfg.VIPs {
				if !v.Address.IsValid() || v.Group == "" {
					t.Errorf("a VIP without address or group: %+v", v)
				}
			}
			return
		}
		var errs Errors
		if cfg != nil || !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("%v beside %#v", cfg, err)
		}
		lines := strings.Count(text, "\n") + 1
		for _, e := range errs {
			if e.Msg == "" || e.Line > lines || e.Line > 0 && (e.Col < 1 || e.Width < 1) || strings.ContainsAny(e.Source, "\n\x1b") {
				t.Errorf("%#v for %d lines", e, lines)
			}
		}
		_ = err.Error()
	})
}

func hasPool(cfg *Config, name string) bool {
	return slices.ContainsFunc(cfg.Pools, func(p Pool) bool { return p.Name == name })
}
