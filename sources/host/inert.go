package host

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// dropIns are where systemd keeps what `systemctl set-property` told it, the strongest first.
func dropIns() []string {
	return []string{"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient"}
}

// ioProperties are systemd's limits on I/O, with where each stands in a limit.
func ioProperties() map[string]func(*fleet.IOLimit) *fleet.Opt[uint64] {
	return map[string]func(*fleet.IOLimit) *fleet.Opt[uint64]{
		"IOReadBandwidthMax":  func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.ReadBytesSec },
		"IOWriteBandwidthMax": func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.WriteBytesSec },
		"IOReadIOPSMax":       func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.ReadsSec },
		"IOWriteIOPSMax":      func(l *fleet.IOLimit) *fleet.Opt[uint64] { return &l.WritesSec },
	}
}

// inert are the limits that systemd was told of for a unit while the kernel has none of that sort for it: systemd takes any
// text for a device, and says in its journal only that there is none of that name.
func (u *units) inert(unit *fleet.Unit) (all []fleet.LostLimit) {
	if len(u.told[unit.Name]) == 0 || unit.Lacks("io.max") {
		return nil
	}
	asked := map[string]string{} // file by property
	for _, at := range u.told[unit.Name] {
		files, _ := u.at.List(at) // it may be gone
		for _, file := range files {
			property := strings.TrimSuffix(strings.TrimPrefix(file, "50-"), ".conf")
			if _, known := ioProperties()[property]; known && asked[property] == "" {
				asked[property] = path.Join(at, file)
			}
		}
	}
	for property, file := range asked {
		of := ioProperties()[property]
		if holds(unit, of) {
			continue
		}
		text, _ := u.at.Text(file) // it may be gone
		for device, value := range askedLimits(text, property) {
			l := fleet.LostLimit{Disk: device, Unit: unit.Name, DropIn: file}
			*of(&l.Limit) = fleet.Some(value)
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b fleet.LostLimit) int {
		return cmp.Or(strings.Compare(a.DropIn, b.DropIn), strings.Compare(a.Disk, b.Disk))
	})
	return all
}

// toldOf finds the folders of what systemd was told, by unit. Hardly any unit has one.
func (u *units) toldOf() map[string][]string {
	all := map[string][]string{}
	for _, folder := range dropIns() {
		names, _ := u.at.List(folder)
		for _, name := range names {
			if unit, ok := strings.CutSuffix(name, ".d"); ok {
				all[unit] = append(all[unit], folder+"/"+name)
			}
		}
	}
	return all
}

// holds reports whether a unit has a limit of one sort on any disk.
func holds(unit *fleet.Unit, of func(*fleet.IOLimit) *fleet.Opt[uint64]) bool {
	for i := range unit.IO {
		if of(&unit.IO[i].Limit).OK {
			return true
		}
	}
	return false
}

// askedLimits reads what a drop-in sets a property to, by device: an empty value takes back what stands before it.
func askedLimits(text, property string) map[string]uint64 {
	all := map[string]uint64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name != property {
			continue
		}
		device, limit, _ := strings.Cut(strings.TrimSpace(value), " ")
		if device == "" {
			clear(all)
			continue
		}
		// What is no number is infinity, and 0 none: neither limits anything.
		if n, err := strconv.ParseUint(strings.TrimSpace(limit), 10, 64); err == nil && n > 0 && len(all) < mostAsked {
			all[device] = n
		}
	}
	return all
}

// mostAsked is how many devices of one property are told of.
const mostAsked = 16
