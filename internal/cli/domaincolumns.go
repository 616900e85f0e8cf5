package cli

import (
	"strconv"
	"time"

	"strata/internal/fleet"
)

func domainColumns() []column {
	sum := func(of func(*fleet.DomainDisk) fleet.Opt[float64]) func(fleet.Object, time.Time) string {
		return on(func(d *fleet.Domain) string {
			all := fleet.Opt[float64]{}
			for i := range d.Disks {
				if one := of(&d.Disks[i]); one.OK {
					all = fleet.Some(all.V + one.V)
				}
			}
			return maybe(all, perSecond)
		})
	}
	return []column{
		{"NAME", false, on(func(d *fleet.Domain) string { return d.Name })},
		{"HOST", false, on(func(d *fleet.Domain) string { return d.Host })},
		{"STATUS", false, on(func(d *fleet.Domain) string { return d.Health().Word })},
		{"VCPUS", true, on(func(d *fleet.Domain) string { return strconv.Itoa(d.Compute.VCPUs) })},
		{"MEMORY", true, on(func(d *fleet.Domain) string { return size(d.Compute.Memory) })},
		{"SWAPPED", true, on(func(d *fleet.Domain) string { return maybe(d.Process.Swapped, size[uint64]) })},
		{"READ", true, sum(func(d *fleet.DomainDisk) fleet.Opt[float64] { return d.Read })},
		{"WRITE", true, sum(func(d *fleet.DomainDisk) fleet.Opt[float64] { return d.Write })},
		{"UP", true, aged(func(d *fleet.Domain) time.Time { return d.Process.Started })},
		{"PID", true, on(func(d *fleet.Domain) string {
			if d.Process.PID == 0 {
				return ""
			}
			return strconv.Itoa(d.Process.PID)
		})},
		{"UUID", false, on(func(d *fleet.Domain) string { return d.UUID })},
		{"NOVA", false, on(func(d *fleet.Domain) string { return d.Nova })},
		{"UNIT", false, on(func(d *fleet.Domain) string { return d.Process.Unit })},
	}
}
