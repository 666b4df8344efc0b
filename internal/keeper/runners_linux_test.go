package keeper

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandem-lb/tandem/internal/config"
	"github.com/tandem-lb/tandem/internal/hook"
)

// The configuration knows nothing of package hook, so that it stays a leaf.
func TestTheConfigurationKnowsEveryEvent(t *testing.T) {
	known, all := slices.Sorted(slices.Values(config.HookEvents)), slices.Sorted(slices.Values(hook.Names))
	if diff := cmp.Diff(all, known); diff != "" {
		t.Errorf("events (-hook +config):\n%s", diff)
	}
	if diff := cmp.Diff(hook.SerfNames, config.SerfEvents); diff != "" {
		t.Errorf("Serf's events (-hook +config):\n%s", diff)
	}
}

func TestAUserThatThereIsNotIsAnErrorButForTheDefault(t *testing.T) {
	if _, err := identityOf("nobody-of-this-name"); err == nil || !strings.Contains(err.Error(), "useradd --system nobody-of-this-name") {
		t.Errorf("error %v, want one with the remedy", err)
	}
	if who, err := identityOf(config.DefaultUser); err != nil || who.cred == nil && who.note == "" {
		t.Errorf("%+v, %v", who, err)
	}
}
