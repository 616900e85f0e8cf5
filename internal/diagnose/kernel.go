package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// kernelRules judge what the kernel of a host wrote. That it wrote nothing counts only for the time its log was read.
func kernelRules() []Rule {
	reads := Reads{Around: []fleet.Kind{fleet.KindKernel, fleet.KindKernelLog}}
	return []Rule{{
		ID: "KRN-OOM", Title: "kernel killed for memory", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "mm/oom_kill.c: Out of memory: Killed process; of a control group it is that group's limit, not the host: a warning, unless a virtual machine or what runs them was killed. The scope in the line tells which, else the process or qemu's logs",
		Explains: []string{"VIRT-01", "K8S-06", "NOVA-26"}, Fold: Fold{Gate: true, Within: time.Hour, Least: fleet.Serious}, // a group's limit is its own affair
		Reads: Reads{Around: reads.Around, Kinds: []fleet.Kind{fleet.KindDomain}}, Judge: on(outOfMemory),
	}, {
		ID: "KRN-HUNG", Title: "task hangs", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "kernel/hung_task.c: 120 s in an uninterruptible wait; a log that covers it and tells of no disk error rules the disk out",
		Reads:  Reads{Around: reads.Around, Kinds: []fleet.Kind{fleet.KindDomain}, Far: append([]fleet.Kind{fleet.KindHost}, reads.Around...)}, Judge: on(hungTask),
	}, {
		ID: "KRN-HUNG-APF", Title: "task waits for a page of the host below", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "a hung task in kvm_async_pf_task_wait: arch/x86/kernel/kvm.c, \"Page is swapped out by the host\"",
		Reads:  reads, Judge: on(hungForPage),
	}, {
		ID: "KRN-IO", Title: "disk fails to read or write", Kind: fleet.KindDisk, Severity: fleet.Serious,
		Source:   "block/blk-core.c: I/O error, dev; nvme: timeout, reset, controller is down (30 s without an answer)",
		Explains: []string{"IO-10", "IO-04", "KRN-ATA", "KRN-FS", "KRN-HUNG", "X-04", "VIRT-04"}, Reads: reads, Judge: on(diskErrors),
	}, {
		ID: "KRN-FS", Title: "filesystem broke", Kind: fleet.KindHost, Severity: fleet.Critical,
		Source:   "ext4, xfs and btrfs errors; Remounting filesystem read-only, of which /proc/mounts says nothing",
		Explains: []string{"NOVA-05"}, Reads: reads, Judge: on(brokenFilesystem),
	}, {
		ID: "KRN-HEAT", Title: "CPU slowed down for heat", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "drivers/thermal/intel/therm_throt.c: cpu clock is throttled; serious when it is so in five of ten minutes (heuristic)",
		Reads:  reads, Judge: on(throttled),
	}}
}

// kernelOf is the kernel log of one source: the events of the last while and whether nothing else was written then.
type kernelOf struct {
	s      *fleet.Snapshot
	log    *fleet.KernelLog
	events []fleet.Object
	host   string
	why    string // it cannot be told what is not there
}

// kernelSince reads the kernel log of a host back to a time, or to the first line of this boot.
func kernelSince(s *fleet.Snapshot, source, host string, since time.Time) kernelOf {
	k := kernelOf{s: s, host: host}
	scope := fleet.KindKernelLog.Scope()
	if p, ok := s.Part(source, fleet.KindKernel.Scope()); ok {
		k.events = p.Facts
	}
	if p, ok := s.Part(source, scope); ok && len(p.Facts) > 0 {
		k.log, _ = p.Facts[0].(*fleet.KernelLog)
	}
	since = later(since, k.began())
	const show = "journalctl -k -b all on "
	switch {
	case k.log == nil:
		k.why = "its kernel log: " + show + host
	case s.Failing(source, scope):
		k.why = "its kernel log now: reading it fails; " + show + host
	case k.log.Reader == "":
		k.why = "its kernel log: " + strings.Join(append([]string{"it cannot be read"}, k.log.Missing...), "; ")
	case !k.log.Covers(since):
		k.why = fmt.Sprintf("its kernel log before %s, where what was read begins: %s%s", clock(s, k.log.From), show, host)
	}
	return k
}

