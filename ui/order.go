package ui

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"strata/internal/fleet"
)

// row is an object with its place in the current order.
type row struct {
	obj  fleet.Object
	num  float64
	head uint64 // the first bytes of str, which settle most comparisons without looking at it
	str  string
}

// sortKey is what a column sorts by: the number first, then the text.
type sortKey struct {
	num float64
	str string
}

// order is a sorted, filtered list of objects that follows snapshots by what changed.
type order struct {
	kinds   []fleet.Kind
	key     func(fleet.Object) sortKey
	reverse bool
	keep    func(fleet.Object) bool              // nil keeps all
	list    func(*fleet.Snapshot) []fleet.Object // when set, these are the rows, in this order
	rows    []row
	scratch *[]row // room to sort in, shared by all tables
	seen    *fleet.Snapshot
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

func (o *order) row(obj fleet.Object) row {
	k := o.key(obj)
	r := row{obj: obj, num: k.num, str: k.str}
	for i := range min(8, len(k.str)) {
		r.head |= uint64(k.str[i]) << (56 - 8*i)
	}
	return r
}

// turn reverses the order.
func (o *order) turn() {
	o.reverse = !o.reverse
	if o.list == nil {
		slices.Reverse(o.rows)
	}
}

// find returns where an object stands, by its key.
func (o *order) find(obj fleet.Object) (int, bool) {
	if o.list != nil {
		i := slices.IndexFunc(o.rows, func(r row) bool { return r.obj.Ref() == obj.Ref() })
		return i, i >= 0
	}
	r := o.row(obj)
	i := sort.Search(len(o.rows), func(i int) bool { return o.compare(&o.rows[i], &r) >= 0 })
	return i, i < len(o.rows) && o.rows[i].obj == obj
}

// rebuild sorts everything anew: after the order or the filter changed.
func (o *order) rebuild(s *fleet.Snapshot) {
	o.rows, o.seen = o.rows[:0], s
	if o.list != nil {
		for i, obj := range o.list(s) {
			if o.keep == nil || o.keep(obj) {
				o.rows = append(o.rows, row{obj: obj, num: float64(i)})
			}
		}
		return
	}
	most := 0
	for _, kind := range o.kinds {
		most += s.Tally(kind).Total()
	}
	o.rows = slices.Grow(o.rows, most)
	for _, kind := range o.kinds {
		for obj := range s.Each(kind) {
			o.rows = append(o.rows, row{obj: obj})
		}
	}
	if o.keep != nil {
		o.rows = passing(o.rows, o.keep)
	}
	each(len(o.rows), func(from, to int) {
		for i := from; i < to; i++ {
			o.rows[i] = o.row(o.rows[i].obj)
		}
	})
	if !o.classify() {
		o.rows = sortRows(o.rows, o.scratch, func(a, b row) int { return o.compare(&a, &b) })
	} else if o.reverse {
		slices.Reverse(o.rows)
	}
}

// release forgets the rows but keeps their room.
func (o *order) release() {
	clear(o.rows)
	o.rows, o.seen = o.rows[:0], nil
}

// classify sorts rows that differ in few numbers only, as when all but some are fine. They come in the order of their
// refs and keep it; only the classes are put in theirs. It reports false when the rows are not of that sort.
func (o *order) classify() bool {
	var nums []float64
	var sizes []int
	for i := range o.rows {
		at := slices.Index(nums, o.rows[i].num)
		switch {
		case o.rows[i].str != "" || at < 0 && len(nums) == 12:
			return false
		case at < 0:
			nums, sizes = append(nums, o.rows[i].num), append(sizes, 1)
		default:
			sizes[at]++
		}
	}
	sorted := slices.Sorted(slices.Values(nums))
	next := make([]int, len(nums)) // where the next row of a class goes
	for i := range nums {
		for j := range nums {
			if nums[j] < nums[i] {
				next[i] += sizes[j]
			}
		}
	}
	*o.scratch = slices.Grow((*o.scratch)[:0], len(o.rows))[:len(o.rows)]
	for i := range o.rows {
		at := slices.Index(nums, o.rows[i].num)
		(*o.scratch)[next[at]] = o.rows[i]
		next[at]++
	}
	o.rows, *o.scratch = *o.scratch, o.rows
	clear(*o.scratch)
	byRef := func(a, b row) int { return fleet.Compare(a.obj, b.obj) }
	from := 0
	for _, num := range sorted {
		class := o.rows[from : from+sizes[slices.Index(nums, num)]]
		if !slices.IsSortedFunc(class, byRef) {
			slices.SortFunc(class, byRef)
		}
		from += len(class)
	}
	return true
}

// narrow keeps only the rows that pass: for a filter that can only have become stricter.
func (o *order) narrow() {
	o.rows = passing(o.rows, o.keep)
}

// follow brings the order up to a snapshot. Its cost is what changed plus one copy of the rows.
func (o *order) follow(s *fleet.Snapshot, changed func(old, next fleet.Object)) {
	if o.seen == s {
		return
	}
	if o.seen == nil || s.Seq < o.seen.Seq || o.list != nil {
		o.rebuild(s)
		return
	}
	var gone []int
	var come []row
	fleet.Diff(o.seen, s, func(old, next fleet.Object) {
		if !o.has(old, next) {
			return
		}
		if old != nil {
			if i, ok := o.find(old); ok {
				gone = append(gone, i)
			}
		}
		if next != nil && (o.keep == nil || o.keep(next)) {
			come = append(come, o.row(next))
		}
		if changed != nil {
			changed(old, next)
		}
	})
	o.seen = s
	if len(gone)+len(come) > 0 {
		o.merge(gone, come)
	}
}

func (o *order) has(old, next fleet.Object) bool {
	obj := next
	if obj == nil {
		obj = old
	}
	return slices.Contains(o.kinds, kindOf(obj))
}

// merge takes out the rows at gone and puts in those of come.
func (o *order) merge(gone []int, come []row) {
	slices.Sort(gone)
	slices.SortFunc(come, func(a, b row) int { return o.compare(&a, &b) })
	next := make([]row, 0, len(o.rows)-len(gone)+len(come))
	i := 0
	copyTo := func(end int) {
		for len(gone) > 0 && gone[0] < end {
			next = append(next, o.rows[i:gone[0]]...)
			i, gone = gone[0]+1, gone[1:]
		}
		next = append(next, o.rows[i:end]...)
		i = end
	}
	for c := range come {
		at := sort.Search(len(o.rows), func(k int) bool { return o.compare(&o.rows[k], &come[c]) >= 0 })
		copyTo(max(at, i))
		next = append(next, come[c])
	}
	copyTo(len(o.rows))
	o.rows = next
}

// kindOf is Ref().Kind without making the ref of a pod.
func kindOf(o fleet.Object) fleet.Kind {
	if _, ok := o.(*fleet.Pod); ok {
		return fleet.KindPod
	}
	return o.Ref().Kind
}
