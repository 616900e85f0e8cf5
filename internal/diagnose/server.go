package diagnose

import (
	"cmp"
	"fmt"
	"time"

	"strata/internal/fleet"
)

func serverRules() []Rule {
	return []Rule{{
		ID: "NOVA-22", Title: "server in ERROR", Kind: fleet.KindServer, Severity: fleet.Serious,
		Source: "api-ref servers: status, fault", Explains: []string{"K8S-01", "K8S-02", "NET-01"}, Judge: on(inError),
		Remedies: []string{"server-reboot", "server-reset-state"},
	}, {
		ID: "NOVA-03", Title: "nova and the hypervisor disagree on power", Kind: fleet.KindServer, Severity: fleet.Serious,
		Source:     "nova/compute/manager.py _sync_instance_power_state, every 600 s; 2 rounds",
		Confidence: fleet.Medium, Hold: 20 * time.Minute,
		Explains: []string{"K8S-01", "K8S-02", "NET-01"}, Judge: on(powerSplit), Remedies: []string{"server-reboot"},
	}, {
		ID: "NOVA-06", Title: "operation stuck", Kind: fleet.KindServer, Severity: fleet.Serious,
		Source: "heuristic: task_state for 10 min", Confidence: fleet.Medium, Hold: 10 * time.Minute,
		Explains: []string{"K8S-01", "K8S-02", "NET-01"}, Judge: on(stuckTask), Remedies: []string{"server-reset-state"},
	}, {
		ID: "NOVA-23", Title: "server's state is hearsay: its host does not report", Kind: fleet.KindServer, Severity: fleet.Warn,
		Source: "api-ref servers: host_status", Hold: 30 * time.Second, Clear: 30 * time.Second, Judge: on(hearsay),
	}}
}

// noStatus is the verdict on a server of which nothing is told.
func noStatus(v *fleet.Server) Verdict {
	return Verdict{State: CannotTell, Missing: []string{"its status: openstack server show " + v.ID}}
}

func inError(s *fleet.Snapshot, v *fleet.Server) Verdict {
	if v.Run.Status == "" {
		return noStatus(v)
	}
	if v.Run.Status != "ERROR" {
		return Verdict{State: OK}
	}
	verdict := Verdict{State: Bad, Says: v.Name + " is in ERROR", Because: []fleet.Evidence{statusEvidence(v)}, Since: v.Times.Updated}
	if f := v.Fault; f != nil {
		verdict.Says += fmt.Sprintf(" since %s: %s", clock(s, f.Created), sentence(f.Message))
		verdict.Because = append(verdict.Because, because(v, f.Created, "nova servers/detail fault", "%d %s", f.Code, sentence(f.Message)))
		verdict.Since = f.Created
	} else {
		verdict.Missing = []string{"the fault: openstack server show " + v.ID + " -c fault"}
	}
	return verdict
}

func powerSplit(_ *fleet.Snapshot, v *fleet.Server) Verdict {
	if !v.Run.Power.OK || v.Run.VMState == "" {
		return Verdict{State: CannotTell, Missing: []string{"power_state and vm_state: openstack server show " + v.ID}}
	}
	if v.Run.TaskState != "" {
		return Verdict{State: Lingering}
	}
	verdict := Verdict{State: Bad}
	switch p := v.Run.Power.V; {
	case v.Run.VMState == "active" && p == fleet.PowerNoState:
		verdict.Says = v.Name + " is ACTIVE for nova, but its hypervisor has no such guest"
	case v.Run.VMState == "active" && (p == fleet.PowerShutdown || p == fleet.PowerCrashed):
		verdict.Says = fmt.Sprintf("%s is ACTIVE for nova, but its guest is %s", v.Name, p)
	case v.Run.VMState == "stopped" && p == fleet.PowerRunning:
		verdict.Says = v.Name + " is stopped for nova, but its guest runs"
	default:
		return Verdict{State: OK}
	}
	verdict.Because = []fleet.Evidence{statusEvidence(v)}
	verdict.Missing = []string{"whether nova-compute still synchronises: its log on " + cmp.Or(v.Place.Host, "its hypervisor") +
		"; virsh domstate " + cmp.Or(v.Place.InstanceName, "DOMAIN")}
	return verdict
}

// stuckTask is bad as soon as there is an operation: the rule's hold makes it stuck.
func stuckTask(s *fleet.Snapshot, v *fleet.Server) Verdict {
	if v.Run.Status == "" {
		return noStatus(v)
	}
	if v.Run.TaskState == "" {
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Says: v.Name + " hangs in " + v.Run.TaskState,
		Because: []fleet.Evidence{statusEvidence(v)}, Since: v.Times.Updated,
	}
	if t := v.Times.Updated; !t.IsZero() {
		verdict.Says += " since " + clock(s, t)
	}
	return verdict
}

func hearsay(_ *fleet.Snapshot, v *fleet.Server) Verdict {
	switch st := v.Run.HostStatus; {
	case st == "":
		return Verdict{State: CannotTell, Missing: []string{"host_status needs the admin role"}}
	case v.Run.Status != "ACTIVE" || st != "DOWN" && st != "UNKNOWN":
		return Verdict{State: OK}
	}
	return Verdict{
		State:   Bad,
		Says:    fmt.Sprintf("%s counts as ACTIVE, but nova-compute on its host does not check in: its real state is not known", v.Name),
		Because: []fleet.Evidence{because(v, time.Time{}, "nova servers/detail", "host_status=%s status=%s", v.Run.HostStatus, v.Run.Status)},
	}
}
