package sources_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

var dawn = time.Date(2025, 6, 30, 6, 0, 0, 0, time.UTC)

// felt are the turns of a sensor with some limits after readings that come every two seconds; NaN is none.
func felt(t *testing.T, readings []float64, limits fleet.Sensor) []fleet.Turn {
	t.Helper()
	turns := sources.NewTurns()
	var last []fleet.Turn
	for i, v := range readings {
		s := limits
		s.Host, s.Name, s.Celsius = "a", "coretemp@coretemp.0/temp1", fleet.Opt[float64]{V: v, OK: !math.IsNaN(v)}
		before := slices.Clone(last)
		turns.Enter(&s, dawn.Add(time.Duration(i)*2*time.Second))
		if !slices.Equal(before, last) {
			t.Fatalf("reading %d changed what was told before", i)
		}
		last = s.Turns
	}
	return last
}

// ramp goes from one temperature to another within so many seconds, level stays at it.
func ramp(from, to float64, seconds int) (all []float64) {
	for i := range seconds / 2 {
		all = append(all, math.Round(from+(to-from)*float64(2*i)/float64(seconds)))
	}
	return all
}

func level(at float64, seconds int) []float64 { return ramp(at, at, seconds) }

func TestTurnsOfATemperature(t *testing.T) {
	t.Parallel()
	type turn struct{ from, to float64 }
	at84 := fleet.Sensor{Max: fleet.Some(84.0), Crit: fleet.Some(100.0)}
	for _, c := range []struct {
		name   string
		limits fleet.Sensor
		series [][]float64
		want   []turn
	}{
		{"one warm-up", at84, [][]float64{level(45, 300), ramp(45, 92, 120), level(92, 300)}, []turn{{45, 92}}},
		{"one that takes hours", at84, [][]float64{level(30, 300), ramp(30, 60, 3*3600)}, []turn{{30, 60}}},
		{"there and back", at84, [][]float64{level(45, 300), ramp(45, 80, 60), level(80, 300), ramp(80, 47, 60), level(47, 300)}, []turn{{45, 80}, {80, 47}}},
		{"in two steps, long apart", at84, [][]float64{level(45, 300), level(60, 1800), level(75, 300)}, []turn{{45, 60}, {60, 75}}},
		{"for half a minute", at84, [][]float64{level(45, 300), level(80, 30), level(45, 300)}, nil},
		{"for half a minute, over its maximum", at84, [][]float64{level(45, 300), level(90, 30), level(45, 300)}, []turn{{45, 90}, {90, 45}}},
		{"around its maximum", at84, [][]float64{level(80, 300), level(87, 60), level(81, 60), level(87, 60)}, nil},
		{"up and down by turns", at84, [][]float64{level(60, 300), level(71, 40), level(49, 40), level(71, 40), level(49, 40)}, nil},
		{"busy at first", at84, [][]float64{level(72, 4), level(45, 300)}, nil},
		{"no reading in between", at84, [][]float64{level(45, 300), level(70, 300), level(math.NaN(), 20)}, []turn{{45, 70}}},
		{"a fan", fleet.Sensor{Fan: &fleet.Fan{}}, [][]float64{level(45, 300), level(70, 300)}, nil},
		{"a core", fleet.Sensor{Chip: "coretemp", Label: "Core 0"}, [][]float64{level(45, 300), level(70, 300)}, nil},
	} {
		var got []turn
		for _, x := range felt(t, slices.Concat(c.series...), c.limits) {
			got = append(got, turn{x.From, x.To})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: it turned %v, want %v", c.name, got, c.want)
		}
	}
}

func TestATurnHasItsTimes(t *testing.T) {
	t.Parallel()
	got := felt(t, slices.Concat(level(45, 300), level(57, 20), level(70, 300)), fleet.Sensor{})
	if len(got) != 1 || !got[0].At.Equal(dawn.Add(300*time.Second)) || !got[0].Until.Equal(dawn.Add(320*time.Second)) {
		t.Errorf("it was far away after 5 min, and at its end 20 s later: %+v", got)
	}
}

// What stays within ten degrees never turns, whatever it does there; what goes anywhere has turns that are of ten degrees at the
// least, in order, a few of them, each from where the one before ended.
func TestTurnsOfAnySeries(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var narrow, wide []float64
		at := 50.0
		for range 5000 {
			narrow = append(narrow, 60+9.9*rng.Float64())
			if rng.IntN(60) == 0 {
				at = 30 + 70*rng.Float64()
			}
			wide = append(wide, at+3*rng.Float64())
		}
		if got := felt(t, narrow, fleet.Sensor{Max: fleet.Some(65.0)}); got != nil {
			t.Fatalf("seed %d: it fluttered, and turned %v", seed, got)
		}
		got := felt(t, wide, fleet.Sensor{Max: fleet.Some(85.0)})
		if len(got) == 0 || len(got) > 16 {
			t.Fatalf("seed %d: %d turns", seed, len(got))
		}
		for i, x := range got {
			switch {
			case math.Abs(x.To-x.From) < 10, x.Until.Before(x.At):
				t.Errorf("seed %d: %+v", seed, x)
			case i > 0 && (x.From != got[i-1].To || x.At.Before(got[i-1].Until)):
				t.Errorf("seed %d: %+v after %+v", seed, x, got[i-1])
			}
		}
	}
}

func TestAReadingThatTurnsNothingCostsNoMemory(t *testing.T) {
	turns := sources.NewTurns()
	s, at := &fleet.Sensor{Host: "a", Name: "x/temp1", Celsius: fleet.Some(45.0)}, dawn
	turns.Enter(s, at)
	if n := testing.AllocsPerRun(100, func() { at = at.Add(2 * time.Second); turns.Enter(s, at) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
