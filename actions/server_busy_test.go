package actions

import (
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// Two operators at once: the second is told what Nova is at, and who asked for it.
func TestABusyServerSaysWhoAskedForIt(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := fleet.NewSnapshot(1, at, []fleet.Part{{Source: "openstack/home", Scope: "servers", At: at, Facts: fleet.Facts{&fleet.Server{
		Source: "openstack/home", ID: "a", Name: "w", Run: fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped", TaskState: "powering-on"},
		Actions: []fleet.ServerAction{{Action: "start", User: "u1", UserName: "alice", Start: at}, {Action: "stop", Start: at.Add(-time.Hour)}},
	}}}}, nil, nil)
	p := StartServer{"openstack/home", "a"}.Plan(s)
	if why := strings.Join(p.Refused, ";"); !strings.Contains(why, "task_state powering-on; last in its history: start by alice at 03:04:05Z") {
		t.Errorf("refused: %q", p.Refused)
	}
}
