package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

var hostSystems = []string{"host", "prometheus"}

func temperaturesView() *view {
	return &view{
		name: "temps", title: "Temperatures", kinds: []fleet.Kind{fleet.KindSensor}, systems: hostSystems, empty: "no sensor on any host", why: missing("temperatures:"),
		worst: hottest,
		count: func(c *scene) string {
			t := c.s.Tally(fleet.KindSensor)
			if over := t[fleet.StateBad] + t[fleet.StateWarn]; over > 0 {
				return fmt.Sprintf("%d over limit", over)
			}
			return strconv.Itoa(t.Total()) + " sensors"
		},
		columns: []column{
			{title: "host", width: 10, grow: 2, search: true, middle: true, cell: of(func(_ *scene, s *fleet.Sensor) cell { return cell{s.Host, plain} }), key: text(func(s *fleet.Sensor) string { return s.Host })},
			{title: "sensor", width: 14, grow: 2, search: true, cell: of(sensorName), key: text(func(s *fleet.Sensor) string { return s.Label })},
			{title: "trend", width: 8, grow: 1, drop: 3, cell: of(sensorTrend)},
			{title: "now", width: 6, right: true, search: true, cell: of(sensorNow), key: number(func(s *fleet.Sensor) float64 { return -s.Celsius.Or(-300) })},
			{title: "max/crit", width: 9, right: true, drop: 1, cell: of(sensorLimits)},
			{title: "chip", width: 10, drop: 7, search: true, cell: of(func(_ *scene, s *fleet.Sensor) cell { return cell{s.Chip, dim} }), key: text(func(s *fleet.Sensor) string { return s.Chip })},
		},
	}
}

// missing says what hosts could not read of a sort, and why.
func missing(sort string) func(*scene) []string {
	return func(c *scene) (says []string) {
		for h := range fleet.All[*fleet.Host](c.s, fleet.KindHost) {
			for _, m := range h.Missing {
				if strings.HasPrefix(m, sort) {
					says = append(says, h.Name+": "+clean(strings.TrimSpace(strings.TrimPrefix(m, sort))))
				}
			}
		}
		return says
	}
}

// hottest puts what is over its limit first, then the packages and disks before the single cores, each by name so that
// rows stand still while readings move.
func hottest(o fleet.Object, state fleet.State) sortKey {
	s := o.(*fleet.Sensor)
	k := sortKey{num: float64(state.Rank()) * 10, str: s.Host}
	if strings.HasPrefix(s.Label, "Core ") {
		k.num++
	}
	return k
}

func sensorName(_ *scene, s *fleet.Sensor) cell {
	if s.Disk != "" {
		return cell{s.Disk + " " + s.Label, plain}
	}
	return cell{or(s.Label, s.Name), plain}
}

func sensorTrend(c *scene, s *fleet.Sensor) cell {
	values := c.s.Trend(s.Ref())
	lo, hi := 20.0, 100.0
	if s.Crit.OK {
		hi = s.Crit.V
	} else if s.Max.OK {
		hi = s.Max.V
	}
	return cell{c.t.spark(values, 8, lo, hi), c.t.state(s.Health().State)}
}

func sensorNow(c *scene, s *fleet.Sensor) cell {
	if s.Fan != nil && s.Fan.RPM.OK {
		return cell{strconv.Itoa(s.Fan.RPM.V), c.t.state(s.Health().State)}
	}
	if !s.Celsius.OK {
		return cell{or(s.NoData, "no data"), dim}
	}
	return cell{fmt.Sprintf("%.0f", s.Celsius.V) + c.t.or(" °C", " C"), c.t.state(s.Health().State)}
}

// sensorLimits are the sensor's own: max and crit, "—" for one it does not tell.
func sensorLimits(c *scene, s *fleet.Sensor) cell {
	if s.Fan != nil && s.Fan.Min.OK {
		return cell{"min " + strconv.Itoa(s.Fan.Min.V), dim}
	}
	if !s.Max.OK && !s.Crit.OK {
		return cell{"no limits", dim}
	}
	limit := func(l fleet.Opt[float64]) string {
		if !l.OK {
			return c.t.or("—", "-")
		}
		return fmt.Sprintf("%.0f", l.V)
	}
	return cell{limit(s.Max) + "/" + limit(s.Crit), dim}
}

