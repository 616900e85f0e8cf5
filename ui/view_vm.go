package ui

import (
	"strconv"
	"strings"

	"strata/internal/fleet"
)

func vmsView() *view {
	domain := of[*fleet.Domain]
	return &view{
		name: "vms", title: "Virtual machines", kinds: []fleet.Kind{fleet.KindDomain}, worst: worst, systems: []string{"libvirt"}, empty: "libvirt has no virtual machine",
		count: func(c *scene) string { return c.amounts(fleet.KindDomain) },
		columns: []column{
			{title: "domain", width: 14, grow: 2, search: true, middle: true, cell: domain(func(_ *scene, d *fleet.Domain) cell { return cell{d.Name, plain} }), key: text(func(d *fleet.Domain) string { return d.Name })},
			{title: "host", width: 10, grow: 1, drop: 4, search: true, middle: true, cell: domain(func(_ *scene, d *fleet.Domain) cell { return cell{d.Host, dim} }), key: text(func(d *fleet.Domain) string { return d.Host })},
			{title: "state", width: 18, grow: 1, search: true, flash: true, cell: health},
			{title: "because", width: 16, grow: 2, drop: 2, idle: true, cell: because},
			{title: "nova server", width: 12, grow: 2, drop: 3, search: true, cell: domain(func(_ *scene, d *fleet.Domain) cell { return cell{d.Nova, plain} }), key: text(func(d *fleet.Domain) string { return d.Nova })},
			{title: "vcpu/mem", width: 9, right: true, drop: 6, cell: domain(vmSize), key: number(func(d *fleet.Domain) float64 { return -float64(d.Compute.Memory) })},
			{title: "cpu", width: 5, right: true, drop: 8, cell: domain(func(_ *scene, d *fleet.Domain) cell { return cell{onlyRunning(d, percent(d.Process.CPU)), dim} }), key: number(func(d *fleet.Domain) float64 { return -d.Process.CPU.Or(0) })},
			{title: "read", width: 8, right: true, drop: 5, cell: domain(func(_ *scene, d *fleet.Domain) cell {
				return cell{onlyRunning(d, limitedRate(diskSum(d, func(k *fleet.DomainDisk) fleet.Opt[float64] { return k.Read }))), dim}
			}), key: number(func(d *fleet.Domain) float64 {
				return -diskSum(d, func(k *fleet.DomainDisk) fleet.Opt[float64] { return k.Read }).Or(0)
			})},
			{title: "write", width: 8, right: true, drop: 2, cell: domain(func(_ *scene, d *fleet.Domain) cell {
				return cell{onlyRunning(d, limitedRate(diskSum(d, func(k *fleet.DomainDisk) fleet.Opt[float64] { return k.Write }))), dim}
			}), key: number(func(d *fleet.Domain) float64 {
				return -diskSum(d, func(k *fleet.DomainDisk) fleet.Opt[float64] { return k.Write }).Or(0)
			})},
			{title: "limits", width: 14, grow: 5, drop: 1, cell: domain(vmLimits)},
			{title: "swapped", width: 7, right: true, drop: 7, cell: domain(vmSwapped), key: number(func(d *fleet.Domain) float64 { return -float64(d.Process.Swapped.Or(0)) })},
			{title: "up", width: 5, right: true, drop: 9, cell: domain(func(c *scene, d *fleet.Domain) cell {
				return cell{onlyRunning(d, coarse(d.Process.Started, c.now())), dim}
			}), key: number(func(d *fleet.Domain) float64 { return -float64(d.Process.Started.Unix()) })},
			{title: "unit", width: 20, grow: 1, drop: 10, search: true, middle: true, cell: domain(func(_ *scene, d *fleet.Domain) cell { return cell{d.Process.Unit, dim} })},
		},
	}
}

// onlyRunning leaves blank what a domain without a process cannot have.
func onlyRunning(d *fleet.Domain, text string) string {
	if d.State == "shut off" || d.State == "crashed" {
		return ""
	}
	return text
}

func diskSum(d *fleet.Domain, of func(*fleet.DomainDisk) fleet.Opt[float64]) (all fleet.Opt[float64]) {
	for i := range d.Disks {
		if one := of(&d.Disks[i]); one.OK {
			all = fleet.Some(all.V + one.V)
		}
	}
	return all
}

func vmSize(_ *scene, d *fleet.Domain) cell {
	return cell{strconv.Itoa(d.Compute.VCPUs) + "/" + bytesOf(float64(d.Compute.Memory)), dim}
}

func vmSwapped(_ *scene, d *fleet.Domain) cell {
	switch {
	case d.Process.Swapped.OK && d.Process.Swapped.V == 0:
		return cell{}
	case d.Process.Swapped.OK:
		return cell{bytesOf(float64(d.Process.Swapped.V)), dim}
	}
	return cell{onlyRunning(d, "—"), dim}
}

// vmLimits are the limits in all places where one can sit: inside qemu, as stored for the next start, and those of the
// scope: systemd's and libvirt's.
func vmLimits(c *scene, d *fleet.Domain) cell {
	var says []string
	add := func(place, text string) {
		if text != "" {
			says = append(says, place+" "+text)
		}
	}
	for i := range d.Disks {
		disk := &d.Disks[i]
		live, kept := tuneWord(disk.Tune), tuneWord(disk.Kept)
		add("qemu", live)
		if kept != live {
			add("kept", or(kept, "none"))
		}
	}
	if u, ok := fleet.Find[*fleet.Unit](c.s, fleet.Ref{Kind: fleet.KindUnit, Source: "host/" + d.Host, Name: d.Process.Unit}); ok {
		for _, io := range u.IO {
			add("scope", limitWord(io.Limit))
			add("libvirt", limitWord(io.LibvirtLimit))
		}
	}
	return cell{strings.Join(says, "; "), plain}
}

func tuneWord(t fleet.DomainTune) string {
	return limitsWord([]string{"r", "w", "rw"}, []fleet.Opt[uint64]{t.ReadBytesSec, t.WriteBytesSec, t.TotalBytesSec}, []fleet.Opt[uint64]{t.ReadsSec, t.WritesSec, t.TotalSec})
}

func limitWord(l fleet.IOLimit) string {
	return limitsWord([]string{"r", "w"}, []fleet.Opt[uint64]{l.ReadBytesSec, l.WriteBytesSec}, []fleet.Opt[uint64]{l.ReadsSec, l.WritesSec})
}

// limitsWord is a limit in short: "w 2MB/s rw 2500 iops".
func limitsWord(names []string, bytes, ops []fleet.Opt[uint64]) string {
	var says []string
	for i, n := range bytes {
		if n.OK {
			says = append(says, names[i]+" "+bytesASecond(float64(n.V)))
		}
	}
	for i, n := range ops {
		if n.OK {
			says = append(says, names[i]+" "+strconv.FormatUint(n.V, 10)+" iops")
		}
	}
	return strings.Join(says, " ")
}
