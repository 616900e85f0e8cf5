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
	head uint64 // the first bytes of str, which settle most comparisons without looking at it
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
	keep    func(*row) bool                      // nil keeps all
	list    func(*fleet.Snapshot) []fleet.Object // when set, these are the rows, in this order
	all     []row                                // sorted
	kept    []int32                              // where in all the rows are that keep keeps
	scratch *[]row                               // room to sort in, shared by all tables
	hay     func(fleet.Object) string            // makes the hay of one more row, once those of all were made
	bare    int                                  // rows without hay, about
	seen    *fleet.Snapshot
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
	c := cmp.Compare(a.num, b.num)
	if c == 0 {
		c = cmp.Compare(a.head, b.head)
	}
	if c == 0 {
		c = strings.Compare(a.str, b.str)
	}
	if c == 0 {
		c = fleet.Compare(a.obj, b.obj)
	}
	if o.reverse {
		return -c
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
	r.num, r.str, r.head = k.num, k.str, 0
	for i := range min(8, len(k.str)) {
		r.head |= uint64(k.str[i]) << (56 - 8*i)
	}
}

// find returns where an object stands among the rows that are kept.
func (o *order) find(obj fleet.Object) (int, bool) {
	if o.list != nil {
		for i := range o.size() {
			if o.get(i).obj.Ref() == obj.Ref() {
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
	o.all, o.seen = o.all[:0], s
	if o.list != nil {
		for i, obj := range o.list(s) {
			o.all = append(o.all, row{obj: obj, num: float64(i)})
		}
		o.sift()
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
	o.sort(inOrder)
}

// resort sorts by other keys, which do not depend on states.
func (o *order) resort() {
	each(len(o.all), func(from, to int) {
		for i := from; i < to; i++ {
			o.rekey(&o.all[i], fleet.StateUnknown)
		}
	})
	o.sort(false)
}

func (o *order) sort(inOrder bool) {
	if !inOrder || !o.classify() {
		o.sortAll()
	} else if o.reverse {
		slices.Reverse(o.all)
	}
	o.sift()
}

// turn reverses the order.
func (o *order) turn() {
	o.reverse = !o.reverse
	if o.list == nil {
		slices.Reverse(o.all)
		o.sift()
	}
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
	o.all, o.kept, o.seen = o.all[:0], nil, nil
}

// swarm is how many changes at once are dealt with faster by starting over.
const swarm = 500

// follow brings the order up to a snapshot. Its cost is what changed.
func (o *order) follow(s *fleet.Snapshot, changed func(old, next fleet.Object)) {
	if o.seen == s {
		return
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
	for _, c := range all {
		o.change(c.Old, c.New)
	}
}

// change takes one changed object over. Most stay where they are.
func (o *order) change(old, next fleet.Object) {
	from := -1
	if old != nil {
		if i, ok := o.at(old); ok {
			from = i
		}
	}
	switch {
	case next == nil && from < 0:
		return
	case next == nil:
		o.unkeep(from)
		o.all = slices.Delete(o.all, from, from+1)
		return
	}
	r := o.row(next, next.Health().State)
	if o.hay != nil {
		r.hay = o.hay(next)
	}
	to := o.place(&r)
	if from < 0 {
		o.all = slices.Insert(o.all, to, r)
	} else {
		o.unkeep(from)
		if to > from {
			to--
			copy(o.all[from:to], o.all[from+1:to+1])
		} else {
			copy(o.all[to+1:from+1], o.all[to:from])
		}
		o.all[to] = r
	}
	o.rekeep(to)
}

// unkeep takes a row out of those that are kept, before it goes.
func (o *order) unkeep(at int) {
	if o.keep == nil {
		return
	}
	i, ok := slices.BinarySearch(o.kept, int32(at))
	if ok {
		o.kept = slices.Delete(o.kept, i, i+1)
	}
	for ; i < len(o.kept); i++ {
		o.kept[i]--
	}
}

// rekeep takes up a row that came, if it is to be kept.
func (o *order) rekeep(at int) {
	if o.keep == nil {
		return
	}
	i, _ := slices.BinarySearch(o.kept, int32(at))
	for k := i; k < len(o.kept); k++ {
		o.kept[k]++
	}
	if o.keep(&o.all[at]) {
		o.kept = slices.Insert(o.kept, i, int32(at))
	}
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