func disksView() *view {
	return &view{
		name: "disks", title: "Disks", kinds: []fleet.Kind{fleet.KindDisk}, systems: hostSystems, empty: "no disk on any host",
		worst: func(o fleet.Object, s fleet.State) sortKey {
			d := o.(*fleet.Disk)
			k := worst(o, s)
			if grew(d) > 0 {
				k.num = min(k.num, 1)
			}
			k.str = d.Host
			return k
		},
		count: func(c *scene) string {
			n := 0
			for d := range fleet.All[*fleet.Disk](c.s, fleet.KindDisk) {
				if grew(d) > 0 {
					n++
				}
			}
			if n > 0 {
				return fmt.Sprintf("errors grew on %d", n)
			}
			return "no new errors"
		},
		columns: []column{
			{title: "host", width: 9, grow: 1, search: true, middle: true, cell: of(func(_ *scene, d *fleet.Disk) cell { return cell{d.Host, plain} }), key: text(func(d *fleet.Disk) string { return d.Host })},
			{title: "disk", width: 8, search: true, cell: of(func(_ *scene, d *fleet.Disk) cell { return cell{d.Name, plain} }), key: text(func(d *fleet.Disk) string { return d.Name })},
			{title: "health", width: 8, drop: 4, search: true, flash: true, cell: health},
			{title: "errors, +since mark", width: 24, grow: 4, flash: true, cell: of(diskErrors), key: number(func(d *fleet.Disk) float64 { return -float64(grew(d)) })},
			{title: "read", width: 8, right: true, drop: 8, cell: of(func(_ *scene, d *fleet.Disk) cell { return cell{rate(d.IO.ReadBytesSec), dim} }), key: number(func(d *fleet.Disk) float64 { return -d.IO.ReadBytesSec.Or(0) })},
			{title: "write", width: 8, right: true, drop: 5, cell: of(func(_ *scene, d *fleet.Disk) cell { return cell{rate(d.IO.WriteBytesSec), dim} }), key: number(func(d *fleet.Disk) float64 { return -d.IO.WriteBytesSec.Or(0) })},
			{title: "await", width: 7, right: true, drop: 6, cell: of(diskAwait), key: number(func(d *fleet.Disk) float64 { return -float64(d.IO.Await.Or(0)) })},
			{title: "util", width: 5, right: true, drop: 7, cell: of(func(_ *scene, d *fleet.Disk) cell { return cell{percent(d.IO.Util), dim} }), key: number(func(d *fleet.Disk) float64 { return -d.IO.Util.Or(0) })},
			{title: "wear", width: 5, right: true, drop: 9, cell: of(diskWear)},
			{title: "model", width: 22, grow: 1, drop: 10, search: true, cell: of(func(_ *scene, d *fleet.Disk) cell { return cell{d.Model, dim} }), key: text(func(d *fleet.Disk) string { return d.Model })},
		},
	}
}

// grew sums what the counters of a disk grew by since their marks.
func grew(d *fleet.Disk) (n uint64) {
	for _, c := range d.Counters {
		n += c.Grew()
	}
	return n
}

// diskErrors names each counter that grew, else the ones that matter most with their lifetime values.
func diskErrors(_ *scene, d *fleet.Disk) cell {
	var up, all []string
	for _, c := range d.Counters {
		if c.Grew() > 0 {
			up = append(up, fmt.Sprintf("%s %d +%d", counterWord(c.Name), c.Value, c.Grew()))
		} else if len(all) < 4 {
			all = append(all, fmt.Sprintf("%s %d +0", counterWord(c.Name), c.Value))
		}
	}
	switch {
	case len(up) > 0:
		return cell{strings.Join(up, "  "), badInk}
	case len(all) > 0:
		return cell{strings.Join(all, "  "), dim}
	case len(d.Missing) > 0:
		return cell{strings.Join(d.Missing, "; "), dim}
	}
	return cell{"no counters", dim}
}

