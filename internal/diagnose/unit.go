package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

func unitRules() []Rule {
	return []Rule{{
		ID: "IO-07", Title: "I/O limit does not hold", Kind: fleet.KindUnit, Severity: fleet.Warn,
		Source:   "io.max of a scope ends with it, and each start of a domain makes another (systemd, libvirt); systemd takes any text for a device, dbus-cgroup.c, and sets nothing where cgroup.c finds none",
		Explains: []string{"IO-01", "IO-02"}, Remedies: []string{"unit-limit", "domain-limit"}, Judge: on(limitLost),
	}}
}

func limitLost(_ *fleet.Snapshot, u *fleet.Unit) Verdict {
	if u.Lacks("io.max") && (u.Domain != "" || len(u.Lost) > 0) {
		return Verdict{State: CannotTell, Missing: []string{"its limits: cat /sys/fs/cgroup/" + u.CGroup + "/io.max on " + u.Host}}
	}
	if len(u.Lost) == 0 {
		return Verdict{State: OK}
	}
	v := Verdict{State: Bad}
	var lost, inert []string
	for _, l := range u.Lost {
		what := l.Limit.String() + " on " + l.Disk
		if l.DropIn != "" {
			inert = append(inert, what)
			v.Because = append(v.Because,
				because(u, time.Time{}, l.DropIn+" on "+u.Host, "%s", what),
				because(u, time.Time{}, "io.max of "+u.Name, "no such limit"))
			v.Missing = append(v.Missing, "what systemd says of it: journalctl -u '"+u.Name+"' -g \"stat device\" on "+u.Host)
			continue
		}
		lost = append(lost, what)
		v.Because = append(v.Because,
			because(u, time.Time{}, "io.max of "+l.Unit, "%s: %s", l.Disk, l.Limit),
			because(u, l.At, "io.max of "+u.Name, "%s: no limit", l.Disk))
	}
	switch {
	case len(inert) > 0:
		v.Says = fmt.Sprintf("systemd was told to limit %s on %s and the kernel does not: %s", cmp.Or(u.Domain, u.Name), u.Host, strings.Join(inert, ", "))
	default:
		v.Says = fmt.Sprintf("%s on %s was started again and lost its I/O limit: %s", u.Domain, u.Host, strings.Join(lost, ", "))
	}
	return v
}
