package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

func domainRules() []Rule {
	with := []string{"NOVA-25", "NOVA-05", "NOVA-24", "K8S-01", "K8S-02", "NET-01"} // of a domain that is a hypervisor or a node
	return []Rule{{
		ID: "VIRT-01", Title: "virtual machine crashed", Kind: fleet.KindDomain, Severity: fleet.Serious,
		Source:   "libvirt: shut off (crashed) is a qemu that ended without saying so; nova shows SHUTOFF and no reason",
		Explains: append([]string{"NOVA-01", "NOVA-07"}, with...), Remedies: []string{"domain-start"}, Judge: on(crashed),
	}, {
		ID: "VIRT-04", Title: "virtual machine paused on an I/O error", Kind: fleet.KindDomain, Severity: fleet.Critical,
		Source:   "libvirt: paused (I/O error), domblkerror; nova leaves such a server ACTIVE",
		Explains: with, Remedies: []string{"domain-resume"}, Judge: on(pausedOnError),
	}, {
		ID: "VIRT-10", Title: "virtual machine is off, and what runs in it", Kind: fleet.KindDomain, Severity: fleet.Warn,
		Source: "libvirt: shut off (shutdown, destroyed, ...) of a machine that is watched or is a node; serious of a node. Of Nova's own NOVA-01 and NOVA-20 tell",
		Hold:   15 * time.Second, Explains: with, Remedies: []string{"domain-start"}, Judge: on(machineOff),
	}, {
		ID: "VIRT-05", Title: "disk image not closed, or corrupt", Kind: fleet.KindDomain, Severity: fleet.Warn,
		Source:   "qemu's log: block/qcow2.c mends an image that was not closed as it opens it (refcount=0 reference=1 is expected then), for a day; Marking image as corrupt is damage",
		Explains: []string{"VIRT-01"}, Remedies: []string{"disk-check"}, Judge: on(imageTrouble),
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
	v = Verdict{
		State: Bad, Says: fmt.Sprintf("%s on %s crashed; a start makes libvirt forget it", whichDomain(d), d.Host),
		Because: []fleet.Evidence{because(d, time.Time{}, "virsh domstate --reason "+d.Name, "%s", d.Health().Word)},
	}
	if d.Log == nil || d.Log.NoData != "" {
		v.Missing = noQemuLog(d)
		return v
	}
	v.Since = d.Log.Stopped
	if why, ok := d.Log.Last(d.Log.Started, fleet.QemuKVM, fleet.QemuMemory, fleet.QemuAbort, fleet.QemuCorrupt, fleet.QemuSignal); ok {
		v.Says = fmt.Sprintf("%s on %s crashed: %s; a start makes libvirt forget it", whichDomain(d), d.Host, sentence(why.Text))
	}
	v.Because = append(v.Because, qemuEvidence(d, d.Log.Started)...)
	return v
}

// noQemuLog tells how to see what a qemu printed.
func noQemuLog(d *fleet.Domain) []string {
	missing := "what its qemu said: tail /var/log/libvirt/qemu/" + d.Name + ".log on " + d.Host
	if d.Log != nil {
		missing += " (" + d.Log.NoData + ")"
	}
	return []string{missing}
}

// qemuEvidence is what a qemu's log tells since a time.
func qemuEvidence(d *fleet.Domain, since time.Time) (all []fleet.Evidence) {
	for _, l := range d.Log.Lines {
		if l.At.Before(since) {
			continue
		}
		says := sentence(l.Text)
		if l.Count > 1 {
			says += fmt.Sprintf(", %d lines", l.Count)
		}
		all = append(all, because(d, l.At, d.Log.File+" on "+d.Host, "%s", says))
	}
	return all
}

// imageTrouble judges what qemu said of its disk images since it was last started.
func imageTrouble(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	const lasts = 24 * time.Hour
	if d.Log == nil || d.Log.NoData != "" {
		return Verdict{State: CannotTell, Missing: noQemuLog(d)}
	}
	if l, ok := d.Log.Last(d.Log.Started, fleet.QemuCorrupt); ok {
		return Verdict{
			State: Bad, Severity: fleet.Critical, Since: l.At,
			Says:    fmt.Sprintf("a disk image of %s on %s is corrupt: %s", whichDomain(d), d.Host, sentence(l.Text)),
			Because: qemuEvidence(d, d.Log.Started),
		}
	}
	l, ok := d.Log.Last(d.Log.Started, fleet.QemuRepair)
	until := l.At.Add(lasts)
	if !ok || !s.At.Before(until) {
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Since: l.At, Again: until,
		Says:    fmt.Sprintf("a disk image of %s on %s was not closed before its last start, and qemu mended it: the run before ended hard", whichDomain(d), d.Host),
		Because: qemuEvidence(d, d.Log.Started),
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

// machineOff speaks of a domain that somebody shut down or ended while a machine or node that is known runs in it.
func machineOff(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	v, told := stateTold(d)
	if !told || d.State != "shut off" || d.Reason == "crashed" || d.Nova != "" {
		return v
	}
	inside, severity := "", fleet.Warn
	for l := range s.Down(d.Ref()) {
		switch l.From.Kind {
		case fleet.KindNode:
			inside, severity = "node "+l.From.Name, fleet.Serious
		case fleet.KindHost:
			inside = cmp.Or(inside, "host "+l.From.Name)
		}
	}
	if inside == "" {
		return v
	}
	v = Verdict{
		State: Bad, Severity: severity, Says: fmt.Sprintf("%s on %s is off (%s), and %s with it", whichDomain(d), d.Host, cmp.Or(d.Reason, "no reason told"), inside),
		Because: []fleet.Evidence{because(d, time.Time{}, "virsh domstate --reason "+d.Name, "%s", d.Health().Word)},
	}
	if d.Log == nil || d.Log.NoData != "" {
		v.Missing = noQemuLog(d)
		return v
	}
	if l := d.Log; l.Stopped.After(l.Started) {
		v.Since = l.Stopped
		v.Because = append(v.Because, qemuEvidence(d, l.Stopped.Add(-time.Minute))...)
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
