package diagnose

import (
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// coolingRules judge temperatures by more than the sensor's own limits, and fans.
func coolingRules() []Rule {
	return []Rule{{
		ID: "TMP-02", Title: "hot, by usual limits", Kind: fleet.KindSensor, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source: "where a sensor tells no limits: CPU 85 and 95 °C, NVMe 70 and 80, hard disk 50 and 60, SATA solid-state disk 65 and 75 (heuristic); of other chips none, as inputs that nothing is wired to read anything",
		Hold:   2 * time.Minute, Clear: 5 * time.Minute, Reads: Reads{Around: []fleet.Kind{fleet.KindDisk}}, Judge: on(usuallyHot),
	}, {
		ID: "TMP-03", Title: "CPU close to where it slows down", Kind: fleet.KindSensor, Severity: fleet.Warn,
		Source: "coretemp.rst: the reading is a distance from TjMax; less than 10 °C for 2 min, critical under 5 (heuristic)",
		Hold:   2 * time.Minute, Clear: time.Minute, Judge: on(nearLimit),
	}, {
		ID: "TMP-04", Title: "CPU hot while it does little", Kind: fleet.KindSensor, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source: "over 75 °C with less than a fifth of the CPUs busy, for 10 min: fan, dust or paste (heuristic)",
		Hold:   10 * time.Minute, Clear: time.Minute, Reads: Reads{Around: []fleet.Kind{fleet.KindHost}}, Judge: on(idleHeat),
	}, {
		ID: "TMP-05", Title: "fan stands still", Kind: fleet.KindSensor, Severity: fleet.Critical,
		Source: "hwmon ABI: fan*_input 0 with a fan*_min, or fan*_alarm; a note of one that was not seen turning: there may be none",
		Hold:   20 * time.Second, Clear: 30 * time.Second, Judge: on(fanStopped),
	}}
}

func ofCPU(t *fleet.Sensor) bool {
	return slices.Contains([]string{"coretemp", "k10temp", "zenpower", "cpu_thermal"}, t.Chip)
}

// wholeCPU reports whether a CPU sensor is that of the package, not of a core.
func wholeCPU(t *fleet.Sensor) bool {
	return ofCPU(t) && !t.Spot()
}

// usualLimits are those of the sort of thing that a sensor is in; false where there is no such thing. spins says that it is in a
// hard disk.
func usualLimits(t *fleet.Sensor, spins bool) (warn, crit float64, ok bool) {
	switch {
	case ofCPU(t):
		return 85, 95, true
	case t.Chip == "nvme":
		return 70, 80, !t.Spot() // its other sensors may run much hotter
	case t.Chip == "drivetemp" && spins:
		return 50, 60, true
	case t.Chip == "drivetemp":
		return 65, 75, true
	}
	return 0, 0, false
}

func usuallyHot(s *fleet.Snapshot, t *fleet.Sensor) Verdict {
	spins := false
	if t.Chip == "drivetemp" {
		d, known := fleet.Find[*fleet.Disk](s, fleet.OfHost(fleet.KindDisk, t.Source, t.Host, t.Disk))
		spins = known && d.Rotational.Or(false)
	}
	warn, crit, ok := usualLimits(t, spins)
	switch {
	case t.Fan != nil || !ok || t.Max.OK || t.Crit.OK:
		return Verdict{State: OK} // TMP-01 judges it by its own
	case !t.Celsius.OK:
		return noReading(t)
	case t.Celsius.V < warn-cooled:
		return Verdict{State: OK}
	case t.Celsius.V < warn:
		return Verdict{State: Lingering}
	}
	v := Verdict{
		State: Bad, Because: []fleet.Evidence{heatEvidence(t)},
		Says: fmt.Sprintf("%s on %s is over %.0f °C; it tells no limit of its own", sensorName(t), t.Host, warn),
	}
	if t.Celsius.V >= crit {
		v.Severity = fleet.Serious
		v.Says = fmt.Sprintf("%s on %s is over %.0f °C, where such things fail; it tells no limit of its own", sensorName(t), t.Host, crit)
	}
	return v
}

func noReading(t *fleet.Sensor) Verdict {
	why := t.NoData
	if why == "" {
		why = "no reading"
	}
	return Verdict{State: CannotTell, Missing: []string{"its reading: " + why + "; sensors on " + t.Host}}
}

func nearLimit(_ *fleet.Snapshot, t *fleet.Sensor) Verdict {
	left := t.Crit.V - t.Celsius.V
	v := Verdict{State: Bad, Because: []fleet.Evidence{heatEvidence(t)}}
	switch {
	case t.Fan != nil || !wholeCPU(t):
		return Verdict{State: OK}
	case !t.Celsius.OK:
		return noReading(t)
	case !t.Crit.OK:
		return Verdict{State: CannotTell, Missing: []string{"its TjMax: the sensor tells no temp*_crit"}}
	case left >= 12:
		return Verdict{State: OK}
	case left >= 10:
		return Verdict{State: Lingering}
	case left < 5:
		v.Severity = fleet.Critical
		v.Says = fmt.Sprintf("%s on %s is less than 5 °C below where the CPU protects itself (%s)", sensorName(t), t.Host, limit(t.Crit))
	default:
		v.Says = fmt.Sprintf("%s on %s is less than 10 °C below where the CPU protects itself (%s)", sensorName(t), t.Host, limit(t.Crit))
	}
	return v
}

func idleHeat(s *fleet.Snapshot, t *fleet.Sensor) Verdict {
	const hot, idle = 75, 0.2
	switch {
	case t.Fan != nil || !wholeCPU(t):
		return Verdict{State: OK}
	case !t.Celsius.OK:
		return noReading(t)
	case t.Celsius.V <= hot-cooled:
		return Verdict{State: OK}
	}
	h, ok := fleet.Find[*fleet.Host](s, fleet.Ref{Kind: fleet.KindHost, Source: t.Source, Name: t.Host})
	switch {
	case !ok || !h.Busy.OK:
		return Verdict{State: CannotTell, Missing: []string{"how busy its CPUs are: top on " + t.Host}}
	case h.Busy.V >= idle+0.1:
		return Verdict{State: OK}
	case h.Busy.V >= idle || t.Celsius.V <= hot:
		return Verdict{State: Lingering}
	}
	return Verdict{
		State: Bad, Says: fmt.Sprintf("%s on %s is over %d °C although its CPUs do little: look at fan, dust and paste", sensorName(t), t.Host, hot),
		Because: []fleet.Evidence{heatEvidence(t), because(h, time.Time{}, "/proc/stat", "less than a fifth of its CPUs' time is used")},
	}
}

func fanStopped(_ *fleet.Snapshot, t *fleet.Sensor) Verdict {
	switch {
	case t.Fan == nil:
		return Verdict{State: OK}
	case !t.Fan.RPM.OK && !t.Alarm:
		return noReading(t)
	case !t.Stopped():
		return Verdict{State: OK}
	}
	v := Verdict{
		State: Bad, Says: fmt.Sprintf("%s on %s stands still", sensorName(t), t.Host),
		Because: []fleet.Evidence{because(t, time.Time{}, "hwmon "+t.Name, "%d rpm, min %d, alarm=%t", t.Fan.RPM.V, t.Fan.Min.V, t.Alarm)},
	}
	switch {
	case t.Fan.RPM.V > 0:
		v.Says = fmt.Sprintf("%s on %s turns too slowly: it raises an alarm", sensorName(t), t.Host)
	case !t.Fan.Turned:
		v.Severity, v.Confidence = fleet.Info, fleet.Low
		v.Says += ", or there is none: it has not turned since strata looks"
		v.Missing = []string{"whether there is a fan: look inside " + t.Host + "; of an empty header set fan*_min to 0"}
	}
	return v
}
