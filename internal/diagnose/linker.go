package diagnose

import (
	"maps"
	"slices"

	"strata/internal/fleet"
)

// Links returns the links between the layers that have to be found out: node to server, server to hypervisor, hypervisor
// to host, and what runs strata itself to where it runs. Objects of other kinds name what they stand on: see Up.
func Links(s *fleet.Snapshot) []fleet.Link {
	return linkerOf(s).all(nil)
}

// linker keeps by which names objects can be found and which they look for.
type linker struct {
	known   map[fleet.Ref]claims
	offered map[key][]fleet.Ref
	wanted  map[key][]fleet.Ref    // nil until a claim changes for the first time
	stale   map[fleet.Ref]struct{} // whose links may differ
	links   map[fleet.Ref][]fleet.Link
	flat    []fleet.Link
	changed bool        // links differ from flat
	room    []fleet.Ref // see carve
}

func linkerOf(s *fleet.Snapshot) *linker {
	n := 0
	for _, kind := range linkedKinds() {
		n += s.Tally(kind).Total()
	}
	l := &linker{
		known: make(map[fleet.Ref]claims, n), offered: make(map[key][]fleet.Ref, 3*n),
		stale: map[fleet.Ref]struct{}{}, links: make(map[fleet.Ref][]fleet.Link, n), changed: true,
	}
	var c, room claims
	for _, kind := range linkedKinds() {
		for o := range s.Each(kind) {
			ref := o.Ref()
			c.offers, c.wants = c.offers[:0], c.wants[:0]
			c.read(o)
			l.known[ref] = claims{carve(&room.offers, c.offers), carve(&room.wants, c.wants)}
			for _, k := range c.offers {
				l.put(l.offered, k, ref)
			}
		}
	}
	var found, links []fleet.Link
	for ref, c := range l.known {
		if found = l.find(ref, c.wants, found[:0]); len(found) > 0 {
			l.links[ref] = carve(&links, found)
		}
	}
	return l
}

// carve copies a few things into a room for many, so that not each has memory of its own.
func carve[T any](room *[]T, some []T) []T {
	at := len(*room)
	if at+len(some) > cap(*room) {
		*room, at = make([]T, 0, max(1024, len(some))), 0
	}
	*room = append(*room, some...)
	return slices.Clip((*room)[at:])
}

// watch notes who looks for which key. It is put off until somebody asks: identities hardly ever change.
func (l *linker) watch() {
	if l.wanted != nil {
		return
	}
	l.wanted = make(map[key][]fleet.Ref, len(l.known))
	for ref, c := range l.known {
		for _, w := range c.wants {
			l.put(l.wanted, w.key, ref)
		}
	}
}

// change takes in one object that is new (old is nil), gone (next is nil) or different.
func (l *linker) change(old, next fleet.Object) {
	o := next
	if o == nil {
		o = old
	}
	if !claiming(o) {
		return
	}
	ref := o.Ref()
	before := l.known[ref]
	var now claims
	if next != nil {
		now = claimsOf(next)
	}
	if before.equal(now) {
		return
	}
	l.watch()
	for _, k := range before.offers {
		l.drop(l.offered, k, ref)
		l.spoil(k)
	}
	for _, w := range before.wants {
		l.drop(l.wanted, w.key, ref)
	}
	for _, k := range now.offers {
		l.put(l.offered, k, ref)
		l.spoil(k)
	}
	for _, w := range now.wants {
		l.put(l.wanted, w.key, ref)
	}
	l.stale[ref] = struct{}{}
	if next == nil {
		delete(l.known, ref)
	} else {
		l.known[ref] = now
	}
}

// spoil notes that whoever looks for a key may find something else now.
func (l *linker) spoil(k key) {
	for _, ref := range l.wanted[k] {
		l.stale[ref] = struct{}{}
	}
}

func (l *linker) put(m map[key][]fleet.Ref, k key, ref fleet.Ref) {
	refs := m[k]
	if len(refs) == 0 {
		m[k] = carve(&l.room, []fleet.Ref{ref})
		return
	}
	if at, found := slices.BinarySearchFunc(refs, ref, fleet.Ref.Compare); !found {
		m[k] = slices.Insert(refs, at, ref)
	}
}

func (l *linker) drop(m map[key][]fleet.Ref, k key, ref fleet.Ref) {
	refs := m[k]
	at, found := slices.BinarySearchFunc(refs, ref, fleet.Ref.Compare)
	switch {
	case !found:
	case len(refs) == 1:
		delete(m, k)
	default:
		m[k] = slices.Delete(refs, at, at+1)
	}
}

// relink finds the links of all that are stale and returns both ends of those that came, went or changed.
func (l *linker) relink() map[fleet.Ref]struct{} {
	touched := map[fleet.Ref]struct{}{}
	for ref := range l.stale {
		before, now := l.links[ref], l.find(ref, l.known[ref].wants, nil)
		if slices.Equal(before, now) {
			continue
		}
		l.changed = true
		for _, links := range [...][]fleet.Link{before, now} {
			for _, link := range links {
				touched[link.From], touched[link.To] = struct{}{}, struct{}{}
			}
		}
		if len(now) == 0 {
			delete(l.links, ref)
		} else {
			l.links[ref] = now
		}
	}
	clear(l.stale)
	return touched
}

// made reports whether links are the slice that all returned last.
func (l *linker) made(links []fleet.Link) bool { return fleet.Shared(links, l.flat) }

// all returns all links, sorted by From, strongest first; before itself if that is what they are.
func (l *linker) all(before []fleet.Link) []fleet.Link {
	if !l.changed && fleet.Shared(before, l.flat) {
		return before
	}
	l.changed = false
	flat := make([]fleet.Link, 0, len(l.links)+len(l.links)/4)
	for _, from := range slices.SortedFunc(maps.Keys(l.links), fleet.Ref.Compare) {
		flat = append(flat, l.links[from]...)
	}
	if slices.Equal(flat, before) {
		flat = before
	}
	l.flat = flat
	return flat
}

// find adds the links of one object to found, which is empty. For each kind of thing it looks for, the first tier with a
// match counts.
func (l *linker) find(ref fleet.Ref, wants []want, found []fleet.Link) []fleet.Link {
	for i := 0; i < len(wants); {
		slot, tier, any := wants[i].slot, wants[i].tier, false
		for ; i < len(wants) && wants[i].slot == slot && (wants[i].tier == tier || !any); i++ {
			tier = wants[i].tier
			to, ok := l.only(wants[i].key)
			if !ok || to == ref {
				continue
			}
			any = true
			if !slices.ContainsFunc(found, func(f fleet.Link) bool { return f.To == to }) {
				found = append(found, fleet.Link{From: ref, To: to, How: wants[i].how, Sure: wants[i].sure})
			}
		}
		for i < len(wants) && wants[i].slot == slot {
			i++
		}
	}
	return found
}

// only returns the one object that offers a key. The same server seen through two clouds counts once: the view that
// tells where it runs.
func (l *linker) only(k key) (fleet.Ref, bool) {
	refs := l.offered[k]
	if len(refs) == 0 {
		return fleet.Ref{}, false
	}
	best := refs[0]
	for _, r := range refs[1:] {
		if r.Kind != fleet.KindServer || r.Name != best.Name {
			return fleet.Ref{}, false
		}
		if len(l.known[best].wants) == 0 && len(l.known[r].wants) > 0 {
			best = r
		}
	}
	return best, true
}
