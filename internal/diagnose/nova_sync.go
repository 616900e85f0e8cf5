package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

// syncRules tell how nova came to stop a server: when its guest went off hangs on that.
func syncRules() []Rule {
	return []Rule{{
		ID: "NOVA-02", Title: "how nova noticed that a guest was off", Kind: fleet.KindServer, Severity: fleet.Info, Confidence: fleet.Medium,
		Source: "nova/virt/libvirt/host.py: a guest that stopped is told of 15 s later, in a context of its own; nova/compute/manager.py _sync_power_states: " +
			"all guests are checked when nova-compute starts and each 600 s (sync_power_state_interval), in one context, so under one request",
		Reads: Reads{Beside: []fleet.Kind{fleet.KindServer}}, Judge: on(howNoticed),
	}}
}

// slowEvent is how long after its action a stop's event begins when nova-compute was busy with more than that one guest.
const slowEvent = 3 * time.Second

// noticed tells which of nova-compute's two ways led to a stop: libvirt's word on one guest makes an action of its own, just as
// its event begins; the check of all guests makes its actions of the time when it began, so that the event comes later.
func noticed(v *fleet.Server, stop fleet.ServerAction) []fleet.Evidence {
	for _, e := range stop.Events {
		if gap := e.Start.Sub(stop.Start); gap >= slowEvent {
			return []fleet.Evidence{because(v, e.Start, "nova os-instance-actions events",
				"%s began %s after its action: nova-compute's check of all guests, at its start or each ten minutes, found it off (or a queue was slow)", e.Event, gap.Round(time.Second))}
		}
	}
	return nil
}

func howNoticed(s *fleet.Snapshot, v *fleet.Server) Verdict {
	stop, verdict := novaStop(v)
	if verdict.State != Bad {
		return verdict
	}
	verdict = Verdict{State: Bad, Since: stop.Start, Because: actionEvidence(v, stop)}
	at, late := clock(s, stop.Start), noticed(v, stop)
	switch others := sameRequest(s, v, stop.Request); {
	case len(others) > 0:
		verdict.Confidence = fleet.High
		verdict.Says = fmt.Sprintf("nova's power sync of %s found %s off, and %s too: they went off up to ten minutes before; look for a boot of their host",
			at, v.Name, names(serverNames(others)))
		for _, o := range others[:min(3, len(others))] {
			verdict.Because = append(verdict.Because, because(o, stop.Start, "nova os-instance-actions", "stop %s", stop.Request))
		}
	case len(late) > 0:
		verdict.Says = fmt.Sprintf("nova's power sync of %s found %s off: it went off up to ten minutes before", at, v.Name)
	case len(stop.Events) > 0:
		verdict.Says = fmt.Sprintf("libvirt told nova that %s had stopped: it went off about 15 s before %s", v.Name, at)
	default:
		return Verdict{State: CannotTell, Missing: []string{fmt.Sprintf("how nova noticed that it was off: openstack server event show %s %s", v.ID, cmp.Or(stop.Request, "REQUEST"))}}
	}
	verdict.Because = append(verdict.Because, late...)
	return verdict
}

// sameRequest are the other servers of a hypervisor that nova stopped under one request, by name.
func sameRequest(s *fleet.Snapshot, v *fleet.Server, request string) (all []*fleet.Server) {
	h, ok := below[*fleet.Hypervisor](s, v.Ref(), fleet.KindHypervisor)
	if !ok || request == "" {
		return nil
	}
	for l := range s.Down(h.Ref()) {
		other, ok := fleet.Find[*fleet.Server](s, l.From)
		if ok && other != v && slices.ContainsFunc(other.Actions, func(a fleet.ServerAction) bool {
			return a.Request == request && a.Action == "stop" && a.ByNova()
		}) {
			all = append(all, other)
		}
	}
	slices.SortFunc(all, func(a, b *fleet.Server) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all
}

func serverNames(servers []*fleet.Server) (all []string) {
	for _, v := range servers {
		all = append(all, v.Name)
	}
	return all
}
