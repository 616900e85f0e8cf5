package host

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// fanEvery is how often a fan is read: it does not stop and start within seconds.
const fanEvery = 10 * time.Second

// fansOf finds the fans of one chip.
func (s *sensors) fansOf(chip string, files []string, of fleet.Sensor) (found []*probe) {
	for _, f := range files {
		fan, ok := strings.CutSuffix(f, "_input")
		if !ok || !strings.HasPrefix(fan, "fan") {
			continue
		}
		p := &probe{base: chip + "/" + fan, sensor: of, every: fanEvery, fault: slices.Contains(files, fan+"_fault")}
		p.sensor.Name += fan
		p.sensor.Label = s.at.Word(p.base + "_label")
		if p.sensor.Label == "" {
			p.sensor.Label = fan
		}
		p.sensor.Fan = &fleet.Fan{}
		if slices.Contains(files, fan+"_alarm") {
			p.alarms = append(p.alarms, p.base+"_alarm")
		}
		if n, err := strconv.Atoi(s.at.Word(p.base + "_min")); err == nil && n > 0 && n < 1<<16 {
			p.sensor.Fan.Min = fleet.Some(n)
		}
		found = append(found, p)
	}
	return found
}

// readFan takes one reading of a fan, in steps of a hundred so that what runs evenly is told once. One that turns at all
// is not at zero.
func (s *sensors) readFan(p *probe, v *fleet.Sensor) *fleet.Sensor {
	text := s.at.Word(p.base + "_input")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<17 {
		v.NoData = "reading " + path.Base(p.base) + "_input: not a speed"
		return v
	}
	rpm := (n + 50) / 100 * 100
	if n > 0 {
		rpm = max(rpm, 100)
	}
	v.Fan.RPM, v.Fan.Turned = fleet.Some(rpm), v.Fan.Turned || n > 0
	for _, alarm := range p.alarms {
		v.Alarm = v.Alarm || s.at.Word(alarm) == "1"
	}
	return v
}
