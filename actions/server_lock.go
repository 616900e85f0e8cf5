package actions

import (
	"context"
	"time"

	"strata/internal/fleet"
)

// LockServer keeps all but admins from changing a Nova server (POST /servers/{id}/action {"lock": ...}).
type LockServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Reason string `json:"reason"` // "" gives none
}

// Name is server-lock.
func (a LockServer) Name() string { return "server-lock" }

// Target is the server.
func (a LockServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses a server that is locked: Nova would only replace the reason.
func (a LockServer) Plan(s *fleet.Snapshot) Plan {
	command := openstackArgv(a.Source, "server", "lock", a.ID)
	if a.Reason != "" {
		command = openstackArgv(a.Source, "--os-compute-api-version", "2.73", "server", "lock", "--reason", a.Reason, a.ID)
	}
	p, sv := planServer(s, Plan{
		Action: a, Command: command, Undo: UnlockServer{a.Source, a.ID},
		Effects: []string{"nova refuses changes by others than admins until it is unlocked; the guest runs on"},
	}, "lock", serverGuard{anyTask: true, unlocks: true})
	if sv != nil && sv.Run.Locked.V {
		p.Refused = append(p.Refused, "it is locked already"+lockedBy(sv))
	}
	return p
}

func (a LockServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	order := tellNova{source: a.Source, id: a.ID, doing: "locking", role: "member", body: map[string]any{"lock": nil}}
	if a.Reason != "" {
		order.minor, order.least, order.leastIsNeeded = 73, 73, "a reason"
		order.body = map[string]any{"lock": map[string]string{"locked_reason": a.Reason}}
	}
	return order.send(ctx, hands)
}

// seen waits for locked; Nova tells it since microversion 2.9.
func (a LockServer) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return seenLock(s, a.Target(), true)
}

func seenLock(s *fleet.Snapshot, target fleet.Ref, want bool) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, target)
	says := map[bool]string{true: "locked", false: "not locked"}
	switch {
	case !ok:
		return failed, "the server is gone"
	case !sv.Run.Locked.OK:
		return waiting, "this nova does not tell whether it is locked"
	case sv.Run.Locked.V == want:
		return done, says[want]
	}
	return waiting, says[!want]
}
