package ui

import (
	"testing"
)

func BenchmarkRebuild(b *testing.B) {
	store, _ := big(b)
	s := store.Snapshot()
	for _, v := range []*view{podsView(), workView()} {
		b.Run(v.name, func(b *testing.B) {
			t := newTable(v, new([]row))
			for b.Loop() {
				t.ord.release()
				t.ord.rebuild(s)
			}
		})
	}
	b.Run("filter", func(b *testing.B) {
		m := model(b, store, 80, 24)
		t := newTable(podsView(), new([]row))
		t.follow(&m.screen.scene)
		t.index()().take()
		f := parseFilter("app-4x")
		for b.Loop() {
			passing(t.ord.all, nil, func(r *row) bool { return f.match(t.view.columns, t.c, r) })
		}
	})
}
