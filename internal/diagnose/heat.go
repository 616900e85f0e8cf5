package diagnose

import (
	"cmp"
	"fmt"
	"time"

	"strata/internal/fleet"
)

func heatRules() []Rule {
	return []Rule{{
		ID: "TMP-01", Title: "too hot", Kind: fleet.KindSensor, Severity: fleet.Warn,
		Source: "the sensor's own limits: hwmon temp*_max for 5 min, temp*_crit and temp*_crit_alarm at once",
		Hold:   5 * time.Minute, Clear: 10 * time.Second, Explains: []string{"TMP-03"}, Judge: on(tooHot),
	}}
}

// cooled is how far below its limit a sensor must be where it tells no hysteresis of its own (heuristic).
const cooled = 5.0

func tooHot(_ *fleet.Snapshot, t *fleet.Sensor) Verdict {
	switch {
	case t.Fan != nil:
		return Verdict{State: OK}
	case !t.Celsius.OK && !t.Alarm:
		return Verdict{State: CannotTell, Missing: []string{"its temperature: " + cmp.Or(t.NoData, "no reading")}}
	case !t.Max.OK && !t.Crit.OK && !t.Alarm:
		return Verdict{State: CannotTell, Missing: []string{"its limits: the sensor tells no temp*_max and no temp*_crit"}}
	}
	name, now := sensorName(t), t.Celsius.V
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{heatEvidence(t)}}
	switch {
	case t.Alarm, t.Crit.OK && now >= t.Crit.V:
		verdict.Severity, verdict.Now = fleet.Critical, true
		verdict.Says = fmt.Sprintf("%s on %s is at its critical temperature (%s)", name, t.Host, limit(t.Crit))
	case t.Max.OK && now >= t.Max.V:
		verdict.Says = fmt.Sprintf("%s on %s is over its maximum of %s", name, t.Host, limit(t.Max))
	case t.Celsius.OK && now >= clearAt(t):
		verdict.State = Lingering
		verdict.Says = fmt.Sprintf("%s on %s is still over %.0f °C", name, t.Host, clearAt(t))
	default:
		return Verdict{State: OK}
	}
	return verdict
}

// turnWord says how a temperature changed, and how bad where it went is: by the sensor's own limits, else by the usual ones.
func turnWord(t *fleet.Sensor, turn fleet.Turn) (string, fleet.State) {
	if !turn.Warmer() {
		return "cooler", fleet.StateOK
	}
	top, crit, _ := limitsOf(t)
	switch {
	case crit.OK && turn.To >= crit.V:
		return "warmer", fleet.StateBad
	case top.OK && turn.To >= top.V:
		return "warmer", fleet.StateWarn
	}
	return "warmer", fleet.StateOK
}

// turnSays tells of a change with the first limit that is not passed, or the last one that is.
func turnSays(t *fleet.Sensor, turn fleet.Turn) string {
	says := fmt.Sprintf("from %.0f to %.0f °C", turn.From, turn.To)
	top, crit, whose := limitsOf(t)
	if !top.OK || crit.OK && turn.To >= top.V {
		top = crit
	}
	if top.OK && turn.Warmer() {
		says += fmt.Sprintf(", %s %.0f", whose, top.V)
	}
	return fmt.Sprintf("%s (%s %s)", says, t.Chip, sensorName(t))
}

// limitsOf are a sensor's own limits, else the usual ones, with a word for them. A hard disk's usual ones are lower than what is
// taken here for each disk; TMP-02 knows which it is.
func limitsOf(t *fleet.Sensor) (top, crit fleet.Opt[float64], word string) {
	if t.Max.OK || t.Crit.OK {
		return t.Max, t.Crit, "limit"
	}
	warn, worst, ok := usualLimits(t, false)
	return fleet.Opt[float64]{V: warn, OK: ok}, fleet.Opt[float64]{V: worst, OK: ok}, "usual limit"
}

// sensorName is what people call a sensor.
func sensorName(t *fleet.Sensor) string {
	name := cmp.Or(t.Label, t.Name)
	if t.Disk != "" {
		name += " of " + t.Disk
	}
	return name
}

func heatEvidence(t *fleet.Sensor) fleet.Evidence {
	return because(t, time.Time{}, "hwmon "+t.Name, "%.0f °C, max %s, crit %s, alarm=%t", t.Celsius.V, limit(t.Max), limit(t.Crit), t.Alarm)
}

// clearAt is where a sensor counts as cooled down: below its hysteresis, else 5 degrees below its lowest limit.
func clearAt(t *fleet.Sensor) float64 {
	switch {
	case t.MaxHyst.OK && t.Max.OK && t.MaxHyst.V < t.Max.V:
		return t.MaxHyst.V
	case t.Max.OK:
		return t.Max.V - cooled
	}
	return t.Crit.V - cooled
}

func limit(c fleet.Opt[float64]) string {
	if !c.OK {
		return "not told"
	}
	return fmt.Sprintf("%.0f °C", c.V)
}
