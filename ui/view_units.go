package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

func unitsView() *view {
	return &view{
		name: "units", title: "VMs and cgroups", kinds: []fleet.Kind{fleet.KindUnit}, systems: hostSystems, empty: "no control group with processes on any host",
		why: missing("units:"), worst: heaviest,
		count: func(c *scene) string {
			n, limited := 0, 0
			for u := range fleet.All[*fleet.Unit](c.s, fleet.KindUnit) {
				if n++; u.Limited() {
					limited++
				}
			}
			if limited == 0 {
				return fmt.Sprintf("%d %s, none limited", n, plural("group", n))
			}
			return fmt.Sprintf("%d %s, %d limited", n, plural("group", n), limited)
		},
		columns: []column{
			{title: "host", width: 9, grow: 1, drop: 1, search: true, middle: true, cell: of(func(_ *scene, u *fleet.Unit) cell { return cell{u.Host, dim} }), key: text(func(u *fleet.Unit) string { return u.Host })},
			{title: "unit", width: 14, grow: 3, search: true, middle: true, cell: of(unitName), key: text(func(u *fleet.Unit) string { return or(u.Domain, u.Name) })},
			{title: "disk", width: 10, search: true, drop: 6, cell: of(unitDisk)},
			{title: "read", width: 8, right: true, cell: of(func(_ *scene, u *fleet.Unit) cell {
				return unitRate(u, func(d *fleet.UnitIO) fleet.Opt[float64] { return d.ReadBytesSec })
			}), key: number(func(u *fleet.Unit) float64 { return -busiest(u).ReadBytesSec.V })},
			{title: "write", width: 8, right: true, cell: of(func(_ *scene, u *fleet.Unit) cell {
				return unitRate(u, func(d *fleet.UnitIO) fleet.Opt[float64] { return d.WriteBytesSec })
			}), key: number(func(u *fleet.Unit) float64 { return -busiest(u).WriteBytesSec.V })},
			{title: "limit", width: 22, grow: 1, flash: true, cell: of(unitLimit)},
			{title: "because", width: 16, grow: 2, drop: 5, idle: true, cell: because},
			{title: "psi io", width: 6, right: true, drop: 3, cell: of(unitPressure), key: number(unitStall)},
			{title: "cpu", width: 5, right: true, drop: 4, cell: of(func(_ *scene, u *fleet.Unit) cell { return cell{percent(u.CPU), dim} }), key: number(func(u *fleet.Unit) float64 { return -u.CPU.V })},
			{title: "memory", width: 6, right: true, drop: 8, cell: of(func(_ *scene, u *fleet.Unit) cell { return amount(u.Memory) }), key: number(func(u *fleet.Unit) float64 { return -float64(u.Memory.V) })},
			{title: "swapped", width: 9, right: true, drop: 2, cell: of(unitSwapped), key: number(func(u *fleet.Unit) float64 { return -float64(u.Swapped.V) })},
			{title: "process", width: 14, drop: 9, search: true, cell: of(unitProcess)},
			{title: "scope", width: 20, grow: 2, drop: 10, search: true, idle: true, cell: of(func(_ *scene, u *fleet.Unit) cell {
				if u.Domain == "" {
					return cell{}
				}
				return cell{u.Name, dim}
			})},
		},
	}
}

// heaviest puts those first that load a disk most, then those that use most of the CPU. Loads alike are one, so that
// rows stand still while rates move a little.
func heaviest(o fleet.Object, _ fleet.State) sortKey {
	u := o.(*fleet.Unit)
	bytes := 0.0
	for i := range u.IO {
		bytes += u.IO[i].Bytes().V
	}
	const little = 16 << 10 // bytes per second that are nothing
	load := math.Round(math.Log2(bytes/little + 1))
	busy := math.Round(math.Log2(u.CPU.V*10 + 1))
	rank := -load*100 - busy
	if u.Domain == "" {
		rank += 0.5
	}
	return sortKey{num: rank, str: u.Host + " " + or(u.Domain, u.Name)}
}

func unitName(_ *scene, u *fleet.Unit) cell {
	if u.Domain != "" {
		return cell{u.Domain, bold}
	}
	return cell{u.Name, plain}
}

// busiest is the disk that a row is about.
func busiest(u *fleet.Unit) fleet.UnitIO {
	if d := u.Busiest(); d != nil {
		return *d
	}
	return fleet.UnitIO{}
}

func unitDisk(_ *scene, u *fleet.Unit) cell {
	d := busiest(u).Disk
	if more := len(u.IO) - 1; more > 0 {
		d += fmt.Sprintf(" +%d", more)
	}
	return cell{d, dim}
}

// unitRate is nothing for a unit that is known to do nothing, and a dash where it is not known what it does.
func unitRate(u *fleet.Unit, which func(*fleet.UnitIO) fleet.Opt[float64]) cell {
	d := u.Busiest()
	switch {
	case d != nil:
		return cell{limitedRate(which(d)), plain}
	case len(u.Missing) > 0:
		return cell{"—", dim}
	}
	return cell{}
}

