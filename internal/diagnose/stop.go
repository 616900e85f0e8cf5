package diagnose

import (
	"cmp"
	"fmt"
	"time"

	"strata/internal/fleet"
)

// stopRules say why a server is off. Exactly one of the first three speaks for each server that is.
func stopRules() []Rule {
	down := []string{"K8S-01", "K8S-02", "NET-01"}
	return []Rule{{
		ID: "NOVA-01", Title: "server stopped by nova itself", Kind: fleet.KindServer, Severity: fleet.Serious,
		Source:   "nova/compute/manager.py _stop_unexpected_shutdown_instance: an admin context without user and project",
		Explains: append(down, "NOVA-21", "NOVA-02"),
		Remedies: []string{"server-start"}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindDomain}}, Judge: on(stoppedByNova),
	}, {
		ID: "NOVA-20", Title: "server stopped by a person", Kind: fleet.KindServer, Severity: fleet.Info,
		Source:   "os-instance-actions: a stop with a user_id",
		Explains: append(down, "NOVA-21"), Reads: Reads{Kinds: []fleet.Kind{fleet.KindNode}},
		Judge: on(stoppedByPerson),
	}, {
		ID: "NOVA-21", Title: "server off, nobody knows why", Kind: fleet.KindServer, Severity: fleet.Serious,
		Source:     "os-instance-actions not read, or without a stop",
		Confidence: fleet.Low, Hold: 15 * time.Second, // the action list comes a moment after the server
		Explains: down, Remedies: []string{"server-start"}, Judge: on(stoppedUnknown),
	}, {
		ID: "NOVA-07", Title: "server goes off again and again", Kind: fleet.KindServer, Severity: fleet.Serious,
		Source:   "heuristic: 2 stops by nova in 1 h, 3 in 24 h, 4 in 7 d",
		Explains: []string{"NOVA-01", "NOVA-09", "X-08"}, Judge: on(flapping),
	}}
}

// isOff says whether a server is off, and lingers while somebody is changing that.
func isOff(v *fleet.Server) Verdict {
	switch {
	case v.Run.Status == "":
		return noStatus(v)
	case v.Run.Status != "SHUTOFF":
		return Verdict{State: OK}
	case v.Run.TaskState != "":
		return Verdict{State: Lingering}
	}
	return Verdict{State: Bad}
}

func listActions(v *fleet.Server) []string {
	missing := "who stopped it: openstack server event list " + v.ID
	if v.ActionsErr != "" {
		missing += " (failed: " + sentence(v.ActionsErr) + ")"
	}
	return []string{missing}
}

// actionsUnread is the verdict of rules about what was done to a server while nobody has read that.
func actionsUnread(v *fleet.Server) Verdict {
	return Verdict{State: CannotTell, Missing: []string{"what was done to it: openstack server event list " + v.ID}}
}

func statusEvidence(v *fleet.Server) fleet.Evidence {
	return because(v, v.Times.Updated, "nova servers/detail", "status=%s vm_state=%s power_state=%s task_state=%s",
		cmp.Or(v.Run.Status, "?"), cmp.Or(v.Run.VMState, "?"), power(v), cmp.Or(v.Run.TaskState, "null"))
}

func power(v *fleet.Server) string {
	if !v.Run.Power.OK {
		return "?"
	}
	return v.Run.Power.V.String()
}

func actionEvidence(v *fleet.Server, a fleet.ServerAction) []fleet.Evidence {
	all := []fleet.Evidence{because(v, a.Start, "nova os-instance-actions", "%s %s user_id=%s project_id=%s start_time=%s",
		a.Action, a.Request, cmp.Or(a.User, "null"), cmp.Or(a.Project, "null"), a.Start.UTC().Format(time.RFC3339))}
	for _, e := range a.Events {
		all = append(all, because(v, e.Start, "nova os-instance-actions events", "%s %s host=%s", e.Event, cmp.Or(e.Result, "running"), cmp.Or(e.Host, "?")))
	}
	return all
}

// person is who did an action, by name if Keystone tells.
func person(a fleet.ServerAction) string {
	if a.User == "" {
		return "of project " + a.Project
	}
	return a.Who()
}

// whyOff tells how to learn what took a guest down, before the next start overwrites it.
func whyOff(v *fleet.Server) string {
	domain, host := cmp.Or(v.Place.InstanceName, "DOMAIN"), cmp.Or(v.Place.Hypervisor, "its hypervisor")
	return "why the guest went off (a poweroff inside looks the same): virsh domstate --reason " + domain + " on " + host + ", before the next start"
}

// novaStop is the stop by nova that a server is off for; where there is none, why not.
func novaStop(v *fleet.Server) (fleet.ServerAction, Verdict) {
	off := isOff(v)
	switch {
	case off.State != Bad:
		return fleet.ServerAction{}, off
	case v.Actions == nil:
		return fleet.ServerAction{}, Verdict{State: CannotTell, Missing: listActions(v)}
	}
	stop, ok := v.LastStop()
	if !ok || !stop.ByNova() {
		return stop, Verdict{State: OK}
	}
	return stop, off
}

