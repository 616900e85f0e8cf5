package actions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// StartServer starts a Nova server that is off (POST /servers/{id}/action {"os-start": null}).
type StartServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// Name is server-start.
func (a StartServer) Name() string { return "server-start" }

// Target is the server.
func (a StartServer) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindServer, Source: a.Source, Name: a.ID}
}

// Plan refuses what Nova's own guards refuse (nova/compute/api.py start: vm_state STOPPED, no task, not locked), and a
// start that would hang because the nova-compute of the server's host is down.
func (a StartServer) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Title: "start " + a.ID, Command: openstackArgv(a.Source, "server", "start", a.ID),
		NoUndo: "stopping it again is a decision of its own: " + strings.Join(openstackArgv(a.Source, "server", "stop", a.ID), " "),
	}
	sv, ok := fleet.Find[*fleet.Server](s, a.Target())
	if !ok {
		p.Refused = []string{"no such server is seen in " + a.Source}
		return p
	}
	p.Title = "start " + sv.Name
	p.Now = serverNow(sv)
	p.Effects = []string{"nova boots the guest from its disk; ACTIVE follows in seconds, the guest's services later"}
	p.Refused = refuseStart(sv)
	compute, seen := computeOf(s, sv)
	switch {
	case seen && compute.State == "down":
		p.Refused = append(p.Refused, fmt.Sprintf("nova-compute on %s is down: nova would accept the start and leave it in powering-on", compute.Host))
	case seen && compute.Status == "disabled":
		p.Against = append(p.Against, fmt.Sprintf("nova-compute on %s is disabled (%s)", compute.Host, compute.DisabledReason))
	case !seen:
		p.Against = append(p.Against, "whether nova-compute of its host is up cannot be seen with this token")
	}
	p.Against = append(append(p.Against, old(s, a.Target())...), against(s, a)...)
	return p
}

func refuseStart(sv *fleet.Server) (why []string) {
	if sv.Run.TaskState != "" {
		why = append(why, fmt.Sprintf("nova is busy with it: task_state %s", sv.Run.TaskState))
	}
	switch {
	case sv.Run.Status == "ACTIVE":
		why = append(why, "it is ACTIVE already")
	case sv.Run.VMState != "" && sv.Run.VMState != "stopped":
		why = append(why, fmt.Sprintf("nova starts only stopped servers; vm_state is %s", sv.Run.VMState))
	case sv.Run.VMState == "" && sv.Run.Status != "SHUTOFF":
		why = append(why, fmt.Sprintf("nova starts only stopped servers; status is %s", sv.Run.Status))
	}
	if sv.Run.Locked.OK && sv.Run.Locked.V {
		reason := sv.Run.LockedReason
		if reason == "" {
			reason = "no reason given"
		}
		why = append(why, fmt.Sprintf("it is locked (%s): openstack server unlock first", reason))
	}
	return why
}

func serverNow(sv *fleet.Server) string {
	now := sv.Run.Status
	stop, ok := sv.LastStop()
	switch {
	case !ok:
	case stop.ByNova():
		now += " since " + stop.Start.UTC().Format("15:04:05Z Jan 2") + ", stopped by nova itself, not by a person"
	default:
		now += " since " + stop.Start.UTC().Format("15:04:05Z Jan 2") + ", stopped by " + stop.Who()
	}
	return now
}

func computeOf(s *fleet.Snapshot, sv *fleet.Server) (*fleet.ComputeService, bool) {
	if sv.Place.Host == "" {
		return nil, false
	}
	return fleet.Find[*fleet.ComputeService](s, fleet.Ref{Kind: fleet.KindCompute, Source: sv.Source, Name: "nova-compute@" + sv.Place.Host})
}

func (a StartServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	client, err := hands.writing.Compute(ctx, a.Source, 1)
	if err != nil {
		return err
	}
	if err := servers.Start(ctx, client, a.ID).ExtractErr(); err != nil {
		return fmt.Errorf("starting server %s: %w", a.ID, err)
	}
	return nil
}

// seen waits for ACTIVE. Nova reports SHUTOFF until the guest is up, so SHUTOFF alone proves nothing; a fault or a
// failed start action after since does.
func (a StartServer) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, a.Target())
	// Nova's times have whole seconds and its own clock.
	since = since.Add(-2 * time.Second)
	switch {
	case !ok:
		return failed, "the server is gone"
	case sv.Run.Status == "ACTIVE" && sv.Run.TaskState == "":
		return done, "ACTIVE"
	case sv.Fault != nil && sv.Fault.Created.After(since):
		return failed, fmt.Sprintf("nova's fault: %s (%d)", sv.Fault.Message, sv.Fault.Code)
	case sv.Run.Status == "ERROR":
		return failed, "the server is in ERROR"
	}
	for _, act := range sv.Actions {
		if act.Action == "start" && !act.Start.Before(since) {
			for _, e := range act.Events {
				if e.Result == "Error" {
					return failed, "nova's " + e.Event + " ended in Error " + e.Details
				}
			}
		}
	}
	return waiting, sv.Run.Status + " " + sv.Run.TaskState
}

// openstackArgv returns the argv of the openstack client for a source.
func openstackArgv(source string, args ...string) []string {
	argv := []string{"openstack"}
	if cloud := strings.TrimPrefix(source, "openstack/"); cloud != "" && cloud != connect.EnvCloud {
		argv = append(argv, "--os-cloud", cloud)
	}
	return append(argv, args...)
}
