package fleet

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// publishEvery is the least time between two snapshots, however fast observations come; gather is how long the first
// waits for those that come with it.
const (
	publishEvery = 100 * time.Millisecond
	gather       = 5 * time.Millisecond
)

// Change is one object that differs between two snapshots. Old is nil when it is new, New when it is gone.
type Change struct{ Old, New Object }

// Ref of the object that changed.
func (c Change) Ref() Ref { return c.object().Ref() }

func (c Change) object() Object {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// Derive computes links and findings for next from what changed since prev; until it returns, next has those of prev.
// What it returns unchanged (the same slice as in prev) is shared. It must not keep or change either snapshot.
type Derive func(prev, next *Snapshot, changed []Change) ([]Link, []Finding)

// Store joins observations into snapshots.
type Store struct {
	derive Derive

	mu      sync.Mutex
	pending map[[2]string]waiting // by source and scope
	cooling bool                  // a snapshot was published less than publishEvery ago, or is being made
	last    *Snapshot
	newer   chan struct{} // closed when last is replaced
}

// waiting is what was observed of one scope since the last snapshot.
type waiting struct {
	seen   *Observation // the newest with facts
	failed *Observation // the newest without, if it came after that
	since  time.Time    // when the first of those failures came
}

// NewStore returns an empty store. derive may be nil.
func NewStore(derive Derive) *Store {
	if derive == nil {
		derive = func(prev, _ *Snapshot, _ []Change) ([]Link, []Finding) { return prev.Links, prev.Findings }
	}
	return &Store{
		derive:  derive,
		pending: map[[2]string]waiting{},
		last:    NewSnapshot(0, time.Time{}, nil, nil, nil),
		newer:   make(chan struct{}),
	}
}

// Put takes an observation; a snapshot with it follows within 5 ms, or within 100 ms when one was just published.
// It never blocks on readers.
func (s *Store) Put(o Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait(o)
	if !s.cooling {
		s.cooling = true
		time.AfterFunc(gather, s.publish)
	}
}

// wait keeps an observation for the next snapshot.
func (s *Store) wait(o Observation) {
	key := [2]string{o.Source, o.Scope}
	if o.Err == nil && o.Facts == nil {
		o.Facts = Facts{} // seen, and nothing there
	}
	w := s.pending[key]
	switch {
	case o.Facts != nil:
		w = waiting{seen: &o}
	case w.failed == nil:
		w.failed, w.since = &o, o.At
	default:
		w.failed = &o
	}
	s.pending[key] = w
}

// Replay takes what was observed up to a time in the past and returns the snapshot of then. A store that replays is not
// Put to.
func (s *Store) Replay(at time.Time, all []Observation) *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range all {
		s.wait(o)
	}
	s.wait(Observation{Source: ClockSource, At: at})
	s.last, s.pending = s.join(s.last, s.pending), map[[2]string]waiting{}
	return s.last
}

