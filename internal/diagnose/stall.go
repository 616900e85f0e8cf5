package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// stallRules tell in which layer it is that tasks hang for.
func stallRules() []Rule {
	reads := func(far ...fleet.Kind) Reads {
		return Reads{Around: []fleet.Kind{fleet.KindKernel, fleet.KindKernelLog}, Kinds: []fleet.Kind{fleet.KindDomain}, Far: far}
	}
	return []Rule{{
		ID: "X-03", Title: "virtual machine waits for the swap of its host", Kind: fleet.KindHost, Severity: fleet.Serious, Confidence: fleet.Medium,
		Source:   "arch/x86/kernel/kvm.c: a task in kvm_async_pf_task_wait waits for a page that the host below has swapped out; that host's swap beside it",
		Explains: []string{"KRN-HUNG-APF", "KRN-LOCK", "KRN-APF", "IO-04"},
		Clear:    5 * time.Minute, // swap moves in gusts
		Reads:    reads(fleet.KindHost, fleet.KindKernel, fleet.KindKernelLog), Judge: on(wrongLayer),
		Remedies: []string{"unit-noswap"}, // what the whole host below can do is with MEM-03
	}, {
		ID: "X-04", Title: "tasks hang for a disk that fails", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "hung tasks, and errors or waits of half a second on the disk below them in the same half hour, of this host or of the one below; a log that covers it and has none rules it out",
		Explains: []string{"KRN-HUNG", "IO-04"},
		Reads: Reads{
			Around: []fleet.Kind{fleet.KindKernel, fleet.KindKernelLog, fleet.KindDisk}, Kinds: []fleet.Kind{fleet.KindDomain},
			Far: []fleet.Kind{fleet.KindHost, fleet.KindKernel, fleet.KindKernelLog, fleet.KindDisk},
		},
		Judge: on(diskStall),
	}, {
		ID: "IO-08", Title: "virtual machine hangs at its own limit", Kind: fleet.KindHost, Severity: fleet.Serious, Confidence: fleet.Low,
		Source:   "qemu issue 3144: a guest that writes at random under an I/O limit may hang for good while the disk below it is idle",
		Explains: []string{"KRN-HUNG", "IO-04"},
		Reads:    reads(fleet.KindHost, fleet.KindDisk), Judge: on(limitHang),
	}}
}

// hangs is how long a task that hung is looked into.
const hangs = 30 * time.Minute

// hung yields the tasks of a host that hung lately and did, or did not, wait for a page of the host below.
func hung(s *fleet.Snapshot, h *fleet.Host, paging bool) (k kernelOf, found []*fleet.KernelEvent) {
	k, since := lately(s, h, hangs)
	return k, k.within(since, func(e *fleet.KernelEvent) bool {
		return e.Class == fleet.ClassHung && strings.HasPrefix(e.Cause, "kvm_async_pf_task_wait") == paging
	})
}

// swapsNow tells whether a host's swap is so that its guests must wait for it: see MEM-02, MEM-03 and MEM-07.
func swapsNow(metal *fleet.Host, d *fleet.Domain) (says string, known bool, all []fleet.Evidence) {
	in, out, flows := swapFlow(metal)
	if metal.Swap.Total > 0 {
		if says = swapUse(metal); flows && in > 0 && out > 0 && in+out > 1<<20 {
			says = "swaps in and out at once"
		}
		all = append(all, swapEvidence(metal))
	}
	if p := d.Process.Swapped; p.OK && d.Compute.Memory > 0 && float64(p.V) > 0.05*float64(d.Compute.Memory) {
		if says == "" {
			says = "has a part of it in swap"
		}
		all = append(all, because(d, time.Time{}, "VmSwap of its qemu", "%s of %s in swap", bytes(p.V), bytes(d.Compute.Memory)))
	}
	return says, metal.SwapKnown() && (metal.Swap.Total == 0 || flows) && d.Process.Swapped.OK, all
}

// paging are the tasks that wait now, for longer than one look, for a page of the host below.
func paging(h *fleet.Host) (since time.Time, found bool) {
	if h.Waits == nil {
		return since, false
	}
	for _, t := range h.Waits.Tasks {
		if t.Looks > 1 && strings.HasPrefix(t.Wchan, "kvm_async_pf") {
			since, found = sooner(since, t.Since), true
		}
	}
	return since, found
}

