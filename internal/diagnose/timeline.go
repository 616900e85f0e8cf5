package diagnose

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"time"

	"strata/internal/fleet"
)

// MostMoments is how many moments a timeline holds at the most, the newest ones; so many are kept of each scope, too.
const MostMoments = 5000

// Span is the part of all that happened to look at. Its zero value is everything.
type Span struct {
	About    fleet.Ref // only this object, what it stands on and what stands on it
	From, To time.Time // zero: since ever, until now
}

// Timeline makes timelines out of snapshots of one store. It remembers what each scope told, so that only those that
// changed are read again; its zero value is ready, and gives what a new one does.
type Timeline struct {
	parts map[scope]told
}

type scope struct{ source, scope string }

// told is what a scope's facts told, newest first.
type told struct {
	facts   fleet.Facts
	moments []Moment
}

// Of returns what happened, newest first; of what happened at the same time, what is nearer to the users first.
func (t *Timeline) Of(s *fleet.Snapshot, span Span) []Moment {
	next := make(map[scope]told, len(s.Parts))
	all := merge{found(s)}
	for i := range s.Parts {
		p := &s.Parts[i]
		if len(p.Facts) == 0 {
			continue
		}
		at := scope{p.Source, p.Scope}
		was, ok := t.parts[at]
		if !ok || !fleet.Shared(was.facts, p.Facts) {
			was = told{p.Facts, momentsOf(p)}
		}
		next[at] = was
		all = append(all, was.moments)
	}
	t.parts = next
	in := near(s, span.About)
	out := make([]Moment, 0, 64)
	for m := range all.each(span.To) {
		if m.At.Before(span.From) || len(out) == MostMoments {
			break
		}
		if in.holds(m) && !toldByHost(s, m) {
			out = append(out, *m)
		}
	}
	return out
}

// toldByHost reports whether a moment is a hypervisor's guess at its boot that its host knows better.
func toldByHost(s *fleet.Snapshot, m *Moment) bool {
	h, ok := m.Of.(*fleet.Hypervisor)
	if !ok {
		return false
	}
	host, ok := below[*fleet.Host](s, h.Ref(), fleet.KindHost)
	return ok && !host.Boot.IsZero()
}

// merge is several lists, newest first each.
type merge [][]Moment

// each yields the moments of all lists until then, newest first; a zero time is no end.
func (l merge) each(until time.Time) iter.Seq[*Moment] {
	return func(yield func(*Moment) bool) {
		var heads [][]Moment // a heap by the first of each
		for _, list := range l {
			from := 0
			if !until.IsZero() {
				from = sort.Search(len(list), func(i int) bool { return !list[i].At.After(until) })
			}
			if from < len(list) {
				heads = append(heads, list[from:])
			}
		}
		for i := len(heads)/2 - 1; i >= 0; i-- {
			sink(heads, i)
		}
		for len(heads) > 0 {
			if !yield(&heads[0][0]) {
				return
			}
			if heads[0] = heads[0][1:]; len(heads[0]) == 0 {
				heads[0] = heads[len(heads)-1]
				heads = heads[:len(heads)-1]
			}
			sink(heads, 0)
		}
	}
}

// sink moves a head down to where it belongs.
func sink(heads [][]Moment, i int) {
	for {
		first := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(heads) && newer(&heads[child][0], &heads[first][0]) < 0 {
				first = child
			}
		}
		if first == i {
			return
		}
		heads[i], heads[first] = heads[first], heads[i]
		i = first
	}
}

// newer orders moments.
func newer(a, b *Moment) int {
	if c := b.At.Compare(a.At); c != 0 {
		return c
	}
	if x, ok := a.Of.(*fleet.Sensor); ok {
		if y, ok := b.Of.(*fleet.Sensor); ok { // a room that gets warm turns all that a look finds in it
			return cmp.Or(fleet.Compare(x, y), cmp.Compare(a.N, b.N))
		}
	}
	if c := cmp.Compare(Depth(a.About().Kind), Depth(b.About().Kind)); c != 0 {
		return c
	}
	return a.Ref().Compare(b.Ref())
}

// found are the findings that are shown, and the ends of those that are over.
func found(s *fleet.Snapshot) []Moment {
	var all pile
	for i := range s.Findings {
		if f := &s.Findings[i]; f.Shown {
			all.add(Moment{f.Since, f, itself})
			all.add(Moment{f.Cleared, f, ended})
		}
	}
	return all.newest()
}