// unitLimit draws how much of the limit that is closest to being reached is used, and names all places where the unit
// is limited: its own io.max (nothing is said of that), libvirt's, and inside qemu.
func unitLimit(c *scene, u *fleet.Unit) cell {
	d := busiest(u)
	var marks []string
	if d.LibvirtLimit.Any() {
		marks = append(marks, "libvirt")
	}
	if tunedInside(c.s, u) {
		marks = append(marks, "qemu")
	}
	elsewhere := 0
	for i := range u.IO {
		if io := &u.IO[i]; io.Number != d.Number && (io.Limit.Any() || io.LibvirtLimit.Any()) {
			elsewhere++
		}
	}
	if elsewhere > 0 {
		marks = append(marks, fmt.Sprintf("+%d", elsewhere))
	}
	share, says := nearestLimit(d)
	switch {
	case says == "" && len(marks) == 0 && len(u.Lost) > 0:
		if u.Lost[0].DropIn != "" {
			return cell{"inert " + u.Lost[0].Limit.String(), warnInk}
		}
		return cell{"lost " + u.Lost[0].Limit.String(), warnInk}
	case says == "" && len(marks) == 0:
		return cell{"none", dim}
	case says == "":
		return cell{strings.Join(marks, " "), plain}
	}
	style := plain
	if share >= 0.9 {
		style = warnInk
	}
	return cell{strings.Join(append([]string{c.t.gauge(share, 4), says}, marks...), " "), style}
}

// nearestLimit is the limit on a disk that the rate comes closest to, with the share of it that is used.
func nearestLimit(d fleet.UnitIO) (share float64, says string) {
	share = -1
	for _, l := range []fleet.IOLimit{d.Limit, d.LibvirtLimit} {
		for _, f := range []struct {
			word  string
			limit fleet.Opt[uint64]
			now   fleet.Opt[float64]
			unit  func(float64) string
		}{
			{"r", l.ReadBytesSec, d.ReadBytesSec, bytesASecond},
			{"w", l.WriteBytesSec, d.WriteBytesSec, bytesASecond},
			{"r", l.ReadsSec, d.ReadsSec, perSecond},
			{"w", l.WritesSec, d.WritesSec, perSecond},
		} {
			if !f.limit.OK || f.limit.V == 0 {
				continue
			}
			if used := f.now.V / float64(f.limit.V); used > share {
				share, says = used, f.word+" "+f.unit(float64(f.limit.V))
			}
		}
	}
	return share, says
}

// limitedRate is a rate that stands beside its limit, and is counted as that is: the other tables count in 1024.
func limitedRate(v fleet.Opt[float64]) string {
	if !v.OK || v.V < 1 {
		return rate(v)
	}
	digit := math.Pow10(int(math.Log10(v.V)) - 2) // the third of its digits
	return bytesASecond(math.Round(v.V/digit) * digit)
}

// bytesASecond is a limit as it was set: systemd and libvirt count in thousands.
func bytesASecond(n float64) string {
	units := []string{"B/s", "KB/s", "MB/s", "GB/s", "TB/s"}
	i := 0
	for n >= 1000 && i < len(units)-1 {
		n /= 1000
		i++
	}
	return strconv.FormatFloat(math.Round(n*100)/100, 'f', -1, 64) + units[i]
}

func perSecond(n float64) string { return fmt.Sprintf("%.0f/s", n) }

// tunedInside reports whether the domain of a unit is limited by blkdeviotune.
func tunedInside(s *fleet.Snapshot, u *fleet.Unit) bool {
	if u.Domain == "" {
		return false
	}
	for d := range fleet.All[*fleet.Domain](s, fleet.KindDomain) {
		if d.Host != u.Host || d.Name != u.Domain && d.Process.Unit != u.Name {
			continue
		}
		for i := range d.Disks {
			if d.Disks[i].Tune.Any() {
				return true
			}
		}
	}
	return false
}

func unitPressure(_ *scene, u *fleet.Unit) cell {
	if u.Pressure == nil {
		return cell{"—", dim}
	}
	style := dim
	if u.Pressure.Some10 >= 50 {
		style = warnInk
	}
	return cell{fmt.Sprintf("%.0f/%.0f", u.Pressure.Some10, u.Pressure.Full10), style}
}

func unitStall(u *fleet.Unit) float64 {
	if u.Pressure == nil {
		return 0
	}
	return -u.Pressure.Some10
}

func unitSwapped(_ *scene, u *fleet.Unit) cell {
	now := amount(u.Swapped)
	if u.SwapMax.OK {
		now.text += "/" + bytesOf(float64(u.SwapMax.V))
	}
	return now
}

func unitProcess(_ *scene, u *fleet.Unit) cell {
	if u.PID == 0 {
		return cell{u.Command, dim}
	}
	return cell{fmt.Sprintf("%s %d", u.Command, u.PID), dim}
}