func wrongLayer(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 24 * time.Hour
	k, signs := hung(s, h, true)
	waiting, waits := paging(h)
	sure := len(signs) > 0 || waits
	signs = append(slices.Clone(signs), k.within(s.At.Add(-hangs), class(fleet.ClassLockup))...)
	panicked := k.within(s.At.Add(-lasts), func(e *fleet.KernelEvent) bool { return e.Class == fleet.ClassPanic && asyncFault(e.Cause) })
	none := len(signs)+len(panicked) == 0 && !waits
	d, metal, ok := beneath(s, h)
	again := sooner(k.again(signs, hangs), k.again(panicked, lasts))
	switch {
	case none && k.why != "" && (ok || h.Identity.Virtual != ""):
		return Verdict{State: CannotTell, Missing: []string{k.why}, Again: again}
	case none || !ok && h.Identity.Virtual == "":
		return Verdict{State: OK}
	case !ok || metal == nil:
		return Verdict{State: CannotTell, Missing: []string{whatRuns(h) + "; vmstat 1 5 there shows whether it swaps"}, Again: again}
	}
	if in, out, flows := swapFlow(h); !sure && len(panicked) == 0 && flows && in+out > 1<<20 {
		return Verdict{State: OK} // it swaps itself, which is reason enough
	}
	says, known, swap := swapsNow(metal, d)
	switch {
	case says == "" && !known:
		return Verdict{State: CannotTell, Missing: []string{"whether " + metal.Name + " swaps: vmstat 1 5, and grep VmSwap /proc/PID/status of its qemu there"}, Again: again}
	case says == "":
		return Verdict{State: OK}
	}
	stalls := func(*fleet.KernelEvent, int) string {
		return fmt.Sprintf("%s stalls because %s, the host below it, %s: its own disk and swap have no part in it", h.Name, metal.Name, says)
	}
	var v Verdict
	switch {
	case len(signs) > 0:
		v = k.verdict(signs, hangs, stalls)
	case waits:
		v = Verdict{State: Bad, Since: waiting, Says: stalls(nil, 0)}
	default:
		v = k.verdict(panicked, lasts, func(*fleet.KernelEvent, int) string {
			return fmt.Sprintf("%s panicked for a page of %s, the host below it, which %s", h.Name, metal.Name, says)
		})
	}
	v.Severity, v.Again = fleet.Serious, again
	if unit := d.Process.Unit; unit != "" {
		v.On = fleet.Ref{Kind: fleet.KindUnit, Source: metal.Source, Name: unit}
	}
	if sure {
		v.Confidence = fleet.High
	}
	v.Because = append(append(v.Because, waitEvidence(h)...), swap...)
	v.Because = append(v.Because, noDiskFault(s, metal, v.Since, nil)...)
	return v
}

// noDiskFault is evidence that a host's log covers the time since something hangs and tells of no disk error.
func noDiskFault(s *fleet.Snapshot, h *fleet.Host, since time.Time, disks []string) []fleet.Evidence {
	since = since.Add(-lag)
	k := kernelSince(s, h.Source, h.Name, since)
	if k.why != "" || len(diskFaults(&k, since, disks)) > 0 {
		return nil
	}
	return []fleet.Evidence{because(k.log, time.Time{}, "kernel log of "+h.Name, "it covers that time and tells of no disk error")}
}

// diskFaults are the errors of some disks, or of all where they are not known.
func diskFaults(k *kernelOf, since time.Time, disks []string) []*fleet.KernelEvent {
	return k.within(since, func(e *fleet.KernelEvent) bool {
		switch e.Class {
		case fleet.ClassATA:
			return e.Severity > fleet.Warn
		case fleet.ClassIO, fleet.ClassNVMe:
			return len(disks) == 0 || slices.ContainsFunc(disks, func(disk string) bool { return ofDisk(e, disk) })
		}
		return false
	})
}

