package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// smartRules judge what a disk says of its own health.
func smartRules() []Rule {
	broken := []string{"IO-10"}
	return []Rule{{
		ID: "SMT-01", Title: "NVMe critical warning", Kind: fleet.KindDisk, Severity: fleet.Critical,
		Source: "NVMe SMART log critical_warning; smartmontools nvmeprint.cpp", Explains: append(broken, "SMT-08", "SMT-03"), Fold: Fold{Least: fleet.Critical},
		Judge: on(nvmeWarning),
	}, {
		ID: "SMT-08", Title: "SMART verdict FAILED", Kind: fleet.KindDisk, Severity: fleet.Critical,
		Source: "smartctl -H: smart_status.passed", Explains: broken,
		Judge: on(smartFailing),
	}, {
		ID: "SMT-03", Title: "disk worn", Kind: fleet.KindDisk, Severity: fleet.Warn,
		Source: "NVMe available_spare under its own threshold; percentage_used 90 and 100",
		Judge:  on(worn),
	}, {
		ID: "SMT-13", Title: "shingled disk", Kind: fleet.KindDisk, Severity: fleet.Info,
		Source: "smartmontools drivedb: SMR families", Judge: on(shingled),
	}}
}

func diskName(d *fleet.Disk) string {
	if d.Model == "" {
		return fmt.Sprintf("%s on %s", d.Name, d.Host)
	}
	return fmt.Sprintf("%s (%s) on %s", d.Name, d.Model, d.Host)
}

// noSmart is the verdict where SMART tells nothing.
func noSmart(d *fleet.Disk) Verdict {
	if len(d.Missing) > 0 {
		return Verdict{State: CannotTell, Missing: d.Missing}
	}
	return Verdict{State: CannotTell, Missing: []string{"its SMART data: smartctl -H -A /dev/" + d.Name + " on " + d.Host}}
}

// fresh is a verdict from SMART data: what was well when it was read long ago may not be any more.
func fresh(d *fleet.Disk, v Verdict) Verdict {
	if v.State == OK && d.Smart != nil && d.Smart.Old {
		return noSmart(d)
	}
	return v
}

func nvmeWarning(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	switch {
	case d.Smart == nil || !d.Smart.Warning.OK:
		return noSmart(d)
	case d.Smart.Warning.V == 0:
		return fresh(d, Verdict{State: OK})
	}
	bits := d.Smart.Warning.V
	var words []string
	for bit, word := range [...]string{"spare below threshold", "temperature", "reliability degraded", "read-only", "volatile backup failed", "persistent memory unreliable"} {
		if bits&(1<<bit) != 0 {
			words = append(words, word)
		}
	}
	verdict := Verdict{
		State: Bad, Says: fmt.Sprintf("%s warns: %s", diskName(d), cmp.Or(strings.Join(words, ", "), fmt.Sprintf("0x%02x", bits))),
		Because: []fleet.Evidence{because(d, d.Smart.At, "smartctl critical_warning", "0x%02x", bits)},
	}
	if bits == 1<<1 { // only the temperature
		verdict.Severity = fleet.Serious
	}
	return verdict
}

func smartFailing(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	switch {
	case d.Smart == nil || !d.Smart.Passed.OK:
		return noSmart(d)
	case d.Smart.Passed.V:
		return fresh(d, Verdict{State: OK})
	}
	return Verdict{
		State: Bad, Says: diskName(d) + " says of itself that it is failing: move its data now",
		Because: []fleet.Evidence{because(d, d.Smart.At, "smartctl smart_status.passed", "false")},
	}
}

func worn(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	if d.Smart == nil || !d.Smart.UsedPct.OK && !d.Smart.SparePct.OK {
		return noSmart(d)
	}
	m := d.Smart
	evidence := []fleet.Evidence{because(d, m.At, "smartctl NVMe health log", "available_spare=%s threshold=%s percentage_used=%s",
		percent(m.SparePct), percent(m.SpareMin), percent(m.UsedPct))}
	switch {
	case m.SparePct.OK && m.SpareMin.OK && m.SparePct.V < m.SpareMin.V:
		return Verdict{
			State: Bad, Severity: fleet.Critical, Because: evidence,
			Says: fmt.Sprintf("%s has %d %% spare blocks left, below its threshold of %d %%", diskName(d), m.SparePct.V, m.SpareMin.V),
		}
	case m.UsedPct.Or(0) >= 90:
		verdict := Verdict{State: Bad, Because: evidence, Says: fmt.Sprintf("%s has used %d %% of its rated endurance", diskName(d), m.UsedPct.V)}
		if m.UsedPct.V >= 100 {
			verdict.Severity = fleet.Serious
		}
		return verdict
	}
	return fresh(d, Verdict{State: OK})
}

func percent(p fleet.Opt[int]) string {
	if !p.OK {
		return "?"
	}
	return fmt.Sprintf("%d%%", p.V)
}

func shingled(_ *fleet.Snapshot, d *fleet.Disk) Verdict {
	switch {
	case d.Smart == nil:
		return noSmart(d)
	case !d.Smart.SMR:
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Says: diskName(d) + " is shingled (SMR): not for VM images, databases, containers or swap",
		Because: []fleet.Evidence{because(d, time.Time{}, "smartctl drive database", "%s", d.Model)},
	}
}
