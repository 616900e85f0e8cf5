package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// panicRules judge how kernels ended. A virtual machine's panic for a page of the host below and one that found no root
// filesystem have nothing in common.
func panicRules() []Rule {
	soon := Fold{Within: rebootWindow}
	return []Rule{{
		ID: "KRN-PANIC", Title: "kernel panicked", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "kernel/panic.c, of the boot before this one, for a day", Explains: []string{"X-01", "X-02", "X-07", "VIRT-02"}, Fold: soon, Reads: bootReads(),
		Judge: panicked(func(cause string) bool { return !asyncFault(cause) && !noRoot(cause) }, func(_ *fleet.Snapshot, h *fleet.Host, last *fleet.KernelEvent) string {
			return fmt.Sprintf("%s rebooted after a kernel panic: %s", h.Name, cmp.Or(last.Cause, "reason not told"))
		}),
	}, {
		ID: "KRN-APF", Title: "kernel panicked for a page of the host below", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "arch/x86/kernel/kvm.c: the host told the guest's kernel that it has swapped a page out, which it must not; only a host that swaps its guests can, and no disk of the guest's",
		Explains: []string{"X-01", "X-07"}, Fold: Fold{Within: rebootWindow, Gate: true}, Reads: bootReads(),
		Judge: panicked(asyncFault, func(_ *fleet.Snapshot, h *fleet.Host, last *fleet.KernelEvent) string {
			return fmt.Sprintf("%s rebooted after a kernel panic that the swap of the host below it brought: %s", h.Name, last.Cause)
		}),
	}, {
		ID: "KRN-NOROOT", Title: "kernel found no root filesystem", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "init/do_mounts.c: VFS: Unable to mount root fs, about a second after the start of a kernel whose initramfs is missing or not whole",
		Explains: []string{"X-01"}, Fold: soon, Reads: bootReads(), Judge: panicked(noRoot, rootless),
	}, {
		ID: "X-07", Title: "update was interrupted", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "a panic while a package manager ran, and a newer kernel without a whole initramfs; or one that found no root while an older one does",
		Explains: []string{"KRN-NOROOT", "BOOT-01"}, Reads: bootReads(), Judge: on(updateCutOff),
	}}
}

func asyncFault(cause string) bool { return strings.Contains(cause, "async #PF") }
func noRoot(cause string) bool     { return strings.Contains(cause, "Unable to mount root fs") }

// panicked makes a Judge of the panics of earlier boots with some causes.
func panicked(is func(cause string) bool, says func(*fleet.Snapshot, *fleet.Host, *fleet.KernelEvent) string) func(*fleet.Snapshot, fleet.Object) Verdict {
	return on(func(s *fleet.Snapshot, h *fleet.Host) Verdict {
		const lasts = 24 * time.Hour
		since := s.At.Add(-lasts)
		switch {
		case h.Boot.IsZero() || h.BootID == "":
			return Verdict{State: CannotTell, Missing: []string{"when " + h.Name + " booted: cat /proc/stat"}}
		case h.Boot.Before(since):
			return Verdict{State: OK} // it has been up for longer
		}
		k, found := panics(s, h, lasts)
		v := k.verdict(slices.DeleteFunc(found, func(e *fleet.KernelEvent) bool { return !is(e.Cause) }), lasts, func(last *fleet.KernelEvent, _ int) string {
			return says(s, h, last)
		})
		v.Again = sooner(v.Again, h.Boot.Add(lasts))
		last, _ := lastBoot(s, h)
		switch {
		case v.State == Bad:
			v.Severity = fleet.Serious // it is up again
			if last != nil && last.Ended == fleet.BootCut {
				v.Because = append(v.Because, cutEvidence(s, h, last)...)
			}
		case v.State == OK && len(found) == 0 && (last == nil || last.Ended != fleet.BootShutDown):
			v.State, v.Missing = CannotTell, []string{"whether a panic went unwritten, as it mostly does: ls /var/crash /var/lib/systemd/pstore on " + h.Name}
		}
		return v
	})
}

