package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// lag is how long an effect may be seen before its cause: systems are asked at different times.
const lag = 5 * time.Minute

// entry is a finding that stands, shown or not.
type entry struct {
	id       id
	key      string
	f        fleet.Finding
	under    *entry
	gone     bool
	machines fleet.Opt[[]string] // see Verdict
	count    int                 // shown findings that this one explains, directly or not
	worst    fleet.Severity      // of those and its own
}

// folder keeps the findings that stand, ties effects to causes, and ranks.
type folder struct {
	*ties
	rules   []Rule
	entries map[id]*entry
	on      map[fleet.Ref][]*entry
	order   []*entry // by rank; new ones at the end
	out     []fleet.Finding

	changed bool // findings differ from out
	all     bool // causes or links changed: fold everything
	some    []*entry
	shown   []int                // how many findings of a rule are shown
	around  map[aroundKey]*entry // the best cause there is in a source, as long as causes do not change
	apps    map[aroundKey]*suspects
}

type aroundKey struct {
	rule   int
	source string
}

func newFolder(rules []Rule, t *ties) *folder {
	return &folder{
		ties: t, rules: rules, shown: make([]int, len(rules)),
		entries: map[id]*entry{}, on: map[fleet.Ref][]*entry{}, around: map[aroundKey]*entry{}, apps: map[aroundKey]*suspects{},
	}
}

// made reports whether findings are the slice that fold returned last.
func (d *folder) made(findings []fleet.Finding) bool { return fleet.Shared(findings, d.out) }

// refold makes the next fold tie everything again: links changed.
func (d *folder) refold() { d.all = true }

// moved makes the next fold tie the findings on an object again: it may stand on something else now.
func (d *folder) moved(ref fleet.Ref) { d.some = append(d.some, d.on[ref]...) }

// put replaces the finding that stands, and which machines it is about; nil removes it.
func (d *folder) put(i id, f *fleet.Finding, machines fleet.Opt[[]string]) {
	e := d.entries[i]
	switch {
	case e == nil && f == nil:
		return
	case e == nil:
		e = &entry{id: i, key: f.Key(), f: *f, machines: machines}
		e.f.Under = ""
		d.entries[i] = e
		d.on[i.ref] = append(d.on[i.ref], e)
		d.order = append(d.order, e)
		d.some = append(d.some, e)
		d.shift(i.rule, f.Shown)
	case f == nil:
		e.gone = true
		delete(d.entries, i)
		if left := slices.DeleteFunc(slices.Clone(d.on[i.ref]), func(o *entry) bool { return o == e }); len(left) > 0 {
			d.on[i.ref] = left
		} else {
			delete(d.on, i.ref)
		}
		d.shift(i.rule, e.f.Shown)
	case alike(f, &e.f) && e.machines.OK == machines.OK && slices.Equal(e.machines.V, machines.V):
		return
	default:
		moved := e.machines.OK != machines.OK || !slices.Equal(e.machines.V, machines.V) || f.Shown != e.f.Shown || f.Severity != e.f.Severity || !f.Since.Equal(e.f.Since)
		f.Under = e.f.Under
		e.f, e.machines = *f, machines
		d.some = append(d.some, e)
		d.shift(i.rule, moved)
	}
	d.changed = true
}

// shift notes that a finding came, went or changed weight. If it may explain others, all are tied again.
func (d *folder) shift(rule int, shown bool) {
	if shown && len(d.rules[rule].Explains) > 0 {
		d.all = true
	}
}

// fold ties effects to causes and returns all findings by rank: before itself when nothing changed.
func (d *folder) fold(s *fleet.Snapshot, before []fleet.Finding) []fleet.Finding {
	if d.all || len(d.some) > 0 {
		clear(d.shown)
		for _, e := range d.order {
			if !e.gone && e.f.Shown {
				d.shown[e.id.rule]++
			}
		}
	}
	if d.all {
		clear(d.around)
		clear(d.apps)
		d.some = d.some[:0]
		for _, e := range d.order {
			d.tie(s, e)
		}
	}
	for _, e := range d.some {
		d.tie(s, e)
	}
	d.some, d.all = d.some[:0], false
	if !d.changed {
		d.out = before
		return before
	}
	d.changed = false
	d.rank()
	d.out = make([]fleet.Finding, len(d.order))
	for i, e := range d.order {
		d.out[i] = e.f
	}
	return d.out
}

// tie looks for the cause of a finding.
func (d *folder) tie(s *fleet.Snapshot, e *entry) {
	if e.gone {
		return
	}
	cause := d.cause(s, e)
	under := ""
	if cause != nil {
		under = cause.key
	}
	if cause != e.under || under != e.f.Under {
		e.under, e.f.Under, d.changed = cause, under, true
	}
}

func (d *folder) rank() {
	d.order = slices.DeleteFunc(d.order, func(e *entry) bool { return e.gone })
	for _, e := range d.order {
		e.count, e.worst = 0, e.f.Severity
	}
	for _, e := range d.order {
		if !e.f.Shown {
			continue
		}
		for c := e.under; c != nil; c = c.under {
			c.count++
			c.worst = max(c.worst, e.f.Severity)
		}
	}
	slices.SortFunc(d.order, compare)
}

// compare ranks: what is shown, what has no cause that is shown, what still holds, what has the worst in its wake, what
// explains most, what is no mere sign of it, as an endpoint that does not answer is, what is surest, what is newest.
func compare(a, b *entry) int {
	return cmp.Or(
		first(a.f.Shown, b.f.Shown),
		first(a.under == nil, b.under == nil),
		first(a.f.Cleared.IsZero(), b.f.Cleared.IsZero()),
		cmp.Compare(b.worst, a.worst),
		cmp.Compare(b.count, a.count),
		first(a.id.ref.Kind != fleet.KindCheck, b.id.ref.Kind != fleet.KindCheck),
		cmp.Compare(b.f.Confidence, a.f.Confidence),
		b.f.Since.Compare(a.f.Since),
		strings.Compare(a.key, b.key),
	)
}

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
