package ui

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/fleet"
)

// writer gives a model a runner that writes an audit log and can do nothing else.
func writer(t *testing.T, m *Model, store *fleet.Store) {
	t.Helper()
	audit, err := actions.OpenAudit(filepath.Join(t.TempDir(), "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = audit.Close() })
	m.o.ReadOnly, m.o.Runner = "", actions.NewRunner(actions.Setup{Store: store, Audit: audit, Wake: func(string) {}})
}

func typed(t *testing.T, m *Model, text string) {
	t.Helper()
	for _, r := range text {
		if r == ' ' {
			m.Update(keyMsg("space"))
		}
		press(t, m, string(r))
	}
}

func wants(t *testing.T, m *Model, all ...string) {
	t.Helper()
	screen := screenOf(t, m)
	for _, want := range all {
		if !strings.Contains(screen, want) {
			t.Errorf("%q is not on the screen:\n%s", want, screen)
		}
	}
}

func TestAFormAsksForValuesAndPlansAsTheyAreTyped(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	var server fleet.Ref
	for o := range store.Snapshot().Each(fleet.KindServer) {
		server = o.Ref()
		break
	}
	offer := actions.Offer{
		Title: "begin", Kind: fleet.KindServer,
		Params: []actions.Param{
			{Name: "count", Help: "how many", Suggest: func(*fleet.Snapshot, fleet.Ref) []string { return []string{"one", "two"} }},
			{Name: "id", Help: "which"},
		},
		New: func(r fleet.Ref, a actions.Args) (actions.Action, error) {
			if a["id"] == "" {
				return nil, fmt.Errorf("id is missing; count is %s", a["count"])
			}
			return actions.StartServer{Source: r.Source, ID: a["id"]}, nil
		},
	}
	m.open(newForm(m, offer, []fleet.Ref{server}))
	wants(t, m, "count  one", "id is missing; count is one")
	press(t, m, "enter")
	wants(t, m, "id is missing") // nothing to confirm yet
	press(t, m, "right", "down", "x", "y", "backspace")
	wants(t, m, "count  two", "server start x", "no such server is seen")
	press(t, m, "ctrl+u")
	typed(t, m, server.Name)
	wants(t, m, "server start "+server.Name)
	press(t, m, "esc")
	if len(m.over) != 0 {
		t.Error("esc did not close the form")
	}
}

func TestWritingIsClosedAndOpenedForAWhile(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	wants(t, m, " WRITE ")
	press(t, m, ":", "r", "o", "enter")
	wants(t, m, "READ-ONLY")
	press(t, m, "1", "m")
	wants(t, m, "read-only: left writing with :ro")
	press(t, m, ":")
	m.typed("write 10m")
	press(t, m, "enter")
	wants(t, m, "READ-ONLY", "say for how long and why")
	press(t, m, ":")
	m.typed("write 10m disk is full")
	press(t, m, "enter")
	wants(t, m, " WRITE ")
	// The screen's clock is the snapshot's, which stands still here; the runner's is the real one.
	for _, c := range []struct {
		left time.Duration
		want string
	}{{10 * time.Minute, "10:00"}, {61 * time.Second, "1:01"}, {9 * time.Second, "0:09"}, {-time.Second, "0:00"}} {
		if got := countdown(c.left); got != c.want {
			t.Errorf("%v is shown as %s, want %s", c.left, got, c.want)
		}
	}
}

func TestAReadOnlyCockpitCannotBeOpenedForWriting(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, ":")
	m.typed("write 10m please")
	press(t, m, "enter")
	wants(t, m, "READ-ONLY", "this cockpit has no hands: started with `strata watch`")
	press(t, m, "1", "s")
	wants(t, m, "s: read-only: started with `strata watch`")
}

func TestProgressAndWhatAnActionAnswers(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	target := fleet.Ref{Kind: fleet.KindHost, Source: "host/x", Name: "x"}
	m.Update(progressMsg{Target: target, Title: "swapoff", Phase: actions.Begun, Step: actions.Step{Says: "300 MB left", Share: fleet.Some(0.4)}})
	wants(t, m, "swapoff: begin", "█", "40 %", "300 MB left")
	m.Update(progressMsg{Target: target, Title: "console", Phase: actions.Seen, Step: actions.Step{Says: "answered", Output: "login:\x1b[31m\nboot ok"}})
	wants(t, m, "boot ok", "login:")
	if len(m.runs.now) != 0 {
		t.Errorf("still running: %v", m.runs.now)
	}
	press(t, m, "esc", "1", "A")
	wants(t, m, "nothing runs on this row")
}

func TestALineOfTheAuditLogCanBeTakenBack(t *testing.T) {
	store := incident(t)
	put(t, store, obs("audit", "deeds",
		&fleet.Deed{Source: "audit", Line: 1, ID: "A", At: at, Phase: "begin", Action: "server-start", Title: "start it"},
		&fleet.Deed{Source: "audit", Line: 2, ID: "B", At: at, Phase: "begin", Title: "stop it", Undo: &fleet.Recipe{Action: "server-start", Params: `{"source":"openstack/home","id":"gone"}`}},
	))
	m := model(t, store, 120, 40)
	writer(t, m, store)
	press(t, m, "9", "m")
	wants(t, m, "undo", "no such server is seen in openstack/home")
	press(t, m, "esc", "down", "m")
	wants(t, m, "there is no undo for it")
}

func TestTheLastThingDoneToAnObjectCanBeTakenBack(t *testing.T) {
	store := incident(t)
	var server *fleet.Server
	for server = range fleet.All[*fleet.Server](store.Snapshot(), fleet.KindServer) {
		if server.Run.Status == "SHUTOFF" {
			break
		}
	}
	undo := &fleet.Recipe{Action: "server-start", Params: `{"source":"` + server.Source + `","id":"` + server.ID + `"}`}
	put(t, store, obs("audit", "deeds",
		&fleet.Deed{Source: "audit", Line: 1, ID: "A", At: at, Phase: "begin", Target: server.Ref(), Title: "stop the first time", Undo: undo},
		&fleet.Deed{Source: "audit", Line: 2, ID: "B", At: at, Phase: "begin", Target: server.Ref(), Title: "stop it again", Undo: undo},
		&fleet.Deed{Source: "audit", Line: 3, ID: "B", At: at, Phase: "seen", Target: server.Ref(), Title: "stop it again"},
	))
	m := model(t, store, 120, 40)
	writer(t, m, store)
	m.open(&menu{refs: []fleet.Ref{server.Ref()}})
	wants(t, m, "z  undo: stop it again")
	press(t, m, "z")
	wants(t, m, "server start "+server.ID, "Do it (y)")
}
