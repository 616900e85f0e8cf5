package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// hardwareRules judge what kernels wrote of CPUs, buses, controllers, arrays and network cards.
func hardwareRules() []Rule {
	reads := Reads{Around: []fleet.Kind{fleet.KindKernel, fleet.KindKernelLog}}
	return []Rule{{
		ID: "KRN-LOCK", Title: "CPU does not come back", Kind: fleet.KindHost, Severity: fleet.Serious, Confidence: fleet.Medium,
		Source: "kernel/watchdog.c soft and hard lockups, kernel/rcu/tree_stall.h; in a virtual machine mostly one that the host below did not let run",
		Reads:  reads, Judge: on(lockedUp),
	}, {
		ID: "KRN-OOPS", Title: "kernel broke and goes on", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "BUG:, Oops:, general protection fault, refcount_t: what it broke stays so until the next boot",
		Reads:  reads, Judge: on(oopsed),
	}, {
		ID: "KRN-NVME", Title: "NVMe controller is dead", Kind: fleet.KindHost, Severity: fleet.Critical,
		Source:   "drivers/nvme/host: controller is down, Device not ready, Removing after probe failure; a disk that is gone tells nothing itself",
		Explains: []string{"KRN-IO", "KRN-FS", "IO-04", "KRN-HUNG", "X-04"}, Reads: reads, Judge: on(deadController),
	}, {
		ID: "KRN-ATA", Title: "SATA or SCSI link fails", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "drivers/ata/libata-eh.c: failed command, exceptions, resets; three of the latter in an hour (heuristic); drivers/scsi: device offlined",
		Fold:   Fold{Direct: true}, Reads: reads, Judge: on(ataErrors),
	}, {
		ID: "KRN-MCE", Title: "memory or CPU errors", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "machine checks and EDAC: corrected is a warning, not corrected (UE, fatal) is loss of data; for a day",
		Reads:  reads, Judge: on(machineChecks),
	}, {
		ID: "KRN-AER", Title: "PCI Express errors", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "drivers/pci/pcie/aer.c: those not corrected; corrected ones are common, 100 in ten minutes are worth a look (heuristic)",
		Reads:  reads, Judge: on(busErrors),
	}, {
		ID: "KRN-LINK", Title: "network link fails", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source:   "Link is Down, after the first minute of a boot and not of virtual cards; serious when three times in ten minutes (heuristic) or when the card hangs",
		Explains: []string{"NET-01", "NOVA-05", "NOVA-24"}, Fold: Fold{Within: 10 * time.Minute}, Reads: reads, Judge: on(linkTrouble),
	}, {
		ID: "KRN-MD", Title: "array lost a disk", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "drivers/md: Disk failure on, disabling device; for a day",
		Explains: []string{"MD-01"}, Reads: reads, Judge: on(arrayLost),
	}}
}

// lately reads a host's kernel log of the last while, but not that of an earlier boot.
func lately(s *fleet.Snapshot, h *fleet.Host, lasts time.Duration) (k kernelOf, since time.Time) {
	since = s.At.Add(-lasts)
	return kernelSince(s, h.Source, h.Name, later(since, h.Boot)), since
}

func lockedUp(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 30 * time.Minute
	k, since := lately(s, h, lasts)
	v := k.verdict(k.within(since, class(fleet.ClassLockup)), lasts, func(last *fleet.KernelEvent, n int) string {
		what := strings.TrimSpace(last.Subject + " " + last.Cause)
		says := fmt.Sprintf("a CPU of %s did not come back (%s)", h.Name, cmp.Or(what, "which is not told"))
		if n > 1 {
			says += fmt.Sprintf(", the last of %d times", n)
		}
		if h.Identity.Virtual != "" {
			says += ": it is a virtual machine, so look first whether the host below let it run"
		}
		return says
	})
	if v.State == Bad && h.Identity.Virtual != "" {
		v.Confidence = fleet.Low
		v.Missing = append(v.Missing, "whether the host below let it run: its swap (vmstat 1 5) and steal in top here")
		if h.Steal.OK && h.Steal.V >= 0.05 {
			v.Because = append(v.Because, because(h, time.Time{}, "/proc/stat steal", "the host below took CPU time of it just now"))
		}
	}
	return v
}

// oopsed lasts as long as the boot.
func oopsed(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Boot.IsZero() || h.BootID == "" {
		return Verdict{State: CannotTell, Missing: []string{"when " + h.Name + " booted: cat /proc/stat"}}
	}
	k := kernelSince(s, h.Source, h.Name, h.Boot.Add(2*time.Second))
	is := class(fleet.ClassOops, fleet.ClassRefcount)
	found := k.within(time.Time{}, func(e *fleet.KernelEvent) bool { return is(e) && sameBoot(e.Boot, h.BootID) })
	return k.verdict(found, 0, func(last *fleet.KernelEvent, _ int) string {
		return fmt.Sprintf("the kernel of %s broke and goes on (%s): boot it anew before it does damage", h.Name, cmp.Or(sentence(last.Cause), last.Class))
	})
}

