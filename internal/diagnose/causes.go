package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"strata/internal/fleet"
)

// Causes tells of the objects of one snapshot what the worst trouble is that they stand on, and remembers each answer: many
// stand on the same. It may be asked from several goroutines at once.
type Causes struct {
	s         *fleet.Snapshot
	mu        sync.Mutex
	none      bool // nothing is found that counts
	known     map[fleet.Ref]*fleet.Finding
	workloads map[fleet.Ref]*fleet.Finding // nil until one is asked for
}

// NewCauses starts remembering for a snapshot.
func NewCauses(s *fleet.Snapshot) *Causes {
	none := !slices.ContainsFunc(s.Findings, func(f fleet.Finding) bool { return counts(&f) })
	return &Causes{s: s, none: none, known: map[fleet.Ref]*fleet.Finding{}}
}

// Of returns the worst finding about an object, about what it stands on, or that explains one of these; of those alike the
// nearest. Only what is shown, still holds and is worth a look counts. Of a workload that is that of one of its pods that are not fine.
func (c *Causes) Of(o fleet.Object) (*fleet.Finding, bool) {
	if c.none {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var f *fleet.Finding
	switch o := o.(type) {
	case *fleet.Pod:
		f = c.pod(o)
	case *fleet.Workload:
		f = c.workload(o.Ref())
	default:
		f = c.of(o.Ref())
	}
	return f, f != nil
}

func (c *Causes) of(r fleet.Ref) *fleet.Finding {
	f, asked := c.known[r]
	if asked {
		return f
	}
	c.known[r] = nil // who stands on itself finds nothing new there
	f = c.about(r)
	for l := range ground(c.s, r) {
		f = worse(f, c.of(l.To))
	}
	c.known[r] = f
	return f
}

// about is the worst cause of what is found about an object itself.
func (c *Causes) about(r fleet.Ref) (worst *fleet.Finding) {
	for f := range c.s.FindingsOn(r) {
		if counts(f) {
			worst = worse(worst, rootOf(c.s, f))
		}
	}
	return worst
}

// pod is the worst cause of a pod: there are many, so not each is remembered, and few have findings.
func (c *Causes) pod(p *fleet.Pod) *fleet.Finding {
	f := c.about(p.Ref())
	if p.Node != "" {
		f = worse(f, c.of(fleet.Ref{Kind: fleet.KindNode, Source: p.Source, Name: p.Node}))
	}
	if job, ok := jobOf(p); ok && p.Run.Phase == "Failed" {
		f = worse(f, c.of(job))
	}
	return f
}

func (c *Causes) workload(r fleet.Ref) *fleet.Finding {
	if c.workloads == nil {
		c.workloads = c.ofPods()
	}
	return worse(c.about(r), c.workloads[r])
}

// ofPods is the cause of the first pod of each workload that is not fine and has one.
func (c *Causes) ofPods() map[fleet.Ref]*fleet.Finding {
	type owner struct{ source, namespace, name string }
	all, done := map[fleet.Ref]*fleet.Finding{}, map[owner]bool{}
	for i := range c.s.Parts {
		part := &c.s.Parts[i]
		if part.Kind != fleet.KindPod {
			continue
		}
		for j, state := range part.States {
			if state != fleet.StateBad && state != fleet.StateWarn {
				continue
			}
			p, ok := part.Facts[j].(*fleet.Pod)
			if !ok || done[owner{p.Source, p.Namespace, p.Owner}] {
				continue
			}
			if f := c.pod(p); f != nil {
				done[owner{p.Source, p.Namespace, p.Owner}] = true
				if w, ok := fleet.WorkloadOf(c.s, p); ok && !w.Job.Done() {
					all[w.Ref()] = worse(all[w.Ref()], f)
				}
			}
		}
	}
	return all
}

// worse returns the worse of two findings, the first of those alike; either may be nil.
func worse(a, b *fleet.Finding) *fleet.Finding {
	if a == nil || b != nil && b.Severity > a.Severity {
		return b
	}
	return a
}

// counts reports whether a finding is shown, holds and is worth a look.
func counts(f *fleet.Finding) bool {
	return f.Shown && f.Cleared.IsZero() && f.Severity >= fleet.Warn
}

// rootOf follows a finding up to the one that explains it and is explained by none other that counts.
func rootOf(s *fleet.Snapshot, f *fleet.Finding) *fleet.Finding {
	for range deepest {
		up := byKey(s, f.Under)
		if up == nil || !counts(up) {
			break
		}
		f = up
	}
	return f
}

// byKey finds a finding by its key, nil when there is none.
func byKey(s *fleet.Snapshot, key string) *fleet.Finding {
	about, ok := AboutOf(key)
	if !ok {
		return nil
	}
	for f := range s.FindingsOn(about) {
		if rule, _, _ := strings.Cut(key, "|"); f.Rule == rule {
			return f
		}
	}
	return nil
}

// AboutOf is the object that a finding's key names.
func AboutOf(key string) (fleet.Ref, bool) {
	part := strings.SplitN(key, "|", 4)
	if len(part) < 4 {
		return fleet.Ref{}, false
	}
	return fleet.Ref{Kind: fleet.Kind(part[1]), Source: part[2], Name: part[3]}, true
}

// Short names a finding where there is little room: what it is about, and a word or two for what is wrong with that
// ("compute", "rebooted").
func Short(s *fleet.Snapshot, rules map[string]*Rule, f *fleet.Finding) (name, wrong string) {
	name, wrong = f.About.Name, f.Rule
	if o, ok := s.Get(f.About); ok {
		name = bareName(o)
	}
	if r := rules[f.Rule]; r != nil {
		wrong = cmp.Or(r.Short, r.Title)
	}
	return name, wrong
}

// bareName is what people call an object, without its host or domain.
func bareName(o fleet.Object) string {
	switch o := o.(type) {
	case *fleet.Disk:
		return o.Name
	case *fleet.Filesystem:
		return o.Mount
	case *fleet.Sensor:
		return cmp.Or(o.Label, o.Name)
	case *fleet.SwapArea:
		return o.Name
	case *fleet.Unit:
		return cmp.Or(o.Domain, o.Name)
	case *fleet.Node:
		if name, domain, ok := strings.Cut(o.Name, "."); ok && strings.ContainsFunc(domain, unicode.IsLetter) {
			return name
		}
	}
	return fleet.NameOf(o)
}
