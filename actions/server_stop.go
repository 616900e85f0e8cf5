package actions

import (
	"context"
	"time"

	"strata/internal/fleet"
)

// StopServer shuts a Nova server down (POST /servers/{id}/action {"os-stop": null}).
type StopServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// Name is server-stop.
func (a StopServer) Name() string { return "server-stop" }

// Target is the server.
func (a StopServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses what Nova's own guards refuse (stop: vm_state ACTIVE or ERROR, no task, not locked).
func (a StopServer) Plan(s *fleet.Snapshot) Plan {
	p, sv := planServer(s, Plan{
		Action: a, Command: openstackArgv(a.Source, "server", "stop", a.ID), Undo: StartServer(a),
		Effects: []string{
			"nova asks the guest to shut down and cuts its power after shutdown_timeout (60 s by default)",
			"what runs in it is down until it is started again; nova's list of actions shows this user as who stopped it",
		},
	}, "stop", serverGuard{
		does: "stops", states: []string{"active", "error"}, hangs: "accept the stop and leave it in powering-off until that is back",
	})
	if sv != nil && vmState(sv) == "stopped" {
		p.Refused = append([]string{"it is off already"}, p.Refused...)
	}
	if sv != nil && vmState(sv) == "error" {
		p.Undo, p.NoUndo = nil, "it was in error before: a start may bring it up, and nothing brings the error back"
	}
	return p
}

func (a StopServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return tellNova{
		source: a.Source, id: a.ID, doing: "stopping", role: "member", body: map[string]any{"os-stop": nil},
	}.send(ctx, hands)
}

// seen waits for SHUTOFF without a task.
func (a StopServer) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, a.Target())
	if !ok {
		return failed, "the server is gone"
	}
	if vmState(sv) == "stopped" && sv.Run.TaskState == "" {
		return done, "SHUTOFF"
	}
	if says, bad := novaFailed(sv, "stop", since); bad {
		return failed, says
	}
	if says, bad := overtaken(sv, "stop", "start", since); bad && sv.Run.TaskState == "" {
		return failed, says + "; it is " + sv.Run.Status
	}
	return waiting, sv.Run.Status + " " + sv.Run.TaskState
}
