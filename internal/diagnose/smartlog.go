package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// smartLogRules judge what a disk keeps of its own errors, tests and wear.
func smartLogRules() []Rule {
	return []Rule{{
		ID: "SMT-05", Title: "NVMe logged a failure of its own", Kind: fleet.KindDisk, Severity: fleet.Serious,
		Source:   "NVMe status codes: type 2 (media) and 3 (path), or generic data transfer and internal errors, since it was last switched on; codes that only refuse a command are of SMT-04",
		Explains: []string{"SMT-04", "IO-10"}, Judge: on(loggedFailure),
	}, {
		ID: "SMT-11", Title: "SMART attribute at its threshold", Kind: fleet.KindDisk, Severity: fleet.Critical,
		Source:   "when_failed is now: of an attribute that foretells a failure (prefailure) the disk is about to fail; of the others it is old",
		Explains: []string{"IO-10", "SMT-08"}, Judge: on(attributeFailing),
	}, {
		ID: "SMT-12", Title: "heads are parked too often", Kind: fleet.KindDisk, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source: "ATA 193 over 300,000, or over 100 in each power-on hour (heuristic); most disks are made for 600,000",
		Judge:  on(parked),
	}, {
		ID: "SMT-14", Title: "self-test failed, or never ran", Kind: fleet.KindDisk, Severity: fleet.Serious,
		Source: "smartctl -l selftest of ATA disks; reading it starts none", Judge: on(selfTest),
	}}
}

// statusOf words the status of an NVMe command: its type, its code, whether the disk itself failed, and whether it only did not
// know what it was asked for. smartctl prints the raw word, of which the lowest bit is left out here: 0x4004 is 0x2002.
func statusOf(status int) (word string, failed, unknown bool) {
	kind, code := status>>8&7, status&0xff
	at := kind<<8 | code
	word, known := map[int]string{
		0x001: "invalid opcode", 0x002: "invalid field in command", 0x004: "data transfer error", 0x005: "aborted at a loss of power", 0x006: "internal error",
		0x007: "abort requested", 0x00b: "invalid namespace or format", 0x00c: "command sequence error", 0x080: "LBA out of range", 0x081: "capacity exceeded", 0x082: "namespace not ready",
		0x109: "invalid log page", 0x10a: "invalid format", 0x10d: "feature cannot be saved", 0x10f: "feature is not for one namespace",
		0x280: "write fault", 0x281: "unrecovered read error", 0x282: "guard check failed", 0x285: "compare failed", 0x286: "access denied", 0x287: "deallocated block",
		0x300: "internal path error", 0x302: "path lost",
	}[at]
	if !known {
		word = fmt.Sprintf("status type %d code 0x%02x", kind, code)
	}
	media := kind == 2 && code != 0x85 && code != 0x86 && code != 0x87
	// Invalid opcode, field, namespace or format, log page.
	unknown = at == 0x001 || at == 0x002 || at == 0x00b || at == 0x109
	return word, media || kind == 3 || at == 0x004 || at == 0x006, unknown
}

// logEvidence are the entries of an NVMe disk's error log, in words.
func logEvidence(d *fleet.Disk) (all []fleet.Evidence) {
	if d.Smart == nil {
		return nil
	}
	for _, e := range d.Smart.Errors {
		word, _, unknown := statusOf(e.Status)
		queue := fmt.Sprintf("queue %d", e.Queue)
		if e.Queue == 0 {
			queue = "the queue of admin commands"
		}
		if unknown {
			word += ": a command it does not know, harmless"
		}
		all = append(all, because(d, d.Smart.At, "smartctl -l error", "entry %d: status 0x%04x in %s, %s", e.Count, e.Status<<1, queue, word))
	}
	return all
}

