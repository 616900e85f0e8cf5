package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

const webOne, webTwo = "6c59b812-2d8d-4da5-92d6-6bbe52790001", "6c59b812-2d8d-4da5-92d6-6bbe52790002"

var noon = time.Date(2025, 7, 7, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

func partOf(source, scope string, facts ...fleet.Object) fleet.Part {
	slices.SortFunc(facts, fleet.Compare)
	return fleet.Part{Source: source, Scope: scope, At: noon, Facts: facts}
}

// history is a cloud in which something happened on each layer: a server on a hypervisor that is a host, and another one.
func history() []fleet.Part {
	return []fleet.Part{
		partOf("audit", "deeds", &fleet.Deed{Source: "audit", Line: 1, At: ago(time.Minute), Phase: "seen", Title: "start web-1", Target: fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: webOne}}),
		partOf("host/compute", "host", &fleet.Host{Source: "host/compute", Name: "compute", Boot: ago(10 * time.Minute)}),
		partOf("host/compute", "boots",
			&fleet.BootRecord{Source: "host/compute", Host: "compute", ID: "a", Begin: ago(48 * time.Hour), End: ago(12 * time.Minute), Ended: fleet.BootCut, Last: "the last line"},
			&fleet.BootRecord{Source: "host/compute", Host: "compute", ID: "b", Begin: ago(10 * time.Minute), Current: true}),
		partOf("host/compute", "disks",
			&fleet.Disk{Source: "host/compute", Host: "compute", Name: "sda", Counters: []fleet.Counter{{Name: "crc_errors", First: 1, Value: 3, Since: ago(time.Hour)}, {Name: "media_errors", First: 2, Value: 2, Since: ago(time.Hour)}, {Name: "pending", First: 0, Value: 8, Since: ago(time.Hour), Grown: ago(50 * time.Minute)}}}),
		partOf("host/compute", "sensors",
			&fleet.Sensor{Source: "host/compute", Host: "compute", Name: "c", Chip: "coretemp", Label: "Package id 0", Celsius: fleet.Some(60.0), Turns: []fleet.Turn{
				{At: ago(13 * time.Minute), Until: ago(12 * time.Minute), From: 45, To: 92}, {At: ago(11 * time.Minute), Until: ago(11 * time.Minute), From: 92, To: 50},
			}}),
		partOf("host/compute", "kernel",
			&fleet.KernelEvent{Source: "host/compute", Host: "compute", Name: "k1", At: ago(9 * time.Minute), Class: fleet.ClassIO, Subject: "sda", Line: "I/O error, dev sda", Severity: fleet.Serious, Count: 4}),
		partOf("kube/home", "events",
			&fleet.Event{Source: "kube/home", Namespace: "default", Name: "e1", Reason: "BackOff", Message: "back-off", About: fleet.Ref{Kind: fleet.KindPod, Name: "default/p"}, Count: 5, First: ago(7 * time.Minute), Last: ago(2 * time.Minute)}),
		partOf("kube/home", "nodes", &fleet.Node{
			Source: "kube/home", Name: "n1", Identity: fleet.NodeIdentity{ProviderID: "openstack:///" + webOne},
			Conditions: []fleet.NodeCondition{{Type: "Ready", Status: "False", Since: ago(8 * time.Minute)}, {Type: "DiskPressure", Status: "False", Since: ago(time.Hour)}},
		}),
		partOf("kube/home", "pods/default", &fleet.Pod{Source: "kube/home", Namespace: "default", Name: "p", Node: "n1", LastExit: &fleet.Exit{Container: "c", Reason: "OOMKilled", Code: 137, Finished: ago(5 * time.Minute)}}),
		partOf("openstack/home", "hypervisors", &fleet.Hypervisor{Source: "openstack/home", ID: "1", Hostname: "compute", Uptime: " 12:00:00 up 9 min,  0 users"}),
		partOf("openstack/home", "servers",
			&fleet.Server{Source: "openstack/home", ID: webOne, Name: "web-1", Place: fleet.Place{Hypervisor: "compute", Host: "compute"}, Run: fleet.ServerRun{Status: "ACTIVE"}, Actions: []fleet.ServerAction{
				{Action: "start", Request: "r2", User: "alice", Start: ago(3 * time.Minute)}, {Action: "stop", Request: "r1", Start: ago(8 * time.Minute)},
			}},
			&fleet.Server{Source: "openstack/home", ID: webTwo, Name: "web-2", Actions: []fleet.ServerAction{{Action: "reboot", Request: "r3", User: "bob", Start: ago(4 * time.Minute), Message: "Error"}}}),
	}
}