// began is when the boot wrote its first line, zero where that was not read.
func (k *kernelOf) began() time.Time {
	if k.log == nil || len(k.log.Boots) == 0 {
		return time.Time{}
	}
	now := k.log.Boots[len(k.log.Boots)-1]
	for _, o := range k.events {
		if e, ok := o.(*fleet.KernelEvent); ok && e.Class == fleet.ClassBoot && e.Boot == now.ID {
			return e.At
		}
	}
	return time.Time{}
}

// within yields the events of some classes that are worth more than a note and not older than a time, newest last.
func (k *kernelOf) within(since time.Time, is func(*fleet.KernelEvent) bool) (found []*fleet.KernelEvent) {
	return k.all(since, func(e *fleet.KernelEvent) bool { return e.Severity > fleet.Info && is(e) })
}

// all yields notes too.
func (k *kernelOf) all(since time.Time, is func(*fleet.KernelEvent) bool) (found []*fleet.KernelEvent) {
	for _, o := range k.events {
		if e, ok := o.(*fleet.KernelEvent); ok && e.Last.After(since) && is(e) {
			found = append(found, e)
		}
	}
	return found
}

// again is when the first of some events is too old to count, or the log covers all that counts.
func (k *kernelOf) again(found []*fleet.KernelEvent, lasts time.Duration) (at time.Time) {
	if lasts == 0 {
		return at
	}
	if k.why != "" && k.log != nil {
		if covered := k.log.From.Add(lasts); covered.After(k.s.At) {
			at = covered
		}
	}
	for _, e := range found {
		at = sooner(at, e.Last.Add(lasts))
	}
	return at
}

// verdict is Bad for events, worded by says from the last of them, until they are older than lasts.
func (k *kernelOf) verdict(found []*fleet.KernelEvent, lasts time.Duration, says func(last *fleet.KernelEvent, n int) string) Verdict {
	if len(found) == 0 {
		if k.why != "" {
			return Verdict{State: CannotTell, Missing: []string{k.why}, Again: k.again(nil, lasts)}
		}
		return Verdict{State: OK}
	}
	v := Verdict{State: Bad, Again: k.again(found, lasts)}
	last, n := found[0], 0
	for _, e := range found {
		v.Since = sooner(v.Since, e.At)
		v.Severity = max(v.Severity, e.Severity)
		n += e.Count
		if e.Last.After(last.Last) {
			last = e
		}
	}
	for _, e := range found[max(0, len(found)-5):] {
		line := sentence(e.Line)
		if e.Cause != "" && !strings.Contains(line, e.Cause) {
			line += " (" + e.Cause + ")"
		}
		if e.CGroup != "" && !strings.Contains(line, e.CGroup) {
			line += " in " + e.CGroup
		}
		if e.Count > 1 {
			line += fmt.Sprintf(", %d times", e.Count)
		}
		v.Because = append(v.Because, because(e, e.Last, "kernel log of "+e.Host, "%s", line))
	}
	if k.why != "" {
		v.Missing = []string{k.why}
	}
	v.Says = says(last, n)
	return v
}

