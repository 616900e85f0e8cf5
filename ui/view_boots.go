package ui

import (
	"fmt"

	"strata/internal/fleet"
)

// bootsView shows when each machine booted and how that ended: on one clock, the newest first.
func bootsView() *view {
	boot := of[*fleet.BootRecord]
	return &view{
		name: "boots", title: "Boots", kinds: []fleet.Kind{fleet.KindBoot}, systems: hostSystems, empty: "no boot is known", why: missing("boots:"),
		worst: func(o fleet.Object, _ fleet.State) sortKey {
			b := o.(*fleet.BootRecord)
			return sortKey{num: -float64(b.Begin.UnixMilli()), str: b.Host}
		},
		count: func(c *scene) string {
			n := c.s.Tally(fleet.KindBoot)
			return fmt.Sprintf("%d, %d cut off", n.Total(), n[fleet.StateWarn])
		},
		columns: []column{
			{title: "began", width: 20, cell: boot(func(_ *scene, b *fleet.BootRecord) cell { return cell{stamp(b.Begin), dim} }), key: number(func(b *fleet.BootRecord) float64 { return -float64(b.Begin.UnixMilli()) })},
			{title: "host", width: 12, grow: 1, search: true, middle: true, cell: boot(func(_ *scene, b *fleet.BootRecord) cell { return cell{b.Host, plain} }), key: text(func(b *fleet.BootRecord) string { return b.Host })},
			{title: "end", width: 13, search: true, flash: true, cell: health},
			{title: "ended", width: 20, drop: 2, cell: boot(func(_ *scene, b *fleet.BootRecord) cell {
				if b.End.IsZero() {
					return cell{}
				}
				return cell{stamp(b.End), dim}
			})},
			{title: "ran", width: 6, right: true, cell: boot(func(c *scene, b *fleet.BootRecord) cell {
				if b.End.IsZero() {
					return cell{coarse(b.Begin, c.now()), dim}
				}
				return cell{coarse(b.Begin, b.End), dim}
			})},
			{title: "kernel", width: 14, grow: 1, drop: 3, idle: true, search: true, cell: boot(bootKernel)},
			{title: "last line", width: 20, grow: 4, drop: 1, search: true, cell: boot(func(_ *scene, b *fleet.BootRecord) cell { return cell{b.Last, dim} })},
		},
	}
}

// bootKernel is the kernel of a boot, where its log says so.
func bootKernel(c *scene, b *fleet.BootRecord) cell {
	p, ok := c.s.Part(b.Source, fleet.KindKernel.Scope())
	if !ok {
		return cell{}
	}
	for _, o := range p.Facts {
		if e, ok := o.(*fleet.KernelEvent); ok && e.Class == fleet.ClassBoot && e.Boot == b.ID {
			return cell{e.Subject, dim}
		}
	}
	return cell{}
}
