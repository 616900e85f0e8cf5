package ui

import (
	"fmt"
	"strconv"

	"strata/internal/fleet"
)

// hostsView has a row for each machine, with the worst of its parts. What matters most when a machine is in trouble stays
// longest on a narrow screen.
func hostsView() *view {
	host := of[*fleet.Host]
	return &view{
		name: "hosts", title: "Hosts", kinds: []fleet.Kind{fleet.KindHost}, worst: worst, systems: hostSystems, empty: "no host is read",
		count: func(c *scene) string { return c.amounts(fleet.KindHost) },
		columns: []column{
			{title: "host", width: 14, grow: 2, search: true, cell: host(func(_ *scene, h *fleet.Host) cell { return cell{h.Name, plain} }), key: text(func(h *fleet.Host) string { return h.Name })},
			{title: "state", width: 12, grow: 1, search: true, flash: true, cell: health},
			{title: "because", width: 16, grow: 2, drop: 3, idle: true, cell: because},
			{title: "load", width: 5, right: true, drop: 5, cell: host(hostLoad), key: number(func(h *fleet.Host) float64 { return -h.Load[0] })},
			{title: "cpu", width: 5, right: true, drop: 8, cell: host(func(_ *scene, h *fleet.Host) cell { return cell{percent(h.Busy), dim} }), key: number(func(h *fleet.Host) float64 { return -h.Busy.Or(0) })},
			{title: "mem free", width: 8, right: true, cell: host(hostFree), key: number(func(h *fleet.Host) float64 { return float64(h.Memory.Available.Or(0)) })},
			{title: "swap", width: 11, right: true, drop: 3, cell: host(hostSwap), key: number(func(h *fleet.Host) float64 { return -float64(h.Swap.Used) })},
			{title: "si/so", width: 10, right: true, drop: 4, cell: host(hostSwapping), key: number(func(h *fleet.Host) float64 { return -h.Swap.InBytesSec.Or(0) - h.Swap.OutBytesSec.Or(0) })},
			{title: "hottest", width: 7, right: true, drop: 2, flash: true, cell: host(hostHottest)},
			{title: "disk errors", width: 17, grow: 1, drop: 6, flash: true, cell: host(hostDisks)},
			{title: "stuck", width: 5, right: true, idle: true, drop: 7, cell: host(hostStuck)},
			{title: "psi mem", width: 7, right: true, drop: 11, cell: host(func(_ *scene, h *fleet.Host) cell {
				if h.Pressure == nil {
					return cell{"—", dim}
				}
				return cell{fmt.Sprintf("%.0f/%.0f", h.Pressure.Memory.Some60, h.Pressure.Memory.Full60), dim}
			})},
			{title: "up", width: 6, right: true, drop: 1, cell: host(hostUp), key: number(func(h *fleet.Host) float64 { return -float64(h.Boot.Unix()) })},
			{title: "agent", width: 10, idle: true, drop: 9, search: true, cell: ofAgent(func(c *scene, a *fleet.Agent) cell { return cell{a.State, c.t.state(a.Health().State)} })},
			{title: "skew", width: 6, right: true, idle: true, drop: 10, cell: ofAgent(agentSkew)},
			{title: "cost", width: 11, right: true, idle: true, drop: 12, cell: ofAgent(func(_ *scene, a *fleet.Agent) cell {
				return cell{fine(a.CPU) + " " + bytesOf(float64(a.RSS.V)), dim}
			})},
			{title: "kernel", width: 18, drop: 13, search: true, cell: host(func(_ *scene, h *fleet.Host) cell { return cell{h.Identity.Kernel, dim} })},
			{title: "seen by", width: 16, drop: 14, idle: true, search: true, cell: host(func(_ *scene, h *fleet.Host) cell { return cell{seenBy(h), dim} })},
			{title: "says", width: 16, grow: 2, drop: 5, idle: true, search: true, cell: host(func(_ *scene, h *fleet.Host) cell { return cell{h.Identity.Lost, badInk} })},
		},
	}
}

