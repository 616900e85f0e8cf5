package diagnose

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"strata/internal/fleet"
)

// machineRestartRules tell why a virtual machine started again: by its host, by its qemu, or by itself.
func machineRestartRules() []Rule {
	soon := Fold{Within: rebootWindow}
	below := bootReads()
	below.Far = []fleet.Kind{fleet.KindHost, fleet.KindKernel, fleet.KindKernelLog}
	return []Rule{{
		ID: "X-02", Title: "why a virtual machine restarted", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source:   "the boot that was cut off, the start of its qemu, the boot of the host below, and how its qemu ended, held against each other; for a day",
		Explains: []string{"X-01"}, Fold: soon, Reads: below, Judge: on(restarted),
	}, {
		ID: "X-06", Title: "cut off while hot", Kind: fleet.KindHost, Severity: fleet.Serious, Confidence: fleet.Medium,
		Source:   "a boot that was cut off within a quarter of an hour of its CPUs slowing down for heat; a processor that switches itself off writes nothing",
		Explains: []string{"BOOT-02"}, Fold: soon, Reads: bootReads(), Judge: on(cutOffHot),
	}, {
		ID: "VIRT-02", Title: "who ended a qemu", Kind: fleet.KindDomain, Severity: fleet.Serious,
		Source:   "qemu's log: terminating on signal N from pid P; an end that libvirt wrote none of is that of libvirt or of its host; for a day",
		Explains: []string{"VIRT-05", "X-02"}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindHost}}, Judge: on(qemuEnded),
	}, {
		ID: "VIRT-03", Title: "guest restarted itself", Kind: fleet.KindDomain, Severity: fleet.Info,
		Source: "the guest's boot is later than the start of its qemu: libvirt saw nothing of it; for a day",
		Reads:  Reads{Kinds: []fleet.Kind{fleet.KindHost}}, Judge: on(guestReset),
	}}
}

// beneath is what a host that is a virtual machine runs as, and the host below it, nil when that is not watched.
func beneath(s *fleet.Snapshot, h *fleet.Host) (d *fleet.Domain, metal *fleet.Host, ok bool) {
	if d, ok = below[*fleet.Domain](s, h.Ref(), fleet.KindDomain); !ok {
		return nil, nil, false
	}
	if metal, ok = below[*fleet.Host](s, d.Ref(), fleet.KindHost); !ok || metal == h {
		metal = nil
	}
	return d, metal, true
}

// whatRuns tells how to see what is below a virtual machine.
func whatRuns(h *fleet.Host) string {
	return "the host that runs " + h.Name + ", a virtual machine: strata hosts add its name, with its libvirt"
}

func restarted(s *fleet.Snapshot, h *fleet.Host) Verdict {
	d, metal, ok := beneath(s, h)
	if !ok && h.Identity.Virtual == "" {
		return Verdict{State: OK} // BOOT-02 says more
	}
	last, v := lastCut(s, h)
	if last == nil {
		return v
	}
	started := time.Time{}
	if ok {
		started = d.Process.Started
	}
	switch {
	case !ok:
		return Verdict{State: CannotTell, Missing: []string{whatRuns(h)}, Again: v.Again}
	case started.IsZero():
		return Verdict{State: CannotTell, Missing: []string{"when its qemu started: ps -o lstart -p $(cat /run/libvirt/qemu/" + d.Name + ".pid) on " + d.Host}, Again: v.Again}
	}
	v.Because = cutEvidence(s, h, last)
	v.Missing = []string{"what it said last: journalctl -b " + last.ID + " -k -e on " + h.Name + ", and ls /var/crash there"}
	at := h.Name + " restarted at " + clock(s, h.Boot)
	switch {
	case started.Before(last.End):
		v.Says = at + " by itself, as its qemu on " + d.Host + " lived on: a panic or a reset inside"
	case metal != nil && !metal.Boot.IsZero() && metal.Boot.After(last.End.Add(-time.Minute)) && !metal.Boot.After(started.Add(time.Minute)):
		v.Says = at + " because " + metal.Name + ", the host below it, booted at " + clock(s, metal.Boot)
		v.Because = append(v.Because, because(metal, metal.Boot, "/proc/stat btime", "%s", metal.Boot.UTC().Format(time.RFC3339)))
		v.Missing = []string{"why " + metal.Name + " booted: last -x reboot shutdown there"}
	default:
		how, severity, evidence := qemuWent(s, d, metal, last.End, started)
		if how == "" {
			return Verdict{State: OK} // it was shut down in order
		}
		v.Says, v.Severity, v.Because = at+" because its qemu on "+d.Host+" "+how, severity, append(v.Because, evidence...)
		if severity == 0 {
			v.Confidence, v.Missing = fleet.Medium, append(noQemuLog(d), v.Missing...)
		}
	}
	return v
}

