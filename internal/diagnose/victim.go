package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// machineName is how systemd's scope and so the kernel name a domain: libvirt leaves out what no machine's name may have, and
// cuts what is too long.
func machineName(domain string) string {
	const sure = 48 // of 64 with the number before it
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, domain)
	return name[:min(len(name), sure)]
}

// scoped is the machine whose scope a control group is or is in, "" for none: .../machine-qemu\x2d3\x2dNAME.scope/libvirt/emulator.
func scoped(cgroup string) string {
	_, scope, found := strings.Cut(strings.ReplaceAll(cgroup, `\x2d`, "-"), "/machine-qemu-")
	scope, _, isScope := strings.Cut(scope, ".scope")
	_, name, hasName := strings.Cut(scope, "-") // behind a number that is another one after each start
	if !found || !isScope || !hasName {
		return ""
	}
	return machineName(name)
}

// isQemu reports whether a process, as the kernel names it, is a virtual machine.
func isQemu(process string) bool {
	return strings.HasPrefix(process, "qemu") || strings.HasPrefix(process, "kvm[")
}

// victim is what is known of a process that the kernel of a host killed: the machines that it may have been, none for another
// process, and whether that is known at all.
type victim struct {
	names    []string
	domain   *fleet.Domain // the one that it was, if libvirt tells of it
	evidence []fleet.Evidence
	known    bool
}

// victimOf asks the kernel's line for the scope, then libvirt for the process, then qemu's logs for who ended at that moment.
func victimOf(domains []*fleet.Domain, e *fleet.KernelEvent) (v victim) {
	const before, after = 5 * time.Second, time.Minute
	scope := scoped(e.CGroup)
	if scope == "" && !isQemu(e.Subject) {
		v.known = e.Subject != ""
		return v
	}
	pid := 0
	if _, number, ok := strings.Cut(strings.TrimSuffix(e.Subject, "]"), "["); ok {
		pid, _ = strconv.Atoi(number)
	}
	var process, ended []*fleet.Domain
	for _, d := range domains {
		switch {
		case scope != "" && scope == machineName(d.Name):
			v.domain = d
		case pid > 0 && d.Process.PID == pid:
			process = append(process, d)
		case d.Log != nil && d.Log.Reason == "crashed" && d.Log.Stopped.After(e.At.Add(-before)) && d.Log.Stopped.Before(e.Last.Add(after)):
			ended = append(ended, d)
		}
	}
	switch {
	case scope != "":
		v.names, v.known = []string{scope}, true
	case len(process) == 1:
		v.domain, v.names, v.known = process[0], []string{machineName(process[0].Name)}, true
	case len(ended) > 0:
		for _, d := range ended {
			v.names, v.known = append(v.names, machineName(d.Name)), true
			v.evidence = append(v.evidence, because(d, d.Log.Stopped, d.Log.File+" on "+d.Host, "shutting down, reason=%s", d.Log.Reason))
		}
		if len(ended) == 1 {
			v.domain = ended[0]
		}
	}
	return v
}

// says is how a machine is told of behind the process that was killed.
func (v *victim) says() string {
	switch {
	case v.domain != nil:
		return " of " + whichDomain(v.domain)
	case len(v.names) == 1:
		return " of " + v.names[0]
	}
	return ""
}

// domainsOf are the domains of a host.
func domainsOf(s *fleet.Snapshot, h *fleet.Host) (all []*fleet.Domain) {
	for l := range s.Down(h.Ref()) {
		if d, ok := fleet.Find[*fleet.Domain](s, l.From); ok && l.How == "its host" {
			all = append(all, d)
		}
	}
	return all
}

func outOfMemory(s *fleet.Snapshot, h *fleet.Host) Verdict {
	const lasts = time.Hour
	since := s.At.Add(-lasts)
	k := kernelSince(s, h.Source, h.Name, later(since, h.Boot))
	found := k.within(since, class(fleet.ClassOOM))
	var domains []*fleet.Domain
	if len(found) > 0 {
		domains = domainsOf(s, h)
	}
	v := k.verdict(found, lasts, func(last *fleet.KernelEvent, n int) string {
		of := victimOf(domains, last)
		says := fmt.Sprintf("the kernel of %s killed %s%s for memory", h.Name, cmp.Or(last.Subject, "a process"), of.says())
		if last.Severity == fleet.Warn {
			says += ", at the limit of its control group"
		}
		if n > 1 {
			says += fmt.Sprintf(", the last of %d", n)
		}
		return says
	})
	if v.State != Bad {
		return v
	}
	if slices.ContainsFunc(found, func(e *fleet.KernelEvent) bool { return runsMachines(e.Subject) }) {
		v.Severity = max(v.Severity, fleet.Serious) // whatever its group's limit, others stand on it
	}
	v.Machines.OK = true
	for _, e := range found {
		of := victimOf(domains, e)
		v.Machines.V = append(v.Machines.V, of.names...)
		v.Machines.OK = v.Machines.OK && of.known
		v.Because = append(v.Because, of.evidence...)
	}
	if !v.Machines.OK {
		v.Machines.V = nil
		v.Missing = append(v.Missing, "which virtual machine that was: journalctl -k -g oom-kill on "+h.Name)
	}
	return v
}

// runsMachines reports whether a process, as the kernel names it, is a virtual machine or what starts them.
func runsMachines(process string) bool {
	return isQemu(process) || slices.ContainsFunc([]string{"virtqemud", "libvirtd", "nova-compute"}, func(name string) bool { return strings.HasPrefix(process, name) })
}

// nameOnHost is what a host calls a machine that runs right on it, "" for what is none or runs elsewhere. Where nobody sees its
// libvirt, Nova tells the name.
func nameOnHost(s *fleet.Snapshot, machine, host fleet.Ref) string {
	o, _ := s.Get(machine)
	name, at := "", machine
	switch o := o.(type) {
	case *fleet.Domain:
		name = o.Name
	case *fleet.Server:
		if _, seen := below[*fleet.Domain](s, machine, fleet.KindDomain); seen {
			return ""
		}
		h, ok := below[*fleet.Hypervisor](s, machine, fleet.KindHypervisor)
		if !ok {
			return ""
		}
		name, at = o.Place.InstanceName, h.Ref()
	default:
		return ""
	}
	for l := range ground(s, at) {
		if l.To == host {
			return machineName(name)
		}
	}
	return ""
}

// concerns reports whether what stands on some objects stands on one of the machines that a finding is about, or on none of its
// host's.
func (c *entry) concerns(s *fleet.Snapshot, on []fleet.Ref) bool {
	if !c.machines.OK {
		return true
	}
	other := false
	for _, ref := range on {
		name := nameOnHost(s, ref, c.id.ref)
		if name != "" && slices.Contains(c.machines.V, name) {
			return true
		}
		other = other || name != ""
	}
	return !other
}

// renamed reports whether a host may call a machine otherwise now.
func renamed(old, next fleet.Object) bool {
	switch o := next.(type) {
	case *fleet.Domain:
		was, ok := old.(*fleet.Domain)
		return ok && was.Name != o.Name
	case *fleet.Server:
		was, ok := old.(*fleet.Server)
		return ok && was.Place.InstanceName != o.Place.InstanceName
	}
	return false
}
