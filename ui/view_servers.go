package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

func serversView() *view {
	return &view{
		name: "servers", title: "Servers", kinds: []fleet.Kind{fleet.KindServer}, worst: worstServers,
		systems: []string{"openstack"}, empty: "this project has no servers",
		count: func(c *scene) string { return c.amounts(fleet.KindServer) },
		columns: []column{
			{title: "name", width: 13, grow: 3, search: true, middle: true, cell: of(func(_ *scene, s *fleet.Server) cell { return cell{text: s.Name} }), key: text(func(s *fleet.Server) string { return s.Name })},
			{title: "status", width: 14, grow: 1, search: true, flash: true, cell: of(serverStatus), key: text(func(s *fleet.Server) string { return s.Run.Status })},
			{title: "because", width: 16, grow: 2, drop: 3, idle: true, cell: of(serverBecause)},
			{title: "stopped by", width: 11, grow: 1, drop: 4, cell: of(serverStopped)},
			{title: "since", width: 6, right: true, drop: 2, cell: of(func(c *scene, s *fleet.Server) cell { return cell{coarse(serverSince(s), c.now()), dim} }), key: number(func(s *fleet.Server) float64 { return -float64(serverSince(s).Unix()) })},
			{title: "stops", width: 7, right: true, drop: 5, cell: of(serverStops), key: number(func(s *fleet.Server) float64 { return -float64(internalStops(s, time.Time{})) })},
			{title: "host", width: 10, grow: 1, drop: 7, search: true, cell: of(func(_ *scene, s *fleet.Server) cell { return cell{s.Place.Hypervisor, dim} }), key: text(func(s *fleet.Server) string { return s.Place.Hypervisor })},
			{title: "address", width: 14, drop: 8, search: true, cell: of(func(_ *scene, s *fleet.Server) cell { return cell{addresses(s.Addresses), dim} })},
			{title: "flavor", width: 11, drop: 9, search: true, cell: of(func(_ *scene, s *fleet.Server) cell { return cell{or(s.Flavor.Name, s.Flavor.ID), dim} }), key: text(func(s *fleet.Server) string { return s.Flavor.Name })},
			{title: "cloud", width: 10, drop: 6, search: true, cell: of(func(_ *scene, s *fleet.Server) cell { return cell{system(s.Source), dim} }), key: text(func(s *fleet.Server) string { return s.Source })},
			{title: "id", width: 36, drop: 10, search: true, cell: of(func(_ *scene, s *fleet.Server) cell { return cell{s.ID, dim} }), key: text(func(s *fleet.Server) string { return s.ID })},
		},
	}
}

func worstServers(o fleet.Object, state fleet.State) sortKey {
	k := worst(o, state)
	if s, ok := o.(*fleet.Server); ok {
		k.str = s.Name
	}
	return k
}

func serverStatus(c *scene, s *fleet.Server) cell {
	h := s.Health()
	if p, ok := c.running[s.Ref()]; ok {
		return doing(p, s)
	}
	return cell{h.Word, c.t.state(h.State)}
}

// serverBecause is the worst below a server, or who stopped it, where nothing below is the cause.
func serverBecause(c *scene, s *fleet.Server) cell {
	if stop, ok := s.LastStop(); ok && s.Run.Status == "SHUTOFF" && !stop.ByNova() {
		if f, found := c.cause(s); !found || f.About == s.Ref() {
			return cell{"stopped by " + stop.Who(), plain}
		}
	}
	return because(c, s)
}

func serverStopped(_ *scene, s *fleet.Server) cell {
	stop, ok := s.LastStop()
	switch {
	case s.Run.Status != "SHUTOFF":
		return cell{}
	case !ok && s.ActionsErr != "":
		return cell{"not told", dim}
	case !ok:
		return cell{"not known yet", dim}
	case stop.ByNova():
		return cell{"nova itself", badInk}
	}
	return cell{stop.Who(), plain}
}

// serverSince is when the server came into its present state, as near as Nova tells.
func serverSince(s *fleet.Server) time.Time {
	if stop, ok := s.LastStop(); ok && s.Run.Status == "SHUTOFF" {
		return stop.Start
	}
	return s.Times.Updated
}

// serverStops counts the stops by nova itself in the last week, where the action list is known.
func serverStops(c *scene, s *fleet.Server) cell {
	n := internalStops(s, c.now().AddDate(0, 0, -7))
	switch {
	case n >= 4:
		return cell{fmt.Sprintf("%d in 7d", n), badInk}
	case n > 0:
		return cell{fmt.Sprintf("%d in 7d", n), dim}
	}
	return cell{}
}

// internalStops counts the stops by nova itself since a time.
func internalStops(s *fleet.Server, since time.Time) (n int) {
	for _, a := range s.Actions {
		if a.Action == "stop" && a.ByNova() && a.Start.After(since) {
			n++
		}
	}
	return n
}

func addresses(list []fleet.Address) string {
	var ips []string
	for _, a := range list {
		if a.IP != "" && a.Kind != "Hostname" && a.Kind != "InternalDNS" && a.Kind != "ExternalDNS" && !slices.Contains(ips, a.IP) {
			ips = append(ips, a.IP)
		}
	}
	return strings.Join(ips, " ")
}

func servicesView() *view {
	return &view{
		name: "services", title: "Compute services and hypervisors", kinds: []fleet.Kind{fleet.KindCompute, fleet.KindHypervisor}, worst: worst,
		systems: []string{"openstack"}, empty: "nova has no services here",
		count: func(c *scene) string {
			s, h := c.s.Tally(fleet.KindCompute), c.s.Tally(fleet.KindHypervisor)
			return fmt.Sprintf("%d down", s[fleet.StateBad]+h[fleet.StateBad])
		},
		columns: []column{
			{title: "name", width: 24, grow: 1, search: true, cell: func(_ *scene, o fleet.Object) cell { return cell{text: o.Ref().Name} }, key: func(o fleet.Object) sortKey { return sortKey{str: o.Ref().Name} }},
			{title: "state", width: 10, search: true, flash: true, cell: health},
			{title: "because", width: 16, grow: 2, drop: 1, idle: true, cell: because},
			{title: "kind", width: 10, drop: 4, search: true, cell: func(_ *scene, o fleet.Object) cell { return cell{string(o.Ref().Kind), dim} }},
			{title: "note", width: 24, grow: 2, drop: 2, search: true, cell: serviceNote},
			{title: "cloud", width: 10, drop: 3, search: true, cell: func(_ *scene, o fleet.Object) cell { return cell{system(o.Ref().Source), dim} }},
		},
	}
}

func serviceNote(c *scene, o fleet.Object) cell {
	switch o := o.(type) {
	case *fleet.ComputeService:
		if o.DisabledReason != "" {
			return cell{o.DisabledReason, warnInk}
		}
		return cell{"checked in " + coarse(o.Updated, c.now()) + " ago", dim}
	case *fleet.Hypervisor:
		return cell{strings.TrimSpace(o.Type + " " + o.Uptime), dim}
	}
	return cell{}
}
