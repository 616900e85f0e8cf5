package actions

import (
	"cmp"
	"context"
	"strings"
	"time"

	"strata/internal/fleet"
)

// MigrateServer moves a running Nova server to another host (POST /servers/{id}/action {"os-migrateLive": ...}).
type MigrateServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Host   string `json:"host"` // "" is the scheduler's choice
}

// Name is server-migrate-live.
func (a MigrateServer) Name() string { return "server-migrate-live" }

// Target is the server.
func (a MigrateServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses what Nova's own guards refuse (live_migrate: vm_state ACTIVE or PAUSED, no task, not locked), and a cloud
// that has no other host.
func (a MigrateServer) Plan(s *fleet.Snapshot) Plan {
	command := openstackArgv(a.Source, "server", "migrate", "--live-migration", a.ID)
	if a.Host != "" {
		command = openstackArgv(a.Source, "--os-compute-api-version", "2.30", "server", "migrate", "--live-migration", "--host", a.Host, a.ID)
	}
	p, sv := planServer(s, Plan{Action: a, Command: command}, "live-migrate", serverGuard{
		does: "live-migrates", states: []string{"active", "paused"}, hangs: "fail it; evacuate is for servers of a host that is down",
	})
	if sv == nil {
		return p
	}
	to := "a host that nova's scheduler chooses"
	if a.Host != "" {
		to = a.Host
	}
	p.Effects = []string{
		"nova copies the guest's memory, and its disk where the hosts share none, from " + cmp.Or(sv.Place.Host, "its host") + " to " + to + " while it runs",
		"the guest pauses for a moment at the end; limits set on its scope stay behind",
	}
	p.Refused = append(p.Refused, refuseHost(s, sv, a.Host)...)
	if _, seen := otherHosts(s, sv); !seen {
		p.Against = append(p.Against, "which other hosts there are cannot be seen with this token")
	}
	if sv.Place.Host == "" {
		p.NoUndo = "where it is now cannot be seen with this token"
		return p
	}
	p.Now += " on " + sv.Place.Host
	p.Undo = MigrateServer{a.Source, a.ID, sv.Place.Host}
	return p
}

func (a MigrateServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return tellNova{
		source: a.Source, id: a.ID, doing: "live-migrating", role: "admin", minor: 68, least: 30, leastIsNeeded: "a host that the scheduler checks",
		body: map[string]any{"os-migrateLive": map[string]any{"host": hostOrNull(a.Host), "block_migration": "auto"}},
	}.send(ctx, hands)
}

func hostOrNull(host string) any {
	if host == "" {
		return nil
	}
	return host
}

// seen waits for the server on the host it was sent to, or for the last step of the move in Nova's list.
func (a MigrateServer) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	return seenMoved(s, a.Target(), a.Host, "live-migration", "compute_post_live_migration_at_destination", since)
}

// seenMoved judges a move: by the host that was named, or else by the move's last event in Nova's list.
func seenMoved(s *fleet.Snapshot, target fleet.Ref, to, kind, last string, since time.Time) (verdict, string) {
	sv, ok := fleet.Find[*fleet.Server](s, target)
	if !ok {
		return failed, "the server is gone"
	}
	over := to != "" && to == sv.Place.Host
	if act, ok := actionSince(sv, kind, since); ok && to == "" {
		for _, e := range act.Events {
			// The list is read after the server, which must not be the one from before.
			over = over || e.Event == last && e.Result == "Success" && !sv.Times.Updated.Before(e.Start.Truncate(time.Second))
		}
	}
	if over && sv.Run.TaskState == "" {
		return done, sv.Run.Status + " on " + cmp.Or(sv.Place.Host, "another host")
	}
	if says, bad := novaFailed(sv, kind, since); bad {
		return failed, says
	}
	return waiting, strings.Join(strings.Fields(sv.Run.Status+" "+sv.Run.TaskState+" on "+sv.Place.Host), " ")
}
