package sources

import (
	"math"
	"slices"
	"sync"
	"time"

	"strata/internal/fleet"
)

// How a temperature turns. All of it is heuristic: CPUs jump by ten degrees and more for seconds, which means nothing.
const (
	turnBy     = 10.0             // °C that it is away from where it was
	turnFor    = time.Minute      // for so long; at once where it is over a limit of its own
	turnGoesOn = 10 * time.Minute // what it goes further within this time is one change
	mostTurns  = 16               // the newest ones are kept
)

// Turns remembers of each temperature where it was and how it changed. Make them with NewTurns.
type Turns struct {
	mu      sync.Mutex
	sensors map[[2]string]*turning
}

// NewTurns returns empty ones.
func NewTurns() *Turns { return &Turns{sensors: map[[2]string]*turning{}} }

// turning is what is known of a temperature.
type turning struct {
	began time.Time // the first reading
	base  float64   // where it was left: the end of the last turn, before the first one the lowest of the first readings
	away  time.Time // since when it is far from there, to one side; zero when it is not
	far   float64   // the furthest it was since
	farAt time.Time
	turns []fleet.Turn // oldest first; never written to
}

// Enter enters a new reading of a sensor, and gives the sensor the turns of its temperature so far, also where it has no reading
// now. Fans have none, and neither have spots (fleet.Sensor.Spot), as a whole with many would tell each thing as many times.
func (t *Turns) Enter(s *fleet.Sensor, at time.Time) {
	if s.Fan != nil || s.Spot() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := [2]string{s.Host, s.Name}
	of := t.sensors[key]
	if s.Celsius.OK {
		if of == nil {
			of = &turning{began: at, base: s.Celsius.V}
			t.sensors[key] = of
		}
		of.enter(s, at)
	}
	if of != nil {
		s.Turns = of.turns
	}
}

func (t *turning) enter(s *fleet.Sensor, at time.Time) {
	v := s.Celsius.V
	if t.further(v, at) {
		return
	}
	if at.Sub(t.began) < turnFor { // what began to look is busy
		t.base = min(t.base, v)
	}
	if math.Abs(v-t.base) < turnBy {
		t.away = time.Time{}
		return
	}
	sameSide := !t.away.IsZero() && (v > t.base) == (t.far > t.base)
	if !sameSide {
		t.away = at
	}
	if !sameSide || math.Abs(v-t.base) > math.Abs(t.far-t.base) {
		t.far, t.farAt = v, at
	}
	if at.Sub(t.away) < turnFor && !passed(s.Max, t.base, v) && !passed(s.Crit, t.base, v) {
		return
	}
	kept := t.turns[max(0, len(t.turns)-mostTurns+1):]
	t.turns = append(slices.Clone(kept), fleet.Turn{At: t.away, Until: t.farAt, From: t.base, To: t.far})
	t.base, t.away = t.far, time.Time{}
}

// further moves the end of the last turn if it still goes on.
func (t *turning) further(v float64, at time.Time) bool {
	n := len(t.turns) - 1
	if n < 0 || v == t.base || (v > t.base) != t.turns[n].Warmer() || at.Sub(t.turns[n].Until) > turnGoesOn {
		return false
	}
	t.turns = slices.Clone(t.turns)
	t.turns[n].To, t.turns[n].Until = v, at
	t.base, t.away = v, time.Time{}
	return true
}

func passed(limit fleet.Opt[float64], from, to float64) bool {
	return limit.OK && from < limit.V && to >= limit.V
}