func linked(parts []fleet.Part, findings []fleet.Finding) *fleet.Snapshot {
	bare := fleet.NewSnapshot(1, noon, parts, nil, nil)
	return fleet.NewSnapshot(1, noon, parts, Links(bare), findings)
}

func lines(moments []Moment) (all []string) {
	for i := range moments {
		m := &moments[i]
		about := strings.NewReplacer(webOne, "web-1", webTwo, "web-2").Replace(m.About().String())
		all = append(all, fmt.Sprintf("%s %s %s", noon.Sub(m.At), about, m.Says()))
	}
	return all
}

func TestATimelineTellsAllLayersNewestFirst(t *testing.T) {
	node := fleet.Ref{Kind: fleet.KindNode, Source: "kube/home", Name: "n1"}
	s := linked(history(), []fleet.Finding{
		{Rule: "K8S-01", About: node, Says: "n1 is NotReady", Severity: fleet.Critical, Since: ago(8 * time.Minute), Shown: true, Cleared: ago(30 * time.Second)},
		{Rule: "K8S-02", About: node, Says: "not shown yet", Since: ago(time.Minute)},
	})
	want := []string{
		"30s node n1 over: n1 is NotReady",
		"1m0s server web-1 strata seen: start web-1",
		"2m0s pod default/p BackOff: back-off (5 times)",
		"3m0s server web-1 start: by alice",
		"4m0s server web-2 reboot failed: by bob Error",
		"5m0s pod default/p OOMKilled: container c ended with code 137",
		"7m0s pod default/p BackOff: back-off (the first of 5)",
		"8m0s node n1 found: n1 is NotReady",
		"8m0s node n1 Ready False",
		"8m0s server web-1 stop: by nova itself",
		"9m0s disk sda io-error: I/O error, dev sda (4 times)",
		"10m0s host compute booted",
		"11m0s sensor c cooler: from 92 to 50 °C (coretemp Package id 0)",
		"12m0s host compute cut off: the last line",
		"13m0s sensor c warmer: from 45 to 92 °C, usual limit 95 (coretemp Package id 0)",
		"50m0s disk sda errors grew: pending 8 now, 0 at 2025-07-07 11:00:00Z",
		"1h0m0s disk sda errors grew: crc errors +2 since then, now 3",
		"48h0m0s host compute booted",
	}
	var line Timeline
	if got := lines(line.Of(s, Span{})); !slices.Equal(got, want) {
		t.Errorf("the timeline is\n%q, want\n%q", got, want)
	}
	if got := lines(line.Of(s, Span{From: ago(9 * time.Minute), To: ago(4 * time.Minute)})); !slices.Equal(got, want[4:11]) {
		t.Errorf("five minutes of it are\n%q, want\n%q", got, want[4:11])
	}
	names := map[fleet.Ref]string{}
	for _, m := range line.Of(s, Span{}) {
		if before, twice := names[m.Ref()]; twice {
			t.Errorf("%q and %q have one name: %v", before, m.Says(), m.Ref())
		}
		names[m.Ref()] = m.Says()
	}
}