func deadController(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 24 * time.Hour
	k, since := lately(s, h, lasts)
	disk := fleet.Ref{}
	v := k.verdict(k.within(later(since, h.Boot), func(e *fleet.KernelEvent) bool {
		return e.Class == fleet.ClassNVMe && e.Severity == fleet.Critical
	}), lasts, func(last *fleet.KernelEvent, _ int) string {
		disk = fleet.OfHost(fleet.KindDisk, h.Source, h.Name, last.Subject+"n1")
		return fmt.Sprintf("the controller %s of %s is dead: %s", last.Subject, h.Name, cmp.Or(last.Cause, "it does not answer"))
	})
	if v.State == Bad {
		v.On = disk
	}
	return v
}

func ataErrors(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = time.Hour
	k, since := lately(s, h, lasts)
	found := k.within(since, func(e *fleet.KernelEvent) bool {
		return e.Class == fleet.ClassATA || e.Class == fleet.ClassIO && strings.HasPrefix(e.Subject, "scsi ")
	})
	n := 0
	for _, e := range found {
		if n += e.Count; e.Severity > fleet.Warn {
			n = 3 // one of these is enough
			break
		}
	}
	if n > 0 && n < 3 {
		return Verdict{State: OK, Again: found[0].Last.Add(lasts)}
	}
	v := k.verdict(found, lasts, func(last *fleet.KernelEvent, n int) string {
		return fmt.Sprintf("%s of %s: %s, %s in an hour: a cable, or a disk that dies", last.Subject, h.Name, cmp.Or(last.Cause, "its link fails"), plural(n, "line"))
	})
	if v.State == Bad {
		v.On = k.diskBeside(h, found)
	}
	return v
}

// diskBeside is the disk that failed to read or write within seconds of one of some events, which name a port; none where
// none did.
func (k *kernelOf) diskBeside(h *fleet.Host, events []*fleet.KernelEvent) fleet.Ref {
	const beside = 10 * time.Second
	for _, e := range k.all(time.Time{}, class(fleet.ClassIO)) {
		for _, link := range events {
			if name := wholeDisk("/dev/" + e.Subject); name != "" && e.At.Sub(link.Last) <= beside && link.At.Sub(e.Last) <= beside {
				return fleet.OfHost(fleet.KindDisk, h.Source, h.Name, name)
			}
		}
	}
	return fleet.Ref{}
}

func machineChecks(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 24 * time.Hour
	since := s.At.Add(-lasts)
	k := kernelSince(s, h.Source, h.Name, since)
	found := k.within(since, class(fleet.ClassMCE, fleet.ClassEDAC))
	return k.verdict(found, lasts, func(last *fleet.KernelEvent, n int) string {
		for _, e := range found {
			if e.Severity == fleet.Critical {
				return fmt.Sprintf("the hardware of %s reported an error that it could not correct: %s", h.Name, strings.TrimSpace(e.Subject+" "+cmp.Or(e.Cause, "machine check")))
			}
		}
		return fmt.Sprintf("the hardware of %s corrected errors of memory or CPU: %s in a day", h.Name, plural(n, "line"))
	})
}

func busErrors(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts, many = 10 * time.Minute, 100
	k, since := lately(s, h, lasts)
	found := k.all(since, class(fleet.ClassAER))
	corrected, bad := 0, false
	for _, e := range found {
		if bad = bad || e.Severity > fleet.Info; e.Severity == fleet.Info {
			corrected += e.Count
		}
	}
	if !bad && corrected < many {
		found = nil
	}
	v := k.verdict(found, lasts, func(last *fleet.KernelEvent, _ int) string {
		device := cmp.Or(last.Subject, "a device")
		if !bad {
			return fmt.Sprintf("%s on the PCI Express bus of %s corrects more than %d errors in ten minutes: reseat it", device, h.Name, many)
		}
		return fmt.Sprintf("%s on the PCI Express bus of %s: an error that was not corrected", device, h.Name)
	})
	if v.State == Bad && !bad {
		v.Severity = fleet.Warn
	}
	return v
}

func linkTrouble(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts, settling = 10 * time.Minute, 60
	k, since := lately(s, h, lasts)
	found := k.within(since, func(e *fleet.KernelEvent) bool { return e.Class == fleet.ClassLink && e.Mono > settling })
	downs := map[string]int{}
	flapping := ""
	for _, e := range found {
		if e.Severity == fleet.Warn {
			if downs[e.Subject] += e.Count; downs[e.Subject] >= 3 {
				flapping = e.Subject
			}
		}
	}
	v := k.verdict(found, lasts, func(last *fleet.KernelEvent, _ int) string {
		if flapping != "" {
			return fmt.Sprintf("the link of %s on %s went down %d times in ten minutes: cable, port or card", flapping, h.Name, downs[flapping])
		}
		what := last.Cause
		if what == "down" {
			what = "its link went down"
		}
		return fmt.Sprintf("%s on %s: %s", last.Subject, h.Name, what)
	})
	if flapping != "" {
		v.Severity = fleet.Serious
	}
	return v
}

func arrayLost(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = 24 * time.Hour
	since := s.At.Add(-lasts)
	k := kernelSince(s, h.Source, h.Name, since)
	return k.verdict(k.within(since, class(fleet.ClassMD)), lasts, func(last *fleet.KernelEvent, _ int) string {
		return fmt.Sprintf("array %s on %s: %s", last.Subject, h.Name, last.Cause)
	})
}