// panics are those of boots before the one that a host is in.
func panics(s *fleet.Snapshot, h *fleet.Host, lasts time.Duration) (k kernelOf, found []*fleet.KernelEvent) {
	k = kernelSince(s, h.Source, h.Name, h.Boot)
	if k.why == "" && !k.log.Covers(h.Boot.Add(-time.Minute)) {
		k.why = "the kernel log of the boot before: journalctl -k -b -1 on " + h.Name
	}
	return k, k.within(s.At.Add(-lasts), func(e *fleet.KernelEvent) bool {
		return e.Class == fleet.ClassPanic && !sameBoot(e.Boot, h.BootID)
	})
}

// release is the kernel of a boot, "" where its first line was not read.
func (k *kernelOf) release(boot string) string {
	for _, e := range k.all(time.Time{}, class(fleet.ClassBoot)) {
		if e.Boot == boot {
			return e.Subject
		}
	}
	return ""
}

func rootless(s *fleet.Snapshot, h *fleet.Host, last *fleet.KernelEvent) string {
	k := kernelSince(s, h.Source, h.Name, last.At)
	says := h.Name + " did not find its root filesystem at a boot"
	switch with := k.release(last.Boot); with {
	case "":
		return says + ": the initramfs of that kernel is missing or not whole"
	case h.Identity.Kernel:
		return says + " with the kernel that it runs now, " + with + ": a wrong root=, or a disk that came late"
	default:
		return says + " with the kernel " + with + ": its initramfs is missing or not whole; it runs " + cmp.Or(h.Identity.Kernel, "another one") + " now"
	}
}

// updates reports whether a task, "dnf[3053]", changes what is installed.
func updates(task string) bool {
	name, _, _ := strings.Cut(task, "[")
	for _, word := range []string{"dnf", "yum", "rpm", "apt", "dpkg", "dracut", "mkinitramfs", "update-initramf", "unattended-upgr", "packagekitd", "zypper"} {
		if name == word || strings.HasPrefix(name, word+"-") {
			return true
		}
	}
	return false
}

func updateCutOff(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 24 * time.Hour
	k, found := panics(s, h, lasts)
	var rootless, updating []*fleet.KernelEvent
	for _, e := range found {
		with := k.release(e.Boot)
		if updates(e.Subject) {
			updating = append(updating, e)
		}
		switch {
		case !noRoot(e.Cause) || with == h.Identity.Kernel:
		case with == "" || h.Identity.Kernel == "":
			k.why = cmp.Or(k.why, "which kernel of "+h.Name+" found no root: journalctl -k -b "+e.Boot+", its first line")
		default:
			rootless = append(rootless, e)
		}
	}
	next := nextBoot(s, h)
	if len(rootless) == 0 && (next.State != Bad || len(updating) == 0) {
		switch {
		case next.State == OK:
			return Verdict{State: OK} // whatever happened, the next boot has what it needs
		case k.why != "":
			return Verdict{State: CannotTell, Missing: []string{k.why}, Again: k.again(found, lasts)}
		}
		return Verdict{State: OK}
	}
	v := k.verdict(slices.Concat(updating, rootless), lasts, func(*fleet.KernelEvent, int) string {
		says := h.Name + " was cut off while it was updated"
		if len(updating) == 0 {
			says = h.Name + " was most likely cut off while it was updated"
		}
		if len(rootless) > 0 {
			return says + ", and then the new kernel found no root filesystem: boot the one before and make its initramfs anew"
		}
		return says + ", and its newest kernel has no whole initramfs: make it anew before the next boot"
	})
	if v.Severity = fleet.Serious; len(updating) == 0 {
		v.Confidence = fleet.Medium
		v.Missing = append(v.Missing, "what ran when it was cut off: dnf history list, or /var/log/dpkg.log on "+h.Name)
	}
	if next.State == Bad {
		v.Because, v.Missing = append(v.Because, next.Because...), append(v.Missing, next.Missing...)
	}
	return v
}
