package actions

import (
	"context"
	"time"

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
func (a StartServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses what Nova's own guards refuse (start: vm_state STOPPED, no task, not locked), and a start that would
// hang because the nova-compute of the server's host is down.
func (a StartServer) Plan(s *fleet.Snapshot) Plan {
	p, sv := planServer(s, Plan{
		Action: a, Command: openstackArgv(a.Source, "server", "start", a.ID), Undo: StopServer(a),
		Effects: []string{"nova boots the guest from its disk; ACTIVE follows in seconds, the guest's services later"},
	}, "start", serverGuard{
		does: "starts", states: []string{"stopped"}, hangs: "accept the start and leave it in powering-on",
	})
	if sv != nil && vmState(sv) == "active" {
		p.Refused = append([]string{"it is ACTIVE already"}, p.Refused...)
	}
	return p
}

func (a StartServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return tellNova{
		source: a.Source, id: a.ID, doing: "starting", role: "member", body: map[string]any{"os-start": nil},
	}.send(ctx, hands)
}

// seen waits for ACTIVE. Nova reports SHUTOFF until the guest is up, so SHUTOFF alone proves nothing; a fault, a
// failed start action, or a stop that came after the start does.
func (a StartServer) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, a.Target())
	if !ok {
		return failed, "the server is gone"
	}
	if sv.Run.Status == "ACTIVE" && sv.Run.TaskState == "" {
		return done, "ACTIVE"
	}
	if says, bad := novaFailed(sv, "start", since); bad {
		return failed, says
	}
	if sv.Run.Status == "ERROR" {
		return failed, "the server is in ERROR"
	}
	if says, bad := overtaken(sv, "start", "stop", since); bad && sv.Run.TaskState == "" {
		return failed, says + "; it is " + sv.Run.Status
	}
	return waiting, sv.Run.Status + " " + sv.Run.TaskState
}