func amount(bytes fleet.Opt[uint64]) cell {
	if !bytes.OK {
		return cell{"—", dim}
	}
	return cell{bytesOf(float64(bytes.V)), dim}
}

func swapView() *view {
	return &view{
		name: "swap", title: "Swap", kinds: []fleet.Kind{fleet.KindSwap}, systems: hostSystems, empty: "no swap on any host, and none at boot",
		why: missing("swaps:"),
		worst: func(o fleet.Object, _ fleet.State) sortKey {
			a := o.(*fleet.SwapArea)
			used := 0.0
			if a.Total.V > 0 {
				used = math.Round(float64(a.Used.V) / float64(a.Total.V) * 20)
			}
			return sortKey{num: -used, str: a.Host + " " + a.Name}
		},
		count: func(c *scene) string {
			n, on := 0, 0
			for a := range fleet.All[*fleet.SwapArea](c.s, fleet.KindSwap) {
				if n++; a.Active {
					on++
				}
			}
			return fmt.Sprintf("%d of %d on", on, n)
		},
		columns: []column{
			{title: "host", width: 9, grow: 2, search: true, middle: true, cell: of(func(_ *scene, a *fleet.SwapArea) cell { return cell{a.Host, plain} }), key: text(func(a *fleet.SwapArea) string { return a.Host })},
			{title: "area", width: 12, grow: 3, search: true, middle: true, cell: of(swapName), key: text(func(a *fleet.SwapArea) string { return a.Name })},
			{title: "state", width: 5, search: true, flash: true, cell: health},
			{title: "used", width: 16, cell: of(swapBar), key: number(func(a *fleet.SwapArea) float64 { return -float64(a.Used.V) })},
			{title: "of", width: 11, right: true, drop: 2, cell: of(swapUsed), key: number(func(a *fleet.SwapArea) float64 { return -float64(a.Total.V) })},
			{title: "disk", width: 8, drop: 3, search: true, cell: of(func(_ *scene, a *fleet.SwapArea) cell { return cell{a.Disk, dim} })},
			{title: "at boot", width: 14, grow: 1, search: true, cell: of(swapAtBoot)},
			{title: "host in", width: 8, right: true, drop: 5, cell: of(func(c *scene, a *fleet.SwapArea) cell {
				return hostSwapRate(c, a, func(s fleet.Swap) fleet.Opt[float64] { return s.InBytesSec })
			})},
			{title: "host out", width: 8, right: true, drop: 5, cell: of(func(c *scene, a *fleet.SwapArea) cell {
				return hostSwapRate(c, a, func(s fleet.Swap) fleet.Opt[float64] { return s.OutBytesSec })
			})},
			{title: "prio", width: 5, right: true, drop: 6, cell: of(func(_ *scene, a *fleet.SwapArea) cell {
				if !a.Active {
					return cell{}
				}
				return cell{fmt.Sprint(a.Priority), dim}
			})},
			{title: "type", width: 9, drop: 7, search: true, cell: of(func(_ *scene, a *fleet.SwapArea) cell { return cell{a.Type, dim} })},
		},
	}
}

// swapName is an area's path, or how people know a mapped device: by its volume's name.
func swapName(_ *scene, a *fleet.SwapArea) cell {
	if len(a.Mapped) > 0 && strings.HasPrefix(a.Name, "/dev/") {
		return cell{a.Mapped[0], plain}
	}
	return cell{a.Name, plain}
}

func swapBar(c *scene, a *fleet.SwapArea) cell {
	if !a.Total.OK || a.Total.V == 0 {
		return cell{}
	}
	share := float64(a.Used.V) / float64(a.Total.V)
	style := plain
	if share > 0.5 {
		style = warnInk
	}
	return cell{c.t.bar(share, 8), style}
}

func swapUsed(_ *scene, a *fleet.SwapArea) cell {
	if !a.Total.OK {
		return cell{"—", dim}
	}
	return cell{bytesOf(float64(a.Used.V)) + "/" + bytesOf(float64(a.Total.V)), dim}
}

// swapAtBoot says what turns an area on at boot.
func swapAtBoot(_ *scene, a *fleet.SwapArea) cell {
	var says []string
	if a.Fstab != "" {
		says = append(says, "fstab")
	}
	if n := len(a.Units); n > 0 {
		says = append(says, fmt.Sprintf("%d %s", n, plural("unit", n)))
	}
	if len(says) == 0 {
		return cell{"no", dim}
	}
	return cell{strings.Join(says, ", "), dim}
}

// hostSwapRate is what goes in or out of all swap of an area's host.
func hostSwapRate(c *scene, a *fleet.SwapArea, which func(fleet.Swap) fleet.Opt[float64]) cell {
	h, ok := fleet.Find[*fleet.Host](c.s, fleet.Ref{Kind: fleet.KindHost, Source: a.Source, Name: a.Host})
	if !ok || !a.Active {
		return cell{}
	}
	return cell{rate(which(h.Swap)), dim}
}
