package ui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// anyServer is the first server of the incident.
func anyServer(t *testing.T, s *fleet.Snapshot) fleet.Ref {
	t.Helper()
	for o := range s.Each(fleet.KindServer) {
		return o.Ref()
	}
	t.Fatal("no server")
	return fleet.Ref{}
}

// wide is an offer with as many values, as long to explain, as the longest there is.
func wide() actions.Offer {
	help := strings.Repeat("what this value is for and how it is written, ", 3)
	o := actions.Offer{Title: "limit", Kind: fleet.KindServer, New: func(r fleet.Ref, a actions.Args) (actions.Action, error) {
		return actions.StartServer{Source: r.Source, ID: a["one"]}, nil
	}}
	for _, name := range []string{"one", "two", "three", "four", "five", "last"} {
		o.Params = append(o.Params, actions.Param{Name: name, Help: help, Suggest: func(*fleet.Snapshot, fleet.Ref) []string {
			return []string{"offered " + name, "other"}
		}})
	}
	return o
}

func TestAFormFitsTheSmallestScreen(t *testing.T) {
	store := incident(t)
	m := model(t, store, 80, 24)
	writer(t, m, store)
	m.open(newForm(m, wide(), []fleet.Ref{anyServer(t, store.Snapshot())}))
	wants(t, m, "› one", "last", "how it is written", "server start 'offered one'", "refused", "esc back")
	press(t, m, "up", "down", "down", "down", "down", "down", "down")
	wants(t, m, "› last", "offered last, other", "refused", "esc back")
}

func TestAFormForSeveralSaysWhatIsRefusedOfWhich(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	var refs []fleet.Ref
	for o := range store.Snapshot().Each(fleet.KindServer) {
		if refs = append(refs, o.Ref()); len(refs) == 2 {
			break
		}
	}
	m.open(newForm(m, wide(), refs))
	wants(t, m, "limit: 2 marked", m.called(refs[0]), m.called(refs[1]))
	press(t, m, "enter") // what does not fit the form can be read here, though nothing may be done
	wants(t, m, "limit: 0 of 2", "refused", "all of it is refused")
	press(t, m, "y")
	if _, open := m.over[len(m.over)-1].(*confirm); !open || len(m.runs.now) > 0 {
		t.Error("a yes to what is refused did something")
	}
}

func TestTypingReplacesWhatAFormOffers(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	f := newForm(m, wide(), []fleet.Ref{anyServer(t, store.Snapshot())})
	m.open(f)
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"5", "M"}, "5M"},
		{[]string{"right", "right"}, "other"},
		{[]string{"x"}, "x"},
		{[]string{"right", "right", "backspace", "s"}, "othes"},
		{[]string{"right", "end", "!"}, "offered one!"},
	} {
		if press(t, m, c.keys...); f.fields[0].value != c.want {
			t.Errorf("after %v the value is %q, want %q", c.keys, f.fields[0].value, c.want)
		}
	}
	m.Update(tea.PasteMsg{Content: " and\x1b more\n"})
	if got := f.fields[0].value; !strings.HasPrefix(got, "offered one!and") || strings.Contains(got, "\x1b") {
		t.Errorf("pasting made it %q", got)
	}
}

func TestAFormSaysWhyEnterDoesNothing(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	m.open(newForm(m, wide(), []fleet.Ref{anyServer(t, store.Snapshot())}))
	press(t, m, "enter")
	wants(t, m, "with these values it is refused: no such server is seen")
}

func TestACommandTypedInAMenuPicksNothing(t *testing.T) {
	for _, sign := range []string{":", "/"} {
		store := incident(t)
		m := model(t, store, 120, 40)
		writer(t, m, store)
		press(t, m, "1", "m", sign, "s", "y", "esc")
		if len(m.over) != 0 || m.prompt != nil || len(m.runs.now) != 0 {
			t.Errorf("%s: %d dialogs are open, %d actions run", sign, len(m.over), len(m.runs.now))
		}
	}
}

func TestANameOfAnyLettersCanBeTyped(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	d := &confirm{title: "destroy", plans: []actions.Plan{{Title: "destroy", Ask: "größe 1", Action: actions.StartServer{Source: "libvirt/alpha"}}}}
	m.open(d)
	wants(t, m, "on        alpha")
	if s := screenOf(t, m); strings.Contains(s, "c copies") {
		t.Error("a c is typed here, and copies nothing")
	}
	press(t, m, "g", "r", "ö", "ß", "e", "x", "backspace", "space", "1")
	if d.typed != "größe 1" {
		t.Errorf("typed %q", d.typed)
	}
}

func TestWhatWasSaidIsNotCut(t *testing.T) {
	m := model(t, incident(t), 80, 24)
	m.say(badInk, "turn off swap: aborted: "+strings.Repeat("word ", 20)+"and it is still on")
	wants(t, m, "and it is still on", "Servers")
}
