package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// deviceRules judge how a domain is made.
func deviceRules() []Rule {
	return []Rule{{
		ID: "VIRT-07", Title: "disk image may lose what was written", Kind: fleet.KindDomain, Severity: fleet.Warn,
		Source: "cache=unsafe in a domain's definition: qemu ignores flushes, so a crash of its host loses what the guest took for written; none bypasses the host's page cache, and is no such risk",
		Judge:  on(unsafeCache),
	}, {
		ID: "VIRT-08", Title: "nobody notices a panic of a guest", Kind: fleet.KindDomain, Severity: fleet.Info, Confidence: fleet.Medium,
		Source: "no panic device and no watchdog that acts in the definition of a virtual machine that strata watches from inside",
		Reads:  Reads{Kinds: []fleet.Kind{fleet.KindHost}}, Judge: on(unseenPanic),
	}}
}

func unsafeCache(_ *fleet.Snapshot, d *fleet.Domain) Verdict {
	v := Verdict{State: OK}
	if len(d.Disks) == 0 || !d.Set.PanicSeen.OK {
		return Verdict{State: CannotTell, Missing: []string{"how its disks are cached: virsh dumpxml " + d.Name + " on " + d.Host}}
	}
	var targets []string
	for _, disk := range d.Disks {
		if disk.Cache == "unsafe" {
			targets = append(targets, disk.Target)
			v.Because = append(v.Because, because(d, time.Time{}, "virsh dumpxml "+d.Name, "<driver cache='unsafe'/> of %s (%s)", disk.Target, disk.File))
		}
	}
	if len(targets) > 0 {
		v.State = Bad
		v.Says = fmt.Sprintf("%s on %s ignores the flushes of its guest for %s: a crash of the host loses what the guest took for written", whichDomain(d), d.Host, names(targets))
	}
	return v
}

func unseenPanic(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	inside := ""
	for l := range s.Down(d.Ref()) {
		if l.From.Kind == fleet.KindHost && (inside == "" || l.From.Name < inside) {
			inside = l.From.Name
		}
	}
	switch {
	case inside == "" || d.Set.PanicSeen.Or(false):
		return Verdict{State: OK}
	case !d.Set.PanicSeen.OK:
		return Verdict{State: CannotTell, Missing: []string{"its devices: virsh dumpxml " + d.Name + " on " + d.Host}}
	}
	return Verdict{
		State: Bad, Says: fmt.Sprintf("a panic of %s may hang for good: its domain on %s has no panic device and no watchdog", inside, d.Host),
		Because: []fleet.Evidence{because(d, time.Time{}, "virsh dumpxml "+d.Name, "no <panic/>, no <watchdog/> that acts")},
		Missing: []string{"whether it boots anew by itself all the same: sysctl kernel.panic, and systemctl is-active kdump, on " + inside},
	}
}