func TestWhatEachKindTells(t *testing.T) {
	when := ago(time.Minute)
	s := linked([]fleet.Part{
		partOf("checks/a", "checks", &fleet.Check{Source: "checks/a", Endpoint: fleet.Endpoint{Name: "shop"}, State: fleet.CheckDown, Wrong: "timeout", Says: "no answer", Fails: 3, Since: when}),
		partOf("host/a", "filesystems", &fleet.Filesystem{Source: "host/a", Host: "a", Mount: "/", Counters: []fleet.Counter{{Name: "ext4_errors", Value: 2, Since: when}}}),
		partOf("host/a", "disks", &fleet.Disk{Source: "host/a", Host: "a", Name: "nvme0n1", Counters: []fleet.Counter{{Name: "thermal_temp1_transitions", First: 99, Value: 102, Since: ago(24 * time.Hour), Grown: when}}}),
		partOf("host/a", "sensors",
			&fleet.Sensor{Source: "host/a", Host: "a", Name: "c", Chip: "coretemp", Label: "Package id 0", Max: fleet.Some(84.0), Crit: fleet.Some(100.0), Turns: []fleet.Turn{{At: when, From: 61, To: 92}}},
			&fleet.Sensor{Source: "host/a", Host: "a", Name: "d", Chip: "nvme", Label: "Composite", Disk: "nvme0n1", Turns: []fleet.Turn{{At: when, From: 46, To: 81}}},
			&fleet.Sensor{Source: "host/a", Host: "a", Name: "e", Chip: "acpitz", Label: "temp1", Turns: []fleet.Turn{{At: when, From: 25, To: 110}}},
			&fleet.Sensor{Source: "host/a", Host: "a", Name: "f", Chip: "k10temp", Label: "Tctl", Turns: []fleet.Turn{{At: when, From: 90, To: 86}}}),
		partOf("host/a", "units", &fleet.Unit{Source: "host/a", Host: "a", Name: "u", Lost: []fleet.LostLimit{{Disk: "sda", Limit: fleet.IOLimit{ReadsSec: fleet.Some(uint64(50))}, At: when}}}),
		partOf("kube/home", "apps", &fleet.App{Source: "kube/home", Namespace: "argocd", Name: "web", Condition: fleet.AppHealth{Status: "Healthy"}, Operation: fleet.AppOperation{Phase: "Succeeded", Message: "done", Started: ago(time.Hour), Finished: when}}),
		partOf("libvirt/a", "domains",
			&fleet.Domain{Source: "libvirt/a", Host: "a", Name: "d", UUID: "1", Log: &fleet.QemuLog{Started: when, Lines: []fleet.QemuLine{{At: when, Class: fleet.QemuAbort, Text: "assertion"}, {Class: fleet.QemuStop, Text: "no time"}}}},
			&fleet.Domain{Source: "libvirt/a", Host: "a", Name: "e", UUID: "2", Process: fleet.DomainRun{Started: when}}),
		partOf("openstack/home", "servers", &fleet.Server{Source: "openstack/home", ID: webOne, Fault: &fleet.Fault{Code: 500, Message: "no host", Created: when}}),
		partOf("prometheus/fleet", "alerts", &fleet.Alert{Source: "prometheus/fleet", Fingerprint: "f", Name: "Down", Says: "it is", Severity: "critical", Starts: when}),
	}, nil)
	want := map[string]string{
		"check shop": "check bad timeout: no answer", "alert f": "alertmanager bad firing: Down it is", "app argocd/web": "argo cd ok Healthy: sync succeeded done",
		"server " + webOne: "nova bad fault: 500 no host", "domain 1": "qemu log bad qemu abort: assertion", "domain 2": "qemu log ok qemu started",
		"unit u": "host warn limit lost: riops=50 on sda ended with its scope", "filesystem /": "counters warn errors grew: ext4 errors +2 since then, now 2",
		"disk nvme0n1": "counters warn throttled for heat: thermal temp1 transitions 102 now, 99 at 2025-07-06 12:00:00Z",
		"sensor c":     "sensor warn warmer: from 61 to 92 °C, limit 100 (coretemp Package id 0)", "sensor d": "sensor bad warmer: from 46 to 81 °C, usual limit 80 (nvme Composite of nvme0n1)",
		"sensor e": "sensor ok warmer: from 25 to 110 °C (acpitz temp1)", "sensor f": "sensor ok cooler: from 90 to 86 °C (k10temp Tctl)",
	}
	for _, m := range new(Timeline).Of(s, Span{}) {
		about := m.About().String()
		if about == "domain 1" && m.N == started {
			continue
		}
		if got := m.From() + " " + m.Health().State.String() + " " + m.Says(); got != want[about] {
			t.Errorf("%s: %q, want %q", about, got, want[about])
		}
		delete(want, about)
	}
	for about := range want {
		t.Errorf("nothing is told of %s", about)
	}
}

func TestATimelineOfAChainHasNothingOfStrangers(t *testing.T) {
	s := linked(history(), nil)
	var line Timeline
	for _, r := range []fleet.Ref{
		{Kind: fleet.KindPod, Source: "kube/home", Name: "default/p"},
		{Kind: fleet.KindServer, Source: "openstack/home", Name: webOne},
		{Kind: fleet.KindNode, Source: "kube/home", Name: "n1"},
	} {
		got := line.Of(s, Span{About: r})
		if len(got) != 15 {
			t.Errorf("%v has %d moments: %q", r, len(got), lines(got))
		}
	}
	if got := line.Of(s, Span{About: fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: webTwo}}); len(got) != 1 {
		t.Errorf("the other server has %d moments: %q", len(got), lines(got))
	}
}

func TestAHypervisorTellsOfItsBootWhereNobodyElseDoes(t *testing.T) {
	parts := slices.DeleteFunc(history(), func(p fleet.Part) bool { return p.Source == "host/compute" })
	got := new(Timeline).Of(linked(parts, nil), Span{About: fleet.Ref{Kind: fleet.KindHypervisor, Source: "openstack/home", Name: "compute"}})
	last := lines(got[len(got)-1:])
	if want := "9m0s hypervisor compute booted: within this minute, by its uptime: 12:00:00 up 9 min,  0 users"; last[0] != want {
		t.Errorf("the oldest moment is %q, want %q", last[0], want)
	}
}

