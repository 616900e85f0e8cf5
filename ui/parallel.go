package ui

import (
	"runtime"
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