// qemuWent tells how the qemu of a guest that wrote its last line at a time ended before the next one started; "" for in
// order, and no severity where nothing tells.
func qemuWent(s *fleet.Snapshot, d *fleet.Domain, metal *fleet.Host, end, next time.Time) (how string, severity fleet.Severity, all []fleet.Evidence) {
	const around = 10 * time.Minute
	if metal != nil {
		k := kernelSince(s, metal.Source, metal.Name, end.Add(-around))
		for _, e := range k.within(end.Add(-around), class(fleet.ClassOOM)) {
			if scope := scoped(e.CGroup); isQemu(e.Subject) && !e.At.After(next) && (scope == "" || scope == machineName(d.Name)) {
				return "was killed by the kernel of " + metal.Name + " for memory", fleet.Critical,
					[]fleet.Evidence{because(e, e.At, "kernel log of "+metal.Name, "%s", sentence(e.Line))}
			}
		}
	}
	if d.Log == nil || d.Log.NoData != "" {
		return "ended, and was started again", 0, nil
	}
	switch l := d.Log; {
	case l.Unclean && !l.Started.Before(end):
		return "ended without a word: with libvirt, with its host, or killed", fleet.Serious,
			[]fleet.Evidence{because(d, l.Started, l.File+" on "+d.Host, "started, and no end is written of the run before")}
	case l.Stopped.Before(end.Add(-around)) || l.Stopped.After(next.Add(time.Minute)):
		return "ended, and was started again", 0, nil
	case l.Reason == "shutdown":
		return "", 0, nil
	case l.Reason == "crashed" || l.Reason == "failed":
		return "crashed", fleet.Serious, nil
	case l.Reason == "destroyed":
		return "was destroyed: virsh destroy, or nova's hard reboot or stop", fleet.Warn, nil
	}
	return "ended (" + cmp.Or(d.Log.Reason, "no reason told") + ")", fleet.Warn, nil
}

func cutOffHot(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const before = 15 * time.Minute
	last, v := lastCut(s, h)
	if last == nil {
		return v
	}
	k := kernelSince(s, h.Source, h.Name, last.End.Add(-before))
	heat := k.verdict(k.within(last.End.Add(-before), func(e *fleet.KernelEvent) bool {
		return e.Class == fleet.ClassThermal && sameBoot(e.Boot, last.ID)
	}), 0, func(last *fleet.KernelEvent, _ int) string { return last.Cause })
	if heat.State != Bad {
		heat.Again = v.Again
		return heat
	}
	v.Because, v.Missing = append(heat.Because, endEvidence(h, last)), []string{"whether its firmware switched it off: ipmitool sel list on " + h.Name + ", if it has a BMC"}
	v.Says = fmt.Sprintf("%s was cut off after %s while its CPUs slowed down for heat: it most likely switched itself off", h.Name, clock(s, last.End))
	if heat.Severity == fleet.Critical {
		v.Confidence = fleet.High
		v.Says = fmt.Sprintf("%s switched itself off for heat after %s: it had reached its critical temperature", h.Name, clock(s, last.End))
	}
	return v
}

// signalled reads who sent qemu which signal.
func signalled(text string) (signal, pid, who string, ok bool) {
	m := regexp.MustCompile(`\bterminating on signal (\d+)(?: from pid (\d+)(?: \(([^)]*)\))?)?`).FindStringSubmatch(text)
	if m == nil {
		return "", "", "", false
	}
	if who = m[3]; who == "<unknown process>" {
		who = "" // it was gone before qemu could look
	}
	return m[1], m[2], who, true
}

