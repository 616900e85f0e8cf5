package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/fleet"
)

func timeOf(n uint64) time.Duration { return time.Duration(n) * time.Second }

func TestTheCursorStaysOnItsObject(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	press(t, m, "1", "down", "down", "down", "down")
	m.View()
	on := fleet.NameOf(m.table().at)
	broken := &fleet.Server{Source: "openstack/home", ID: "0", Name: "a-new-one", Run: fleet.ServerRun{Status: "ERROR"}}
	var all []fleet.Object
	for o := range m.screen.scene.s.Each(fleet.KindServer) {
		all = append(all, o)
	}
	o := obs("openstack/home", "servers", append([]fleet.Object{broken}, all...)...)
	o.At = at.Add(time.Second)
	m.Update(snapshotMsg{s: put(t, store, o)})
	m.View()
	if got := fleet.NameOf(m.table().at); got != on {
		t.Errorf("the cursor was on %s and is on %s", on, got)
	}
	fresh := model(t, store, 120, 40)
	fresh.View()
	if got := fleet.NameOf(fresh.table().at); got != "a-new-one" {
		t.Errorf("a cursor that nobody moved is on %s, not on the worst", got)
	}
}

func TestAnObjectThatGoesLeavesTheCursorInPlace(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	press(t, m, "1", "down", "down", "d")
	gone := m.table().at
	var rest []fleet.Object
	for o := range m.screen.scene.s.Each(fleet.KindServer) {
		if o != gone {
			rest = append(rest, o)
		}
	}
	o := obs("openstack/home", "servers", rest...)
	o.At = at.Add(time.Second)
	m.Update(snapshotMsg{s: put(t, store, o)})
	if !strings.Contains(screenOf(t, m), "it is gone") {
		t.Error("the details of an object that is gone do not say so")
	}
	press(t, m, "esc")
	m.View()
	if m.table().cursor != 2 || m.table().at == nil {
		t.Errorf("the cursor is on row %d", m.table().cursor)
	}
}

func TestReadOnlySaysWhy(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, "1", "m")
	if len(m.over) != 0 {
		t.Error("a read-only cockpit opened the actions")
	}
	if s := screenOf(t, m); !strings.Contains(s, "read-only: started with `strata watch`") {
		t.Errorf("the screen does not say why:\n%s", s)
	}
	press(t, m, "?")
	if s := screenOf(t, m); !strings.Contains(s, "disabled: read-only") {
		t.Error("the help does not say that actions are disabled")
	}
}

func TestADialogNeedsAYes(t *testing.T) {
	store := incident(t)
	for name, keys := range map[string][]string{"enter": {"enter"}, "esc": {"esc"}, "n": {"n"}} {
		m := model(t, store, 120, 40)
		m.o.ReadOnly, m.o.Runner = "", actions.NewRunner(actions.Setup{})
		press(t, m, append([]string{"1", "m", "s"}, keys...)...)
		d, _ := m.dialog()
		if _, back := d.(*menu); !back || !strings.Contains(m.status.text, "nothing was done") {
			t.Errorf("%s: the dialog is still open, left more than itself, or did something: %q", name, m.status.text)
		}
		if press(t, m, "esc"); len(m.over) != 0 {
			t.Errorf("%s: esc did not close the menu", name)
		}
	}
	m := model(t, store, 120, 40)
	m.o.ReadOnly, m.o.Runner = "", actions.NewRunner(actions.Setup{})
	press(t, m, "1", "space", "space", "m", "s")
	s := screenOf(t, m)
	for _, want := range []string{worker1, worker2, "[ Cancel ]"} {
		if !strings.Contains(s, want) {
			t.Errorf("the dialog for two servers lacks %s:\n%s", want, s)
		}
	}
}

