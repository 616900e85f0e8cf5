package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

func computeRules() []Rule {
	silent := []string{"K8S-01", "K8S-02", "NET-01", "NOVA-23", "NOVA-03", "NOVA-06"}
	return []Rule{{
		ID: "NOVA-05", Title: "nova-compute does not check in", Kind: fleet.KindCompute, Severity: fleet.Critical,
		Source: "nova/conf/service.py: service_down_time 60 s", Clear: 20 * time.Second,
		Explains: append(silent, "NOVA-24", "NOVA-26"), Fold: Fold{Around: true, Least: fleet.Warn}, Reads: Reads{Around: []fleet.Kind{fleet.KindCompute}}, Judge: on(computeDown),
	}, {
		ID: "NOVA-25", Title: "no nova service checks in", Kind: fleet.KindCompute, Severity: fleet.Critical,
		Source: "all services of a cloud, three and more on two machines and more, fell silent within two minutes: what they share, as the message queue (heuristic); " +
			"or all nova-compute so: they check in through the conductor, which writes to the database itself (nova/servicegroup/drivers/db.py)",
		Clear: 20 * time.Second, Confidence: fleet.Medium,
		Explains: append(silent, "NOVA-24", "NOVA-05"), Reads: Reads{Around: []fleet.Kind{fleet.KindCompute}, Far: []fleet.Kind{fleet.KindFilesystem}}, Judge: on(allSilent),
	}, {
		ID: "NOVA-26", Title: "nova took a nova-compute out of use", Kind: fleet.KindCompute, Severity: fleet.Serious,
		Source: "nova/virt/libvirt/driver.py _set_host_enabled: a disabled_reason that begins with AUTO: ", Clear: 20 * time.Second,
		Judge: on(disabledByNova),
	}, {
		ID: "NOVA-24", Title: "hypervisor down", Kind: fleet.KindHypervisor, Severity: fleet.Critical,
		Source: "api-ref os-hypervisors: state", Clear: 20 * time.Second,
		Explains: silent, Fold: Fold{Least: fleet.Warn}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindServer}}, Judge: on(hypervisorDown),
	}, {
		ID: "X-01", Title: "hypervisor rebooted and left its servers off", Kind: fleet.KindHypervisor, Severity: fleet.Critical,
		Source:   "nova/conf/compute.py: resume_guests_state_on_host_boot is False by default; a stop 0 to 10 min after boot",
		Explains: []string{"NOVA-01", "NOVA-04", "NOVA-07", "NOVA-09"}, Fold: Fold{Within: rebootWindow},
		Reads: rebootReads(), Judge: on(rebooted),
	}}
}

// rebootWindow is how long after a boot nova still stops guests because of it.
const rebootWindow = 10 * time.Minute

func computeDown(s *fleet.Snapshot, c *fleet.ComputeService) Verdict {
	switch {
	case c.State == "":
		return Verdict{State: CannotTell, Missing: []string{"openstack compute service list"}}
	case c.State != "down":
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Since: c.Updated,
		Says:    fmt.Sprintf("%s on %s is down: start is accepted there and does nothing", c.Binary, c.Host),
		Because: []fleet.Evidence{downEvidence(c)},
	}
	switch {
	case c.ForcedDown:
		verdict.Severity = fleet.Serious
		verdict.Says = fmt.Sprintf("%s on %s was forced down by an operator", c.Binary, c.Host)
	case takenOut(c):
		verdict.Severity = fleet.Info // what still runs there is NOVA-24's
		verdict.Says = fmt.Sprintf("%s on %s is down, and disabled: %s", c.Binary, c.Host, cmp.Or(sentence(c.DisabledReason), "no reason given"))
	case !c.Updated.IsZero():
		verdict.Says += ", last seen " + clock(s, c.Updated)
	}
	if c.Binary != "nova-compute" {
		verdict.Says = fmt.Sprintf("%s on %s is down", c.Binary, c.Host)
	} else if hosts := silentWith(s, c); len(hosts) > 0 {
		verdict.Says += ", in the same moment as on " + names(hosts) + ": look first for what they share, a switch or power"
	}
	return verdict
}

