package diagnose

import (
	"time"

	"strata/internal/fleet"
)

// engine holds what the findings of one snapshot were made from, so that those of the next cost only what changed.
type engine struct {
	rules   []Rule
	byID    map[string]int
	byKind  map[fleet.Kind][]int // rules by the kind they judge
	readers map[fleet.Kind][]int // rules by the kinds they read besides
	errors  map[fleet.Kind][]int // rules by the kind whose Part.Err they read
	seen    map[fleet.Kind][]int // rules by the kind whose Part.At they read

	links  *linker
	agenda agenda
	folder *folder
	last   uint64 // Seq of the snapshot all this is about
}

func newEngine(rules []Rule) *engine {
	e := &engine{
		rules: rules, byID: map[string]int{}, byKind: map[fleet.Kind][]int{}, readers: map[fleet.Kind][]int{},
		errors: map[fleet.Kind][]int{}, seen: map[fleet.Kind][]int{},
	}
	for i := range rules {
		r := &rules[i]
		e.byID[r.ID] = i
		e.byKind[r.Kind] = append(e.byKind[r.Kind], i)
		for _, k := range r.Reads.Kinds {
			e.readers[k] = append(e.readers[k], i)
		}
		if k := r.Reads.Errors; k != "" {
			e.errors[k] = append(e.errors[k], i)
		}
		if k := r.Reads.Seen; k != "" {
			e.seen[k] = append(e.seen[k], i)
		}
	}
	e.forget()
	return e
}

func (e *engine) forget() {
	e.links = newLinker()
	e.agenda = agenda{queued: map[id]time.Time{}}
	e.folder = newFolder(e.rules, e.byID)
	e.last = 0
}

// full judges everything in next. Of prev it takes the findings.
func (e *engine) full(prev, next *fleet.Snapshot) ([]fleet.Link, []fleet.Finding) {
	e.forget()
	for _, kind := range linkedKinds() {
		for o := range next.Each(kind) {
			e.links.change(nil, o)
		}
	}
	e.links.relink()
	links := e.links.all(prev.Links)
	linked := next.Linked(links)

	before := make(map[id]*fleet.Finding, len(prev.Findings))
	for i := range prev.Findings {
		f := &prev.Findings[i]
		if rule, ok := e.byID[f.Rule]; ok {
			before[id{rule, f.About}] = f
		}
	}
	for kind, rules := range e.byKind {
		for o := range next.Each(kind) {
			ref := o.Ref()
			for _, rule := range rules {
				i := id{rule, ref}
				e.judge(linked, i, before[i])
			}
		}
	}
	e.last = next.Seq
	e.folder.changed = len(prev.Findings)+len(e.folder.order) > 0
	return links, e.folder.fold(linked, prev.Findings)
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
		e.judgeAll(linked, ref)
		e.neighbours(linked, ref, e.readers[ref.Kind], near)
		e.folder.moved(ref)
	}
	for ref := range touched {
		e.judgeAll(linked, ref)
	}
	e.parts(prev, linked, near)
	for i := range near {
		e.judge(linked, i, e.folder.finding(i))
	}
	e.agenda.take(next.At, func(i id) { e.judge(linked, i, e.folder.finding(i)) })
	e.last = next.Seq
	return links, e.folder.fold(linked, prev.Findings)
}

// judgeAll judges an object, or forgets it when it is gone.
func (e *engine) judgeAll(s *fleet.Snapshot, ref fleet.Ref) {
	for _, rule := range e.byKind[ref.Kind] {
		i := id{rule, ref}
		e.judge(s, i, e.folder.finding(i))
	}
}

func (e *engine) judge(s *fleet.Snapshot, i id, before *fleet.Finding) {
	if _, ok := s.Get(i.ref); !ok {
		e.folder.put(i, nil)
		return
	}
	rule := &e.rules[i.rule]
	f, due := settle(rule, i.ref, rule.Judge(s, i.ref), before, s.At)
	e.folder.put(i, f)
	if due.After(s.At) {
		e.agenda.add(i, due)
	}
}

// neighbours collects the judgements by some rules on the objects one link away from ref.
func (e *engine) neighbours(s *fleet.Snapshot, ref fleet.Ref, rules []int, near map[id]struct{}) {
	if len(rules) == 0 {
		return
	}
	add := func(other fleet.Ref) {
		for _, rule := range rules {
			if e.rules[rule].Kind == other.Kind {
				near[id{rule, other}] = struct{}{}
			}
		}
	}
	for l := range up(s, ref) {
		add(l.To)
	}
	for l := range s.Down(ref) {
		add(l.From)
	}
}

// parts collects the judgements by rules that read when a scope was last seen, or whether looking at it fails.
func (e *engine) parts(prev, next *fleet.Snapshot, near map[id]struct{}) {
	if len(e.errors) == 0 && len(e.seen) == 0 {
		return
	}
	for i := range next.Parts {
		n := &next.Parts[i]
		errors, seen := e.errors[n.Kind], e.seen[n.Kind]
		if len(errors) == 0 && len(seen) == 0 {
			continue
		}
		p, ok := prev.Part(n.Source, n.Scope)
		if ok && p.Err == n.Err {
			errors = nil
		}
		if ok && p.At.Equal(n.At) {
			seen = nil
		}
		for _, rules := range [...][]int{errors, seen} {
			for _, o := range n.Facts {
				if len(rules) == 0 {
					break
				}
				ref := o.Ref()
				for _, rule := range rules {
					if e.rules[rule].Kind == ref.Kind {
						near[id{rule, ref}] = struct{}{}
					}
				}
				e.neighbours(next, ref, rules, near)
			}
		}
	}
}
