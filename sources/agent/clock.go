package agent

import (
	"time"

	"strata/internal/fleet"
)

// clock estimates how far another machine's clock is off, from the answer that came back fastest: it was on its way for
// at most as long as the question and the answer together took.
type clock struct {
	known bool
	ahead time.Duration
	trip  time.Duration
	asked int // answers since the best one
}

// forget is after how many answers a better old one counts no more: clocks drift, and are set.
const forget = 24

// hear takes a time that the other machine told, and when it came. asked is when it was asked for, zero if it was not.
func (c *clock) hear(told, asked, now time.Time) {
	if asked.IsZero() {
		if !c.known {
			c.ahead = told.Sub(now)
		}
		return
	}
	trip := now.Sub(asked)
	if trip < 0 {
		return
	}
	if c.asked++; !c.known || trip <= c.trip || c.asked > forget {
		c.known, c.trip, c.asked = true, trip, 0
		c.ahead = told.Sub(asked.Add(trip / 2))
	}
}

// skew is how far the other clock is ahead, in seconds; missing until an answer came.
func (c *clock) skew() fleet.Opt[float64] {
	if !c.known {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(c.ahead.Seconds())
}

// shift is what brings a time of that machine onto our clock. What is less than what the way takes is no skew.
func (c *clock) shift() time.Duration {
	if c.ahead.Abs() < max(100*time.Millisecond, 2*c.trip) {
		return 0
	}
	return -c.ahead
}
