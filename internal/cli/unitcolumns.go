package cli

import (
	"strconv"
	"strings"

	"strata/internal/fleet"
)

func unitColumns() []column {
	sum := func(which func(*fleet.UnitIO) fleet.Opt[float64]) func(u *fleet.Unit) string {
		return func(u *fleet.Unit) string {
			var all fleet.Opt[float64]
			for i := range u.IO {
				if v := which(&u.IO[i]); v.OK {
					all = fleet.Some(all.V + v.V)
				}
			}
			return maybe(all, perSecond)
		}
	}
	return []column{
		{"NAME", false, on(func(u *fleet.Unit) string { return u.Name })},
		{"DOMAIN", false, on(func(u *fleet.Unit) string { return u.Domain })},
		{"CPU", true, on(func(u *fleet.Unit) string { return maybe(u.CPU, percent) })},
		{"MEMORY", true, on(func(u *fleet.Unit) string { return maybe(u.Memory, size[uint64]) })},
		{"SWAPPED", true, on(func(u *fleet.Unit) string { return maybe(u.Swapped, size[uint64]) })},
		{"SWAPMAX", true, on(func(u *fleet.Unit) string { return maybe(u.SwapMax, size[uint64]) })},
		{"READ", true, on(sum(func(d *fleet.UnitIO) fleet.Opt[float64] { return d.ReadBytesSec }))},
		{"WRITE", true, on(sum(func(d *fleet.UnitIO) fleet.Opt[float64] { return d.WriteBytesSec }))},
		{"PRESSURE", true, on(func(u *fleet.Unit) string {
			if u.Pressure == nil {
				return ""
			}
			return strconv.FormatFloat(u.Pressure.Some10, 'f', 0, 64) + "%"
		})},
		{"PID", true, on(func(u *fleet.Unit) string {
			if u.PID == 0 {
				return ""
			}
			return strconv.Itoa(u.PID)
		})},
		{"COMMAND", false, on(func(u *fleet.Unit) string { return u.Command })},
		{"LIMITS", false, on(limitsOf)},
	}
}

// limitsOf lists the limits on each disk as io.max has them; those of virsh blkiotune are marked.
func limitsOf(u *fleet.Unit) string {
	var says []string
	for _, d := range u.IO {
		if d.Limit.Any() {
			says = append(says, d.Disk+" "+d.Limit.String())
		}
		if d.LibvirtLimit.Any() {
			says = append(says, "libvirt "+d.Disk+" "+d.LibvirtLimit.String())
		}
	}
	return strings.Join(says, ", ")
}

func swapColumns() []column {
	return []column{
		{"NAME", false, on(func(a *fleet.SwapArea) string { return a.Name })},
		{"STATUS", false, on(func(a *fleet.SwapArea) string { return a.Health().Word })},
		{"TYPE", false, on(func(a *fleet.SwapArea) string { return a.Type })},
		{"SIZE", true, on(func(a *fleet.SwapArea) string { return maybe(a.Total, size[uint64]) })},
		{"USED", true, on(func(a *fleet.SwapArea) string { return maybe(a.Used, size[uint64]) })},
		{"PRIORITY", true, on(func(a *fleet.SwapArea) string {
			if !a.Active {
				return ""
			}
			return strconv.Itoa(a.Priority)
		})},
		{"DISK", false, on(func(a *fleet.SwapArea) string { return a.Disk })},
		{"UNITS", false, on(func(a *fleet.SwapArea) string { return strings.Join(a.Units, ",") })},
		{"FSTAB", false, on(func(a *fleet.SwapArea) string { return a.Fstab })},
	}
}