// disksOf are the whole disks that the disks of a domain are on.
func disksOf(d *fleet.Domain) (all []string) {
	for i := range d.Disks {
		for _, name := range d.Disks[i].Path.Disks {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// diskOwner is the machine whose disks a host's tasks wait for in the end: itself, or the host below it; nil when that one
// is not known.
func diskOwner(s *fleet.Snapshot, h *fleet.Host) (owner *fleet.Host, d *fleet.Domain, disks []string) {
	d, metal, ok := beneath(s, h)
	switch {
	case ok && metal != nil:
		return metal, d, disksOf(d)
	case ok || h.Identity.Virtual != "":
		return nil, nil, nil
	}
	return h, nil, nil
}

func diskStall(s *fleet.Snapshot, h *fleet.Host) Verdict {
	k, found := hung(s, h, false)
	owner, _, disks := diskOwner(s, h)
	again := k.again(found, hangs)
	switch {
	case len(found) == 0 && k.why != "":
		return Verdict{State: CannotTell, Missing: []string{k.why}, Again: again}
	case len(found) == 0:
		return Verdict{State: OK}
	case owner == nil:
		return Verdict{State: CannotTell, Missing: []string{whatRuns(h) + "; journalctl -k there shows whether its disk fails"}, Again: again}
	}
	v := k.verdict(found, hangs, func(*fleet.KernelEvent, int) string { return "" })
	since := v.Since.Add(-lag)
	log := kernelSince(s, owner.Source, owner.Name, since)
	faults := diskFaults(&log, since, disks)
	slow := slowest(s, owner, func(name string) bool { return owner == h || slices.Contains(disks, name) })
	switch {
	case len(faults) > 0:
		v.Says = fmt.Sprintf("tasks on %s hang because a disk of %s fails: %s", h.Name, owner.Name, faultOf(faults[len(faults)-1]))
		if len(disks) == 0 {
			v.Says = fmt.Sprintf("tasks on %s hang while a disk of %s fails, which may be why: %s", h.Name, owner.Name, faultOf(faults[len(faults)-1]))
			v.Confidence, v.Missing = fleet.Medium, append(v.Missing, "which disk they wait for: the frames of the hung task in the kernel log, and lsblk, on "+h.Name)
		}
		v.Because = append(v.Because, log.verdict(faults, 0, func(*fleet.KernelEvent, int) string { return "" }).Because...)
	case slow != nil:
		v.Says, v.Confidence = fmt.Sprintf("tasks on %s hang because %s of %s takes more than half a second for each request", h.Name, slow.Name, owner.Name), fleet.Medium
		v.Because = append(v.Because, diskEvidence(slow))
	case log.why != "":
		return Verdict{State: CannotTell, Missing: []string{log.why}, Again: again}
	default:
		return Verdict{State: OK, Again: again} // its log covers the time and is clean
	}
	v.Severity = fleet.Serious
	return v
}

// slowest is the one of some disks of a host that takes longest for each request, of those that take very long; nil for none.
func slowest(s *fleet.Snapshot, h *fleet.Host, of func(disk string) bool) (slow *fleet.Disk) {
	p, ok := s.Part(h.Source, fleet.KindDisk.Scope())
	if !ok {
		return nil
	}
	for _, o := range p.Facts {
		if d, ok := o.(*fleet.Disk); ok && d.Host == h.Name && of(d.Name) && verySlow(d) && (slow == nil || d.IO.Await.V > slow.IO.Await.V) {
			slow = d
		}
	}
	return slow
}

func faultOf(e *fleet.KernelEvent) string {
	return strings.Trim(e.Subject+", "+e.Cause, ", ")
}

// idleDisk is the share of time under which a disk counts as idle.
const idleDisk = 0.2

func limitHang(s *fleet.Snapshot, h *fleet.Host) Verdict {
	k, found := hung(s, h, false)
	owner, d, disks := diskOwner(s, h)
	again := k.again(found, hangs)
	switch {
	case owner == h || owner != nil && !slices.ContainsFunc(d.Disks, func(disk fleet.DomainDisk) bool { return disk.Tune.Any() }):
		return Verdict{State: OK} // nothing limits it
	case len(found) == 0 && k.why != "":
		return Verdict{State: CannotTell, Missing: []string{k.why}, Again: again}
	case len(found) == 0:
		return Verdict{State: OK}
	case owner == nil:
		return Verdict{State: CannotTell, Missing: []string{whatRuns(h) + "; virsh blkdeviotune there shows its limits"}, Again: again}
	case slices.ContainsFunc(d.Disks, func(disk fleet.DomainDisk) bool { return disk.Tune.Any() && len(disk.Path.Disks) == 0 }):
		return Verdict{State: CannotTell, Missing: []string{"which disk its images are on: virsh domblklist " + d.Name + ", and findmnt -T FILE on " + d.Host}, Again: again}
	}
	evidence := []fleet.Evidence{}
	for _, name := range disks {
		disk, ok := fleet.Find[*fleet.Disk](s, fleet.OfHost(fleet.KindDisk, owner.Source, owner.Name, name))
		switch {
		case !ok || !disk.IO.Util.OK:
			return Verdict{State: CannotTell, Missing: []string{"whether " + name + " of " + owner.Name + " is idle: iostat -x 1 5 there"}, Again: again}
		case disk.IO.Util.V >= idleDisk:
			return Verdict{State: OK}
		}
		evidence = append(evidence, because(disk, time.Time{}, "/proc/diskstats of "+owner.Name, "%s is in use less than a fifth of the time", name))
	}
	v := k.verdict(found, hangs, func(*fleet.KernelEvent, int) string {
		return fmt.Sprintf("tasks on %s hang while the disk of %s below it is idle, and qemu limits its I/O: the limit itself may be what hangs", h.Name, owner.Name)
	})
	v.Severity = fleet.Serious
	v.Because = append(v.Because, evidence...)
	for _, disk := range d.Disks {
		if disk.Tune.Any() {
			v.Because = append(v.Because, because(d, time.Time{}, "virsh blkdeviotune "+d.Name+" "+disk.Target, "limited"))
			v.Missing = append(v.Missing, "whether it goes on without the limit: virsh blkdeviotune "+d.Name+" "+disk.Target+" --total-bytes-sec 0 --total-iops-sec 0 --live on "+d.Host)
		}
	}
	return v
}
