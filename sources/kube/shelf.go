package kube

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"

	"strata/internal/fleet"
)

// shelf holds all objects of one kind as facts, sorted within their scopes. It is the store behind a reflector: there
// is no other copy. Changes gather until flush makes observations of them.
type shelf struct {
	kind *kind
	wake chan struct{} // has room for one: there is something to flush

	mu     sync.Mutex
	groups map[string]*group // by scope; that of the kind itself is always there
	err    error             // why the kind cannot be seen now
	bad    map[string]error  // by namespace/name: objects that could not be read when they were last seen
	narrow error             // why only one namespace is seen
	loaded bool              // listed once
}

// group is one scope.
type group struct {
	facts   fleet.Facts // never changed in place: snapshots share it
	changes map[string]fleet.Object
	dirty   bool
}

var _ cache.ReflectorStore = (*shelf)(nil)

func newShelf(k *kind) *shelf {
	return &shelf{kind: k, wake: make(chan struct{}, 1), groups: map[string]*group{k.scope: {}}, bad: map[string]error{}}
}

// Add takes an object that appeared. It is part of cache.ReflectorStore.
func (s *shelf) Add(o any) error { return s.put(o) }

// Update takes an object that changed. It is part of cache.ReflectorStore.
func (s *shelf) Update(o any) error { return s.put(o) }

// Delete takes an object that is gone. It is part of cache.ReflectorStore.
func (s *shelf) Delete(o any) error {
	i, ok := o.(*item)
	if !ok {
		return errors.New("not an item")
	}
	s.change(i, nil)
	return nil
}

// Resync is part of cache.ReflectorStore and does nothing.
func (s *shelf) Resync() error { return nil }

func (s *shelf) put(o any) error {
	i, ok := o.(*item)
	if !ok {
		return errors.New("not an item")
	}
	switch {
	case i.err != nil:
		s.badRow(i)
	case i.fact != nil:
		s.change(i, i.fact)
	}
	return nil
}

// change notes that the object of an item is now o, or gone if that is nil.
func (s *shelf) change(i *item, o fleet.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad[badKey(i)] != nil {
		delete(s.bad, badKey(i))
		s.mark(s.groups[s.kind.scope])
	}
	g := s.group(s.kind.group(i.namespace))
	key := s.kind.itemKey(i)
	old, changing := g.changes[key]
	if !changing {
		if at, found := s.search(g.facts, key); found {
			old = g.facts[at]
		}
	}
	if old == nil && o == nil || old != nil && o != nil && equal(old, o) {
		return
	}
	if o != nil && s.kind.follow != nil {
		s.kind.follow(old, o)
	}
	if g.changes == nil {
		g.changes = map[string]fleet.Object{}
	}
	g.changes[key] = o
	s.mark(g)
}

// Replace takes all objects at once. It is part of cache.ReflectorStore.
func (s *shelf) Replace(all []any, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.loaded = nil, true
	clear(s.bad)
	next := map[string]fleet.Facts{}
	for _, o := range all {
		i, ok := o.(*item)
		if !ok {
			return errors.New("not an item")
		}
		if i.err != nil {
			s.bad[badKey(i)] = i.err
		} else if i.fact != nil {
			scope := s.kind.group(i.namespace)
			next[scope] = append(next[scope], i.fact)
		}
	}
	for scope, facts := range next {
		slices.SortFunc(facts, func(a, b fleet.Object) int { return strings.Compare(s.kind.key(a), s.kind.key(b)) })
		g := s.group(scope)
		s.keepPointers(g.facts, facts)
		g.facts = facts
	}
	for scope, g := range s.groups {
		g.changes = nil
		if _, ok := next[scope]; !ok {
			g.facts = nil
		}
		s.mark(g)
	}
	return nil
}

// keepPointers puts the old value in place of each new one that is equal to it. Both are sorted.
func (s *shelf) keepPointers(old, next fleet.Facts) {
	i := 0
	for j, n := range next {
		for i < len(old) && s.kind.key(old[i]) < s.kind.key(n) {
			i++
		}
		var before fleet.Object
		if i < len(old) && s.kind.key(old[i]) == s.kind.key(n) {
			before = old[i]
		}
		switch {
		case before != nil && equal(before, n):
			next[j] = before
		case s.kind.follow != nil:
			s.kind.follow(before, n)
		}
	}
}

