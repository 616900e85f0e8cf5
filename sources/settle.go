package sources

import (
	"reflect"
	"slices"

	"strata/internal/fleet"
)

// Settle sorts the facts of a look and keeps the pointers of those that did not change since the look before. Facts with
// a sample, for a trend, stay new ones.
func Settle(before, facts fleet.Facts, sampled bool) fleet.Facts {
	slices.SortFunc(facts, fleet.Compare)
	if sampled {
		return facts
	}
	i := 0
	for n, o := range facts {
		for i < len(before) && fleet.Compare(before[i], o) < 0 {
			i++
		}
		if i < len(before) && reflect.DeepEqual(before[i], o) {
			facts[n] = before[i]
		}
	}
	return facts
}
