package ui

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"

	"strata/internal/fleet"
)

// few is how many rows one core deals with faster than two.
const few = 4096

// each calls do for every stretch of n rows, on as many cores as there are.
func each(n int, do func(from, to int)) {
	cores := runtime.GOMAXPROCS(0)
	if n <= few || cores == 1 {
		do(0, n)
		return
	}
	together(cores, func(i int) { do(n*i/cores, n*(i+1)/cores) })
}

// together runs n pieces of work side by side. A panic in one of them becomes the caller's: only there is it caught, and
// the terminal restored.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	panics := make(chan any, n)
	for i := range n {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			do(i)
		})
	}
	all.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}

// passing returns which rows pass, of those at the places given, or of all.
func passing(rows []row, of []int32, keep func(*row) bool) []int32 {
	n := len(rows)
	if of != nil {
		n = len(of)
	}
	place := func(i int) int32 {
		if of != nil {
			return of[i]
		}
		return int32(i)
	}
	pass := make([]bool, n)
	each(n, func(from, to int) {
		for i := from; i < to; i++ {
			pass[i] = keep(&rows[place(i)])
		}
	})
	kept := make([]int32, 0, n)
	for i := range pass {
		if pass[i] {
			kept = append(kept, place(i))
		}
	}
	return kept
}

// sorting is a row as it is sorted: small, and most often enough to tell which comes first.
type sorting struct {
	num  float64
	head uint64
	at   int32
}

// sortAll sorts all rows, on two cores when there are many.
func (o *order) sortAll() {
	places := make([]sorting, len(o.all))
	for i := range o.all {
		places[i] = sorting{o.all[i].num, o.all[i].head, int32(i)}
	}
	compare := func(a, b sorting) int {
		c := cmp.Compare(a.num, b.num)
		if c == 0 {
			c = cmp.Compare(a.head, b.head)
		}
		switch {
		case c == 0:
			return o.compare(&o.all[a.at], &o.all[b.at])
		case o.reverse:
			return -c
		}
		return c
	}
	half := 0
	if len(places) > few {
		half = len(places) / 2
	}
	halves := [2][]sorting{places[:half], places[half:]}
	together(2, func(i int) { slices.SortFunc(halves[i], compare) })
	sorted := (*o.scratch)[:0]
	i, j := 0, half
	for i < half && j < len(places) {
		if compare(places[i], places[j]) <= 0 {
			sorted = append(sorted, o.all[places[i].at])
			i++
		} else {
			sorted = append(sorted, o.all[places[j].at])
			j++
		}
	}
	for _, rest := range [2][]sorting{places[i:half], places[j:]} {
		for _, p := range rest {
			sorted = append(sorted, o.all[p.at])
		}
	}
	clear(o.all)
	o.all, *o.scratch = sorted, o.all[:0]
}

// classify sorts rows that differ in few numbers only, as when all but some are fine. They come in the order of their
// refs and keep it; only the classes are put in theirs. It reports false when the rows are not of that sort.
func (o *order) classify() bool {
	var nums []float64
	var sizes []int
	for i := range o.all {
		at := slices.Index(nums, o.all[i].num)
		switch {
		case o.all[i].str != "" || at < 0 && len(nums) == 12 || math.IsNaN(o.all[i].num):
			return false
		case at < 0:
			nums, sizes = append(nums, o.all[i].num), append(sizes, 1)
		default:
			sizes[at]++
		}
	}
	next := make([]int, len(nums)) // where the next row of a class goes
	for i := range nums {
		for j := range nums {
			if nums[j] < nums[i] {
				next[i] += sizes[j]
			}
		}
	}
	*o.scratch = slices.Grow((*o.scratch)[:0], len(o.all))[:len(o.all)]
	for i := range o.all {
		at := slices.Index(nums, o.all[i].num)
		(*o.scratch)[next[at]] = o.all[i]
		next[at]++
	}
	o.all, *o.scratch = *o.scratch, o.all
	clear(*o.scratch)
	return true
}

// hays makes the texts that plain filters look through. It only reads, and so may run beside everything else.
func hays(v *view, c *scene, objects []fleet.Object) []string {
	out := make([]string, len(objects))
	each(len(objects), func(from, to int) {
		var arena []byte // one piece of memory for many rows: that is what makes looking through them fast
		ends := make([]int, 0, to-from)
		for i := from; i < to; i++ {
			arena = appendHay(arena, v, c, objects[i])
			ends = append(ends, len(arena))
		}
		all, at := string(arena), 0
		for i, end := range ends {
			out[from+i] = all[at:end]
			at = end
		}
	})
	return out
}

// appendHay appends the searched columns of an object, each ended by a byte that nobody types.
func appendHay(b []byte, v *view, c *scene, o fleet.Object) []byte {
	for i := range v.columns {
		if v.columns[i].search {
			for _, ch := range []byte(v.columns[i].cell(c, o).text) {
				b = append(b, lowerASCII(ch))
			}
			b = append(b, 0)
		}
	}
	return b
}
