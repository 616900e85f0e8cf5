package host

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// ioLine is a line of a group's io.stat: what it did to one device since the group was made.
type ioLine struct {
	number                    string // major:minor
	rbytes, wbytes, rios, wos uint64
}

// parseIOStat reads io.stat. Some kernels print numbers of devices without any figures, even in one line with another's.
func parseIOStat(b []byte) (all []ioLine) {
	for line := range strings.Lines(string(b)) {
		var at ioLine
		told := false
		for _, f := range strings.Fields(line) {
			key, value, isFigure := strings.Cut(f, "=")
			if !isFigure {
				at, told = ioLine{number: f}, false
				continue
			}
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				continue
			}
			switch key {
			case "rbytes":
				at.rbytes, told = n, true
			case "wbytes":
				at.wbytes, told = n, true
			case "rios":
				at.rios, told = n, true
			case "wios":
				at.wos, told = n, true
			}
		}
		if told && fleet.IsDeviceNumber(at.number) {
			all = append(all, at)
		}
	}
	return all
}

// parseUsage reads usage_usec of cpu.stat.
func parseUsage(b []byte) (usec uint64, ok bool) {
	for line := range strings.Lines(string(b)) {
		if v, is := strings.CutPrefix(line, "usage_usec "); is {
			n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// unescapeUnit turns the \xNN of a unit's name back into characters.
func unescapeUnit(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if c, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// domainOf is the libvirt domain that a scope is named for: machine-qemu\x2dID\x2dNAME.scope, with a number that is
// another one after each start. libvirt leaves characters out of the name that no machine's name may have.
func domainOf(unit string) (name string, ok bool) {
	scope, isScope := strings.CutSuffix(unit, ".scope")
	machine, isMachine := strings.CutPrefix(unescapeUnit(scope), "machine-qemu-")
	id, name, hasName := strings.Cut(machine, "-")
	if _, err := strconv.ParseUint(id, 10, 32); err != nil || !isScope || !isMachine || !hasName {
		return "", false
	}
	return name, name != ""
}

// guestOf is the name of the domain on qemu's command line, "" when there is none: -name guest=NAME,debug-threads=on,
// where a comma in a name is doubled.
func guestOf(argv []string) string {
	i := slices.Index(argv, "-name")
	if i < 0 || i+1 >= len(argv) {
		return ""
	}
	// What stands for a comma in a name can stand in no name itself.
	const comma = "\x00"
	for n, part := range strings.Split(strings.ReplaceAll(argv[i+1], ",,", comma), ",") {
		name, isName := strings.CutPrefix(part, "guest=")
		if isName || n == 0 && !strings.Contains(part, "=") {
			return strings.ReplaceAll(name, comma, ",")
		}
	}
	return ""
}

// unitIO joins what a group did with its limits, by disk. byNumber tells a number's name and whether it is a whole
// disk; of other devices, which pass on to disks what they get, only limits are told.
func unitIO(now, before []ioLine, seconds float64, limits, libvirt map[string]fleet.IOLimit, byNumber func(string) (string, bool)) (all []fleet.UnitIO) {
	of := func(number string) *fleet.UnitIO {
		for i := range all {
			if all[i].Number == number {
				return &all[i]
			}
		}
		name, _ := byNumber(number)
		all = append(all, fleet.UnitIO{Disk: name, Number: number})
		return &all[len(all)-1]
	}
	for _, n := range now {
		if _, whole := byNumber(n.number); !whole {
			continue
		}
		io := of(n.number)
		b := ioLine{number: n.number} // a device it had not touched before
		if i := slices.IndexFunc(before, func(o ioLine) bool { return o.number == n.number }); i >= 0 {
			b = before[i]
		}
		if seconds <= 0 || before == nil {
			continue
		}
		io.ReadBytesSec, io.WriteBytesSec = perSecond(n.rbytes, b.rbytes, seconds), perSecond(n.wbytes, b.wbytes, seconds)
		io.ReadsSec, io.WritesSec = perSecond(n.rios, b.rios, seconds), perSecond(n.wos, b.wos, seconds)
	}
	for number, l := range limits {
		of(number).Limit = l
	}
	for number, l := range libvirt {
		of(number).LibvirtLimit = l
	}
	slices.SortFunc(all, func(a, b fleet.UnitIO) int {
		return cmp.Or(cmp.Compare(a.Disk, b.Disk), cmp.Compare(a.Number, b.Number))
	})
	return all
}

func perSecond(now, before uint64, seconds float64) fleet.Opt[float64] {
	if now < before {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(float64(now-before) / seconds)
}
