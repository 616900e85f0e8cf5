package prometheus

import (
	"context"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// sensorLook looks at the scope "sensors": the temperatures of hwmon.
type sensorLook struct {
	source string
	ask    *asker
	turns  *sources.Turns

	round  int
	limits map[chipKey]*fleet.Sensor // by instance, chip and sensor: names and limits, which hardly change
	chips  map[key]string            // names of chips, by instance and chip
}

// chipKey is a temperature as node_exporter names it.
type chipKey struct{ instance, chip, sensor string }

func (l *sensorLook) look(ctx context.Context, now time.Time, r *roster) (fleet.Facts, error) {
	if l.round%slowly == 0 || l.limits == nil {
		if err := l.readLimits(ctx); err != nil {
			return nil, err
		}
	}
	l.round++
	alarms, faults := map[chipKey]bool{}, map[chipKey]bool{}
	for _, q := range []struct {
		metric string
		into   map[chipKey]bool
	}{
		{"node_hwmon_temp_crit_alarm_celsius", alarms}, // a flag, whatever its name says
		{"node_hwmon_temp_alarm", alarms},
		{"node_hwmon_temp_fault", faults},
	} {
		// Nearly all are 0, which need not come here.
		err := l.ask.ask(ctx, query{of(q.metric, "", "chip", "sensor").expr + " > 0", []string{"instance", "chip", "sensor"}}, func(v []string, _ float64) {
			q.into[chipKey{v[0], v[1], v[2]}] = true
		})
		if err != nil {
			return nil, err
		}
	}
	var facts fleet.Facts
	err := l.ask.ask(ctx, of("node_hwmon_temp_celsius", "", "chip", "sensor"), func(v []string, celsius float64) {
		host, ok := r.machineOf(v[0])
		if !ok {
			return
		}
		k := chipKey{v[0], v[1], v[2]}
		s := &fleet.Sensor{}
		if known := l.limits[k]; known != nil {
			*s = *known
		}
		s.Source, s.Host, s.Name, s.Disk = l.source, host, l.ask.intern([]byte(k.chip+"/"+k.sensor)), diskOfChip(k.chip)
		if s.Chip = l.chips[key{k.instance, k.chip}]; s.Chip == "" {
			s.Chip = k.chip
		}
		if s.Label == "" {
			s.Label = k.sensor
		}
		s.Alarm = alarms[k]
		switch {
		case faults[k]:
			s.NoData = "the sensor reports a fault"
		case celsius <= -100 || celsius >= 250:
			s.NoData = fmt.Sprintf("implausible: %.0f C", celsius)
		default:
			s.Celsius = fleet.Some(celsius)
		}
		l.turns.Enter(s, now)
		facts = append(facts, s)
	})
	return facts, err
}

// readLimits reads what hardly changes.
func (l *sensorLook) readLimits(ctx context.Context) error {
	limits, chips := map[chipKey]*fleet.Sensor{}, map[key]string{}
	at := func(v []string) *fleet.Sensor {
		k := chipKey{v[0], v[1], v[2]}
		if limits[k] == nil {
			limits[k] = &fleet.Sensor{}
		}
		return limits[k]
	}
	for _, q := range []struct {
		metric string
		set    func(*fleet.Sensor, fleet.Opt[float64])
	}{
		{"node_hwmon_temp_max_celsius", func(s *fleet.Sensor, v fleet.Opt[float64]) { s.Max = v }},
		{"node_hwmon_temp_crit_celsius", func(s *fleet.Sensor, v fleet.Opt[float64]) { s.Crit = v }},
		{"node_hwmon_temp_max_hyst_celsius", func(s *fleet.Sensor, v fleet.Opt[float64]) { s.MaxHyst = v }},
	} {
		err := l.ask.ask(ctx, of(q.metric, "", "chip", "sensor"), func(v []string, celsius float64) { q.set(at(v), limit(celsius)) })
		if err != nil {
			return err
		}
	}
	err := l.ask.ask(ctx, of("node_hwmon_sensor_label", "", "chip", "sensor", "label"), func(v []string, _ float64) {
		if strings.HasPrefix(v[2], "temp") {
			at(v).Label = v[3]
		}
	})
	if err == nil {
		err = l.ask.ask(ctx, of("node_hwmon_chip_names", "", "chip", "chip_name"), func(v []string, _ float64) { chips[key{v[0], v[1]}] = v[2] })
	}
	if err == nil {
		l.limits, l.chips = limits, chips
	}
	return err
}

// limit is a sensor's own. Unset ones are 0, negative, or far too high.
func limit(celsius float64) fleet.Opt[float64] {
	if celsius <= 0 || celsius > 150 {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(celsius)
}

// diskOfChip is the disk of an NVMe drive's chip. Those of SATA drives are named by an address that tells no disk.
func diskOfChip(chip string) string {
	if name, ok := strings.CutPrefix(chip, "nvme_"); ok {
		return wholeDisk(name)
	}
	return ""
}

// wholeDisk is a disk by the name that smartctl has for it: NVMe controllers for their first namespace, device files.
func wholeDisk(name string) string {
	name = strings.TrimPrefix(name, "/dev/")
	if number, ok := strings.CutPrefix(name, "nvme"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
		return name + "n1"
	}
	return name
}
