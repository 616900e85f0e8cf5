package diagnose

import (
	"iter"
	"slices"
	"time"

	"strata/internal/fleet"
)

// engine holds what the findings of one snapshot were made from, so that those of the next cost only what changed.
type engine struct {
	rules   []Rule
	byID    map[string]int
	byKind  map[fleet.Kind][]int // rules by the kind they judge
	readers map[fleet.Kind][]int // rules by the kinds they read besides
	fails   map[fleet.Kind][]int // rules by the kind of which they read whether looking at it fails
	around  map[fleet.Kind][]int // rules by the kinds they read in their object's source
	far     map[fleet.Kind][]int // rules by the kinds they read around a host further away
	farther []int                // rules that read anything so, or beside their object
	beside  map[fleet.Kind][]int // rules by the kinds they read beside their object
	seen    map[fleet.Kind][]int // rules by the kind whose Part.At they read
	ties    *ties

	links  *linker
	agenda agenda
	folder *folder
	last   uint64 // Seq of the snapshot all this is about
}

func newEngine(rules []Rule) *engine {
	e := &engine{
		rules: rules, byID: map[string]int{}, byKind: map[fleet.Kind][]int{}, readers: map[fleet.Kind][]int{},
		fails: map[fleet.Kind][]int{}, around: map[fleet.Kind][]int{}, far: map[fleet.Kind][]int{}, seen: map[fleet.Kind][]int{}, beside: map[fleet.Kind][]int{},
	}
	for i := range rules {
		r := &rules[i]
		e.byID[r.ID] = i
		e.byKind[r.Kind] = append(e.byKind[r.Kind], i)
		for _, k := range r.Reads.Kinds {
			e.readers[k] = append(e.readers[k], i)
		}
		for _, k := range r.Reads.Around {
			e.around[k] = append(e.around[k], i)
		}
		for _, k := range r.Reads.Far {
			e.far[k] = append(e.far[k], i)
		}
		for _, k := range r.Reads.Beside {
			e.beside[k] = append(e.beside[k], i)
		}
		if len(r.Reads.Far)+len(r.Reads.Beside) > 0 {
			e.farther = append(e.farther, i)
		}
		if k := r.Reads.Fails; k != "" {
			e.fails[k] = append(e.fails[k], i)
		}
		if k := r.Reads.Seen; k != "" {
			e.seen[k] = append(e.seen[k], i)
		}
	}
	e.ties = tie(rules, e.byID)
	e.forget()
	return e
}

func (e *engine) forget() {
	e.links = &linker{}
	e.agenda = agenda{queued: map[id]time.Time{}}
	e.folder = newFolder(e.rules, e.ties)
	e.last = 0
}

// full judges everything in next. Of prev it takes the findings.
func (e *engine) full(prev, next *fleet.Snapshot) ([]fleet.Link, []fleet.Finding) {
	e.forget()
	e.links = linkerOf(next)
	links := e.links.all(prev.Links)
	linked := next.Linked(links)

	before := e.standing(prev.Findings, next)
	for kind, rules := range e.byKind {
		for o := range next.Each(kind) {
			j := judgement{s: linked, o: o, before: before[o]}
			for _, rule := range rules {
				e.judge(&j, rule)
			}
		}
	}
	e.last = next.Seq
	e.folder.changed = len(prev.Findings)+len(e.folder.order) > 0
	return links, e.folder.fold(linked, prev.Findings)
}

// standing sorts findings by the objects they are about. Objects are pointers: quicker to look up than refs are.
func (e *engine) standing(findings []fleet.Finding, s *fleet.Snapshot) map[fleet.Object][]*entry {
	all := make(map[fleet.Object][]*entry, len(findings))
	for i := range findings {
		f := &findings[i]
		rule, known := e.byID[f.Rule]
		if o, ok := s.Get(f.About); ok && known {
			all[o] = append(all[o], &entry{id: id{rule, f.About}, f: *f})
		}
	}
	return all
}

