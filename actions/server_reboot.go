package actions

import (
	"context"
	"fmt"
	"time"

	"strata/internal/fleet"
)

// RebootServer restarts the guest of a Nova server (POST /servers/{id}/action {"reboot": {"type": ...}}).
type RebootServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Hard   bool   `json:"hard"`
}

// newReboot reads the kind.
func newReboot(r fleet.Ref, args Args) (Action, error) {
	switch args["kind"] {
	case "soft", "hard":
		return RebootServer{r.Source, r.Name, args["kind"] == "hard"}, nil
	}
	return nil, fmt.Errorf("kind %q is neither soft nor hard", args["kind"])
}

// Name is server-reboot.
func (a RebootServer) Name() string { return "server-reboot" }

// Target is the server.
func (a RebootServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses what Nova's own guards refuse: soft needs vm_state ACTIVE and no task; hard is allowed from almost
// everywhere (vm_states.ALLOW_HARD_REBOOT, task_states.ALLOW_REBOOT).
func (a RebootServer) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Command: openstackArgv(a.Source, "server", "reboot", "--soft", a.ID),
		NoUndo: "a guest that was restarted was restarted",
		Effects: []string{
			"nova asks the guest to shut down and starts it again; when it does not within shutdown_timeout nova cuts its power",
		},
	}
	guard := serverGuard{does: "reboots (soft)", states: []string{"active"}, hangs: "accept the reboot and leave it in rebooting"}
	verb := "reboot"
	if a.Hard {
		verb = "reboot (hard)"
		p.Command = openstackArgv(a.Source, "server", "reboot", "--hard", a.ID)
		p.Effects = []string{
			"nova cuts the guest's power, defines its domain anew and starts it: what the guest had not written is lost",
		}
		guard = serverGuard{
			does: "reboots (hard)", states: []string{"active", "stopped", "paused", "suspended", "error"},
			tasks: []string{
				"rebooting", "reboot_pending", "reboot_started", "rebooting_hard", "resuming", "unpausing", "pausing", "suspending",
			},
			hangs: "accept the reboot and leave it in rebooting_hard",
		}
	}
	p, _ = planServer(s, p, verb, guard)
	return p
}

func (a RebootServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	kind := "SOFT"
	if a.Hard {
		kind = "HARD"
	}
	return tellNova{
		source: a.Source, id: a.ID, doing: "rebooting", role: "member", body: map[string]any{"reboot": map[string]string{"type": kind}},
	}.send(ctx, hands)
}

// seen wants the reboot in Nova's list, over and well: a server that is ACTIVE before and after shows nothing.
func (a RebootServer) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, a.Target())
	if !ok {
		return failed, "the server is gone"
	}
	if says, bad := novaFailed(sv, "reboot", since); bad {
		return failed, says
	}
	if novaFinished(sv, "reboot", since) {
		if vmState(sv) == "active" {
			return done, "ACTIVE, and nova's list has the reboot as done"
		}
		return failed, "nova's list has the reboot as done, and the server is " + sv.Run.Status
	}
	return waiting, sv.Run.Status + " " + sv.Run.TaskState
}
