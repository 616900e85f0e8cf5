package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

func TestASourceThatBrokeDownLooksStale(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	later := at.Add(time.Second)
	m.Update(snapshotMsg{s: put(t, store, fleet.Observation{Source: "kube/home", At: later, Err: errors.New("watching kube/home: panic")})})
	s := screenOf(t, m)
	if !strings.Contains(s, "pods ◌") || !strings.Contains(s, "◌ master") || !strings.Contains(s, "kube:home failing") {
		t.Errorf("the pods of a source that broke down look fresh:\n%s", s)
	}
	if strings.Contains(s, "servers ◌") {
		t.Error("the servers of another source look stale")
	}
}

func TestASystemThatNeverAnsweredIsInTheHeader(t *testing.T) {
	store := fleet.NewStore(nil)
	put(t, store,
		obs("host/a", "host", &fleet.Host{Source: "host/a", Name: "a"}),
		fleet.Observation{Source: "openstack/home", Scope: "servers", At: at, Err: &fleet.Trouble{Doing: "logging in to home", Cause: errors.New("connection refused"), Fix: "is keystone up?"}},
	)
	m := model(t, store, 120, 40)
	s := screenOf(t, m)
	if !strings.Contains(s, "servers ◌") || !strings.Contains(s, "nova:home failing") || !strings.Contains(s, "is keystone up?") || strings.Contains(s, "0 servers") {
		t.Errorf("a cloud that never answered:\n%s", s)
	}
}

func TestWhatIsLeftOutIsCountedAsItIs(t *testing.T) {
	store := fleet.NewStore(nil)
	var facts fleet.Facts
	for i := range 3000 {
		p := pod(fmt.Sprintf("p-%04d", i), "n", "Running", "")
		if i >= 2500 {
			p.Run.Phase = "Failed"
		}
		facts = append(facts, p)
	}
	put(t, store, obs("kube/home", "pods/default", facts...))
	m := model(t, store, 120, 40)
	press(t, m, "2")
	if s := screenOf(t, m); strings.Contains(s, "all fine") {
		t.Errorf("500 failed pods, and the rest is all fine:\n%s", s)
	}
	press(t, m, ">")
	if s := screenOf(t, m); strings.Contains(s, "all fine") {
		t.Errorf("sorted by name, and the rest is all fine:\n%s", s)
	}
}

func TestMarksThatAFilterHidesAreStillMeant(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	m.o.ReadOnly, m.o.Runner = "", actions.NewRunner(actions.Setup{})
	press(t, m, "1", "space", "space", "/", "w", "e", "b", "enter", "m", "s")
	s := screenOf(t, m)
	if !strings.Contains(s, worker1) || !strings.Contains(s, worker2) {
		t.Errorf("two workers are marked, and the dialog is about something else:\n%s", s)
	}
}

func TestGoingBackRestoresFilterAndRow(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, ":", "n", "o", "d", "e", "s", "enter", "/", "w", "o", "r", "k", "enter", "down", "enter")
	m.View()
	if m.table().view.name != "servers" {
		t.Fatalf("enter went to %s", m.table().view.name)
	}
	press(t, m, "esc")
	m.View()
	if m.table().view.name != "nodes" || m.table().filter.text != "work" || fleet.NameOf(m.table().at) != "k8s-worker-2.novalocal" {
		t.Errorf("back in %s with /%s on %s", m.table().view.name, m.table().filter.text, fleet.NameOf(m.table().at))
	}
}

func TestTheMouseLeavesAPromptAlone(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, "1", "/", "w")
	m.View()
	m.Update(tea.MouseClickMsg{X: 100, Y: 6, Button: tea.MouseLeft})
	press(t, m, "e")
	if m.focus != 0 || m.panes[0].filter.text != "we" {
		t.Errorf("the focus is on pane %d, the filter is /%s", m.focus+1, m.panes[0].filter.text)
	}
	m.Update(tea.PasteMsg{Content: "b\n"})
	if got := m.panes[0].filter.text; got != "web" {
		t.Errorf("pasting gave /%s", got)
	}
}

func TestAYesIsForWhatCanBeSeen(t *testing.T) {
	store := fleet.NewStore(nil)
	var all []fleet.Object
	for i := range 5 {
		all = append(all, &fleet.Server{Source: "openstack/home", ID: strings.Repeat(string(rune('a'+i)), 36), Name: "w" + string(rune('a'+i)), Run: fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped"}})
	}
	put(t, store, obs("openstack/home", "servers", all...))
	m := model(t, store, 80, 16)
	m.o.ReadOnly, m.o.Runner = "", actions.NewRunner(actions.Setup{})
	press(t, m, "1", "space", "space", "space", "space", "space", "m", "s")
	if s := screenOf(t, m); !strings.Contains(s, "type 5 and enter") {
		t.Errorf("five servers of which not all can be seen want no number:\n%s", s)
	}
	seen := ""
	for range 60 {
		seen += screenOf(t, m)
		press(t, m, "down")
	}
	for _, o := range all {
		if !strings.Contains(seen, "start "+fleet.NameOf(o)) {
			t.Errorf("%s cannot be scrolled to", fleet.NameOf(o))
		}
	}
}

func TestLongWordsAndSentencesAreWrapped(t *testing.T) {
	l := line{cells: []cell{{"command   ", dim}, {"openstack server start " + worker1, accent}}}
	for w := 12; w < 90; w++ {
		var text strings.Builder
		for _, part := range l.wrapped(w) {
			n := 0
			for _, c := range part.cells {
				n += width(c.text)
				text.WriteString(strings.TrimLeft(c.text, " "))
			}
			if n > w {
				t.Errorf("a line of %d cells at width %d", n, w)
			}
		}
		if got := strings.ReplaceAll(text.String(), " ", ""); got != "commandopenstackserverstart"+worker1 {
			t.Errorf("width %d lost something: %q", w, got)
		}
	}
	for _, part := range l.wrapped(60) {
		for _, c := range part.cells {
			if strings.Contains(c.text, "6c59") && !strings.Contains(c.text, worker1) {
				t.Errorf("an id that fits on a line was broken: %q", c.text)
			}
		}
	}
}

func TestPagesTakeTheTablesKeys(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, "5", "enter")
	if s := screenOf(t, m); !strings.Contains(s, "Finding") {
		t.Fatalf("no card:\n%s", s)
	}
	press(t, m, "d")
	if s := screenOf(t, m); !strings.Contains(s, "hypervisor compute") || strings.Contains(s, "it is gone") {
		t.Errorf("d on a finding's card:\n%s", s)
	}
	press(t, m, "esc", "esc", ":", "s", "o", "u", "r", "c", "e", "s", "enter", "enter")
	if s := screenOf(t, m); !strings.Contains(s, "clusterrolebinding strata --clusterrole=view --user=ops") {
		t.Errorf("a failing scope's page lacks the remedy:\n%s", s)
	}
	press(t, m, "1")
	if len(m.over) != 0 || m.table().view.name != "servers" {
		t.Error("1 did not leave the page")
	}
}

func TestOnlyFaults(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	press(t, m, "1", "!")
	m.View()
	if n := m.table().ord.size(); n != 2 {
		t.Errorf("%d servers are not fine, want 2", n)
	}
	press(t, m, "!")
	m.View()
	if n := m.table().ord.size(); n != 14 {
		t.Errorf("%d servers, want all 14", n)
	}
}
