package fleet

import (
	"iter"
	"slices"
	"sort"
	"strings"
	"time"
)

// Snapshot is everything known at one moment. It is immutable and shares with the snapshot before what did not change.
type Snapshot struct {
	Seq      uint64
	At       time.Time // the only "now" for drawing and diagnosing
	Parts    []Part    // sorted by source and scope
	Links    []Link
	Findings []Finding // ranked: what to look at first comes first

	index  index
	trends map[Ref]*trend
	about  map[Ref][]int // findings by object, as indexes into Findings
	up     map[Ref][]int // links by From, as indexes into Links
	down   map[Ref][]int // links by To
}

// Part is one scope of one source.
type Part struct {
	Source string
	Scope  string
	Kind   Kind          // of its objects; "" while there never was one
	At     time.Time     // when it was last seen well; zero if never
	Every  time.Duration // how often the source looks; zero when it pushes
	Facts  Facts
	Err    string    // why the last look failed; "" when it did not
	Fix    string    // what to do about Err
	ErrAt  time.Time // when the failing began
	// Partial: the last look failed in part only. Facts are what it saw, as of At; Err says what it could not see.
	Partial bool
	// Unconfigured: the system was looked for and is not there. Err says where it was looked for, Fix how to connect it.
	Unconfigured bool
	States       []State // of Facts, in their order
	Tally        Tally   // of States

	rev uint64 // Seq of the snapshot in which Facts last changed
}

// Tally counts objects by state.
type Tally [4]int

// Add counts n more of a state.
func (t *Tally) Add(s State, n int) { t[s] += n }

// Worst is the worst state that was counted; Unknown of nothing.
func (t Tally) Worst() State {
	for _, s := range [...]State{StateBad, StateWarn, StateUnknown, StateOK} {
		if t[s] > 0 {
			return s
		}
	}
	return StateUnknown
}

// Total is how many were counted.
func (t Tally) Total() int { return t[0] + t[1] + t[2] + t[3] }

// Failing reports whether the last look saw nothing at all, so that Facts are those of a look before.
func (p *Part) Failing() bool { return p.Err != "" && !p.Partial }

// Stale reports whether the part's facts are old at the time now: its last look failed, or it is long overdue.
func (p *Part) Stale(now time.Time) bool {
	if p.Failing() {
		return true
	}
	return p.Every > 0 && now.Sub(p.At) > 3*p.Every+time.Second
}

// NewSnapshot joins parts into a snapshot that nothing has derived from yet. Recorded and decoded snapshots come in here.
func NewSnapshot(seq uint64, at time.Time, parts []Part, links []Link, findings []Finding) *Snapshot {
	s := &Snapshot{Seq: seq, At: at, Parts: slices.Clone(parts), Links: links, Findings: findings}
	for i := range s.Parts {
		p := &s.Parts[i]
		p.rev, p.Tally, p.States = seq, Tally{}, nil
		if p.Kind == "" && len(p.Facts) > 0 {
			p.Kind = p.Facts[0].Ref().Kind
		}
		for _, o := range p.Facts {
			s.index.put(o)
			p.States = append(p.States, o.Health().State)
			p.Tally.Add(p.States[len(p.States)-1], 1)
		}
	}
	slices.SortFunc(s.Parts, func(a, b Part) int { return comparePart(&a, b.Source, b.Scope) })
	s.index.seal()
	s.indexDerived()
	return s
}

func comparePart(p *Part, source, scope string) int {
	if c := strings.Compare(p.Source, source); c != 0 {
		return c
	}
	return strings.Compare(p.Scope, scope)
}

func (s *Snapshot) find(source, scope string) (int, bool) {
	i := sort.Search(len(s.Parts), func(i int) bool { return comparePart(&s.Parts[i], source, scope) >= 0 })
	return i, i < len(s.Parts) && s.Parts[i].Source == source && s.Parts[i].Scope == scope
}

// Part returns one scope of one source.
func (s *Snapshot) Part(source, scope string) (*Part, bool) {
	i, ok := s.find(source, scope)
	if !ok {
		return nil, false
	}
	return &s.Parts[i], true
}

// Failing reports whether a scope cannot be seen now: looking at it fails, or its source as a whole does.
func (s *Snapshot) Failing(source, scope string) bool {
	for _, name := range [...]string{scope, ""} {
		if p, ok := s.Part(source, name); ok && p.Failing() {
			return true
		}
	}
	return false
}

// Get returns the object a ref names.
func (s *Snapshot) Get(r Ref) (Object, bool) { return s.index.get(r) }

// Find returns the object a ref names if it has that type.
func Find[T Object](s *Snapshot, r Ref) (T, bool) {
	o, _ := s.index.get(r)
	t, ok := o.(T)
	return t, ok
}

// Each yields all objects of one kind, by source, scope and ref.
func (s *Snapshot) Each(kind Kind) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for i := range s.Parts {
			if s.Parts[i].Kind != kind {
				continue
			}
			for _, o := range s.Parts[i].Facts {
				if !yield(o) {
					return
				}
			}
		}
	}
}

// All yields all objects of one type; kind must be that type's.
func All[T Object](s *Snapshot, kind Kind) iter.Seq[T] {
	return func(yield func(T) bool) {
		for o := range s.Each(kind) {
			if t, ok := o.(T); ok && !yield(t) {
				return
			}
		}
	}
}

