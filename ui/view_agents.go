package ui

import (
	"fmt"

	"strata/internal/fleet"
)

// agentsView shows strata's own agents on other machines, and what they cost there.
func agentsView() *view {
	return &view{
		name: "agents", title: "Agents", kinds: []fleet.Kind{fleet.KindAgent}, worst: unknownLast, systems: []string{"agent"}, named: true,
		empty: "no other machine is watched: name some under hosts in the configuration, or start with --host NAME=user@machine",
		count: agentCount,
		columns: []column{
			{title: "machine", width: 12, grow: 2, search: true, middle: true, cell: of(func(_ *scene, a *fleet.Agent) cell { return cell{a.Name, plain} }), key: text(func(a *fleet.Agent) string { return a.Name })},
			{title: "state", width: 15, search: true, flash: true, cell: health},
			{title: "since", width: 6, right: true, drop: 2, cell: of(func(c *scene, a *fleet.Agent) cell { return cell{coarse(a.Since, c.now()), dim} })},
			{title: "skew", width: 7, right: true, drop: 1, cell: of(agentSkew), key: number(func(a *fleet.Agent) float64 { return -max(a.Skew.V, -a.Skew.V) })},
			{title: "cpu", width: 6, right: true, drop: 3, cell: of(func(_ *scene, a *fleet.Agent) cell { return cell{fine(a.CPU), dim} }), key: number(func(a *fleet.Agent) float64 { return -a.CPU.V })},
			{title: "memory", width: 7, right: true, drop: 4, cell: of(func(_ *scene, a *fleet.Agent) cell {
				if !a.RSS.OK {
					return cell{"—", dim}
				}
				return cell{bytesOf(float64(a.RSS.V)), dim}
			}), key: number(func(a *fleet.Agent) float64 { return -float64(a.RSS.V) })},
			{title: "sends", width: 9, right: true, drop: 5, cell: of(func(_ *scene, a *fleet.Agent) cell { return cell{rate(a.BytesSec), dim} }), key: number(func(a *fleet.Agent) float64 { return -a.BytesSec.V })},
			{title: "ssh", width: 14, grow: 1, drop: 6, search: true, cell: of(func(_ *scene, a *fleet.Agent) cell { return cell{a.Destination, dim} })},
			{title: "says", width: 16, grow: 4, search: true, idle: true, cell: of(func(_ *scene, a *fleet.Agent) cell {
				if a.State == fleet.AgentKnown {
					return cell{a.Says, dim}
				}
				return cell{a.Says, badInk}
			})},
		},
	}
}

// unknownLast puts machines without an agent below those that have one.
func unknownLast(o fleet.Object, s fleet.State) sortKey {
	if a, ok := o.(*fleet.Agent); ok && a.State == fleet.AgentKnown {
		return sortKey{num: 10}
	}
	return worst(o, s)
}

func agentCount(c *scene) string {
	agents, without := 0, 0
	for a := range fleet.All[*fleet.Agent](c.s, fleet.KindAgent) {
		if agents++; a.State == fleet.AgentKnown {
			without++
		}
	}
	says := itoa(agents-without) + " " + plural("agent", agents-without)
	if without > 0 {
		says += ", " + itoa(without) + " not connected: a"
	}
	return says
}

// agentSkew is how far the machine's clock is ahead of ours.
func agentSkew(c *scene, a *fleet.Agent) cell {
	if !a.Skew.OK {
		return cell{"—", dim}
	}
	style := dim
	if a.Health().State == fleet.StateWarn {
		style = warnInk
	}
	return cell{fmt.Sprintf("%+.1f s", a.Skew.V), style}
}

// fine is a small share as a percentage with a digit more.
func fine(v fleet.Opt[float64]) string {
	if !v.OK {
		return "—"
	}
	return fmt.Sprintf("%.1f %%", v.V*100)
}
