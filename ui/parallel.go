package ui

import (
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
	var all sync.WaitGroup
	for i := range cores {
		all.Go(func() { do(n*i/cores, n*(i+1)/cores) })
	}
	all.Wait()
}

// passing returns the rows that pass, in their order.
func passing(rows []row, keep func(fleet.Object) bool) []row {
	pass := make([]bool, len(rows))
	each(len(rows), func(from, to int) {
		for i := from; i < to; i++ {
			pass[i] = keep(rows[i].obj)
		}
	})
	kept := rows[:0]
	for i := range rows {
		if pass[i] {
			kept = append(kept, rows[i])
		}
	}
	clear(rows[len(kept):])
	return kept
}

// sortRows sorts, on two cores when there are many rows.
func sortRows(rows []row, scratch *[]row, compare func(a, b row) int) []row {
	if len(rows) <= few {
		slices.SortFunc(rows, compare)
		return rows
	}
	half := len(rows) / 2
	var other sync.WaitGroup
	other.Go(func() { slices.SortFunc(rows[:half], compare) })
	slices.SortFunc(rows[half:], compare)
	other.Wait()
	merged := slices.Grow((*scratch)[:0], len(rows))
	i, j := 0, half
	for i < half && j < len(rows) {
		if compare(rows[i], rows[j]) <= 0 {
			merged = append(merged, rows[i])
			i++
		} else {
			merged = append(merged, rows[j])
			j++
		}
	}
	merged = append(append(merged, rows[i:half]...), rows[j:]...)
	clear(rows)
	*scratch = rows
	return merged
}
