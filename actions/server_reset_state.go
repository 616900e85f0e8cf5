package actions

import (
	"context"
	"fmt"
	"time"

	"strata/internal/fleet"
)

// ResetServerState writes another vm_state into Nova's database and takes the task away; the guest is not touched
// (POST /servers/{id}/action {"os-resetState": {"state": ...}}).
type ResetServerState struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	State  string `json:"state"` // active or error
}

// newResetState reads the state: Nova takes no other.
func newResetState(r fleet.Ref, args Args) (Action, error) {
	if state := args["state"]; state == "active" || state == "error" {
		return ResetServerState{r.Source, r.Name, state}, nil
	}
	return nil, fmt.Errorf("state %q is neither active nor error: nova resets to no other", args["state"])
}

// Name is server-reset-state.
func (a ResetServerState) Name() string { return "server-reset-state" }

// Target is the server.
func (a ResetServerState) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan wants the server's name typed: a state that is not the guest's misleads everything that believes it.
func (a ResetServerState) Plan(s *fleet.Snapshot) Plan {
	p, sv := planServer(s, Plan{
		Action: a, Command: openstackArgv(a.Source, "server", "set", "--state", a.State, a.ID),
		Effects: []string{
			"nova writes vm_state " + a.State + " and no task into its database, and does nothing to the guest",
			"what nova was doing to it may still go on; its own check of power states corrects active within ten minutes when the guest is off",
		},
	}, "reset the state of", serverGuard{anyTask: true, unlocks: true})
	if sv == nil {
		return p
	}
	p.Ask = sv.Name
	switch before := vmState(sv); {
	case before == a.State && sv.Run.TaskState == "":
		p.Refused = append(p.Refused, "it is "+a.State+" already, and has no task")
	case before == "active" || before == "error":
		p.Undo = ResetServerState{a.Source, a.ID, before}
	default:
		p.NoUndo = "nova resets to active and error only, and it is " + before
	}
	if before := vmState(sv); before == a.State {
		p.Undo, p.NoUndo = nil, "only the task goes, and nova has no way to put one back"
	}
	if sv.Run.Power.OK && a.State == "active" && sv.Run.Power.V != fleet.PowerRunning {
		p.Against = append(p.Against, "its power state is "+sv.Run.Power.V.String()+": it will say active and not run; start or hard-reboot it after that")
	}
	return p
}

func (a ResetServerState) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return tellNova{
		source: a.Source, id: a.ID, doing: "resetting the state of", role: "admin",
		body: map[string]any{"os-resetState": map[string]string{"state": a.State}},
	}.send(ctx, hands)
}

// seen waits for the state without a task.
func (a ResetServerState) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, a.Target())
	switch {
	case !ok:
		return failed, "the server is gone"
	case vmState(sv) == a.State && sv.Run.TaskState == "":
		return done, "vm_state " + a.State
	}
	return waiting, sv.Run.Status + " " + sv.Run.TaskState
}
