package ui

import (
	"strings"
	"testing"

	"strata/internal/fleet"
)

// TestWhatTheSettingsDoNotNameIsNotWaitedFor: a pane says how to name it.
func TestWhatTheSettingsDoNotNameIsNotWaitedFor(t *testing.T) {
	m := model(t, fleet.NewStore(nil), 120, 40)
	for _, pane := range []string{"alerts", "checks", "agents"} {
		press(t, m, append([]string{":"}, append(strings.Split(pane, ""), "enter")...)...)
		if screen := m.View().Content; strings.Contains(screen, "waiting for the first answer…") || !strings.Contains(screen, "in the configuration") {
			t.Errorf("%s:\n%s", pane, screen)
		}
	}
}
