package ui

import (
	"strings"
	"testing"
)

func FuzzContainsFold(f *testing.F) {
	f.Add("K8s-Worker-1", "worker")
	f.Add("aaab", "aab")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, s, sub string) {
		lower := strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, sub)
		folded := []byte(s)
		for i, b := range folded {
			folded[i] = lowerASCII(b)
		}
		sub = lower
		if got, want := containsFold(s, sub), strings.Contains(string(folded), sub); got != want {
			t.Errorf("containsFold(%q, %q) = %v", s, sub, got)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"web", "!web", "name:web-1", "!status:ACTIVE w.b", "a[", "::", "! !", "name:", "!"} {
		f.Add(s)
	}
	store := incident(f)
	f.Fuzz(func(t *testing.T, s string) {
		m := model(t, store, 80, 24)
		m.table().follow(&m.screen.scene)
		m.table().setFilter(parseFilter(s))
		m.table().follow(&m.screen.scene)
		m.screen.dirty = true
		screenOf(t, m)
	})
}

func TestFilters(t *testing.T) {
	m := model(t, incident(t), 120, 40)
	for text, want := range map[string]int{
		"": 14, "web": 12, "WEB-1": 4, "!web": 2, "status:shutoff": 2, "!status:shutoff": 12, "web-1$": 1, "^k8s.*1$": 1,
		"k8s home": 2, "!web !worker-1": 1, "name:home": 0, "web-[": 0, "compute": 2, "6c59b812": 1,
	} {
		table := m.panes[0]
		table.setFilter(parseFilter(text))
		table.follow(&m.screen.scene)
		if got := table.ord.size(); got != want {
			t.Errorf("/%s keeps %d servers, want %d", text, got, want)
		}
	}
	// Typing one letter after the other must end where pasting does.
	for _, text := range []string{"web-1", "!web", "status:shut", "k8s 1"} {
		typed, pasted := m.panes[0], newTable(serversView(), new([]row))
		typed.setFilter(filter{})
		for i := range text {
			typed.setFilter(parseFilter(text[:i+1]))
			typed.follow(&m.screen.scene)
		}
		pasted.follow(&m.screen.scene)
		pasted.setFilter(parseFilter(text))
		pasted.follow(&m.screen.scene)
		if typed.ord.size() != pasted.ord.size() {
			t.Errorf("typing /%s keeps %d rows, pasting it %d", text, typed.ord.size(), pasted.ord.size())
		}
	}
}