func class(words ...string) func(*fleet.KernelEvent) bool {
	return func(e *fleet.KernelEvent) bool {
		for _, w := range words {
			if e.Class == w {
				return true
			}
		}
		return false
	}
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sameBoot compares a boot id of the journal, bare digits, with one of /proc.
func sameBoot(journal, proc string) bool { return hex(journal) == hex(proc) && hex(proc) != "" }

func hungTask(s *fleet.Snapshot, h *fleet.Host) Verdict {
	k, found := hung(s, h, false)
	v := k.verdict(found, hangs, func(last *fleet.KernelEvent, _ int) string {
		return fmt.Sprintf("%s on %s hangs in %s", last.Subject, h.Name, cmp.Or(last.Cause, "a wait of the kernel"))
	})
	if v.State == Bad {
		v.Because = append(v.Because, waitEvidence(h)...)
		if owner, _, disks := diskOwner(s, h); owner != nil {
			v.Because = append(v.Because, noDiskFault(s, owner, v.Since, disks)...)
		}
	}
	return v
}

func hungForPage(s *fleet.Snapshot, h *fleet.Host) Verdict {
	k, found := hung(s, h, true)
	v := k.verdict(found, hangs, func(last *fleet.KernelEvent, _ int) string {
		return fmt.Sprintf("%s on %s waits for a page that the host below has swapped out: look at that host's swap, not at a disk", last.Subject, h.Name)
	})
	if v.State == Bad {
		v.Because = append(v.Because, waitEvidence(h)...)
		v.Missing = append(v.Missing, "whether the host below swaps: vmstat 1 5, and grep VmSwap /proc/PID/status of its qemu there")
	}
	return v
}

func diskErrors(s *fleet.Snapshot, d *fleet.Disk) Verdict {
	const lasts = time.Hour
	since := s.At.Add(-lasts)
	k := kernelSince(s, d.Source, d.Host, since)
	return k.verdict(k.within(since, func(e *fleet.KernelEvent) bool { return ofDisk(e, d.Name) }), lasts, func(last *fleet.KernelEvent, n int) string {
		return fmt.Sprintf("%s: %s, %s in an hour", diskName(d), cmp.Or(last.Cause, "I/O error"), plural(uint64(max(n, 0)), "line"))
	})
}

// ofDisk reports whether an event is an error of a disk.
func ofDisk(e *fleet.KernelEvent, disk string) bool {
	switch e.Class {
	case fleet.ClassIO:
		return cmp.Or(e.Disk, wholeDisk("/dev/"+e.Subject)) == disk
	case fleet.ClassNVMe:
		return strings.HasPrefix(disk, e.Subject+"n") && e.Subject != ""
	}
	return false
}

// brokenFilesystem lasts as long as the boot: what was shut down stays so.
func brokenFilesystem(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Boot.IsZero() || h.BootID == "" {
		return Verdict{State: CannotTell, Missing: []string{"when " + h.Name + " booted: cat /proc/stat"}}
	}
	// The clock of /proc/stat is one of whole seconds.
	k := kernelSince(s, h.Source, h.Name, h.Boot.Add(2*time.Second))
	is := class(fleet.ClassExt4, fleet.ClassXFS, fleet.ClassBtrfs, fleet.ClassReadOnly)
	found := k.within(time.Time{}, func(e *fleet.KernelEvent) bool { return is(e) && sameBoot(e.Boot, h.BootID) })
	v := k.verdict(found, 0, func(last *fleet.KernelEvent, _ int) string {
		for _, e := range found {
			if e.Class == fleet.ClassReadOnly || e.Severity == fleet.Critical {
				return fmt.Sprintf("%s on %s cannot be written any more", cmp.Or(e.Subject, "a filesystem"), h.Name)
			}
		}
		return fmt.Sprintf("%s found errors on %s of %s", last.Class, cmp.Or(last.Subject, "a filesystem"), h.Name)
	})
	for _, e := range found {
		if disk := wholeDisk("/dev/" + e.Subject); disk != "" && v.On.Name == "" {
			v.On = fleet.OfHost(fleet.KindDisk, h.Source, h.Name, disk)
		}
	}
	return v
}

func throttled(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 10 * time.Minute
	since := s.At.Add(-lasts)
	k := kernelSince(s, h.Source, h.Name, later(since, h.Boot))
	found := k.within(since, class(fleet.ClassThermal))
	v := k.verdict(found, lasts, func(*fleet.KernelEvent, int) string {
		return "the CPUs of " + h.Name + " slow down for heat"
	})
	minutes := map[time.Time]bool{}
	for _, e := range found {
		minutes[e.At.Truncate(time.Minute)], minutes[e.Last.Truncate(time.Minute)] = true, true
	}
	if len(minutes) >= 5 {
		v.Severity = max(v.Severity, fleet.Serious)
	}
	return v
}