// momentsOf are the moments that the objects of a scope tell, newest first.
func momentsOf(p *fleet.Part) []Moment {
	var all pile
	for _, o := range p.Facts {
		switch o := o.(type) {
		case *fleet.Server:
			for i := range o.Actions {
				all.add(Moment{o.Actions[i].Start, o, i})
			}
			if o.Fault != nil {
				all.add(Moment{o.Fault.Created, o, fault})
			}
		case *fleet.Hypervisor:
			if up, ok := parseUptime(o.Uptime); ok {
				all.add(Moment{p.At.Add(-up).Truncate(time.Minute), o, itself})
			}
		case *fleet.Node:
			for i := range o.Conditions {
				if x := &o.Conditions[i]; x.Type == "Ready" || x.Status == "True" {
					all.add(Moment{x.Since, o, i})
				}
			}
		case *fleet.Domain:
			all.domain(o)
		case *fleet.Sensor:
			for i := range o.Turns {
				all.add(Moment{o.Turns[i].At, o, i})
			}
		case *fleet.Disk:
			all.counters(o, o.Counters)
		case *fleet.Filesystem:
			all.counters(o, o.Counters)
		case *fleet.Unit:
			for i := range o.Lost {
				all.add(Moment{o.Lost[i].At, o, i})
			}
		case *fleet.Event:
			all.add(Moment{o.Last, o, itself})
			if o.Last.Sub(o.First) > time.Minute {
				all.add(Moment{o.First, o, ended})
			}
		case *fleet.BootRecord:
			if !o.Current { // the host tells of that
				all.add(Moment{o.Begin, o, itself})
				all.add(Moment{o.End, o, ended})
			}
		default:
			all.add(Moment{happened(o), o, itself})
		}
	}
	return all.newest()
}

// happened is when the one thing happened that an object tells of; zero when it tells of none.
func happened(o fleet.Object) time.Time {
	switch o := o.(type) {
	case *fleet.KernelEvent:
		return o.At
	case *fleet.Host:
		return o.Boot
	case *fleet.Pod:
		if o.LastExit != nil {
			return o.LastExit.Finished
		}
	case *fleet.Check:
		return o.Since
	case *fleet.Alert:
		return o.Starts
	case *fleet.App:
		return cmp.Or(o.Operation.Finished, o.Operation.Started)
	case *fleet.Deed:
		return o.At
	}
	return time.Time{}
}

// pile keeps the newest moments.
type pile struct {
	all   []Moment
	floor time.Time // what is not after it is not among them
}

// add takes a moment in if its time is known.
func (p *pile) add(m Moment) {
	if !m.At.After(p.floor) {
		return
	}
	if p.all = append(p.all, m); len(p.all) >= 2*MostMoments {
		p.cut()
	}
}

func (p *pile) cut() {
	slices.SortFunc(p.all, func(a, b Moment) int { return newer(&a, &b) })
	if len(p.all) > MostMoments {
		p.all = p.all[:MostMoments]
		p.floor = p.all[MostMoments-1].At
	}
}

func (p *pile) newest() []Moment {
	p.cut()
	return p.all
}

func (p *pile) domain(d *fleet.Domain) {
	if d.Log == nil {
		p.add(Moment{d.Process.Started, d, started})
		return
	}
	p.add(Moment{cmp.Or(d.Log.Started, d.Process.Started), d, started})
	for i := range d.Log.Lines {
		p.add(Moment{d.Log.Lines[i].At, d, i})
	}
}

func (p *pile) counters(o fleet.Object, all []fleet.Counter) {
	for i := range all {
		if all[i].Grew() > 0 {
			p.add(Moment{cmp.Or(all[i].Grown, all[i].Since), o, i})
		}
	}
}

// Depth is how far below the users a kind of thing is, 0 at the top, 7 for disks.
func Depth(k fleet.Kind) int {
	switch k {
	case fleet.KindCheck, fleet.KindApp, fleet.KindAlert:
		return 0
	case fleet.KindNode:
		return 2
	case fleet.KindServer, fleet.KindFlavor:
		return 3
	case fleet.KindCompute, fleet.KindHypervisor:
		return 4
	case fleet.KindDomain, fleet.KindUnit:
		return 5
	case fleet.KindHost, fleet.KindKernel, fleet.KindKernelLog, fleet.KindBoot, fleet.KindSensor, fleet.KindSwap, fleet.KindFilesystem:
		return 6
	case fleet.KindDisk:
		return 7
	}
	return 1 // pods, and what else a cluster has
}