// equal reports whether two values of one kind say the same. Most of them can be compared without reflection.
func equal(a, b fleet.Object) bool {
	if l, ok := a.(*fleet.Lease); ok {
		m, ok := b.(*fleet.Lease)
		return ok && l.Source == m.Source && l.Node == m.Node && l.Renewed.Equal(m.Renewed) && l.Duration == m.Duration
	}
	p, isPod := a.(*fleet.Pod)
	q, isPodToo := b.(*fleet.Pod)
	if !isPod || !isPodToo {
		return reflect.DeepEqual(a, b)
	}
	if (p.LastExit == nil) != (q.LastExit == nil) || p.LastExit != nil && *p.LastExit != *q.LastExit {
		return false
	}
	x, y := *p, *q
	x.LastExit, y.LastExit = nil, nil
	return x == y
}

// fail says that the kind cannot be seen, and why.
func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.markAll()
}

// seen says that the kind is being watched: what is on the shelf is current again.
func (s *shelf) seen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && s.loaded {
		s.err = nil
		s.markAll()
	}
}

// confirm has all that is on the shelf told again, as of now: the server was just heard.
func (s *shelf) confirm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && s.loaded {
		s.markAll()
	}
}

// narrowed says that only one namespace is seen, or with nil that all are.
func (s *shelf) narrowed(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.narrow != nil || why != nil {
		s.narrow = why
		s.mark(s.groups[s.kind.scope])
	}
}

// badRow says that one object could not be read, until it is seen well or gone. It is told with the scope, and costs the
// other rows nothing.
func (s *shelf) badRow(i *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad[badKey(i)] = i.err
	s.mark(s.groups[s.kind.scope])
}

func badKey(i *item) string { return i.namespace + "/" + i.name }

// badRows is why some objects cannot be read: of the first, and how many there are.
func (s *shelf) badRows() error {
	if len(s.bad) == 0 {
		return nil
	}
	err := s.bad[slices.Min(slices.Collect(maps.Keys(s.bad)))]
	if more := len(s.bad) - 1; more > 0 {
		return fmt.Errorf("%w (and %d more)", err, more)
	}
	return err
}

func (s *shelf) group(scope string) *group {
	g := s.groups[scope]
	if g == nil {
		g = &group{}
		s.groups[scope] = g
	}
	return g
}

func (s *shelf) markAll() {
	for _, g := range s.groups {
		s.mark(g)
	}
}

func (s *shelf) mark(g *group) {
	g.dirty = true
	select {
	case s.wake <- struct{}{}:
	default: // it was told already
	}
}

func (s *shelf) search(facts fleet.Facts, key string) (int, bool) {
	return slices.BinarySearchFunc(facts, key, func(o fleet.Object, key string) int {
		return strings.Compare(s.kind.key(o), key)
	})
}

// grownOld marks the kind for a flush if it has facts to trim.
func (s *shelf) grownOld(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if len(s.kind.trim(g.facts, now)) < len(g.facts) {
			s.mark(g)
		}
	}
}

// flush makes an observation of each scope that changed. A scope without objects is observed empty once and forgotten.
func (s *shelf) flush(now time.Time) []fleet.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []fleet.Observation
	for scope, g := range s.groups {
		if !g.dirty {
			continue
		}
		g.dirty = false
		s.merge(g)
		if s.kind.trim != nil {
			g.facts = s.kind.trim(g.facts, now)
		}
		o := fleet.Observation{Scope: scope, At: now, Err: s.err}
		if o.Err == nil && scope == s.kind.scope {
			if o.Err = s.narrow; o.Err == nil {
				o.Err = s.badRows()
			}
		}
		if s.err == nil && s.loaded {
			o.Facts = g.facts
			if o.Facts == nil {
				o.Facts = fleet.Facts{} // seen, and nothing there
			}
		}
		if o.Facts == nil && o.Err == nil {
			continue // nothing is known yet
		}
		all = append(all, o)
		if len(g.facts) == 0 && s.err == nil && scope != s.kind.scope {
			delete(s.groups, scope)
			s.mark(s.groups[s.kind.scope]) // which from now on tells when that was seen
		}
	}
	return all
}

// merge makes the next facts of a group out of the last ones and its changes. It copies pointers and never sorts what
// is sorted.
func (s *shelf) merge(g *group) {
	if len(g.changes) == 0 {
		return
	}
	keys := slices.Sorted(maps.Keys(g.changes))
	next := make(fleet.Facts, 0, len(g.facts)+len(keys))
	rest := g.facts
	for _, key := range keys {
		at, found := s.search(rest, key)
		next = append(next, rest[:at]...)
		o := g.changes[key]
		if found {
			if o != nil && equal(rest[at], o) {
				o = rest[at] // it changed and changed back
			}
			at++
		}
		if o != nil {
			next = append(next, o)
		}
		rest = rest[at:]
	}
	g.facts = append(next, rest...)
	g.changes = nil
}
