package ui

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// head is the beginning of a text, which settles most comparisons without looking at the text itself.
type head struct {
	hi, lo uint64
	whole  bool // there is no more of the text
}

// headOf is the head of a text without what it has in common with all. Texts that have not come first or last.
func headOf(text, same string) head {
	rest, ok := strings.CutPrefix(text, same)
	switch {
	case ok:
	case text < same:
		return head{}
	default:
		return head{hi: math.MaxUint64, lo: math.MaxUint64}
	}
	var first [16]byte
	n := copy(first[:], rest)
	return head{binary.BigEndian.Uint64(first[:8]), binary.BigEndian.Uint64(first[8:]), n == len(rest)}
}

func (h *head) compare(o *head) int {
	if h.hi != o.hi {
		return cmp.Compare(h.hi, o.hi)
	}
	return cmp.Compare(h.lo, o.lo)
}

// behead takes what all texts have in common out of their heads: names often differ only near their end.
func (o *order) behead() {
	same := o.all[0].str
	for i := range o.all {
		n, text := 0, o.all[i].str
		for n < len(same) && n < len(text) && same[n] == text[n] {
			n++
		}
		if same = same[:n]; n == 0 {
			break
		}
	}
	if same == o.same {
		return
	}
	o.same = same
	each(len(o.all), func(from, to int) {
		for i := from; i < to; i++ {
			o.all[i].head = headOf(o.all[i].str, same)
		}
	})
}

// sortAll sorts all rows. Few are compared with each other; of many, which would take too long for a key, the numbers and
// heads are sorted byte by byte, the last first, from the order of the refs on.
func (o *order) sortAll() {
	places, ok := o.byRef()
	if !ok {
		slices.SortFunc(o.all, func(a, b row) int { return o.compare(&a, &b) })
		return
	}
	o.behead()
	numbers := [3][]uint64{} // by row: the last to sort by comes first
	for i := range numbers {
		numbers[i] = make([]uint64, len(o.all))
	}
	each(len(o.all), func(from, to int) {
		for i := from; i < to; i++ {
			r := &o.all[i]
			numbers[0][i], numbers[1][i], numbers[2][i] = r.head.lo, r.head.hi, ascending(r.num)
		}
	})
	var room digits
	for _, of := range numbers {
		room.sort(places, of)
	}
	o.settle(places)
	if o.reverse {
		slices.Reverse(places)
	}
	sorted := slices.Grow((*o.scratch)[:0], len(places))
	for _, at := range places {
		sorted = append(sorted, o.all[at])
	}
	clear(o.all)
	o.all, *o.scratch = sorted, o.all[:0]
}

// byRef returns where the rows are in the order of their refs, and ranks them by it anew. It reports false when there are few
// rows, or many of which the rank is not known.
func (o *order) byRef() ([]int32, bool) {
	if len(o.all) <= few {
		return nil, false
	}
	most := int32(0)
	for i := range o.all {
		most = max(most, o.all[i].rank)
	}
	at := make([]int32, most+1) // by rank, from 1; 0 for none
	var come []int32
	for i := range o.all {
		if r := o.all[i].rank; r > 0 {
			at[r] = int32(i + 1)
		} else if come = append(come, int32(i)); len(come) > len(o.all)/8 {
			return nil, false
		}
	}
	slices.SortFunc(come, func(a, b int32) int { return fleet.Compare(o.all[a].obj, o.all[b].obj) })
	known := at[:0]
	for _, i := range at {
		if i > 0 {
			known = append(known, i-1)
		}
	}
	places, from := make([]int32, 0, len(o.all)), 0
	for _, i := range come {
		to, _ := slices.BinarySearchFunc(known[from:], o.all[i].obj, func(k int32, obj fleet.Object) int { return fleet.Compare(o.all[k].obj, obj) })
		places = append(append(places, known[from:from+to]...), i)
		from += to
	}
	places = append(places, known[from:]...)
	for rank, i := range places {
		o.all[i].rank = int32(rank + 1)
	}
	return places, true
}

// settle puts rows in order whose numbers and heads are the same, and of whose texts there is more.
func (o *order) settle(places []int32) {
	for from := 0; from < len(places); {
		first, to := &o.all[places[from]], from+1
		whole := first.head.whole
		for ; to < len(places); to++ {
			if r := &o.all[places[to]]; r.head.hi != first.head.hi || r.head.lo != first.head.lo || cmp.Compare(r.num, first.num) != 0 {
				break
			} else if !r.head.whole {
				whole = false
			}
		}
		if !whole && to-from > 1 {
			slices.SortFunc(places[from:to], func(a, b int32) int { return o.rising(&o.all[a], &o.all[b]) })
		}
		from = to
	}
}

// ascending makes of a number one without sign that sorts the same.
func ascending(v float64) uint64 {
	if math.IsNaN(v) {
		return 0
	}
	b := math.Float64bits(v + 0) // of the two zeros one
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

// digits is the room to sort by numbers, byte by byte.
type digits struct{ from, to []digit }

type digit struct {
	key uint64
	at  int32
}

// sort sorts places by the number at each; of equal numbers the order stays.
func (d *digits) sort(places []int32, numbers []uint64) {
	differ := uint64(0)
	for _, n := range numbers {
		differ |= n ^ numbers[0]
	}
	if differ == 0 {
		return
	}
	if d.from == nil {
		d.from, d.to = make([]digit, len(places)), make([]digit, len(places))
	}
	for i, at := range places {
		d.from[i] = digit{numbers[at], at}
	}
	for shift := 0; shift < 64; shift += 8 {
		if byte(differ>>shift) == 0 {
			continue
		}
		var next [256]int32
		for i := range d.from {
			next[byte(d.from[i].key>>shift)]++
		}
		at := int32(0)
		for i, n := range next {
			next[i], at = at, at+n
		}
		for _, x := range d.from {
			to := &next[byte(x.key>>shift)]
			d.to[*to] = x
			*to++
		}
		d.from, d.to = d.to, d.from
	}
	for i := range places {
		places[i] = d.from[i].at
	}
}
