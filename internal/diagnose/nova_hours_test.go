package diagnose

import (
	"math"
	"testing"
	"time"
)

func TestTailOfABinomial(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k, n    int
		p, want float64
	}{
		{0, 5, 0.3, 1},
		{5, 5, 0.5, 1.0 / 32},
		{1, 2, 0.25, 0.4375},
		{6, 5, 0.5, 0},
		{20, 22, 9.0 / 24, 2.889e-7}, // the stops of the incident
	} {
		if got := atLeast(c.k, c.n, c.p); math.Abs(got-c.want) > 0.01*c.want {
			t.Errorf("%d of %d at %.3f: %.4g, want %.4g", c.k, c.n, c.p, got, c.want)
		}
	}
}

// Times of day that chance gives are hardly ever taken for a habit: the test is one in a hundred by its own measure.
func TestChanceIsNoHabit(t *testing.T) {
	t.Parallel()
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	habits, state := 0, uint64(1)
	for range 300 {
		var times []time.Time
		for n := range 20 {
			state = state*6364136223846793005 + 1442695040888963407
			times = append(times, day.AddDate(0, 0, n).Add(time.Duration(state>>40)%(24*60)*time.Minute))
		}
		if _, p := tightest(times); p < 0.01 {
			habits++
		}
	}
	if habits > 3 {
		t.Errorf("%d of 300", habits)
	}
}
