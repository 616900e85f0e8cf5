package diagnose

import (
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// bootRules judge how a machine's last boot ended and how its next one will begin.
func bootRules() []Rule {
	return []Rule{{
		ID: "BOOT-01", Title: "the next boot would fail", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "init/do_mounts.c: without its initramfs a kernel finds no root filesystem; an update that was interrupted leaves one without, and for ten minutes any update does",
		Hold:   10 * time.Minute, Judge: on(nextBoot),
	}, {
		ID: "BOOT-02", Title: "machine was cut off, not shut down", Kind: fleet.KindHost, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source:   "systemd writes that it shuts down, and journald that it stops: a journal without either ends in power, reset or panic; for a day",
		Explains: []string{"X-01", "X-02", "VIRT-02"}, Fold: Fold{Within: rebootWindow},
		Reads: bootReads(), Judge: on(cutOff),
	}}
}

func bootReads() Reads {
	return Reads{Around: []fleet.Kind{fleet.KindBoot, fleet.KindKernel, fleet.KindKernelLog}, Kinds: []fleet.Kind{fleet.KindDomain}}
}

func nextBoot(_ *fleet.Snapshot, h *fleet.Host) Verdict {
	k := h.Identity.Newest
	switch {
	case k == nil:
		return Verdict{State: CannotTell, Missing: []string{"which kernels are installed: ls -l /boot on " + h.Name}}
	case k.Whole():
		return Verdict{State: OK}
	case !k.Others:
		return Verdict{State: CannotTell, Missing: []string{"whether " + h.Name + " boots without an initramfs, as no kernel in /boot has one: lsinitrd, cat /proc/cmdline"}}
	}
	file, is := "/boot/initramfs-"+k.Release+".img", "no initramfs"
	if k.Initramfs != "" {
		file, is = k.Initramfs, "an empty initramfs"
	}
	v := Verdict{
		State:   Bad,
		Says:    fmt.Sprintf("the next boot of %s would fail: its newest kernel, %s, has %s; it runs %s", h.Name, k.Release, is, h.Identity.Kernel),
		Because: []fleet.Evidence{because(h, time.Time{}, "ls -l /boot on "+h.Name, "%s is there, %s is not, or is empty", k.Image, file)},
		Missing: []string{"which kernel the boot loader takes: grubby --default-kernel (Debian: grub-editenv list); dracut -f --kver " + k.Release + " (Debian: update-initramfs -c -k " + k.Release + ") makes it anew"},
	}
	if !k.Modules {
		v.Because = append(v.Because, because(h, time.Time{}, "ls /lib/modules on "+h.Name, "its modules are not there either"))
	}
	return v
}

// lastBoot is the newest boot of a host that is over.
func lastBoot(s *fleet.Snapshot, h *fleet.Host) (last *fleet.BootRecord, why string) {
	p, ok := s.Part(h.Source, fleet.KindBoot.Scope())
	switch {
	case !ok || len(p.Facts) == 0:
		return nil, "how the last boot ended: journalctl -b -1 -n 20 on " + h.Name
	case s.Failing(h.Source, fleet.KindBoot.Scope()):
		return nil, "how the last boot ended, now: reading the boots of " + h.Name + " fails"
	}
	for _, o := range p.Facts {
		if b, ok := o.(*fleet.BootRecord); ok && !b.Current && !sameBoot(b.ID, h.BootID) && (last == nil || b.Begin.After(last.Begin)) {
			last = b
		}
	}
	switch {
	case last == nil:
		return nil, "how the last boot ended: the journal of " + h.Name + " keeps no earlier one; last -x shutdown reboot"
	case last.Ended == "":
		return last, "how the last boot ended: journalctl -b " + last.ID + " -n 20 on " + h.Name
	}
	return last, ""
}

func cutOff(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if d, ok := below[*fleet.Domain](s, h.Ref(), fleet.KindDomain); ok && !d.Process.Started.IsZero() {
		return Verdict{State: OK} // X-02 says more
	}
	last, v := lastCut(s, h)
	if last == nil {
		return v
	}
	v.Says = fmt.Sprintf("%s was cut off after %s, not shut down: power, a reset, or a panic that nobody could write down; it booted at %s", h.Name, clock(s, last.End), clock(s, h.Boot))
	v.Because = []fleet.Evidence{endEvidence(h, last)}
	return v
}

// lastCut is the boot before this one if it was cut off and no panic was written, with a verdict to complete; else nil,
// with the verdict.
func lastCut(s *fleet.Snapshot, h *fleet.Host) (*fleet.BootRecord, Verdict) {
	const lasts = 24 * time.Hour
	if h.Boot.IsZero() || h.BootID == "" {
		return nil, Verdict{State: CannotTell, Missing: []string{"when " + h.Name + " booted: cat /proc/stat"}}
	}
	until := h.Boot.Add(lasts)
	if !s.At.Before(until) {
		return nil, Verdict{State: OK} // it has been up for longer
	}
	last, why := lastBoot(s, h)
	k := kernelSince(s, h.Source, h.Name, h.Boot)
	switch {
	case why != "":
		return nil, Verdict{State: CannotTell, Missing: []string{why}, Again: until}
	case k.later(h, last.End):
		return nil, Verdict{State: CannotTell, Missing: []string{"how the last boot ended: journalctl -b -1 -n 20 on " + h.Name}, Again: until} // its record is older
	case last.Ended != fleet.BootCut || panicWritten(s, h, last):
		return nil, Verdict{State: OK} // KRN-PANIC says more
	}
	return last, Verdict{State: Bad, Since: h.Boot, Again: until}
}

// later reports whether a boot is known that began after a time and is not the one that a host is in.
func (k *kernelOf) later(h *fleet.Host, than time.Time) bool {
	return k.log != nil && slices.ContainsFunc(k.log.Boots, func(b fleet.Boot) bool { return b.First.After(than) && !sameBoot(b.ID, h.BootID) })
}

func endEvidence(h *fleet.Host, last *fleet.BootRecord) fleet.Evidence {
	return because(last, last.End, "journalctl -b "+last.ID+" on "+h.Name, "its last line: %s", sentence(last.Last))
}

// panicWritten reports whether the kernel wrote down why a boot ended.
func panicWritten(s *fleet.Snapshot, h *fleet.Host, last *fleet.BootRecord) bool {
	k := kernelSince(s, h.Source, h.Name, last.Begin)
	return len(k.within(last.Begin, func(e *fleet.KernelEvent) bool { return e.Class == fleet.ClassPanic && sameBoot(e.Boot, last.ID) })) > 0
}

// cutEvidence is what is known of how a boot was cut off: of a virtual machine, whether its qemu outlived that.
func cutEvidence(s *fleet.Snapshot, h *fleet.Host, last *fleet.BootRecord) []fleet.Evidence {
	all := []fleet.Evidence{endEvidence(h, last)}
	d, ok := below[*fleet.Domain](s, h.Ref(), fleet.KindDomain)
	switch {
	case !ok || d.Process.Started.IsZero():
		return all
	case d.Process.Started.Before(last.End):
		return append(all, because(d, d.Process.Started, "its qemu on "+d.Host, "started before that, and runs since"))
	}
	all = append(all, because(d, d.Process.Started, "its qemu on "+d.Host, "started"))
	if d.Log != nil {
		all = append(all, qemuEvidence(d, last.End.Add(-time.Minute))...)
	}
	return all
}