func loggedFailure(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	switch c, counts := d.Counter("num_err_log_entries"); {
	case d.Smart == nil:
		return noSmart(d)
	case d.Bus != "nvme":
		return Verdict{State: OK}
	case len(d.Smart.Errors) == 0 && counts && c.Grew() > 0:
		return Verdict{State: CannotTell, Missing: []string{"what its new log entries are: smartctl -l error /dev/" + d.Name + " on " + d.Host}}
	}
	for _, e := range d.Smart.Errors {
		if word, failed, _ := statusOf(e.Status); failed {
			return Verdict{
				State: Bad, Because: logEvidence(d),
				Says: fmt.Sprintf("%s has logged since it was switched on: %s", diskName(d), word),
			}
		}
	}
	return fresh(d, Verdict{State: OK})
}

func attributeFailing(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	switch {
	case d.Smart == nil:
		return noSmart(d)
	case d.Smart.ATA == nil:
		return Verdict{State: OK}
	}
	a := d.Smart.ATA
	v := Verdict{State: Bad}
	for _, name := range append(a.Failing[:len(a.Failing):len(a.Failing)], a.Worn...) {
		v.Because = append(v.Because, because(d, d.Smart.At, "smartctl -A WHEN_FAILED", "%s is at its threshold now", name))
	}
	switch {
	case len(a.Failing) > 0:
		v.Says = fmt.Sprintf("%s is about to fail: %s at the threshold", diskName(d), names(a.Failing))
	case len(a.Worn) > 0:
		v.Severity = fleet.Warn
		v.Says = fmt.Sprintf("%s is old: %s at the threshold", diskName(d), names(a.Worn))
	default:
		return fresh(d, Verdict{State: OK})
	}
	return v
}

func parked(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	const many, eachHour, enough = 300_000, 100, 100
	if d.Smart == nil {
		return noSmart(d)
	}
	if d.Smart.ATA == nil || !d.Smart.ATA.LoadCycles.OK {
		return Verdict{State: OK}
	}
	n, hours := d.Smart.ATA.LoadCycles.V, d.Smart.Hours.Or(0)
	often := hours > enough && n/hours > eachHour
	if n <= many && !often {
		return Verdict{State: OK}
	}
	says := fmt.Sprintf("%s has parked its heads more than 300,000 times: most disks are made for 600,000", diskName(d))
	if often {
		says = fmt.Sprintf("%s parks its heads more than %d times an hour: its power management wears it out", diskName(d), eachHour)
	}
	return Verdict{
		State: Bad, Says: says, Because: []fleet.Evidence{because(d, d.Smart.At, "smartctl -A 193, 9", "%d load cycles in %d hours", n, hours)},
		Missing: []string{"whether it may be told not to: hdparm -B /dev/" + d.Name + " on " + d.Host},
	}
}

func selfTest(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	const young = 1000 // hours in which nobody need have tested it
	switch {
	case d.Smart != nil && d.Smart.Test == nil && (d.Bus == "nvme" || d.Bus == "scsi" && d.Smart.ATA == nil):
		return Verdict{State: OK} // only ATA disks are asked
	case d.Smart == nil:
		return noSmart(d)
	case d.Smart.Test == nil:
		return Verdict{State: CannotTell, Missing: []string{"its self-tests: smartctl -l selftest /dev/" + d.Name + " on " + d.Host}}
	}
	start := []string{"whether its surface is whole: smartctl -t long /dev/" + d.Name + " on " + d.Host + ", which takes hours"}
	switch t := d.Smart.Test; {
	case t.Kind == "" && d.Smart.Hours.Or(0) > young:
		return Verdict{
			State: Bad, Severity: fleet.Info, Says: diskName(d) + " was never tested",
			Because: []fleet.Evidence{because(d, time.Time{}, "smartctl -l selftest", "no self-tests have been logged")}, Missing: start,
		}
	case t.Passed.OK && !t.Passed.V:
		return Verdict{
			State: Bad, Says: fmt.Sprintf("%s failed its last self-test: %s", diskName(d), sentence(t.Says)),
			Because: []fleet.Evidence{because(d, time.Time{}, "smartctl -l selftest", "%s: %s, at %d power-on hours", t.Kind, sentence(t.Says), t.Hours.V)},
		}
	}
	return Verdict{State: OK}
}