// silentWith are the machines whose nova-compute fell silent with one: each checks in every ten seconds. Where three and more are
// silent and none is well that is NOVA-25's.
func silentWith(s *fleet.Snapshot, c *fleet.ComputeService) (hosts []string) {
	const together = 15 * time.Second
	p, ok := s.Part(c.Source, fleet.KindCompute.Scope())
	if !ok || c.Updated.IsZero() || idleService(c) {
		return nil
	}
	well := false
	for _, o := range p.Facts {
		other, ok := o.(*fleet.ComputeService)
		switch {
		case !ok || other == c || other.Binary != c.Binary:
		case other.State == "up":
			well = true
		case other.State == "down" && !idleService(other) && !other.Updated.IsZero() && other.Updated.Sub(c.Updated).Abs() <= together:
			hosts = append(hosts, other.Host)
		}
	}
	if len(hosts) > 1 && !well {
		return nil
	}
	return hosts
}

const byNova = "AUTO: " // begins the reason of a service that nova disabled itself

// takenOut reports whether a person disabled a service.
func takenOut(c *fleet.ComputeService) bool {
	return c.Status == "disabled" && !strings.HasPrefix(c.DisabledReason, byNova)
}

func disabledByNova(_ *fleet.Snapshot, c *fleet.ComputeService) Verdict {
	why, auto := strings.CutPrefix(c.DisabledReason, byNova)
	switch {
	case c.Status == "":
		return Verdict{State: CannotTell, Missing: []string{"openstack compute service list --long"}}
	case c.Status != "disabled" || !auto:
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Says: fmt.Sprintf("nova took %s on %s out of use: %s; guests run on there, and none can be started, stopped or moved", c.Binary, c.Host, sentence(why)),
		Because: []fleet.Evidence{because(c, c.Updated, "nova os-services", "status=%s disabled_reason=%s", c.Status, sentence(c.DisabledReason))},
		Missing: []string{"what nova-compute has lost: systemctl status libvirtd virtqemud on " + c.Host},
	}
}

// idleService reports whether nobody waits for a service to check in.
func idleService(c *fleet.ComputeService) bool {
	return c.ForcedDown || takenOut(c) && c.State == "down"
}

// allSilent speaks of the first service of a cloud that should check in, and of none other, so that it costs a look at each.
// Where only all nova-compute are silent it speaks of the first of the others: what they share is most likely on its machine.
func allSilent(s *fleet.Snapshot, c *fleet.ComputeService) Verdict {
	const together = 2 * time.Minute
	p, ok := s.Part(c.Source, fleet.KindCompute.Scope())
	switch {
	case c.State == "":
		return Verdict{State: CannotTell, Missing: []string{"openstack compute service list"}}
	case !ok || idleService(c), c.Binary == "nova-compute" && (c.State == "up" || !firstOf(p, c, false)):
		return Verdict{State: OK}
	}
	central := slices.ContainsFunc(p.Facts, isCentral)
	if central && !firstOf(p, c, true) || !central && c.State == "up" {
		return Verdict{State: OK}
	}
	v := Verdict{State: Bad, Missing: []string{"whether the message queue and the database behind it run: rabbitmqctl status; the log of nova-conductor"}}
	hosts, n, untold, latest := map[string]bool{}, 0, false, time.Time{}
	for _, o := range p.Facts {
		other, ok := o.(*fleet.ComputeService)
		switch {
		case !ok || idleService(other) || central && other.Binary != "nova-compute":
			continue
		case n == 0 && !central && other != c, other.State == "up":
			return Verdict{State: OK}
		case other.State == "" || other.Updated.IsZero():
			untold = true
		}
		hosts[other.Host] = true
		v.Since = sooner(v.Since, other.Updated)
		if other.Updated.After(latest) {
			latest = other.Updated
		}
		if n++; n <= 5 {
			v.Because = append(v.Because, downEvidence(other))
		}
	}
	switch {
	case n < 3 || len(hosts) < 2 || latest.Sub(v.Since) > together:
		return Verdict{State: OK}
	case untold:
		return Verdict{State: CannotTell, Missing: []string{"when each was last seen: openstack compute service list"}}
	}
	what := "nova services"
	if central {
		what = "nova-compute"
		v.On = withoutRoom(s, c, &v)
	}
	v.Says = fmt.Sprintf("none of the %d %s of %s checks in since %s: look at what they share, as the message queue", n, what, c.Source, clock(s, v.Since))
	return v
}