// step is a fleet.Derive.
func (e *engine) step(prev, next *fleet.Snapshot, changed []fleet.Change) ([]fleet.Link, []fleet.Finding) {
	if e.last == 0 || e.last != prev.Seq || !e.links.made(prev.Links) || !e.folder.made(prev.Findings) ||
		next.At.Before(prev.At) {
		return e.full(prev, next)
	}
	for _, c := range changed {
		e.links.change(c.Old, c.New)
	}
	touched := e.links.relink()
	links := e.links.all(prev.Links)
	linked := next.Linked(links)
	if len(touched) > 0 {
		e.folder.refold()
	}
	near := map[id]struct{}{}
	for _, c := range changed {
		ref := c.Ref()
		e.judgeAll(linked, c.New, ref)
		e.neighbours(linked, ref, e.readers[ref.Kind], near)
		e.left(c.Old, e.readers[ref.Kind], near)
		if rules := e.beside[ref.Kind]; len(rules) > 0 {
			for l := range linked.Up(ref) {
				e.neighbours(linked, l.To, rules, near)
			}
		}
		e.folder.moved(ref)
		if carries(ref.Kind) && !slices.Equal(statesOf(c.Old), statesOf(c.New)) || regroups(c.Old, c.New) || renamed(c.Old, c.New) {
			e.folder.refold()
		}
	}
	e.neighbourhood(linked, changed, near)
	e.attempts(linked, changed, near)
	for ref := range touched {
		o, _ := linked.Get(ref)
		e.judgeAll(linked, o, ref)
		e.neighbours(linked, ref, e.farther, near) // what is two links away may be another
	}
	e.parts(prev, linked, near)
	for i := range near {
		e.judgeOne(linked, i)
	}
	e.agenda.take(next.At, func(i id) { e.judgeOne(linked, i) })
	e.last = next.Seq
	return links, e.folder.fold(linked, prev.Findings)
}

// carries reports whether others stand on a kind that states what it stands on itself: what changes there moves them too.
func carries(kind fleet.Kind) bool {
	return kind == fleet.KindDomain || kind == fleet.KindUnit || kind == fleet.KindDisk
}

func statesOf(o fleet.Object) []fleet.Link {
	if o == nil {
		return nil
	}
	return slices.Collect(states(o))
}

// judgeAll judges an object by all rules for it; nil is one that is gone.
func (e *engine) judgeAll(s *fleet.Snapshot, o fleet.Object, ref fleet.Ref) {
	standing := e.folder.on[ref]
	if o == nil {
		for _, f := range standing {
			e.folder.put(f.id, nil, fleet.Opt[[]string]{})
		}
		return
	}
	j := judgement{s: s, o: o, ref: ref, before: standing}
	for _, rule := range e.byKind[ref.Kind] {
		e.judge(&j, rule)
	}
}

func (e *engine) judgeOne(s *fleet.Snapshot, i id) {
	if o, ok := s.Get(i.ref); ok {
		e.judge(&judgement{s: s, o: o, ref: i.ref, before: e.folder.on[i.ref]}, i.rule)
	}
}

// judgement is an object being judged, with the findings that stand on it.
type judgement struct {
	s      *fleet.Snapshot
	o      fleet.Object
	ref    fleet.Ref // see about
	before []*entry
}

// about makes the object's ref only when it is asked for: most pods are well, and never are.
func (j *judgement) about() fleet.Ref {
	if j.ref == (fleet.Ref{}) {
		j.ref = j.o.Ref()
	}
	return j.ref
}

func (e *engine) judge(j *judgement, rule int) {
	var before *fleet.Finding
	for _, b := range j.before {
		if b.id.rule == rule {
			before = &b.f
		}
	}
	v := e.rules[rule].Judge(j.s, j.o)
	if v.State != Bad && before == nil && v.Again.IsZero() {
		return
	}
	i := id{rule, j.about()}
	if v.State == OK && before != nil && unseen(j.s, i.ref) {
		v.State = CannotTell
	}
	f, due := settle(&e.rules[rule], i.ref, v, before, j.s.At)
	if f != nil || before != nil {
		e.folder.put(i, f, v.Machines)
	}
	if due.After(j.s.At) {
		e.agenda.add(i, due)
	}
}

// neighbours collects the judgements by some rules on the objects one link away from ref.
func (e *engine) neighbours(s *fleet.Snapshot, ref fleet.Ref, rules []int, near map[id]struct{}) {
	if len(rules) == 0 {
		return
	}
	for other := range adjacent(s, ref) {
		for _, rule := range rules {
			if e.rules[rule].Kind == other.Kind {
				near[id{rule, other}] = struct{}{}
			}
		}
	}
}

// left collects the judgements by some rules on what an object stated that it stands on, before it changed or went.
func (e *engine) left(old fleet.Object, rules []int, near map[id]struct{}) {
	if old == nil || len(rules) == 0 {
		return
	}
	for l := range states(old) {
		for _, rule := range rules {
			if e.rules[rule].Kind == l.To.Kind {
				near[id{rule, l.To}] = struct{}{}
			}
		}
	}
}

// adjacent yields the objects one link away from ref: what it stands on, and what is found out to stand on it.
func adjacent(s *fleet.Snapshot, ref fleet.Ref) iter.Seq[fleet.Ref] {
	return func(yield func(fleet.Ref) bool) {
		for l := range up(s, ref) {
			if !yield(l.To) {
				return
			}
		}
		if stored(ref.Kind) {
			for l := range s.Down(ref) {
				if !yield(l.From) {
					return
				}
			}
		}
	}
}

