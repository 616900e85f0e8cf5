package diagnose

import (
	"cmp"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// deepest is how many layers below an object causes are looked for.
const deepest = 12

// cause returns the nearest finding that explains one: on the same object or the part of it, else on what that stands on, layer by layer,
// else around it.
func (d *folder) cause(s *fleet.Snapshot, e *entry) *entry {
	if !d.mayHaveCause(e.id.rule) {
		return nil
	}
	layer := []fleet.Ref{e.id.ref}
	if e.f.On.Kind != "" {
		layer = append(layer, e.f.On)
	}
	seen := slices.Clone(layer)
	for depth := range deepest {
		var best *entry
		for _, ref := range layer {
			for _, c := range d.on[ref] {
				if c != e && d.explains(c, e) && c.concerns(s, seen) && (best == nil || nearer(d, c, best) < 0) {
					best = c
				}
			}
		}
		if best == nil && depth < 2 && d.rules[e.id.rule].Fold.Parts {
			best = d.parts(s, layer, e)
		}
		if best != nil {
			return best
		}
		var next []fleet.Ref
		for _, ref := range layer {
			for l := range ground(s, ref) {
				if !slices.Contains(seen, l.To) {
					seen, next = append(seen, l.To), append(next, l.To)
				}
			}
		}
		if len(next) == 0 {
			break
		}
		layer = next
	}
	switch fold := d.rules[e.id.rule].Fold; {
	case fold.App:
		return d.causeOfApp(s, e)
	case fold.Around:
		return d.nearby(e)
	}
	return nil
}

// parts returns the best cause among the disks and filesystems of the hosts in a layer.
func (d *folder) parts(s *fleet.Snapshot, layer []fleet.Ref, e *entry) (best *entry) {
	for _, c := range d.order {
		r := c.id.ref
		if c.gone || r.Kind != fleet.KindDisk && r.Kind != fleet.KindFilesystem || !d.explains(c, e) || best != nil && nearer(d, c, best) >= 0 {
			continue
		}
		o, _ := s.Get(r)
		for _, l := range stated(o) {
			if l.To.Kind == fleet.KindHost && slices.Contains(layer, l.To) {
				best = c
			}
		}
	}
	return best
}

// mayHaveCause reports whether anything is shown that explains findings of a rule: mostly nothing is.
func (d *folder) mayHaveCause(rule int) bool {
	for cause, explains := range d.causes[rule] {
		if explains && d.shown[cause] > 0 {
			return true
		}
	}
	return false
}

// nearby returns the best cause in the source of a finding, whenever it began: it is the same for all effects of a rule.
func (d *folder) nearby(e *entry) *entry {
	key := aroundKey{e.id.rule, e.id.ref.Source}
	best, known := d.around[key]
	if known {
		return best
	}
	for _, c := range d.order {
		if !c.gone && c.id.ref.Source == key.source && d.mayExplain(c, e) && (best == nil || nearer(d, c, best) < 0) {
			best = c
		}
	}
	d.around[key] = best
	return best
}

func (d *folder) mayExplain(cause, effect *entry) bool {
	return cause.f.Shown && cause.f.Severity >= d.rules[cause.id.rule].Fold.Least && d.causes[effect.id.rule][cause.id.rule] && d.depth[cause.id.rule] < d.depth[effect.id.rule]
}

func (d *folder) explains(cause, effect *entry) bool {
	if !d.mayExplain(cause, effect) {
		return false
	}
	if on, other := effect.f.On, cause.f.On; effect.id.ref == cause.id.ref && on.Kind != "" && other.Kind != "" && on != other {
		return false // both are about parts of one thing, and not about the same
	}
	after := effect.f.Since.Sub(cause.f.Since)
	if d.rules[effect.id.rule].Fold.After && !d.rules[cause.id.rule].Fold.Whole && after < -lag {
		return false
	}
	within := d.rules[cause.id.rule].Fold.Within
	return within == 0 || after >= -lag && after <= within
}

// nearer orders causes: the one that is itself explained by the other first, then the worse.
func nearer(d *folder, a, b *entry) int {
	return cmp.Or(
		cmp.Compare(d.depth[b.id.rule], d.depth[a.id.rule]),
		cmp.Compare(b.f.Severity, a.f.Severity),
		strings.Compare(a.key, b.key),
	)
}
