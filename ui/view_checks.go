package ui

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// checksView shows the endpoints that are dialled: what users reach, from where.
func checksView() *view {
	return &view{
		name: "checks", title: "Endpoints", kinds: []fleet.Kind{fleet.KindCheck}, worst: worst, systems: []string{"checks"}, named: true,
		empty: "no endpoint is dialled: name some under checks in the configuration",
		count: func(c *scene) string { return c.amounts(fleet.KindCheck) },
		columns: []column{
			{title: "endpoint", width: 12, grow: 2, search: true, middle: true, cell: of(func(_ *scene, k *fleet.Check) cell { return cell{k.Endpoint.Name, plain} }), key: text(func(k *fleet.Check) string { return k.Endpoint.Name })},
			{title: "state", width: 13, search: true, flash: true, cell: health},
			{title: "because", width: 16, grow: 2, drop: 3, idle: true, cell: because},
			{title: "since", width: 6, right: true, drop: 1, cell: of(func(c *scene, k *fleet.Check) cell { return cell{coarse(k.Since, c.now()), dim} })},
			{title: "took", width: 7, right: true, drop: 2, cell: of(func(_ *scene, k *fleet.Check) cell { return cell{took(k.Latency), dim} }), key: number(func(k *fleet.Check) float64 { return -float64(k.Latency.V) })},
			{title: "from", width: 10, grow: 1, drop: 3, search: true, middle: true, cell: of(func(_ *scene, k *fleet.Check) cell { return cell{k.Host, plain} }), key: text(func(k *fleet.Check) string { return k.Host })},
			{title: "flaps", width: 5, right: true, drop: 5, cell: of(func(_ *scene, k *fleet.Check) cell { return cell{positive(k.Flaps), warnInk} }), key: number(func(k *fleet.Check) float64 { return -float64(k.Flaps) })},
			{title: "address", width: 16, grow: 2, drop: 6, search: true, middle: true, cell: of(func(_ *scene, k *fleet.Check) cell { return cell{k.Endpoint.Address, dim} })},
			{title: "says", width: 16, grow: 4, drop: 4, search: true, cell: of(func(_ *scene, k *fleet.Check) cell {
				if k.Says != "" {
					return cell{k.Says, badInk}
				}
				return cell{k.Server, dim}
			})},
		},
	}
}

// took is how long an answer took.
func took(d fleet.Opt[time.Duration]) string {
	ms := float64(d.V) / float64(time.Millisecond)
	switch {
	case !d.OK:
		return "—"
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
