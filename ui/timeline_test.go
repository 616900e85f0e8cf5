package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// eventful is the incident with what its layers tell of it.
func eventful(t testing.TB) *fleet.Store {
	store := incident(t)
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	cpu := sensor("openstack-host", "coretemp@0/temp1", "Package id 0", 93, 84, 100)
	cpu.Turns = []fleet.Turn{{At: ago(11 * time.Minute), Until: ago(10 * time.Minute), From: 61, To: 93}}
	put(t, store,
		obs("kube/home", "events/default",
			&fleet.Event{Source: "kube/home", Namespace: "default", Name: "e1", Reason: "NodeNotReady", Message: "Node is not ready", About: fleet.Ref{Kind: fleet.KindNode, Name: "k8s-worker-1.novalocal"}, Count: 1, First: ago(2 * time.Minute), Last: ago(2 * time.Minute)},
			&fleet.Event{Source: "kube/home", Namespace: "default", Name: "e2", Reason: "FailedScheduling", Message: "0/3 nodes are available", About: fleet.Ref{Kind: fleet.KindPod, Name: "default/wwwm-spring-be-58589d7bdc-r98zf"}, Count: 9, First: ago(5 * time.Hour), Last: ago(time.Minute)}),
		obs("host/openstack-host", "sensors", cpu, sensor("openstack-host", "nvme@0/temp1", "Composite", 51, 84, 85)),
		obs("host/openstack-host", "kernel", &fleet.KernelEvent{
			Source: "host/openstack-host", Host: "openstack-host", Name: "b1/000000812.100000/io-error", Boot: "b1", At: ago(4 * time.Minute), Last: ago(4 * time.Minute),
			Class: fleet.ClassIO, Severity: fleet.Serious, Subject: "nvme0n1", Line: "I/O error, dev nvme0n1, sector 8", Count: 1,
		}),
		obs("host/openstack-host", "boots",
			&fleet.BootRecord{Source: "host/openstack-host", Host: "openstack-host", ID: "b0", Begin: at.AddDate(0, 0, -200), End: at.AddDate(0, 0, -122), Ended: fleet.BootCut, Last: "the last line of it"},
			&fleet.BootRecord{Source: "host/openstack-host", Host: "openstack-host", ID: "b1", Begin: at.AddDate(0, 0, -122), Current: true}),
		obs("audit", "deeds", &fleet.Deed{Source: "audit", Line: 1, ID: "A", At: ago(16 * time.Minute), Phase: "seen", Title: "start k8s-worker-1", Who: "ops", Target: fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: worker1}}),
	)
	return store
}

func TestTimelineScreens(t *testing.T) {
	store := eventful(t)
	for name, keys := range map[string][]string{"timeline": {":", "t", "i", "m", "e", "l", "i", "n", "e", "enter"}, "timeline-server": {"1", "t"}} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}

// rowsOf are the objects of the rows of the table that has the focus.
func rowsOf(m *Model) (all []*diagnose.Moment) {
	m.View()
	for i := range m.table().ord.size() {
		all = append(all, m.table().ord.get(i).obj.(*diagnose.Moment))
	}
	return all
}

func TestTheTimelineOfARow(t *testing.T) {
	m := model(t, eventful(t), 120, 40)
	press(t, m, "1", "down", "t")
	chain := rowsOf(m)
	press(t, m, "home", ":", "t", "i", "m", "e", "l", "i", "n", "e", "enter")
	for _, o := range chain {
		if r := o.About(); r.Name == worker1 {
			t.Errorf("a moment of %v is in the timeline of the other worker", r)
		}
	}
	wants(t, m, "Timeline of everything")
	if all := rowsOf(m); len(all) <= len(chain) || len(chain) == 0 {
		t.Errorf("the chain has %d moments, everything %d", len(chain), len(all))
	}
	press(t, m, "esc")
	wants(t, m, "Timeline of server k8s-worker-2 and its chain")
	if again := rowsOf(m); len(again) != len(chain) {
		t.Errorf("back in a timeline of %d moments, not %d", len(again), len(chain))
	}
	press(t, m, "esc")
	if m.table().view.name != "servers" || fleet.NameOf(m.table().at) != "k8s-worker-2" {
		t.Errorf("back in %s on %s", m.table().view.name, fleet.NameOf(m.table().at))
	}
	press(t, m, "d", "t")
	wants(t, m, "Timeline of server k8s-worker-2 and its chain", "06-23")
}

