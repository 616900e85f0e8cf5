package ui

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"strata/internal/fleet"
)

// row is an object with its place in the current order and the text that a filter looks through. With 50,000 of them what
// matters is to touch the objects themselves, which lie all over the memory, as seldom as can be.
type row struct {
	obj  fleet.Object
	num  float64
	head head
	rank int32 // place among the rows by their refs, from 1; 0 when not known
	str  string
	hay  string // what plain filters look through, lower case; "" when not made yet
}

// sortKey is what a column sorts by: the number first, then the text.
type sortKey struct {
	num float64
	str string
}

// order is a sorted, filtered list of objects that follows snapshots by what changed.
type order struct {
	kinds   []fleet.Kind
	key     func(fleet.Object, fleet.State) sortKey // pure
	reverse bool
	same    string                               // what all texts that are sorted by begin with, as far as heads leave it out
	keep    func(*row) bool                      // nil keeps all
	list    func(*fleet.Snapshot) []fleet.Object // when set, these are the rows, in this order
	all     []row                                // sorted
	kept    []int32                              // where in all the rows are that keep keeps
	scratch *[]row                               // room to sort in, shared by all tables
	hay     func(fleet.Object) string            // makes the hay of one more row, once those of all were made
	bare    int                                  // rows without hay, about
	seen    *fleet.Snapshot
	listed  []fleet.Object // what list gave last
}

// size is how many rows are kept.
func (o *order) size() int {
	if o.keep == nil {
		return len(o.all)
	}
	return len(o.kept)
}

// get returns one of the rows that are kept.
func (o *order) get(i int) *row {
	if o.keep == nil {
		return &o.all[i]
	}
	return &o.all[o.kept[i]]
}

func (o *order) compare(a, b *row) int {
	if o.reverse {
		return o.rising(b, a)
	}
	return o.rising(a, b)
}

func (o *order) rising(a, b *row) int {
	c := cmp.Compare(a.num, b.num)
	if c == 0 {
		c = a.head.compare(&b.head)
	}
	if c == 0 {
		c = strings.Compare(a.str, b.str)
	}
	if c == 0 && a.rank > 0 && b.rank > 0 {
		c = cmp.Compare(a.rank, b.rank)
	}
	if c == 0 {
		c = fleet.Compare(a.obj, b.obj)
	}
	return c
}

func (o *order) row(obj fleet.Object, state fleet.State) row {
	r := row{obj: obj}
	o.rekey(&r, state)
	return r
}

func (o *order) rekey(r *row, state fleet.State) {
	k := o.key(r.obj, state)
	r.num, r.str, r.head = k.num, k.str, headOf(k.str, o.same)
}

// find returns where an object stands among the rows that are kept.
func (o *order) find(obj fleet.Object) (int, bool) {
	if o.list != nil {
		for i, want := 0, obj.Ref(); i < o.size(); i++ {
			if x := o.get(i).obj; x == obj || x.Ref() == want {
				return i, true
			}
		}
		return 0, false
	}
	i, ok := o.at(obj)
	if ok && o.keep != nil {
		i, ok = slices.BinarySearch(o.kept, int32(i))
	}
	return i, ok
}

// at returns where an object stands among all rows, or would.
func (o *order) at(obj fleet.Object) (int, bool) {
	r := o.row(obj, obj.Health().State)
	i := o.place(&r)
	return i, i < len(o.all) && o.all[i].obj == obj
}

func (o *order) place(r *row) int {
	return sort.Search(len(o.all), func(i int) bool { return o.compare(&o.all[i], r) >= 0 })
}

// rebuild takes all objects of a snapshot anew.
func (o *order) rebuild(s *fleet.Snapshot) {
	o.all, o.seen, o.same = o.all[:0], s, ""
	if o.list != nil {
		for i, obj := range o.listed {
			r := row{obj: obj, num: float64(i)}
			if o.key != nil {
				o.rekey(&r, fleet.StateUnknown)
			}
			o.all = append(o.all, r)
		}
		o.sort(o.key == nil)
		return
	}
	most := 0
	for _, kind := range o.kinds {
		most += s.Tally(kind).Total()
	}
	o.all = slices.Grow(o.all, most)
	inOrder := true // of the refs, which equal rows are sorted by
	for _, kind := range o.kinds {
		var last fleet.Object
		for i := range s.Parts {
			p := &s.Parts[i]
			if p.Kind != kind || len(p.Facts) == 0 {
				continue
			}
			inOrder = inOrder && (last == nil || fleet.Compare(last, p.Facts[0]) < 0)
			last = p.Facts[len(p.Facts)-1]
			for j, obj := range p.Facts {
				o.all = append(o.all, o.row(obj, p.States[j]))
			}
		}
	}
	o.bare = len(o.all)
	for i := range o.all {
		if inOrder {
			o.all[i].rank = int32(i + 1)
		}
	}
	o.sort(false)
}

// resort sorts by other keys, which do not depend on states.
func (o *order) resort() {
	o.same = ""
	each(len(o.all), func(from, to int) {
		for i := from; i < to; i++ {
			o.rekey(&o.all[i], fleet.StateUnknown)
		}
	})
	o.sort(false)
}

func (o *order) sort(inOrder bool) {
	switch {
	case !inOrder:
		o.sortAll()
	case o.reverse:
		slices.Reverse(o.all)
	}
	o.sift()
}

// turn reverses the order.
func (o *order) turn() {
	o.reverse = !o.reverse
	slices.Reverse(o.all)
	o.sift()
}

