package diagnose

import (
	"time"

	"strata/internal/fleet"
)

func unitRules() []Rule {
	return []Rule{{
		ID: "IO-07", Title: "I/O limit lost", Kind: fleet.KindUnit, Severity: fleet.Warn,
		Source:   "io.max of a scope ends with it, and each start of a domain makes another scope (systemd, libvirt)",
		Remedies: []string{"unit-limit", "domain-limit"}, Judge: on(limitLost),
	}}
}

func limitLost(_ *fleet.Snapshot, u *fleet.Unit) Verdict {
	if u.Domain != "" && u.Lacks("io.max") {
		return Verdict{State: CannotTell, Missing: []string{"its limits: cat /sys/fs/cgroup/" + u.CGroup + "/io.max on " + u.Host}}
	}
	if len(u.Lost) == 0 {
		return Verdict{State: OK}
	}
	v := Verdict{State: Bad, Says: u.Domain + " on " + u.Host + " was started again and lost its I/O limit:"}
	for _, l := range u.Lost {
		v.Says += " " + l.Limit.String() + " on " + l.Disk
		v.Because = append(v.Because,
			because(u, time.Time{}, "io.max of "+l.Unit, "%s: %s", l.Disk, l.Limit),
			because(u, l.At, "io.max of "+u.Name, "%s: no limit", l.Disk))
	}
	return v
}
