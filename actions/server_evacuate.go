package actions

import (
	"context"
	"fmt"
	"time"

	"strata/internal/fleet"
)

// EvacuateServer makes a Nova server whose host is gone anew on another host (POST /servers/{id}/action {"evacuate": ...}).
type EvacuateServer struct {
	Source string `json:"source"`
	ID     string `json:"id"`
	Host   string `json:"host"` // "" is the scheduler's choice
}

// Name is server-evacuate.
func (a EvacuateServer) Name() string { return "server-evacuate" }

// Target is the server.
func (a EvacuateServer) Target() fleet.Ref { return serverRef(a.Source, a.ID) }

// Plan refuses what Nova refuses (vm_state ACTIVE, STOPPED or ERROR; its host's nova-compute down or forced down), a
// cloud that has no other host, and a token that is not told whether the host is down: two machines that write to one
// disk destroy it.
func (a EvacuateServer) Plan(s *fleet.Snapshot) Plan {
	command := openstackArgv(a.Source, "server", "evacuate", a.ID)
	if a.Host != "" {
		command = openstackArgv(a.Source, "--os-compute-api-version", "2.29", "server", "evacuate", "--host", a.Host, a.ID)
	}
	p, sv := planServer(s, Plan{
		Action: a, Command: command,
		NoUndo: "what was on the old host is deleted when its nova-compute comes back; a live migration moves it there again",
	}, "evacuate", serverGuard{does: "evacuates", states: []string{"active", "stopped", "error"}, anyTask: true, unlocks: true})
	if sv == nil {
		return p
	}
	p.Ask = sv.Name
	compute, seen := computeOf(s, sv)
	switch {
	case !seen:
		p.Refused = append(p.Refused, "whether its host is down cannot be seen with this token: the role admin is needed, for that and for the evacuation")
		return p
	case compute.State != "down" && !compute.ForcedDown:
		p.Refused = append(p.Refused, fmt.Sprintf("nova-compute on %s is up: nova evacuates only from a host that is down; live-migrate it instead", compute.Host))
	}
	p.Now += " on " + sv.Place.Host
	p.Effects = []string{
		"nova makes it anew on another host: from its disk where the hosts share storage or it boots from a volume, else from its image, and what it wrote to a local disk is lost",
		fmt.Sprintf("the guest on %s must really be off before that (fencing): a nova-compute that is down says nothing of the machine, and two guests on one disk destroy it", sv.Place.Host),
	}
	p.Refused = append(p.Refused, refuseHost(s, sv, a.Host)...)
	if !compute.ForcedDown {
		p.Against = append(p.Against, fmt.Sprintf("nobody said that %s is fenced: openstack compute service set --down %s nova-compute does", compute.Host, compute.Host))
	}
	return p
}

func (a EvacuateServer) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	how := map[string]any{}
	if a.Host != "" {
		how["host"] = a.Host
	}
	return tellNova{
		source: a.Source, id: a.ID, doing: "evacuating", role: "admin", minor: 68, least: 29, leastIsNeeded: "a host that the scheduler checks",
		body: map[string]any{"evacuate": how},
	}.send(ctx, hands)
}

// seen waits for the server on the host it was sent to, or for the last step of the move in Nova's list.
func (a EvacuateServer) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	return seenMoved(s, a.Target(), a.Host, "evacuate", "compute_rebuild_instance", since)
}