// isCentral reports whether an object is a service that checks in without the message queue, and does.
func isCentral(o fleet.Object) bool {
	c, ok := o.(*fleet.ComputeService)
	return ok && c.Binary != "nova-compute" && c.State == "up"
}

// firstOf reports whether a service is the first of its cloud that should check in, or the first of the central ones.
func firstOf(p *fleet.Part, c *fleet.ComputeService, central bool) bool {
	at := slices.IndexFunc(p.Facts, func(o fleet.Object) bool {
		other, ok := o.(*fleet.ComputeService)
		return ok && !idleService(other) && (!central || isCentral(o))
	})
	return at >= 0 && p.Facts[at] == fleet.Object(c)
}

// withoutRoom is the first filesystem of the machine of a service that has next to no room: a message queue or a database on
// it has stopped for that.
func withoutRoom(s *fleet.Snapshot, c *fleet.ComputeService, v *Verdict) fleet.Ref {
	h, ok := below[*fleet.Host](s, c.Ref(), fleet.KindHost)
	if !ok {
		return fleet.Ref{}
	}
	p, ok := s.Part(h.Source, fleet.KindFilesystem.Scope())
	if !ok {
		return fleet.Ref{}
	}
	for _, o := range p.Facts {
		f, ok := o.(*fleet.Filesystem)
		if ok && f.Host == h.Name && f.UsedShare().Or(0) >= packed && !f.ReadOnly {
			v.Because = append(v.Because, because(f, time.Time{}, "statfs "+f.Mount+" on "+f.Host, "%s of %s used, %s available", bytes(f.Used), bytes(f.Total), bytes(f.Available)))
			return f.Ref()
		}
	}
	return fleet.Ref{}
}

func downEvidence(c *fleet.ComputeService) fleet.Evidence {
	return because(c, c.Updated, "nova os-services", "%s %s state=%s status=%s forced_down=%t updated_at=%s",
		c.Binary, c.Host, c.State, c.Status, c.ForcedDown, c.Updated.UTC().Format(time.RFC3339))
}

func hypervisorDown(s *fleet.Snapshot, h *fleet.Hypervisor) Verdict {
	switch {
	case h.State == "":
		return Verdict{State: CannotTell, Missing: []string{"openstack hypervisor list"}}
	case h.State != "down":
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Says: "hypervisor " + h.Hostname + " is down: what nova says of its servers is old",
		Because: []fleet.Evidence{because(h, time.Time{}, "nova os-hypervisors", "state=%s status=%s", h.State, h.Status)},
	}
	if h.Status == "disabled" {
		verdict.Severity = fleet.Warn
		if emptied(s, h) {
			verdict.Severity = fleet.Info
			verdict.Says = "hypervisor " + h.Hostname + " is down, disabled, and has no server that is on"
		}
	}
	return verdict
}

// emptied reports whether all servers of a hypervisor are off, or elsewhere.
func emptied(s *fleet.Snapshot, h *fleet.Hypervisor) bool {
	for l := range s.Down(h.Ref()) {
		if v, ok := fleet.Find[*fleet.Server](s, l.From); ok && v.Run.Status != "SHUTOFF" {
			return false
		}
	}
	return true
}

// boot is when a machine started: at From at the earliest.
type boot struct {
	From, Till time.Time
	Because    fleet.Evidence
}

