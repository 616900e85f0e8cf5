package diagnose

import (
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

func domainRules() []Rule {
	return []Rule{{
		ID: "VIRT-01", Title: "virtual machine crashed", Kind: fleet.KindDomain, Severity: fleet.Serious,
		Source:   "libvirt: shut off (crashed) is a qemu that ended without saying so; nova shows SHUTOFF and no reason",
		Remedies: []string{"domain-start"}, Judge: on(crashed),
	}, {
		ID: "VIRT-04", Title: "virtual machine paused on an I/O error", Kind: fleet.KindDomain, Severity: fleet.Critical,
		Source:   "libvirt: paused (I/O error), domblkerror; nova leaves such a server ACTIVE",
		Remedies: []string{"domain-resume"}, Judge: on(pausedOnError),
	}}
}

// stateTold is a verdict on a domain whose state libvirt does not tell.
func stateTold(d *fleet.Domain) (Verdict, bool) {
	if d.State == "" || d.State == "no state" || d.Health().State == fleet.StateUnknown && strings.HasPrefix(d.State, "number") {
		return Verdict{State: CannotTell, Missing: []string{"its state: virsh domstate --reason " + d.Name + " on " + d.Host}}, false
	}
	return Verdict{State: OK}, true
}

func crashed(_ *fleet.Snapshot, d *fleet.Domain) Verdict {
	v, told := stateTold(d)
	if !told || d.State != "crashed" && (d.State != "shut off" || d.Reason != "crashed") {
		return v
	}
	return Verdict{
		State: Bad, Says: fmt.Sprintf("%s on %s crashed: see /var/log/libvirt/qemu/%s.log before it is started, which makes libvirt forget it", whichDomain(d), d.Host, d.Name),
		Because: []fleet.Evidence{because(d, time.Time{}, "virsh domstate --reason "+d.Name, "%s", d.Health().Word)},
	}
}

func pausedOnError(_ *fleet.Snapshot, d *fleet.Domain) Verdict {
	v, told := stateTold(d)
	if !told || d.State != "paused" || d.Reason != "I/O error" {
		return v
	}
	v = Verdict{
		State: Bad, Says: fmt.Sprintf("%s on %s is paused on an I/O error", whichDomain(d), d.Host),
		Because: []fleet.Evidence{because(d, time.Time{}, "virsh domstate --reason "+d.Name, "%s", d.Health().Word)},
	}
	for _, disk := range d.Disks {
		if disk.Error == "" {
			continue
		}
		v.Says += fmt.Sprintf(": %s on %s (%s)", disk.Error, disk.Target, disk.File)
		v.Because = append(v.Because, because(d, time.Time{}, "virsh domblkerror "+d.Name, "%s: %s", disk.Target, disk.Error))
	}
	if d.Nova != "" {
		v.Says += "; nova shows it ACTIVE all the same"
	}
	return v
}

// whichDomain is what people call a domain: the name of its Nova server beside its own.
func whichDomain(d *fleet.Domain) string {
	if d.Nova != "" && d.Nova != d.Name {
		return d.Nova + " (" + d.Name + ")"
	}
	return d.Name
}