func stoppedByNova(s *fleet.Snapshot, v *fleet.Server) Verdict {
	stop, verdict := novaStop(v)
	if verdict.State != Bad {
		return verdict
	}
	verdict = Verdict{
		State:   Bad,
		Says:    fmt.Sprintf("%s is off: stopped by nova itself at %s, not by a person", v.Name, clock(s, stop.Start)),
		Because: append(append(actionEvidence(v, stop), noticed(v, stop)...), statusEvidence(v)),
		Since:   stop.Start,
	}
	if told := qemuEnd(s, v, stop.Start); len(told) > 0 {
		verdict.Because = append(verdict.Because, told...)
	} else {
		verdict.Missing = []string{whyOff(v)}
	}
	return verdict
}

// qemuEnd is what the qemu of a server that is off wrote at its end, in the ten minutes before Nova noticed.
func qemuEnd(s *fleet.Snapshot, v *fleet.Server, noticed time.Time) []fleet.Evidence {
	const before, after = 10 * time.Minute, time.Minute
	for l := range s.Up(v.Ref()) {
		d, ok := fleet.Find[*fleet.Domain](s, l.To)
		if !ok || d.State != "shut off" || d.Log == nil || d.Log.NoData != "" {
			continue
		}
		switch log := d.Log; {
		case log.Stopped.After(noticed.Add(-before)) && log.Stopped.Before(noticed.Add(after)):
			return qemuEvidence(d, log.Stopped.Add(-time.Minute))
		case !log.Started.IsZero() && log.Started.After(log.Stopped) && log.Started.Before(noticed):
			return []fleet.Evidence{because(d, log.Started, log.File+" on "+d.Host, "started, and no end is written: qemu went with libvirt or with its host")}
		}
	}
	return nil
}

func stoppedByPerson(s *fleet.Snapshot, v *fleet.Server) Verdict {
	if off := isOff(v); off.State != Bad {
		return off
	}
	if v.Actions == nil {
		return Verdict{State: CannotTell, Missing: listActions(v)}
	}
	stop, ok := v.LastStop()
	if !ok || stop.ByNova() {
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State:   Bad,
		Says:    fmt.Sprintf("%s is off: stopped by user %s at %s", v.Name, person(stop), clock(s, stop.Start)),
		Because: append(actionEvidence(v, stop), statusEvidence(v)),
		Since:   stop.Start,
	}
	for l := range s.Down(v.Ref()) {
		if n, ok := fleet.Find[*fleet.Node](s, l.From); ok {
			verdict.Says += ", and node " + n.Name + " with it"
			if !n.Unschedulable { // else it was emptied first, as it should be
				verdict.Severity = fleet.Warn
			}
			break
		}
	}
	return verdict
}

func stoppedUnknown(_ *fleet.Snapshot, v *fleet.Server) Verdict {
	if off := isOff(v); off.State != Bad {
		return off
	}
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{statusEvidence(v)}, Since: v.Times.Updated}
	if v.Actions == nil {
		verdict.Says = v.Name + " is off: who stopped it was not read yet"
		if v.ActionsErr != "" {
			verdict.Says = v.Name + " is off: who stopped it cannot be read"
		}
		verdict.Missing = listActions(v)
		// Updated is long past for a server that was off before strata came: hold from when it was first seen.
		verdict.Since = time.Time{}
		return verdict
	}
	if _, ok := v.LastStop(); ok {
		return Verdict{State: OK}
	}
	verdict.Says = v.Name + " is off, and nova's list of actions has no stop that tells who did it"
	verdict.Missing = []string{whyOff(v)}
	return verdict
}

// flaps are how many stops in how long are too many.
func flaps() []struct {
	stops int
	in    time.Duration
	word  string
} {
	return []struct {
		stops int
		in    time.Duration
		word  string
	}{{2, time.Hour, "1 h"}, {3, 24 * time.Hour, "24 h"}, {4, 7 * 24 * time.Hour, "7 d"}}
}

// weigh is how much a stop counts for flapping, in halves: one by nova whole, one of a project without a user, of which nobody
// can say who it was, half.
func weigh(a fleet.ServerAction) int {
	switch {
	case a.Action != "stop" || a.User != "":
		return 0
	case a.Project != "":
		return 1
	}
	return 2
}

func flapping(s *fleet.Snapshot, v *fleet.Server) Verdict {
	if v.Actions == nil {
		return actionsUnread(v)
	}
	verdict := Verdict{State: OK}
	for _, f := range flaps() {
		var stops []fleet.ServerAction
		nova, unknown := 0, 0
		for _, a := range v.Actions {
			end := a.Start.Add(f.in)
			if weigh(a) == 0 || !s.At.Before(end) {
				continue
			}
			verdict.Again = sooner(verdict.Again, end)
			stops = append(stops, a)
			if a.ByNova() {
				nova++
			} else {
				unknown++
			}
		}
		if 2*nova+unknown < 2*f.stops || verdict.State == Bad {
			continue
		}
		verdict.State, verdict.Since = Bad, stops[0].Start
		verdict.Says = fmt.Sprintf("%s was stopped by nova %d times in %s", v.Name, nova, f.word)
		if unknown > 0 {
			verdict.Says += fmt.Sprintf(" (and %d times by whom is not told)", unknown)
		}
		verdict.Says += ": starting it again is no cure, look one layer down"
		for _, a := range stops {
			verdict.Because = append(verdict.Because, actionEvidence(v, a)[0])
		}
	}
	return verdict
}