// counterWord is a short word for a counter; the details have its whole name.
func counterWord(name string) string {
	switch name {
	case "media_errors":
		return "media"
	case "num_err_log_entries":
		return "log"
	case "unsafe_shutdowns":
		return "unsafe"
	case "reallocated":
		return "realloc"
	case "reported_uncorrect":
		return "uncorrect"
	case "command_timeout":
		return "timeout"
	case "offline_uncorrectable":
		return "offline"
	case "crc_errors":
		return "crc"
	case "thermal_temp1_transitions", "thermal_temp2_transitions":
		return "throttled"
	}
	return words(name)
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

func diskAwait(_ *scene, d *fleet.Disk) cell {
	if !d.IO.Await.OK {
		return cell{"", dim}
	}
	ms := float64(d.IO.Await.V) / float64(time.Millisecond)
	style := dim
	if ms > 100 {
		style = warnInk
	}
	return cell{fmt.Sprintf("%.1fms", ms), style}
}

func diskWear(_ *scene, d *fleet.Disk) cell {
	if d.Smart == nil || !d.Smart.UsedPct.OK {
		return cell{}
	}
	return cell{strconv.Itoa(d.Smart.UsedPct.V) + " %", dim}
}

// hostUp is how long a host has been up; nobody knows of one that is lost.
func hostUp(c *scene, h *fleet.Host) cell {
	if h.Identity.Lost != "" {
		return cell{"—", dim}
	}
	return cell{coarse(h.Boot, c.now()), dim}
}

// seenBy is the source of a host that strata does not read itself.
func seenBy(h *fleet.Host) string {
	if strings.HasPrefix(h.Source, fleet.FleetSource) {
		return h.Source
	}
	return ""
}

func filesystemsView() *view {
	return &view{
		name: "files", title: "Filesystems", kinds: []fleet.Kind{fleet.KindFilesystem}, worst: worst, systems: hostSystems, empty: "no filesystem with storage behind it",
		count: func(c *scene) string { return c.amounts(fleet.KindFilesystem) },
		columns: []column{
			{title: "host", width: 8, grow: 1, drop: 4, search: true, cell: of(func(_ *scene, f *fleet.Filesystem) cell { return cell{f.Host, plain} }), key: text(func(f *fleet.Filesystem) string { return f.Host })},
			{title: "mount", width: 12, grow: 2, search: true, cell: of(func(_ *scene, f *fleet.Filesystem) cell { return cell{f.Mount, plain} }), key: text(func(f *fleet.Filesystem) string { return f.Mount })},
			{title: "used", width: 6, right: true, flash: true, cell: health, key: number(func(f *fleet.Filesystem) float64 { return -f.UsedShare().Or(0) })},
			{title: "free", width: 7, right: true, cell: of(func(_ *scene, f *fleet.Filesystem) cell { return size(f, f.Available) }), key: number(func(f *fleet.Filesystem) float64 { return float64(f.Available) })},
			{title: "size", width: 7, right: true, drop: 3, cell: of(func(_ *scene, f *fleet.Filesystem) cell { return size(f, f.Total) }), key: number(func(f *fleet.Filesystem) float64 { return -float64(f.Total) })},
			{title: "type", width: 6, drop: 5, search: true, cell: of(func(_ *scene, f *fleet.Filesystem) cell { return cell{f.Type, dim} })},
			{title: "errors", width: 12, grow: 1, drop: 2, flash: true, cell: of(filesystemErrors)},
			{title: "device", width: 18, grow: 1, drop: 6, search: true, cell: of(func(_ *scene, f *fleet.Filesystem) cell { return cell{f.Device, dim} })},
		},
	}
}

// size is one of a filesystem's figures, where it told any.
func size(f *fleet.Filesystem, n uint64) cell {
	if f.NoData != "" || f.Total == 0 {
		return cell{"—", dim}
	}
	return cell{bytesOf(float64(n)), dim}
}

func filesystemErrors(_ *scene, f *fleet.Filesystem) cell {
	var says []string
	style := dim
	if f.NoData != "" {
		says, style = append(says, f.NoData), warnInk
	}
	if f.ReadOnly {
		says, style = append(says, "read-only"), warnInk
	}
	for _, c := range f.Counters {
		if c.Grew() > 0 {
			style = badInk
		}
		if c.Value > 0 {
			says = append(says, fmt.Sprintf("%s %d +%d", words(c.Name), c.Value, c.Grew()))
		}
	}
	return cell{strings.Join(says, "  "), style}
}