// sift finds the rows that are kept.
func (o *order) sift() {
	if o.keep != nil {
		o.kept = passing(o.all, nil, o.keep)
	}
}

// narrow keeps only the rows that pass still: for a filter that can only have become stricter.
func (o *order) narrow() { o.kept = passing(o.all, o.kept, o.keep) }

// release forgets the rows but keeps their room.
func (o *order) release() {
	clear(o.all)
	o.all, o.kept, o.seen, o.listed = o.all[:0], nil, nil, nil
}

// swarm is how many changes at once are dealt with faster by starting over.
const swarm = 500

// follow brings the order up to a snapshot. Its cost is what changed.
func (o *order) follow(s *fleet.Snapshot, changed func(old, next fleet.Object)) {
	if o.seen == s {
		return
	}
	if o.list != nil {
		rows := o.list(s)
		if o.seen != nil && len(rows) > 0 && fleet.Shared(rows, o.listed) {
			o.seen = s
			return
		}
		o.listed = rows
	}
	if o.seen == nil || s.Seq < o.seen.Seq || o.list != nil {
		o.rebuild(s)
		return
	}
	var all []fleet.Change
	fleet.Diff(o.seen, s, func(old, next fleet.Object) {
		if o.has(old, next) {
			all = append(all, fleet.Change{Old: old, New: next})
			changed(old, next)
		}
	})
	o.seen = s
	if len(all) > swarm {
		o.rebuild(s)
		return
	}
	o.take(all)
}

// take takes changed objects over. Most rows stay where they are; the others are moved all at once.
func (o *order) take(all []fleet.Change) {
	var gone []int
	var come []row
	for _, c := range all {
		from, known := 0, false
		if c.Old != nil {
			from, known = o.at(c.Old)
		}
		var r row
		if c.New != nil {
			r = o.row(c.New, c.New.Health().State)
			if o.hay != nil {
				r.hay = o.hay(c.New)
			}
			if known {
				r.rank = o.all[from].rank
			}
			if known && o.stays(from, &r) {
				o.replace(from, r)
				continue
			}
			come = append(come, r)
		}
		if known {
			gone = append(gone, from)
		}
	}
	if len(gone)+len(come) > 0 {
		o.move(gone, come)
	}
}

// stays reports whether a row may stand there in place of the one that does.
func (o *order) stays(at int, r *row) bool {
	return (at == 0 || o.compare(&o.all[at-1], r) <= 0) && (at == len(o.all)-1 || o.compare(r, &o.all[at+1]) <= 0)
}

func (o *order) replace(at int, r row) {
	o.all[at] = r
	if o.keep == nil {
		return
	}
	i, was := slices.BinarySearch(o.kept, int32(at))
	switch is := o.keep(&o.all[at]); {
	case was && !is:
		o.kept = slices.Delete(o.kept, i, i+1)
	case is && !was:
		o.kept = slices.Insert(o.kept, i, int32(at))
	}
}

// run is rows that move together.
type run struct{ from, to, by int }

// move takes the rows at gone out and puts others in. A row moves once, and only if more came before it than went, or
// fewer.
func (o *order) move(gone []int, come []row) {
	slices.Sort(gone)
	slices.SortFunc(come, func(a, b row) int { return o.compare(&a, &b) })
	places := make([]int, len(come))
	for i := range come {
		places[i] = o.place(&come[i])
	}
	var runs []run
	from, by := 0, 0
	for g, k := 0, 0; g < len(gone) || k < len(come); {
		if g == len(gone) || k < len(come) && places[k] <= gone[g] {
			runs = append(runs, run{from, places[k], by})
			from = places[k]
			places[k] += by
			by, k = by+1, k+1
		} else {
			runs = append(runs, run{from, gone[g], by})
			from = gone[g] + 1
			by, g = by-1, g+1
		}
	}
	was, n := len(o.all), len(o.all)+by
	runs = append(runs, run{from, was, by})
	o.shift(runs)
	o.all = slices.Grow(o.all, max(by, 0))[:max(was, n)]
	for _, r := range runs { // to the left from the left, then to the right from the right: none covers what has yet to move
		if r.by < 0 {
			copy(o.all[r.from+r.by:], o.all[r.from:r.to])
		}
	}
	for _, r := range slices.Backward(runs) {
		if r.by > 0 {
			copy(o.all[r.from+r.by:], o.all[r.from:r.to])
		}
	}
	clear(o.all[n:])
	o.all = o.all[:n]
	for i, at := range places {
		o.all[at] = come[i]
		if o.keep != nil && o.keep(&o.all[at]) {
			k, _ := slices.BinarySearch(o.kept, int32(at))
			o.kept = slices.Insert(o.kept, k, int32(at))
		}
	}
}

// shift has the rows that are kept move with their runs, and those of no run go.
func (o *order) shift(runs []run) {
	kept := o.kept[:0]
	i := 0
	for _, at := range o.kept {
		for int(at) >= runs[i].to {
			i++
		}
		if int(at) >= runs[i].from {
			kept = append(kept, at+int32(runs[i].by))
		}
	}
	o.kept = kept
}

func (o *order) has(old, next fleet.Object) bool {
	obj := next
	if obj == nil {
		obj = old
	}
	return slices.Contains(o.kinds, kindOf(obj))
}

// kindOf is Ref().Kind without making the ref of a pod.
func kindOf(o fleet.Object) fleet.Kind {
	if _, ok := o.(*fleet.Pod); ok {
		return fleet.KindPod
	}
	return o.Ref().Kind
}
