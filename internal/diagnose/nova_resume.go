package diagnose

import (
	"fmt"

	"strata/internal/fleet"
)

func resumeRules() []Rule {
	return []Rule{{
		ID: "NOVA-04", Title: "guests are not started again after a boot", Kind: fleet.KindHypervisor, Severity: fleet.Serious,
		Source:   "nova/conf/compute.py: " + fleet.ResumeFlag + ", False by default; nova/compute/manager.py _init_instance reads it when nova-compute starts",
		Explains: []string{"NOVA-01", "NOVA-07"}, Fold: Fold{Within: rebootWindow},
		Reads: rebootReads(), Judge: on(notResumed),
	}}
}

// rebootReads is what tells whether a hypervisor rebooted and left servers off.
func rebootReads() Reads {
	return Reads{
		Kinds: []fleet.Kind{fleet.KindServer, fleet.KindHost},
		Seen:  fleet.KindHypervisor, // an uptime is told as of then
	}
}

// novaConfOf is what nova-compute is told on the machine of a hypervisor, nil where that cannot be seen, and why it cannot.
func novaConfOf(s *fleet.Snapshot, h *fleet.Hypervisor) (c *fleet.NovaConf, host *fleet.Host, missing string) {
	missing = "whether guests are started again after a boot: grep -r " + fleet.ResumeFlag + " /etc/nova on " + h.Hostname
	host, ok := below[*fleet.Host](s, h.Ref(), fleet.KindHost)
	switch {
	case !ok || host.Identity.Nova == nil:
		return nil, nil, missing
	case host.Identity.Nova.Err != "":
		return nil, nil, missing + " (" + sentence(host.Identity.Nova.Err) + ")"
	}
	return host.Identity.Nova, host, ""
}

func confEvidence(c *fleet.NovaConf, host *fleet.Host) fleet.Evidence {
	return because(host, c.Changed, c.File+" on "+host.Name, "%s", c.Says())
}

// notResumed speaks only where a reboot has left servers off: it is why they stay so.
func notResumed(s *fleet.Snapshot, h *fleet.Hypervisor) Verdict {
	reboot := leftOff(s, h)
	if reboot.State != Bad {
		return Verdict{State: reboot.State, Missing: reboot.Missing}
	}
	c, host, missing := novaConfOf(s, h)
	if c == nil {
		return Verdict{State: CannotTell, Missing: []string{missing}}
	}
	if c.Resume.V {
		if c.Changed.After(reboot.Since) {
			return Verdict{State: CannotTell, Missing: []string{fmt.Sprintf("whether nova-compute was started again since %s was changed at %s: systemctl show -p ActiveEnterTimestamp openstack-nova-compute (Debian: nova-compute) on %s",
				c.File, clock(s, c.Changed), h.Hostname)}}
		}
		return Verdict{State: OK}
	}
	is, file := "is false", c.File
	if !c.Resume.OK {
		is, file = "is not set", "/etc/nova/nova.conf"
	}
	return Verdict{
		State: Bad, Since: reboot.Since, Confidence: reboot.Confidence,
		Says: fmt.Sprintf("%s leaves its servers off after a boot, as %s %s: set it to True under [DEFAULT] in %s and restart nova-compute",
			h.Hostname, fleet.ResumeFlag, is, file),
		Because: append([]fleet.Evidence{confEvidence(c, host)}, reboot.Because...),
	}
}

// resumeSeen adds to the verdict on a reboot how the flag stands, or how to see it.
func resumeSeen(s *fleet.Snapshot, h *fleet.Hypervisor, v *Verdict) {
	c, host, missing := novaConfOf(s, h)
	if c == nil {
		v.Missing = append(v.Missing, missing)
		return
	}
	v.Because = append(v.Because, confEvidence(c, host))
	if c.Resume.V && !c.Changed.After(v.Since) {
		v.Missing = append(v.Missing, "why they were left off all the same: a guest that shut down before its host is not started; the log of nova-compute on "+h.Hostname)
	}
}
