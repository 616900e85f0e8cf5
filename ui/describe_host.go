package ui

import (
	"fmt"
	"slices"

	"strata/internal/fleet"
)

// describeHost tells how a machine's boots began and ended, what it boots next, and what its memory is for.
func describeHost(c *scene, h *fleet.Host) []line {
	out := []line{{}, says(bold, "Boots, newest first (UTC)")}
	boots := ofHost[*fleet.BootRecord](c, h, fleet.KindBoot)
	slices.SortFunc(boots, func(a, b *fleet.BootRecord) int { return b.Begin.Compare(a.Begin) })
	for _, b := range boots {
		word := b.Health()
		cells := []cell{{"  " + stamp(b.Begin) + "  ", dim}, {fit(word.Word, 13, false), c.t.state(word.State)}}
		if !b.Current {
			cells = append(cells, cell{" " + stamp(b.End) + "  ", dim}, cell{b.Last, dim})
		}
		out = append(out, line{cells: cells, ref: b.Ref()})
	}
	if len(boots) == 0 {
		out = append(out, says(dim, "  not known"))
	}
	for _, d := range ofHost[*fleet.Disk](c, h, fleet.KindDisk) {
		if k, ok := d.Counter("unsafe_shutdowns"); ok {
			out = append(out, fact("power lost", fmt.Sprintf("%d times, says disk %s, %d of them new", k.Value, d.Name, k.Grew())))
		}
	}
	out = append(out, nextBoot(h)...)
	if conf := h.Identity.Nova; conf != nil {
		out = append(out, fact("guests", conf.Says()))
	}
	out = append(out, saving(h)...)
	out = append(out, waiting(c, h)...)
	return append(out, guests(c, h)...)
}

// saving is what makes a machine's memory go further, where that is on.
func saving(h *fleet.Host) (out []line) {
	m := h.Memory.Saving
	size := func(n uint64) string { return bytesOf(float64(n)) }
	if m.Merging.V || m.Merged.V > 0 {
		text := "equal pages (KSM): saves " + size(m.Merged.V)
		switch {
		case m.Profit.V < 0:
			text += ", and costs " + size(uint64(-m.Profit.V)) + " more than that"
		case m.Profit.OK:
			text += ", " + size(uint64(m.Profit.V)) + " after its own cost"
		}
		if !m.Merging.V {
			text += "; it is stopped"
		}
		out = append(out, fact("merging", text))
	}
	if m.Zswap.V || m.Stored.V > 0 {
		text := "of the swap in use "
		if !m.Stored.OK {
			text += "some is in memory: how much is not told"
		} else {
			text += size(m.Stored.V) + " is in memory, where it takes " + size(m.Pool.V)
		}
		out = append(out, fact("zswap", text))
	}
	return out
}

// nextBoot is the newest kernel, and whether it can boot.
func nextBoot(h *fleet.Host) []line {
	k := h.Identity.Newest
	if k == nil {
		return []line{fact("kernel", or(h.Identity.Kernel, "not known")+" runs; which are installed is not known")}
	}
	text := h.Identity.Kernel + " runs; it is the newest installed"
	if k.Release != h.Identity.Kernel {
		text = h.Identity.Kernel + " runs; the newest installed is " + k.Release
	}
	out := []line{fact("kernel", text)}
	switch {
	case k.Whole():
		return append(out, fact("initramfs", fmt.Sprintf("%s is there, %s", k.Initramfs, bytesOf(float64(k.Bytes.V)))))
	case k.Others:
		return append(out, line{cells: []cell{{"  " + fit("initramfs", 14, false) + " ", dim}, {"missing or empty for the newest kernel: it would not boot", badInk}}})
	}
	return append(out, fact("initramfs", "no kernel here has one"))
}

func waiting(c *scene, h *fleet.Host) []line {
	if h.Waits == nil {
		return nil
	}
	if len(h.Waits.Tasks) == 0 {
		return []line{fact("stuck tasks", "none")}
	}
	out := []line{{}, says(bold, fmt.Sprintf("Tasks stuck in the kernel: %d", len(h.Waits.Tasks)+h.Waits.More))}
	for _, t := range h.Waits.Tasks {
		out = append(out, line{cells: []cell{
			{"  " + fit(fmt.Sprintf("%s[%d]", t.Comm, t.TID), 24, false) + " ", plain},
			{fit(or(t.Wchan, "not told"), 32, false), warnInk},
			{fmt.Sprintf(" for %s, %d looks", age(t.Since, c.now()), t.Looks), dim},
		}})
	}
	return out
}

// guests are the domains of a host against its memory.
func guests(c *scene, h *fleet.Host) []line {
	var out []line
	var may, swapped uint64
	running := 0
	for d := range fleet.All[*fleet.Domain](c.s, fleet.KindDomain) {
		if d.Host != h.Name || !d.Process.ID.OK {
			continue
		}
		running++
		may, swapped = may+d.Compute.Memory, swapped+d.Process.Swapped.Or(0)
		text := "may take " + bytesOf(float64(d.Compute.Memory))
		style := plain
		if b := d.Compute.Balloon; b.OK && b.V < d.Compute.Memory {
			text += ", its balloon leaves it " + bytesOf(float64(b.V))
		}
		if d.Process.Swapped.OK {
			text += ", " + bytesOf(float64(d.Process.Swapped.V)) + " of it in swap"
		}
		if d.Process.Swapped.Or(0)*20 > d.Compute.Memory {
			style = warnInk
		}
		out = append(out, line{cells: []cell{{"  " + fit(d.Name, 24, false) + " ", plain}, {text, style}}, ref: d.Ref()})
	}
	if running == 0 {
		return nil
	}
	head := fmt.Sprintf("Virtual machines: %d may take %s of %s, %s is in swap", running, bytesOf(float64(may)), bytesOf(float64(h.Memory.Total)), bytesOf(float64(swapped)))
	return append([]line{{}, says(bold, head)}, out...)
}

// describeDomain tells what the log of a domain's qemu has.
func describeDomain(d *fleet.Domain) []line {
	out := []line{{}, says(bold, "What its qemu wrote, newest first (UTC)")}
	l := d.Log
	switch {
	case l == nil:
		return append(out, says(dim, "  nothing, or nothing that can be read here"))
	case l.NoData != "":
		return append(out, says(warnInk, "  "+l.File+": "+l.NoData))
	}
	for _, x := range slices.Backward(l.Lines) {
		style := plain
		switch x.Class {
		case fleet.QemuCorrupt, fleet.QemuKVM, fleet.QemuMemory, fleet.QemuAbort:
			style = badInk
		case fleet.QemuRepair:
			style = warnInk
		}
		times := ""
		if x.Count > 1 {
			times = fmt.Sprintf("  %d lines", x.Count)
		}
		out = append(out, line{cells: []cell{{"  " + stamp(x.At) + "  ", dim}, {x.Text, style}, {times, dim}}})
	}
	if len(l.Lines) == 0 {
		out = append(out, says(dim, "  nothing that means trouble"))
	}
	if !l.Started.IsZero() {
		text := stamp(l.Started)
		switch {
		case l.Started.After(l.Stopped) && (d.State == "shut off" || d.State == "crashed"):
			text += "; no end is written: its qemu went with libvirt or with its host"
		case l.Unclean:
			text += "; the run before has no end: its qemu went with libvirt or with its host"
		}
		out = append(out, fact("last start", text))
	}
	if !l.Stopped.IsZero() {
		out = append(out, fact("last end", stamp(l.Stopped)+", "+or(l.Reason, "no reason told")))
	}
	return append(out, fact("file", l.File))
}
