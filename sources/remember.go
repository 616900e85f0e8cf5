package sources

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"strata/internal/fleet"
	"strata/internal/notes"
)

// MarksSource is the source whose only scope tells that marks cannot be kept.
const MarksSource = "marks"

// Remember passes observations on, with the error counters of machines that strata watches itself counted from their marks:
// from the value at which a counter was accepted, or first seen by any strata that shares the file, rather than from the start
// of this one. A counter below its mark is another device's, or was reset: it counts from there. Sources of many machines
// (fleet.FleetSource) are not remembered.
func Remember(put func(fleet.Observation), marks *notes.Marks) func(fleet.Observation) {
	m := &memory{put: put, marks: marks, told: map[[2]string]map[fleet.Object]fleet.Object{}}
	return m.see
}

type memory struct {
	put   func(fleet.Observation)
	marks *notes.Marks

	mu      sync.Mutex
	told    map[[2]string]map[fleet.Object]fleet.Object // by source and scope: what was told of each object that was seen
	times   uint64                                      // the marks changed
	unkept  map[string]map[string]notes.Mark            // marks that could not be written yet
	failing bool                                        // so it was told
}

func (m *memory) see(o fleet.Observation) {
	if !strings.HasPrefix(o.Source, "host/") || !counts(o.Facts) {
		m.put(o)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	times, err := m.marks.Refresh()
	if times != m.times {
		clear(m.told)
	}
	m.times = times
	scope := [2]string{o.Source, o.Scope}
	before, now := m.told[scope], make(map[fleet.Object]fleet.Object, len(o.Facts))
	fresh := map[string]map[string]notes.Mark{}
	facts := make(fleet.Facts, len(o.Facts))
	for i, f := range o.Facts {
		told, known := before[f]
		if !known {
			told = m.counted(f, o, fresh)
		}
		now[f], facts[i] = told, told
	}
	m.told[scope], o.Facts = now, facts
	m.tell(o, errors.Join(err, m.keep(fresh)))
	m.put(o)
}

// keep writes new marks, and those that could not be written before.
func (m *memory) keep(fresh map[string]map[string]notes.Mark) error {
	for owner, marks := range m.unkept {
		for name, mark := range marks {
			if _, again := fresh[owner][name]; !again {
				add(fresh, owner, name, mark)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	m.unkept = nil
	err := m.marks.Set(fresh)
	if err != nil {
		m.unkept = fresh
	}
	// What was told of these already counts from them. Others may have changed more.
	if times := m.marks.Times(); times == m.times+1 {
		m.times = times
	}
	return err
}

func add(all map[string]map[string]notes.Mark, owner, name string, mark notes.Mark) {
	if all[owner] == nil {
		all[owner] = map[string]notes.Mark{}
	}
	all[owner][name] = mark
}

// counts reports whether there are counters among facts, which are all of one kind.
func counts(facts fleet.Facts) bool {
	for _, f := range facts {
		switch f.(type) {
		case *fleet.Disk, *fleet.Filesystem:
			return true
		}
		return false
	}
	return false
}

// counted is an object with its counters counted from their marks. Those it has not yet are added to fresh.
func (m *memory) counted(f fleet.Object, o fleet.Observation, fresh map[string]map[string]notes.Mark) fleet.Object {
	owner := notes.Owner(f)
	recount := func(all []fleet.Counter) ([]fleet.Counter, bool) {
		marks, changed := m.marks.Of(owner), false
		again := make([]fleet.Counter, len(all))
		for i, c := range all {
			mark, known := marks[c.Name]
			switch {
			case !notes.Keeps(c.Name):
				again[i] = c
				continue
			case !known:
				mark = notes.Mark{Value: c.First, Since: c.Since}
			case c.Value < mark.Value:
				mark, known = notes.Mark{Value: c.Value, Since: o.At}, false
			}
			if !known {
				add(fresh, owner, c.Name, mark)
			}
			again[i] = c.From(mark.Value, mark.Since)
			changed = changed || again[i] != c
		}
		return again, changed
	}
	switch v := f.(type) {
	case *fleet.Disk:
		if again, changed := recount(v.Counters); changed {
			d := *v
			d.Counters = again
			return &d
		}
	case *fleet.Filesystem:
		if again, changed := recount(v.Counters); changed {
			fs := *v
			fs.Counters = again
			return &fs
		}
	}
	return f
}

// tell says in a scope of its own that marks cannot be kept, and when they can be again.
func (m *memory) tell(o fleet.Observation, err error) {
	if m.failing == (err != nil) {
		return
	}
	m.failing = !m.failing
	told := fleet.Observation{Source: MarksSource, At: o.At}
	if err != nil {
		told.Err = &fleet.Trouble{
			Doing: fmt.Sprintf("error counters count from the start of this strata only: %v", err), Fix: "make the file and its folder writable, or move a broken file away",
		}
	}
	m.put(told)
}
