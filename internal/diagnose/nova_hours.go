package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

func hoursRules() []Rule {
	return []Rule{{
		ID: "NOVA-12", Title: "stops keep to a time of day", Kind: fleet.KindServer, Severity: fleet.Info, Confidence: fleet.Medium,
		Source: "binomial test of the days' first stops by nova in 180 d, 8 days at least, over all windows of 1 to 12 h: p < 0.01 with Bonferroni's correction",
		Judge:  on(sameHours),
	}}
}

// window is some hours of the day, from the start of one, over midnight where need be.
type window struct{ from, hours int }

func (w window) holds(t time.Time) bool { return (t.UTC().Hour()-w.from+24)%24 < w.hours }

func (w window) String() string {
	return fmt.Sprintf("%02d:00 and %02d:00 UTC", w.from, (w.from+w.hours)%24)
}

// longestWindow and windows bound what is tried: a window of more than half a day tells nothing.
const (
	longestWindow = 12
	windows       = 24 * longestWindow
)

// tightest returns the window that is least likely to hold as many of the times as it does if chance spread them over the
// day, and how likely any window is to do so.
func tightest(times []time.Time) (best window, p float64) {
	p = 1
	for hours := 1; hours <= longestWindow; hours++ {
		for from := range 24 {
			w, in := window{from, hours}, 0
			for _, t := range times {
				if w.holds(t) {
					in++
				}
			}
			if q := atLeast(in, len(times), float64(hours)/24) * windows; q < p {
				best, p = w, q
			}
		}
	}
	return best, p
}

// atLeast is how likely k or more of n tries succeed if each does with p, which is less than 1.
func atLeast(k, n int, p float64) (sum float64) {
	term := 1.0 // of 0 of n
	for range n {
		term *= 1 - p
	}
	for i := range n + 1 {
		if i >= k {
			sum += term
		}
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return sum
}

func sameHours(s *fleet.Snapshot, v *fleet.Server) Verdict {
	const span, fewest = 180 * 24 * time.Hour, 8
	if v.Actions == nil {
		return actionsUnread(v)
	}
	var stops []fleet.ServerAction
	var again time.Time
	for _, a := range v.Actions {
		if end := a.Start.Add(span); a.Action == "stop" && a.ByNova() && s.At.Before(end) {
			stops, again = append(stops, a), sooner(again, end)
		}
	}
	// A bad night with many stops is one piece of evidence, not many.
	var days []time.Time
	for i := range stops {
		t := stops[len(stops)-1-i].Start
		if n := len(days); n == 0 || t.UTC().Format(time.DateOnly) != days[n-1].UTC().Format(time.DateOnly) {
			days = append(days, t)
		}
	}
	if len(days) < fewest {
		return Verdict{State: OK, Again: again}
	}
	w, p := tightest(days)
	if p >= 0.01 {
		return Verdict{State: OK, Again: again}
	}
	in := 0
	verdict := Verdict{State: Bad, Since: stops[0].Start, Again: again}
	for _, a := range stops {
		if w.holds(a.Start) {
			in++
		}
		verdict.Because = append(verdict.Because, actionEvidence(v, a)[0])
	}
	verdict.Says = fmt.Sprintf("%d of %d stops of %s by nova came between %s: load or people at that time of day rather than chance or a dying part", in, len(stops), v.Name, w)
	verdict.Because = append([]fleet.Evidence{because(v, stops[0].Start, "nova os-instance-actions", "stops on %d days; p = %.1g that chance puts so many first ones into %d hours", len(days), p, w.hours)}, verdict.Because...)
	verdict.Missing = []string{"what runs then: systemctl list-timers and the deploys of those days"}
	return verdict
}