// bootOf reads the boot time of a hypervisor, to the second from the host when strata runs there, else to the minute
// from the uptime that nova tells.
func bootOf(s *fleet.Snapshot, h *fleet.Hypervisor) (boot, bool) {
	host, watched := below[*fleet.Host](s, h.Ref(), fleet.KindHost)
	watched = watched && !host.Boot.IsZero()
	up, told := parseUptime(h.Uptime)
	seen := s.SeenAt(h.Ref())
	told = told && !seen.IsZero()
	till := seen.Add(-up)
	anew := watched && told && till.Add(-2*time.Minute).After(host.Boot) // it has booted since its host was seen
	switch {
	case watched && !anew:
		return boot{host.Boot, host.Boot, because(host, host.Boot, "/proc/stat btime", "%s", host.Boot.UTC().Format(time.RFC3339))}, true
	case !told:
		return boot{}, false
	}
	return boot{till.Add(-time.Minute), till, because(h, seen, "nova os-hypervisors uptime", "%s", sentence(h.Uptime))}, true
}

func rebooted(s *fleet.Snapshot, h *fleet.Hypervisor) Verdict {
	verdict := leftOff(s, h)
	if verdict.State == Bad {
		resumeSeen(s, h, &verdict)
		verdict.Missing = append(verdict.Missing, "why it rebooted: last -x reboot shutdown, and journalctl -b -1 -k -e on "+h.Hostname)
	}
	return verdict
}

// leftOff judges whether a hypervisor rebooted and servers are off since.
func leftOff(s *fleet.Snapshot, h *fleet.Hypervisor) Verdict {
	var victims []*fleet.Server
	unread := 0
	for l := range s.Down(h.Ref()) {
		v, ok := fleet.Find[*fleet.Server](s, l.From)
		if !ok || v.Run.Status != "SHUTOFF" {
			continue
		}
		if v.Actions == nil {
			unread++
		} else if stop, ok := v.LastStop(); ok && stop.ByNova() {
			victims = append(victims, v)
		}
	}
	if len(victims) == 0 && unread == 0 {
		return Verdict{State: OK}
	}
	slices.SortFunc(victims, func(a, b *fleet.Server) int { return strings.Compare(a.Name, b.Name) })
	b, ok := bootOf(s, h)
	if !ok {
		return Verdict{State: CannotTell, Missing: []string{"when " + h.Hostname + " booted: openstack hypervisor show " + h.ID + " -c uptime"}}
	}
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{b.Because}, Confidence: fleet.Medium}
	var who []string
	requests := map[string]bool{}
	var earliest time.Time
	var late []fleet.Evidence
	for _, v := range victims {
		stop, _ := v.LastStop()
		if stop.Start.Before(b.From) || stop.Start.After(b.Till.Add(rebootWindow)) || startedIn(v, b.Till, stop.Start) {
			continue
		}
		who = append(who, v.Name)
		requests[stop.Request] = true
		earliest = sooner(earliest, stop.Start)
		verdict.Because = append(verdict.Because, actionEvidence(v, stop)[0])
		late = append(late, noticed(v, stop)...)
	}
	switch {
	case len(who) == 0 && unread > 0:
		return Verdict{State: CannotTell, Missing: []string{"when nova stopped them: openstack server event list SERVER, for " + plural(unread, "server")}}
	case len(who) == 0:
		return Verdict{State: OK}
	}
	verdict.Since = earliest // an uptime gives the boot as a minute that shifts from look to look
	when := "shortly before " + clock(s, earliest)
	if b.From.Equal(b.Till) {
		verdict.Since, verdict.Confidence = b.From, fleet.High
		when = "at " + clock(s, b.From)
	}
	if len(who) > 1 {
		verdict.Confidence = fleet.High
	}
	verdict.Says = fmt.Sprintf("%s rebooted %s and nova left %s off", h.Hostname, when, names(who))
	if len(requests) < len(who) {
		verdict.Because = append(verdict.Because, because(h, earliest, "nova os-instance-actions", "one request stopped several: nova-compute's own check after its start"))
	} else {
		verdict.Because = append(verdict.Because, late...)
	}
	return verdict
}

// startedIn reports whether a server was started between two times: then what took it down was not the boot before.
func startedIn(v *fleet.Server, after, before time.Time) bool {
	return slices.ContainsFunc(v.Actions, func(a fleet.ServerAction) bool {
		return (a.Action == "start" || a.Action == "reboot") && a.Start.After(after) && a.Start.Before(before)
	})
}
