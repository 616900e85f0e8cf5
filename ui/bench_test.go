package ui

import (
	"fmt"
	"slices"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// Sizes of the large cloud that speed is promised for.
const (
	bigPods, bigNodes, bigServers, bigNamespaces = 50_000, 5_000, 2_000, 20
)

func bigPod(i, restarts int) *fleet.Pod {
	return &fleet.Pod{
		Source: "kube/big", Namespace: fmt.Sprintf("lab-%02d", i%bigNamespaces), Name: fmt.Sprintf("app-%03d-%08x-%05d", i/10, uint32(i/10*2654435761%(1<<32)), i),
		Node: fmt.Sprintf("k8s-worker-%d.novalocal", i%bigNodes), Owner: "ReplicaSet/app", Created: at,
		Run: fleet.PodRun{Phase: "Running", Ready: 2, Total: 2, Restarts: int32(restarts)},
	}
}

// big is a cloud of the promised size.
func big(b *testing.B) (*fleet.Store, []fleet.Facts) {
	store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
	var servers, nodes fleet.Facts
	for i := range bigServers {
		servers = append(servers, &fleet.Server{Source: "openstack/big", ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i), Name: fmt.Sprintf("k8s-worker-%d", i), Run: fleet.ServerRun{Status: "ACTIVE"}})
	}
	for i := range bigNodes {
		n := node(fmt.Sprintf("k8s-worker-%d.novalocal", i), fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i), "True")
		n.Source = "kube/big"
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, fleet.Compare)
	spaces := make([]fleet.Facts, bigNamespaces)
	for i := range bigPods {
		spaces[i%bigNamespaces] = append(spaces[i%bigNamespaces], bigPod(i, 0))
	}
	all := []fleet.Observation{obs("openstack/big", "servers", servers...), obs("kube/big", "nodes", nodes...)}
	for i, facts := range spaces {
		slices.SortFunc(facts, fleet.Compare)
		all = append(all, obs("kube/big", fmt.Sprintf("pods/lab-%02d", i), facts...))
	}
	put(b, store, all...)
	return store, spaces
}

// BenchmarkKey measures a key to its drawn frame at 200x50: moving, paging, filtering as one types, sorting, opening
// and closing pages. It reports the 99th percentile of all keys and the slowest.
func BenchmarkKey(b *testing.B) {
	store, _ := big(b)
	m := model(b, store, 200, 50)
	for _, k := range []string{":", "p", "o", "d", "s", "enter"} {
		_, cmd := m.Update(keyMsg(k))
		m.View()
		beside(m, cmd)
	}
	var script []string
	for range 20 {
		script = append(script, "down", "pgdown", "up", "j", "k")
	}
	script = append(script, "end", "home", "/", "a", "p", "p", "-", "4", "2", "enter", "d", "esc", "x", "esc", "esc", "space", "U", "y", "esc", "1", "2", "tab", "esc", "esc", ":", "p", "o", "d", "s", "enter", ">", "O", "<")
	for range 9 { // by each column
		script = append(script, ">")
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

// beside makes the hay that a key asked for, as Bubble Tea does while nobody presses one.
func beside(m *Model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case indexed:
		m.Update(msg)
	case tea.BatchMsg:
		for _, one := range msg {
			beside(m, one)
		}
	}
}

// BenchmarkChange measures one changed pod among 50,000 from observation to drawn frame.
func BenchmarkChange(b *testing.B) {
	store, spaces := big(b)
	m := model(b, store, 200, 50)
	press(b, m, ":", "p", "o", "d", "s", "enter")
	m.View()
	i := 0
	for b.Loop() {
		b.StopTimer()
		i++
		facts := slices.Clone(spaces[0])
		facts[i%len(facts)] = bigPod(i%len(facts)*bigNamespaces, i)
		slices.SortFunc(facts, fleet.Compare)
		spaces[0] = facts
		o := obs("kube/big", "pods/lab-00", facts...)
		o.At = at.Add(time.Duration(i) * time.Second)
		s := put(b, store, o)
		b.StartTimer()
		m.Update(snapshotMsg{s: s})
		m.View()
	}
}

// BenchmarkFrame measures a frame of each size when only the clock moved.
func BenchmarkFrame(b *testing.B) {
	store, _ := big(b)
	for _, size := range [][2]int{{80, 24}, {200, 50}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			m := model(b, store, size[0], size[1])
			for b.Loop() {
				m.screen.dirty, m.screen.body = true, nil
				m.View()
			}
		})
	}
}