// endedByInit words a verdict on a qemu that process 1 of its host asked to end, as it does with all when the host shuts down.
func endedByInit(s *fleet.Snapshot, d *fleet.Domain, v *Verdict) {
	const within = 15 * time.Minute // from the end of the guests to the next boot
	ended := fmt.Sprintf("the qemu of %s on %s was ended by systemd at %s", whichDomain(d), d.Host, clock(s, v.Since))
	if h, ok := below[*fleet.Host](s, d.Ref(), fleet.KindHost); ok && h.Boot.After(v.Since) && h.Boot.Before(v.Since.Add(within)) {
		v.Severity, v.Says = fleet.Info, ended+" as its host shut down, to boot anew at "+clock(s, h.Boot)
		v.Because = append(v.Because, because(h, h.Boot, "/proc/stat btime", "%s", h.Boot.UTC().Format(time.RFC3339)))
		return
	}
	v.Severity, v.Confidence, v.Says = fleet.Warn, fleet.Medium, ended+": its host shut down then, or its scope was stopped"
	v.Missing = []string{"which of the two: last -x shutdown reboot on " + d.Host}
}

func qemuEnded(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	const lasts = 24 * time.Hour
	if d.Log == nil || d.Log.NoData != "" {
		return Verdict{State: CannotTell, Missing: noQemuLog(d)}
	}
	l, told := d.Log.Last(time.Time{}, fleet.QemuSignal)
	signal, pid, who, ok := signalled(l.Text)
	if until := l.At.Add(lasts); told && ok && s.At.Before(until) && !strings.Contains(who, "libvirtd") && !strings.Contains(who, "virtqemud") {
		v := Verdict{
			State: Bad, Since: l.At, Again: until, Because: []fleet.Evidence{because(d, l.At, d.Log.File+" on "+d.Host, "%s", sentence(l.Text))},
			Says: fmt.Sprintf("the qemu of %s on %s was ended from outside at %s: signal %s from %s, not by libvirt", whichDomain(d), d.Host, clock(s, l.At), signal, cmp.Or(who, "process "+cmp.Or(pid, "not told"))),
		}
		switch {
		case signal == "15" && (pid == "1" || strings.HasSuffix("/"+who, "/systemd")):
			endedByInit(s, d, &v)
		case who == "" || pid == "0":
			v.Confidence, v.Missing = fleet.Medium, []string{"what process " + cmp.Or(pid, "it") + " was: journalctl --since -1d _PID=" + cmp.Or(pid, "PID") + " on " + d.Host}
		}
		return v
	}
	until := d.Log.Started.Add(lasts)
	if !d.Log.Unclean || d.Log.Started.IsZero() || !s.At.Before(until) {
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Severity: fleet.Warn, Since: d.Log.Started, Again: until,
		Says:    fmt.Sprintf("the qemu of %s on %s ended without a word before its start at %s: with libvirt, with its host, or killed", whichDomain(d), d.Host, clock(s, d.Log.Started)),
		Because: []fleet.Evidence{because(d, d.Log.Started, d.Log.File+" on "+d.Host, "started, and no end is written of the run before")},
		Missing: []string{"what ended it: journalctl -k --since '" + d.Log.Started.UTC().Add(-time.Hour).Format(time.DateTime) + " UTC' on " + d.Host + ", and last -x reboot there"},
	}
}

func guestReset(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	const lasts, slack = 24 * time.Hour, 10 * time.Minute // firmware and boot loader may take their time
	if !d.Process.ID.OK {
		return Verdict{State: OK}
	}
	var guest *fleet.Host
	for l := range s.Down(d.Ref()) {
		if h, ok := fleet.Find[*fleet.Host](s, l.From); ok && !h.Boot.IsZero() {
			guest = h
			break
		}
	}
	switch {
	case guest == nil:
		return Verdict{State: CannotTell, Missing: []string{"when its guest booted: uptime -s inside, or strata hosts add it"}}
	case d.Process.Started.IsZero():
		return Verdict{State: CannotTell, Missing: []string{"when its qemu started: ps -o lstart -p $(cat /run/libvirt/qemu/" + d.Name + ".pid) on " + d.Host}}
	case guest.Boot.Before(d.Process.Started.Add(slack)):
		return Verdict{State: OK}
	}
	until := guest.Boot.Add(lasts)
	if !s.At.Before(until) {
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Since: guest.Boot, Again: until,
		Says: fmt.Sprintf("the guest of %s on %s booted anew by itself at %s: its qemu runs since %s, and libvirt saw nothing", whichDomain(d), d.Host, clock(s, guest.Boot), clock(s, d.Process.Started)),
		Because: []fleet.Evidence{
			because(guest, guest.Boot, "/proc/stat btime", "%s", guest.Boot.UTC().Format(time.RFC3339)),
			because(d, d.Process.Started, "its qemu on "+d.Host, "started"),
		},
	}
}
