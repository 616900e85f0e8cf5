package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/tree"
)

const hwmon = "/sys/class/hwmon"

// sensors reads the scope "sensors": every temperature and every fan of every hwmon chip.
type sensors struct {
	source, host string
	at           tree.Tree
	turns        *sources.Turns
	notes        *notes

	chips   []string // the entries of /sys/class/hwmon that probes came from
	probes  []*probe
	foundAt time.Time
}

// probe is one temperature or one fan and what of it does not change.
type probe struct {
	sensor fleet.Sensor // all but the reading
	base   string       // path of its files, up to temp1
	alarms []string     // files that are 1 while it alarms
	fault  bool         // it has a fault file
	every  time.Duration
	last   *fleet.Sensor
	readAt time.Time
}

func newSensors(s *source, n *notes) *sensors {
	return &sensors{source: s.name, host: s.conf.Name, at: s.at, turns: s.turns, notes: n}
}

// findEvery is how often chips, labels and limits are read again although no chip came or went.
const findEvery = time.Minute

// drivetempEvery is how often a SATA disk is asked: more often could keep it from ever spinning down.
const drivetempEvery = 30 * time.Second

func (s *sensors) look(_ context.Context, now time.Time) (fleet.Facts, error) {
	chips, err := s.at.List(hwmon)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the sensor chips of host %s: %w", s.host, err)
	}
	if s.foundAt.IsZero() || !slices.Equal(chips, s.chips) || now.Sub(s.foundAt) >= findEvery {
		s.find(chips)
		s.foundAt = now
	}
	facts := make(fleet.Facts, 0, len(s.probes))
	for _, p := range s.probes {
		if p.last == nil || now.Sub(p.readAt) >= p.every {
			next := s.read(p)
			s.turns.Enter(next, now)
			if p.sensor.Fan != nil && p.last != nil && reflect.DeepEqual(p.last, next) {
				next = p.last
			}
			p.last, p.readAt = next, now
		}
		facts = append(facts, p.last)
	}
	return facts, nil
}

func (s *sensors) find(chips []string) {
	old := map[string]*probe{}
	for _, p := range s.probes {
		old[p.sensor.Name] = p
	}
	s.chips, s.probes = chips, nil
	taken := map[string]int{}
	for _, chip := range chips {
		for _, p := range s.probesOf(hwmon + "/" + chip) {
			// Two chips of one driver on no device of their own; hwmon order is all there is to tell them apart.
			taken[p.sensor.Name]++
			if n := taken[p.sensor.Name]; n > 1 {
				p.sensor.Name = fmt.Sprintf("%s#%d", p.sensor.Name, n)
			}
			if o := old[p.sensor.Name]; o != nil && p.every > 0 {
				p.last, p.readAt = o.last, o.readAt
			}
			s.probes = append(s.probes, p)
		}
	}
	if len(s.probes) > 0 {
		s.notes.set("temperatures", "")
		return
	}
	line := "temperatures: no sensor in " + hwmon
	dmi := "/sys/class/dmi/id/"
	if v := hypervisor(s.at.Word(dmi+"sys_vendor"), s.at.Word(dmi+"product_name"), s.at.Word("/sys/hypervisor/type"), s.at.Word("/proc/cpuinfo")); v != "" {
		line += " (virtual machine: " + v + ")"
	} else {
		line += " (load the chip's driver: sensors-detect, or modprobe coretemp, k10temp, drivetemp)"
	}
	s.notes.set("temperatures", line)
}