// Tally counts all objects of a kind by their own state.
func (s *Snapshot) Tally(kind Kind) (t Tally) {
	for i := range s.Parts {
		if s.Parts[i].Kind == kind {
			for state, n := range s.Parts[i].Tally {
				t[state] += n
			}
		}
	}
	return t
}

// Trend returns the last samples of an object, oldest first, nil when it has none. Do not change it.
func (s *Snapshot) Trend(r Ref) []float64 {
	if t := s.trends[r]; t != nil {
		return t.samples
	}
	return nil
}

// FindingsOn yields the findings about an object.
func (s *Snapshot) FindingsOn(r Ref) iter.Seq[*Finding] {
	return func(yield func(*Finding) bool) {
		for _, i := range s.about[r] {
			if !yield(&s.Findings[i]) {
				return
			}
		}
	}
}

// Up yields the stored links from an object to what it stands on; Down those from what stands on it.
func (s *Snapshot) Up(r Ref) iter.Seq[Link] { return s.links(s.up[r]) }

// Down yields the stored links of what stands on an object.
func (s *Snapshot) Down(r Ref) iter.Seq[Link] { return s.links(s.down[r]) }

func (s *Snapshot) links(at []int) iter.Seq[Link] {
	return func(yield func(Link) bool) {
		for _, i := range at {
			if !yield(s.Links[i]) {
				return
			}
		}
	}
}

// Linked returns a snapshot of the same objects with those links instead of its own: what a Derive judges by.
func (s *Snapshot) Linked(links []Link) *Snapshot {
	if Shared(links, s.Links) {
		return s
	}
	linked := *s
	linked.Links = links
	linked.indexLinks()
	return &linked
}

func (s *Snapshot) indexDerived() {
	s.indexLinks()
	s.indexFindings()
}

func (s *Snapshot) indexLinks() {
	s.up, s.down = make(map[Ref][]int, len(s.Links)), make(map[Ref][]int, len(s.Links))
	for i := range s.Links {
		l := &s.Links[i]
		s.up[l.From] = append(s.up[l.From], i)
		s.down[l.To] = append(s.down[l.To], i)
	}
}

func (s *Snapshot) indexFindings() {
	s.about = make(map[Ref][]int, len(s.Findings))
	for i := range s.Findings {
		s.about[s.Findings[i].About] = append(s.about[s.Findings[i].About], i)
	}
}

// Same reports whether two snapshots of one store hold the same facts, troubles, links and findings: only time went by.
func (s *Snapshot) Same(o *Snapshot) bool {
	return Shared(s.Links, o.Links) && Shared(s.Findings, o.Findings) && slices.EqualFunc(s.Parts, o.Parts, func(a, b Part) bool {
		return a.rev == b.rev && a.Err == b.Err && a.Partial == b.Partial && a.Scope == b.Scope && a.Source == b.Source
	})
}

// Diff calls each for every object that differs between two snapshots: old is nil for a new object, next for one that
// is gone. Parts that neither snapshot changed cost nothing.
func Diff(prev, next *Snapshot, each func(old, next Object)) {
	i, j := 0, 0
	for i < len(prev.Parts) || j < len(next.Parts) {
		switch {
		case i == len(prev.Parts):
			diffFacts(nil, next.Parts[j].Facts, each)
			j++
		case j == len(next.Parts):
			diffFacts(prev.Parts[i].Facts, nil, each)
			i++
		default:
			p, n := &prev.Parts[i], &next.Parts[j]
			switch c := comparePart(p, n.Source, n.Scope); {
			case c < 0:
				diffFacts(p.Facts, nil, each)
				i++
			case c > 0:
				diffFacts(nil, n.Facts, each)
				j++
			default:
				if p.rev != n.rev {
					diffFacts(p.Facts, n.Facts, each)
				}
				i, j = i+1, j+1
			}
		}
	}
}

func diffFacts(old, next Facts, each func(old, next Object)) {
	i, j := 0, 0
	for i < len(old) && j < len(next) {
		if old[i] == next[j] {
			i, j = i+1, j+1
			continue
		}
		switch c := Compare(old[i], next[j]); {
		case c < 0:
			each(old[i], nil)
			i++
		case c > 0:
			each(nil, next[j])
			j++
		default:
			each(old[i], next[j])
			i, j = i+1, j+1
		}
	}
	for ; i < len(old); i++ {
		each(old[i], nil)
	}
	for ; j < len(next); j++ {
		each(nil, next[j])
	}
}

// SeenAt returns when the scope that holds an object was last seen well. Of an object that is gone it is the newest such
// time of its source's scopes of that kind.
func (s *Snapshot) SeenAt(r Ref) time.Time {
	if p, ok := s.PartOf(r); ok {
		return p.At
	}
	var newest time.Time
	for i := range s.Parts {
		if p := &s.Parts[i]; p.Source == r.Source && (p.Kind == r.Kind || p.Scope == r.Kind.Scope()) && p.At.After(newest) {
			newest = p.At
		}
	}
	return newest
}

// PartOf returns the scope that holds an object.
func (s *Snapshot) PartOf(r Ref) (*Part, bool) {
	for i := range s.Parts {
		p := &s.Parts[i]
		if p.Source != r.Source || p.Kind != r.Kind {
			continue
		}
		if _, ok := slices.BinarySearchFunc(p.Facts, r, func(o Object, r Ref) int { return o.Ref().Compare(r) }); ok {
			return p, true
		}
	}
	return nil, false
}