func TestTheTimelineOfAHostHasItsSensors(t *testing.T) {
	m := model(t, eventful(t), 120, 40)
	press(t, m, ":")
	m.typed("hosts")
	press(t, m, "enter", "t", "/")
	m.typed("warmer")
	press(t, m, "enter")
	wants(t, m, "Timeline of host openstack-host and its chain", "warmer: from 61 to 93 °C, limit 100")
	press(t, m, "enter")
	if m.table().view.name != "temps" || fleet.NameOf(m.table().at) != "openstack-host Package id 0" {
		t.Errorf("enter went to %s on %v", m.table().view.name, m.table().at)
	}
}

func TestATimelineIsZoomed(t *testing.T) {
	m := model(t, eventful(t), 160, 40)
	press(t, m, ":", "t", "i", "m", "e", "l", "i", "n", "e", "enter")
	all := len(rowsOf(m))
	var counts []int
	for range 7 {
		press(t, m, "+")
		counts = append(counts, len(rowsOf(m)))
	}
	if !slices.IsSortedFunc(counts, func(a, b int) int { return b - a }) || counts[0] >= all || counts[6] != counts[4] || counts[6] == 0 {
		t.Errorf("of %d moments there are %v", all, counts)
	}
	for _, o := range rowsOf(m) {
		if at.Sub(o.At) > 15*time.Minute {
			t.Errorf("within 15 minutes there is %v", o.At)
		}
	}
	press(t, m, "-", "-", "-", "-", "-", "end", "+", "+", "+", "+", "+")
	wants(t, m, "in 15 min around")
	if rows := rowsOf(m); len(rows) != 1 || m.table().at != fleet.Object(rows[0]) {
		t.Errorf("around the oldest moment there are %d", len(rows))
	}
	press(t, m, "1", "+")
	wants(t, m, "only the timeline can be zoomed")
}

func TestATimelineIsATable(t *testing.T) {
	m := model(t, eventful(t), 160, 40)
	m.o.ReadOnly = ""
	press(t, m, ":", "t", "i", "m", "e", "l", "i", "n", "e", "enter", "/", "k", "e", "r", "n", "e", "l", "enter")
	rows := rowsOf(m)
	if len(rows) != 1 || rows[0].From() != "kernel log" {
		t.Fatalf("a filter leaves %d rows", len(rows))
	}
	press(t, m, "d")
	wants(t, m, "Kernel log of openstack-host around")
	press(t, m, "esc", "enter")
	if m.table().view.name != "disks" || fleet.NameOf(m.table().at) != "openstack-host nvme0n1" {
		t.Errorf("enter went to %s on %v", m.table().view.name, m.table().at)
	}
	press(t, m, "esc", "esc", ">", ">", ">")
	rows = rowsOf(m)
	if !slices.IsSortedFunc(rows, func(a, b *diagnose.Moment) int { return strings.Compare(a.About().Name, b.About().Name) }) {
		t.Error("it cannot be sorted by its objects")
	}
	press(t, m, "O")
	if turned := rowsOf(m); turned[0] != rows[len(rows)-1] {
		t.Error("it cannot be turned round")
	}
	press(t, m, "<", "<", "<", "/", "n", "o", "v", "a", "enter", "space", "space")
	refs := m.table().selected()
	if len(refs) == 0 || slices.ContainsFunc(refs, func(r fleet.Ref) bool { return r.Kind != fleet.KindServer }) {
		t.Errorf("two marked actions of nova mean %v", refs)
	}
	press(t, m, "esc", "esc", ":")
	m.typed("at 07:19:53")
	press(t, m, "enter")
	wants(t, m, "the moment nearest to 2025-06-30 07:19:53Z")
}

func TestTheMouseFindsRowsBelowAStrip(t *testing.T) {
	m := model(t, eventful(t), 120, 40)
	press(t, m, "1", "t")
	m.View()
	if m.table().head != 2 {
		t.Fatalf("%d lines stand above the table", m.table().head)
	}
	m.Update(tea.MouseClickMsg{X: 20, Y: m.screen.top + 2 + 2 + 3, Button: tea.MouseLeft})
	if m.table().cursor != 3 {
		t.Errorf("the fourth row was clicked, and the cursor is in row %d", m.table().cursor)
	}
}

func TestTheCursorStaysOnItsMoment(t *testing.T) {
	store := eventful(t)
	m := model(t, store, 120, 40)
	press(t, m, ":", "t", "i", "m", "e", "l", "i", "n", "e", "enter", "down", "down")
	m.View()
	on := m.table().at.Ref()
	o := obs("audit", "deeds", &fleet.Deed{Source: "audit", Line: 2, ID: "B", At: at, Phase: "begin", Title: "later"})
	o.At = at.Add(time.Second)
	m.Update(snapshotMsg{s: put(t, store, o)})
	rowsOf(m)
	if got := m.table().at.Ref(); got != on || m.table().cursor != 3 {
		t.Errorf("the cursor was on %v, and is in row %d on %v", on, m.table().cursor, got)
	}
}