// ofAgent draws what is known of the agent on a host, nothing where there is none.
func ofAgent(draw func(*scene, *fleet.Agent) cell) func(*scene, fleet.Object) cell {
	return of(func(c *scene, h *fleet.Host) cell {
		if a, ok := fleet.Find[*fleet.Agent](c.s, fleet.Ref{Kind: fleet.KindAgent, Source: "agent/" + h.Name, Name: h.Name}); ok {
			return draw(c, a)
		}
		return cell{}
	})
}

func hostLoad(_ *scene, h *fleet.Host) cell {
	if !h.LoadKnown() {
		return cell{"—", dim}
	}
	return cell{fmt.Sprintf("%.1f", h.Load[0]), dim}
}

func hostFree(_ *scene, h *fleet.Host) cell {
	if !h.Memory.Available.OK {
		return cell{"—", dim}
	}
	return cell{bytesOf(float64(h.Memory.Available.V)), dim}
}

func hostSwap(_ *scene, h *fleet.Host) cell {
	switch {
	case !h.SwapKnown():
		return cell{"—", dim}
	case h.Swap.Total == 0:
		return cell{"none", dim}
	}
	return cell{bytesOf(float64(h.Swap.Used)) + "/" + bytesOf(float64(h.Swap.Total)), dim}
}

func hostSwapping(_ *scene, h *fleet.Host) cell {
	in, out := h.Swap.InBytesSec, h.Swap.OutBytesSec
	switch {
	case !in.OK || !out.OK:
		return cell{"—", dim}
	case in.V+out.V < 1:
		return cell{"0 0", dim}
	}
	style := dim
	if in.V > 1<<20 {
		style = warnInk
	}
	return cell{bytesOf(in.V) + " " + bytesOf(out.V), style}
}

// ofHost yields the objects of one scope of a host.
func ofHost[T fleet.Object](c *scene, h *fleet.Host, kind fleet.Kind) (all []T) {
	p, ok := c.s.Part(h.Source, kind.Scope())
	if !ok {
		return nil
	}
	for _, o := range p.Facts {
		if t, ok := o.(T); ok {
			all = append(all, t)
		}
	}
	return all
}

// hostHottest is the sensor that is worst by its own limits, of those alike the hottest.
func hostHottest(c *scene, h *fleet.Host) cell {
	var top *fleet.Sensor
	for _, s := range ofHost[*fleet.Sensor](c, h, fleet.KindSensor) {
		if !s.Celsius.OK {
			continue
		}
		if top == nil || s.Health().State > top.Health().State || s.Health().State == top.Health().State && s.Celsius.V > top.Celsius.V {
			top = s
		}
	}
	if top == nil {
		return cell{"—", dim}
	}
	style := dim
	if top.Health().State != fleet.StateOK {
		style = c.t.state(top.Health().State)
	}
	return cell{fmt.Sprintf("%.0f", top.Celsius.V) + c.t.or(" °C", " C"), style}
}

// hostDisks is the disk whose counters grew most, else the one that is not well by its own word.
func hostDisks(c *scene, h *fleet.Host) cell {
	disks := ofHost[*fleet.Disk](c, h, fleet.KindDisk)
	var top *fleet.Disk
	var most fleet.Counter
	for _, d := range disks {
		if d.Health().State == fleet.StateBad {
			return cell{d.Name + " " + d.Health().Word, badInk}
		}
		for _, k := range d.Counters {
			if k.Grew() > most.Grew() {
				top, most = d, k
			}
		}
	}
	switch {
	case len(disks) == 0 || h.Identity.Lost != "":
		return cell{"—", dim}
	case top == nil:
		return cell{"none new", dim}
	}
	return cell{fmt.Sprintf("%s %s +%d", top.Name, counterWord(most.Name), most.Grew()), badInk}
}

func hostStuck(_ *scene, h *fleet.Host) cell {
	if h.Waits == nil || len(h.Waits.Tasks) == 0 {
		return cell{}
	}
	return cell{strconv.Itoa(len(h.Waits.Tasks) + h.Waits.More), warnInk}
}