// Snapshot returns the newest snapshot, never nil.
func (s *Store) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Next waits for a snapshot newer than after and returns the newest, skipping what came between.
func (s *Store) Next(ctx context.Context, after uint64) (*Snapshot, error) {
	for {
		s.mu.Lock()
		last, newer := s.last, s.newer
		s.mu.Unlock()
		if last.Seq > after {
			return last, nil
		}
		select {
		case <-newer:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// publish makes the next snapshot outside the lock; cooling keeps it the only one at work.
func (s *Store) publish() {
	s.mu.Lock()
	todo, prev := s.pending, s.last
	s.pending = map[[2]string]waiting{}
	if len(todo) == 0 {
		s.cooling = false
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()

	next := s.join(prev, todo)

	s.mu.Lock()
	s.last = next
	close(s.newer)
	s.newer = make(chan struct{})
	s.mu.Unlock()
	time.AfterFunc(publishEvery, s.publish)
}

func (s *Store) join(prev *Snapshot, todo map[[2]string]waiting) *Snapshot {
	next := &Snapshot{
		Seq: prev.Seq + 1, At: prev.At, Parts: slices.Clone(prev.Parts), index: prev.index,
		Links: prev.Links, Findings: prev.Findings,
		trends: prev.trends, about: prev.about, up: prev.up, down: prev.down,
	}
	clock, ticking := todo[[2]string{ClockSource, ""}]
	delete(todo, [2]string{ClockSource, ""})
	var changed []Change
	for _, w := range todo {
		for _, o := range [...]*Observation{w.seen, w.failed} {
			if o != nil && !ticking && o.At.After(next.At) {
				next.At = o.At
			}
		}
		// An error replaces nothing: what was seen just before it still counts.
		if w.seen != nil {
			changed = append(changed, next.apply(w.seen)...)
		}
		if w.failed != nil {
			next.fail(w.failed, w.since)
		}
	}
	if ticking {
		next.At = clock.seen.At
	}
	next.index.seal()
	next.follow(changed)
	slices.SortFunc(changed, func(a, b Change) int { return Compare(a.object(), b.object()) })

	links, findings := s.derive(prev, next, changed)
	next.Links, next.Findings = links, findings
	if !Shared(links, prev.Links) {
		next.indexLinks()
	}
	if !Shared(findings, prev.Findings) {
		next.indexFindings()
	}
	return next
}

// Shared reports whether two slices are the very same memory.
func Shared[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// part returns one scope of one source, which it adds if it is new.
func (s *Snapshot) part(o *Observation) (p *Part, at int) {
	at, ok := s.find(o.Source, o.Scope)
	if !ok {
		s.Parts = slices.Insert(s.Parts, at, Part{Source: o.Source, Scope: o.Scope, rev: s.Seq})
	}
	s.Parts[at].Every = o.Every
	return &s.Parts[at], at
}

// fail notes that a look at a scope saw nothing. Its facts stay.
func (s *Snapshot) fail(o *Observation, since time.Time) {
	p, _ := s.part(o)
	if !p.Failing() {
		p.ErrAt = since
	}
	p.Partial = false
	p.blame(o.Err)
}

// blame says why the last look failed, wholly or in part.
func (p *Part) blame(err error) {
	var t *Trouble
	p.Err, p.Fix = err.Error(), FixOf(err)
	p.Unconfigured = errors.As(err, &t) && t.Unconfigured
}

// apply replaces one scope and returns what changed.
func (s *Snapshot) apply(o *Observation) (changed []Change) {
	p, i := s.part(o)
	if o.Err != nil {
		if p.Err == "" || !p.Partial {
			p.ErrAt = o.At
		}
		p.Partial = true
		p.blame(o.Err)
	} else {
		p.Err, p.Fix, p.ErrAt, p.Unconfigured, p.Partial = "", "", time.Time{}, false, false
	}
	p.At = o.At
	diffFacts(p.Facts, o.Facts, func(old, next Object) { changed = append(changed, Change{old, next}) })
	if len(changed) == 0 {
		return nil
	}
	p.States, p.Tally = restate(p, o.Facts)
	p.Facts, p.rev = o.Facts, s.Seq
	if gone := len(o.Facts) == 0 && o.Err == nil && strings.Contains(o.Scope, "/"); gone {
		// A scope named after one of many, as a namespace is, ends with its last object.
		defer func() { s.Parts = slices.Delete(s.Parts, i, i+1) }()
	}
	if len(o.Facts) > 0 {
		p.Kind = o.Facts[0].Ref().Kind
	}
	for _, c := range changed {
		if c.New != nil {
			s.index.put(c.New)
		} else {
			s.index.drop(c.Old.Ref())
		}
	}
	return changed
}

// restate gives the states of new facts; objects that stay are not asked again.
func restate(p *Part, facts Facts) ([]State, Tally) {
	states, tally := make([]State, len(facts)), Tally{}
	was := 0
	for i, o := range facts {
		for was < len(p.Facts) && p.Facts[was] != o && Compare(p.Facts[was], o) < 0 {
			was++
		}
		if was < len(p.Facts) && p.Facts[was] == o {
			states[i] = p.States[was]
			was++
		} else {
			states[i] = o.Health().State
		}
		tally.Add(states[i], 1)
	}
	return states, tally
}

// follow adds the samples of what changed to the trends and forgets those of what is gone.
func (s *Snapshot) follow(changed []Change) {
	cloned := false
	for _, c := range changed {
		o := c.New
		if o == nil {
			o = c.Old
		}
		sm, ok := o.(sampler)
		if !ok {
			continue
		}
		if !cloned {
			s.trends, cloned = maps.Clone(s.trends), true
			if s.trends == nil {
				s.trends = map[Ref]*trend{}
			}
		}
		r := o.Ref()
		if c.New == nil {
			delete(s.trends, r)
		} else if v, ok := sm.Sample(); ok {
			s.trends[r] = s.trends[r].with(v)
		}
	}
}