func TestATimelineIsMadeOnlyWhenSomethingChanged(t *testing.T) {
	store := eventful(t)
	m := model(t, store, 120, 40)
	press(t, m, "1", "t")
	before := rowsOf(m)
	press(t, m, "down", "up")
	o := fleet.Observation{Source: fleet.ClockSource, At: at.Add(2 * time.Second)}
	store.Put(o)
	for seq := m.screen.newest.Seq; ; {
		s, err := store.Next(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		m.Update(snapshotMsg{s: s})
		if seq = s.Seq; !s.At.Before(o.At) {
			break
		}
	}
	if after := rowsOf(m); !slices.Equal(before, after) {
		t.Error("two seconds went by, and the timeline was made anew")
	}
}

func TestAStripOfAServer(t *testing.T) {
	theme := NewTheme(true, true)
	c := &scene{s: fleet.NewSnapshot(1, at, nil, nil, nil), t: &theme}
	text := func(s *fleet.Server) string {
		cells, ok := strip(c, s, 40)
		if !ok {
			return "not known"
		}
		var all string
		for _, x := range cells {
			all += x.text
		}
		return all
	}
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	s := &fleet.Server{Run: fleet.ServerRun{Status: "SHUTOFF"}, Actions: []fleet.ServerAction{{Action: "stop", Start: day(-1)}, {Action: "start", Start: day(-2)}, {Action: "stop", Start: day(-4)}}}
	if got, want := text(s), "06-23 ????????????________+###+___ 06-30"; got != want {
		t.Errorf("the strip is %q, want %q", got, want)
	}
	s.Actions = nil
	if got := text(s); got != "not known" {
		t.Errorf("without actions the strip is %q", got)
	}
	for _, l := range serverStrip(c, s, 60) {
		for _, x := range l.cells {
			if !plainASCII(x.text) {
				t.Errorf("%q is not ASCII", x.text)
			}
		}
	}
}

// BenchmarkTimelineKey measures a key to its drawn frame in the timeline at 200x50 over 50,000 pods and 5,000 events: moving,
// zooming, filtering as one types, sorting, opening it and that of a chain. It reports the 99th percentile and the slowest.
func BenchmarkTimelineKey(b *testing.B) {
	store, _ := big(b)
	var events fleet.Facts
	for i := range 5000 {
		when := at.Add(-time.Duration(i) * 7 * time.Second)
		p := bigPod(i*bigNamespaces, 0)
		events = append(events, &fleet.Event{Source: "kube/big", Namespace: p.Namespace, Name: fmt.Sprintf("%06d", i), Reason: "BackOff", Message: "Back-off restarting failed container", About: p.Ref(), Count: 1, First: when, Last: when})
	}
	put(b, store, obs("kube/big", "events/lab-00", events...))
	m := model(b, store, 200, 50)
	script := []string{
		":", "t", "i", "m", "e", "l", "i", "n", "e", "enter", "down", "pgdown", "up", "j", "k", "end", "home", "+", "+", "-", "-", "down", "t", "+", "-", "t", "t",
		"/", "a", "p", "p", "-", "4", "2", "enter", "esc", ">", ">", ">", "O", "<", "<", "<", "d", "esc", "space", "U", "esc", "esc", "2", "t", "down", "down", "esc", "esc",
	}
	var took []time.Duration
	for b.Loop() {
		for _, k := range script {
			began := time.Now()
			_, cmd := m.Update(keyMsg(k))
			m.View()
			took = append(took, time.Since(began))
			beside(m, cmd)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms/key")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms/key")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBadges measures a frame of pods at 200x50 out of a new snapshot, when all 5,000 nodes below 50,000 pods are down, and
// one out of the same snapshot.
func BenchmarkBadges(b *testing.B) {
	store, _ := big(b)
	var nodes fleet.Facts
	for i := range bigNodes {
		n := node(fmt.Sprintf("k8s-worker-%d.novalocal", i), fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i), "False")
		n.Source = "kube/big"
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, fleet.Compare)
	o := obs("kube/big", "nodes", nodes...)
	o.At = at.Add(10 * time.Minute)
	s := put(b, store, o)
	m := model(b, store, 200, 50)
	press(b, m, ":", "p", "o", "d", "s", "enter")
	if text := screenOf(b, m); !strings.Contains(text, "not ready") {
		b.Fatalf("no badge:\n%s", text)
	}
	for name, fresh := range map[string]bool{"new": true, "same": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if fresh {
					m.screen.scene.causes = diagnose.NewCauses(s)
				}
				m.screen.dirty, m.screen.body = true, nil
				m.View()
			}
		})
	}
}