func TestManyWantTheirNumberTyped(t *testing.T) {
	store := fleet.NewStore(nil)
	var all []fleet.Object
	for i := range 8 {
		all = append(all, &fleet.Server{Source: "openstack/home", ID: string(rune('a' + i)), Name: "w" + string(rune('a'+i)), Run: fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped"}})
	}
	put(t, store, obs("openstack/home", "servers", all...))
	m := model(t, store, 120, 40)
	m.o.ReadOnly, m.o.Runner = "", actions.NewRunner(actions.Setup{})
	press(t, m, "1", "space", "space", "space", "space", "space", "space", "m", "s")
	if s := screenOf(t, m); !strings.Contains(s, "type 6 and enter") {
		t.Errorf("six servers do not want their number:\n%s", s)
	}
	press(t, m, "y", "enter")
	if len(m.over) == 0 {
		t.Error("y was enough for six servers")
	}
}

func TestFreezing(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	press(t, m, "f")
	o := obs("openstack/home", "servers")
	o.At = at.Add(time.Second)
	m.Update(snapshotMsg{s: put(t, store, o)})
	if s := screenOf(t, m); !strings.Contains(s, "FROZEN") || !strings.Contains(s, "k8s-worker-1") {
		t.Errorf("a frozen screen moved:\n%s", s)
	}
	press(t, m, "f")
	if s := screenOf(t, m); strings.Contains(s, "FROZEN") || !strings.Contains(s, "no servers") {
		t.Errorf("a thawed screen is not the newest:\n%s", s)
	}
}

func TestCommandsComplete(t *testing.T) {
	for line, want := range map[string]string{"ser": "servers", "serv": "servers", "nod": "nodes", "sort na": "name", "sort w": "worst"} {
		if got := complete(line); !slices.Contains(got, want) {
			t.Errorf(":%s completes to %q, want %s among them", line, got, want)
		}
	}
	m := model(t, incident(t), 120, 40)
	press(t, m, ":", "n", "o", "d", "enter")
	if m.table().view.name != "nodes" {
		t.Errorf(":nod went to %s", m.table().view.name)
	}
	press(t, m, ":", "x", "y", "z", "enter")
	if !strings.Contains(m.status.text, "no command xyz") {
		t.Errorf("an unknown command says %q", m.status.text)
	}
}

func TestEscGoesBackAndNeverQuits(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, "2", "z", "enter")
	if m.table().view.name == "work" && m.table().at.Ref().Kind == fleet.KindNode {
		t.Errorf("enter on a node stayed on %s", m.table().at.Ref())
	}
	for range 6 {
		if cmd := m.key(keyMsg("esc")); cmd != nil {
			t.Fatal("esc gave a command")
		}
	}
	if m.zoom {
		t.Error("esc did not come back to the overview")
	}
}

func TestTextFromTheWorldCannotSteerTheTerminal(t *testing.T) {
	store := fleet.NewStore(nil)
	evil := "a\x1b]0;pwned\x07\x1b[2J\u202eb\u200d\r\nc\x9b31m"
	put(t, store,
		obs("openstack/home", "servers", &fleet.Server{Source: "openstack/home", ID: evil, Name: evil, Run: fleet.ServerRun{Status: evil, TaskState: evil}, Fault: &fleet.Fault{Message: evil}, Metadata: map[string]string{evil: evil}}),
		obs("kube/home", "nodes", node(evil, evil, "Unknown")),
	)
	m := model(t, store, 120, 40)
	for _, keys := range [][]string{nil, {"1", "d"}, {"esc", "y"}, {"y"}, {"esc", "x"}, {"esc", "c"}, {"m"}, {":", "s", "o", "u", "r", "c", "e", "s", "enter"}} {
		press(t, m, keys...)
		content := m.View().Content
		for _, bad := range []string{"\x1b]", "\x1b[2J", "\u202e", "\x07", "\r", "\x9b"} {
			if strings.Contains(content, bad) {
				t.Errorf("after %q %q reaches the terminal", keys, bad)
			}
		}
	}
}

func TestAnASCIITerminalGetsASCIIOnly(t *testing.T) {
	m := model(t, incident(t), 80, 24)
	m.o.Theme = NewTheme(true, true)
	for _, keys := range [][]string{nil, {"d"}, {"esc", "x"}, {"esc", "?"}, {"esc", "2"}, {"3"}, {"4"}, {"5"}, {"6"}, {":", "p", "o"}, {"esc", "/", "w"}} {
		press(t, m, keys...)
		for i, r := range screenOf(t, m) {
			if r > 0x7e {
				t.Fatalf("after %q there is %q at %d", keys, r, i)
			}
		}
	}
}