func TestATimelineFollowsWhatChanged(t *testing.T) {
	parts := history()
	var line Timeline
	line.Of(linked(parts, nil), Span{})
	for i := range parts {
		next := slices.Clone(parts)
		next[i].Facts = nil
		s := linked(next, nil)
		if got, want := lines(line.Of(s, Span{})), lines(new(Timeline).Of(s, Span{})); !slices.Equal(got, want) {
			t.Errorf("without %s a timeline that followed has\n%q, a new one\n%q", parts[i].Scope, got, want)
		}
		line.Of(linked(parts, nil), Span{})
	}
}

func TestATimelineKeepsTheNewest(t *testing.T) {
	var events fleet.Facts
	for i := range 3*MostMoments + 7 {
		when := ago(time.Duration(i*7919%(3*MostMoments+7)) * time.Second)
		events = append(events, &fleet.Event{Source: "kube/home", Namespace: "default", Name: fmt.Sprintf("%06d", i), Reason: "BackOff", First: when, Last: when})
	}
	got := new(Timeline).Of(linked([]fleet.Part{partOf("kube/home", "events", events...)}, nil), Span{})
	if len(got) != MostMoments {
		t.Fatalf("it keeps %d", len(got))
	}
	for i := range got {
		if want := ago(time.Duration(i) * time.Second); !got[i].At.Equal(want) {
			t.Fatalf("the %dth is of %v, not %v", i, got[i].At, want)
		}
	}
}

func TestPowerOfAServer(t *testing.T) {
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	act := func(hours int, name string) fleet.ServerAction {
		return fleet.ServerAction{Action: name, Start: at(hours).Add(time.Minute)}
	}
	for _, c := range []struct {
		name    string
		status  string
		actions []fleet.ServerAction // newest first
		want    string
	}{
		{"not fetched", "SHUTOFF", nil, ""},
		{"none", "ACTIVE", []fleet.ServerAction{}, "??????"},
		{"before the first that is known", "SHUTOFF", []fleet.ServerAction{act(4, "stop"), act(2, "start")}, "??^^*_"},
		{"made in it", "ACTIVE", []fleet.ServerAction{act(2, "create")}, "  ^^^^"},
		{"known before it", "ACTIVE", []fleet.ServerAction{act(3, "reboot"), act(-5, "start")}, "^^^*^^"},
		{"a start that failed", "SHUTOFF", []fleet.ServerAction{{Action: "start", Start: at(3), Message: "Error"}, act(-1, "stop")}, "______"},
		{"against its status", "SHUTOFF", []fleet.ServerAction{act(1, "start"), act(-1, "stop")}, "_*????"},
		{"several in one span", "SHUTOFF", []fleet.ServerAction{act(3, "stop"), act(3, "start"), act(3, "stop"), act(-1, "start")}, "^^^*__"},
		{"what leaves it as it is", "ACTIVE", []fleet.ServerAction{act(3, "lock"), act(-1, "start")}, "^^^^^^"},
	} {
		var got string
		for _, p := range PowerOf(&fleet.Server{Run: fleet.ServerRun{Status: c.status}, Actions: c.actions}, at(0), at(6), 6) {
			got += string("? _^*"[p])
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func BenchmarkTimeline(b *testing.B) {
	parts := []fleet.Part{}
	for ns := range 20 {
		var pods fleet.Facts
		for i := range 2500 {
			p := &fleet.Pod{Source: "kube/big", Namespace: fmt.Sprintf("lab-%02d", ns), Name: fmt.Sprintf("app-%05d", i), Node: fmt.Sprintf("node-%04d", (ns*2500+i)%5000)}
			if i%10 == 0 {
				p.LastExit = &fleet.Exit{Container: "c", Code: 1, Finished: ago(time.Duration(ns*2500+i) * time.Second)}
			}
			pods = append(pods, p)
		}
		parts = append(parts, partOf("kube/big", fmt.Sprintf("pods/lab-%02d", ns), pods...))
	}
	var events fleet.Facts
	for i := range 5000 {
		events = append(events, &fleet.Event{Source: "kube/big", Namespace: "lab-00", Name: fmt.Sprintf("%06d", i), Reason: "BackOff", About: fleet.Ref{Kind: fleet.KindPod, Name: fmt.Sprintf("lab-00/app-%05d", i%2500)}, Last: ago(time.Duration(i) * time.Second)})
	}
	s := linked(append(parts, partOf("kube/big", "events", events...)), nil)
	var line Timeline
	line.Of(s, Span{})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			line.Of(s, Span{})
		}
	})
	b.Run("chain", func(b *testing.B) {
		for b.Loop() {
			line.Of(s, Span{About: fleet.Ref{Kind: fleet.KindNode, Source: "kube/big", Name: "node-0001"}})
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			new(Timeline).Of(s, Span{})
		}
	})
}