// sourceKind is all of a kind in a source.
type sourceKind struct {
	source string
	kind   fleet.Kind
}

// neighbourhood collects the judgements by rules that read what changed anywhere in their object's source.
func (e *engine) neighbourhood(s *fleet.Snapshot, changed []fleet.Change, near map[id]struct{}) {
	if len(e.around)+len(e.far) == 0 {
		return
	}
	done := map[sourceKind]bool{}
	for _, c := range changed {
		o := c.New
		if o == nil {
			o = c.Old
		}
		// Of pods and the like there are many, and no rule reads them so.
		if k := aroundKind(o); k != "" {
			if at := (sourceKind{c.Ref().Source, k}); !done[at] {
				done[at] = true
				e.aroundOf(s, at, near)
			}
		}
	}
}

// aroundKind is the kind of what rules read around their objects or around a host, "" for other objects.
func aroundKind(o fleet.Object) fleet.Kind {
	switch o.(type) {
	case *fleet.KernelEvent:
		return fleet.KindKernel
	case *fleet.KernelLog:
		return fleet.KindKernelLog
	case *fleet.BootRecord:
		return fleet.KindBoot
	case *fleet.Flavor:
		return fleet.KindFlavor
	case *fleet.ComputeService:
		return fleet.KindCompute
	case *fleet.Host:
		return fleet.KindHost
	case *fleet.Disk:
		return fleet.KindDisk
	case *fleet.Filesystem:
		return fleet.KindFilesystem
	case *fleet.Unit:
		return fleet.KindUnit
	case *fleet.SwapArea:
		return fleet.KindSwap
	}
	return ""
}

func (e *engine) aroundOf(s *fleet.Snapshot, at sourceKind, near map[id]struct{}) {
	for _, rule := range e.around[at.kind] {
		p, ok := s.Part(at.source, e.rules[rule].Kind.Scope())
		if !ok {
			continue
		}
		for _, o := range p.Facts {
			near[id{rule, o.Ref()}] = struct{}{}
		}
	}
	rules := e.far[at.kind]
	p, ok := s.Part(at.source, fleet.KindHost.Scope())
	if len(rules) == 0 || !ok {
		return
	}
	for _, host := range p.Facts {
		ref := host.Ref()
		e.neighbours(s, ref, rules, near)
		for other := range adjacent(s, ref) {
			e.neighbours(s, other, rules, near)
		}
	}
}

// parts collects the judgements that hang on when a scope was last seen, or on whether it can be seen at all.
func (e *engine) parts(prev, next *fleet.Snapshot, near map[id]struct{}) {
	turned := !slices.Equal(failing(prev), failing(next))
	if len(e.seen) == 0 && !turned {
		return
	}
	for i := range next.Parts {
		n := &next.Parts[i]
		seen := e.seen[n.Kind]
		if len(seen) > 0 {
			if p, ok := prev.Part(n.Source, n.Scope); ok && p.At.Equal(n.At) {
				seen = nil
			}
		}
		e.readersOf(next, n, seen, near)
		if turned && prev.Failing(n.Source, n.Scope) != next.Failing(n.Source, n.Scope) {
			e.readersOf(next, n, e.fails[n.Kind], near)
			e.aroundOf(next, sourceKind{n.Source, n.Kind}, near)
			if n.Kind == fleet.KindWorkload {
				e.attemptsOf(next, func(job fleet.Ref) bool { return job.Source == n.Source }, near)
			}
			for _, o := range n.Facts {
				for _, f := range e.folder.on[o.Ref()] {
					near[f.id] = struct{}{}
				}
			}
		}
	}
}

// failing lists the scopes that cannot be seen.
func failing(s *fleet.Snapshot) (all [][2]string) {
	for i := range s.Parts {
		if p := &s.Parts[i]; p.Failing() {
			all = append(all, [2]string{p.Source, p.Scope})
		}
	}
	return all
}

// readersOf collects the judgements by some rules on the objects of a scope and on those one link away.
func (e *engine) readersOf(s *fleet.Snapshot, p *fleet.Part, rules []int, near map[id]struct{}) {
	if len(rules) == 0 {
		return
	}
	for _, o := range p.Facts {
		ref := o.Ref()
		for _, rule := range rules {
			if e.rules[rule].Kind == ref.Kind {
				near[id{rule, ref}] = struct{}{}
			}
		}
		e.neighbours(s, ref, rules, near)
	}
}