// probesOf finds the temperatures of one chip.
func (s *sensors) probesOf(chip string) (found []*probe) {
	files, _ := s.at.List(chip)
	if !slices.ContainsFunc(files, isInput) {
		// Drivers from before the hwmon class keep their files with the device.
		if older, err := s.at.List(chip + "/device"); err == nil && slices.ContainsFunc(older, isInput) {
			files, chip = older, chip+"/device"
		}
	}
	owner := strings.TrimSuffix(chip, "/device")
	name := s.at.Word(chip + "/name")
	if name == "" {
		name = s.at.Word(owner + "/name")
	}
	device := s.at.Resolve(owner + "/device")
	disk := diskOf(s.at, device)
	if device == "" {
		device = "virtual"
	}
	for _, f := range files {
		if !isInput(f) {
			continue
		}
		temp := strings.TrimSuffix(f, "_input")
		base := chip + "/" + temp
		p := &probe{base: base, sensor: fleet.Sensor{
			Source: s.source, Host: s.host, Chip: name, Disk: disk,
			Name:  name + "@" + path.Base(device) + "/" + temp,
			Label: s.at.Word(base + "_label"),
			Max:   limit(s.at.Word(base + "_max")), Crit: limit(s.at.Word(base + "_crit")), MaxHyst: limit(s.at.Word(base + "_max_hyst")),
		}}
		if p.sensor.Label == "" {
			p.sensor.Label = temp
		}
		if name == "drivetemp" {
			p.every = drivetempEvery
		}
		for _, alarm := range []string{temp + "_crit_alarm", temp + "_alarm"} {
			if slices.Contains(files, alarm) {
				p.alarms = append(p.alarms, chip+"/"+alarm)
			}
		}
		p.fault = slices.Contains(files, temp+"_fault")
		found = append(found, p)
	}
	return append(found, s.fansOf(chip, files, fleet.Sensor{
		Source: s.source, Host: s.host, Chip: name, Name: name + "@" + path.Base(device) + "/",
	})...)
}

// read takes one reading. A sensor without one says why; it is never left out.
func (s *sensors) read(p *probe) *fleet.Sensor {
	v := p.sensor
	if v.Fan != nil {
		fan := *v.Fan
		fan.Turned = p.last != nil && p.last.Fan.Turned
		v.Fan = &fan
	}
	if p.fault && s.at.Word(p.base+"_fault") == "1" {
		v.NoData = "the sensor reports a fault (" + path.Base(p.base) + "_fault)"
		return &v
	}
	if p.sensor.Fan != nil {
		return s.readFan(p, &v)
	}
	b, err := s.at.Bytes(p.base + "_input")
	if err != nil {
		v.NoData = "reading " + path.Base(p.base) + "_input: " + reason(err)
		return &v
	}
	v.Celsius, v.NoData = reading(string(b))
	for _, alarm := range p.alarms {
		v.Alarm = v.Alarm || s.at.Word(alarm) == "1"
	}
	return &v
}

func isInput(file string) bool {
	return strings.HasPrefix(file, "temp") && strings.HasSuffix(file, "_input")
}

// reading is temp*_input, in thousandths of a degree. What no machine survives is no reading: a chip input with nothing
// wired to it reads 0 K or the end of its scale.
func reading(text string) (fleet.Opt[float64], string) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fleet.Opt[float64]{}, fmt.Sprintf("not a temperature: %.40q", text)
	}
	if n <= -100_000 || n >= 250_000 {
		return fleet.Opt[float64]{}, fmt.Sprintf("implausible: %.0f C", float64(n)/1000)
	}
	return fleet.Some(float64(n) / 1000), ""
}

// limit is temp*_max and its like. Unset ones read 0, negative, or far too high: an NVMe drive's is 65261.85 C.
func limit(text string) fleet.Opt[float64] {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n <= 0 || n > 150_000 {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(float64(n) / 1000)
}

// diskOf names the disk that a chip's device is or belongs to, "" for others. A SATA disk's chip hangs on its SCSI
// device, which has block/sda; an NVMe one on the controller, or on its PCI device in older kernels.
func diskOf(at tree.Tree, device string) string {
	if device == "" {
		return ""
	}
	if disks, err := at.List(device + "/block"); err == nil && len(disks) > 0 {
		return disks[0]
	}
	namespace := regexp.MustCompile(`^(nvme\d+)(c\d+)?(n\d+)$`)
	folders := []string{device}
	if controllers, err := at.List(device + "/nvme"); err == nil {
		for _, c := range controllers {
			folders = append(folders, device+"/nvme/"+c)
		}
	}
	for _, folder := range folders {
		entries, err := at.List(folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			// Under multipath the controller has nvme0c0n1, a path to the disk nvme0n1.
			if m := namespace.FindStringSubmatch(e); m != nil {
				return m[1] + m[3]
			}
		}
	}
	return ""
}
