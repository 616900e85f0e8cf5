package actions

import (
	"context"
	"time"

	"strata/internal/fleet"
)

// UnlockServer takes the lock off a Nova server (POST /servers/{id}/action {"unlock": null}).
type UnlockServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// Name is server-unlock.
func (a UnlockServer) Name() string { return "server-unlock" }

// Target is the server.
func (a UnlockServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses a server that is not locked. Its undo locks again with the reason that was there.
func (a UnlockServer) Plan(s *fleet.Snapshot) Plan {
	p, sv := planServer(s, Plan{
		Action: a, Command: openstackArgv(a.Source, "server", "unlock", a.ID),
		Effects: []string{"its owners may change it again"},
	}, "unlock", serverGuard{anyTask: true, unlocks: true})
	if sv == nil {
		return p
	}
	p.Undo = LockServer{a.Source, a.ID, sv.Run.LockedReason}
	switch {
	case !sv.Run.Locked.OK:
		p.Against = append(p.Against, "this nova does not tell whether it is locked: nobody will see whether it worked")
	case !sv.Run.Locked.V:
		p.Refused = append(p.Refused, "it is not locked")
	default:
		p.Now += ", locked" + lockedBy(sv)
		p.Against = append(p.Against, "it was locked"+lockedBy(sv)+"; what an admin locked only an admin may unlock")
	}
	return p
}

func (a UnlockServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return tellNova{
		source: a.Source, id: a.ID, doing: "unlocking", role: "member", body: map[string]any{"unlock": nil},
	}.send(ctx, hands)
}

// seen waits for not locked.
func (a UnlockServer) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return seenLock(s, a.Target(), false)
}
