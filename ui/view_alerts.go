package ui

import (
	"fmt"
	"strings"

	"strata/internal/fleet"
)

// alertsView shows the alerts of Alertmanager, those that it keeps quiet too.
func alertsView() *view {
	return &view{
		name: "alerts", title: "Alerts", kinds: []fleet.Kind{fleet.KindAlert}, systems: []string{"prometheus"}, named: true,
		empty: "no alert of an Alertmanager: none fires, or none is named under prometheus in the configuration",
		worst: func(o fleet.Object, s fleet.State) sortKey {
			k := worst(o, s)
			k.str = o.(*fleet.Alert).Name
			return k
		},
		count: func(c *scene) string {
			firing, quiet := alertCounts(c.s)
			if quiet > 0 {
				return fmt.Sprintf("%d firing, %d kept quiet", firing, quiet)
			}
			return fmt.Sprintf("%d firing", firing)
		},
		columns: []column{
			{title: "alert", width: 16, grow: 2, search: true, cell: of(func(_ *scene, a *fleet.Alert) cell { return cell{a.Name, plain} }), key: text(func(a *fleet.Alert) string { return a.Name })},
			{title: "state", width: 9, search: true, flash: true, cell: health},
			{title: "severity", width: 8, drop: 2, search: true, cell: of(func(c *scene, a *fleet.Alert) cell { return cell{a.Severity, c.t.state(a.Health().State)} }), key: text(func(a *fleet.Alert) string { return a.Severity })},
			{title: "since", width: 6, right: true, drop: 1, cell: of(func(c *scene, a *fleet.Alert) cell { return cell{coarse(a.Starts, c.now()), dim} }), key: number(func(a *fleet.Alert) float64 { return -float64(a.Starts.Unix()) })},
			{title: "instance", width: 14, grow: 2, drop: 3, search: true, middle: true, cell: of(func(_ *scene, a *fleet.Alert) cell { return cell{a.Instance, plain} }), key: text(func(a *fleet.Alert) string { return a.Instance })},
			{title: "says", width: 20, grow: 5, search: true, cell: of(func(_ *scene, a *fleet.Alert) cell { return cell{a.Says, plain} })},
			{title: "kept quiet by", width: 13, grow: 1, idle: true, drop: 4, cell: of(func(_ *scene, a *fleet.Alert) cell { return cell{quietBy(a), dim} })},
		},
	}
}

// quietBy is what keeps Alertmanager from telling anybody.
func quietBy(a *fleet.Alert) string {
	var says []string
	for _, by := range []struct {
		word  string
		names []string
	}{{"silence", a.Status.Silenced}, {"alert", a.Status.Inhibited}, {"time", a.Status.Muted}} {
		for _, name := range by.names {
			says = append(says, by.word+" "+name)
		}
	}
	return strings.Join(says, ", ")
}

func alertCounts(s *fleet.Snapshot) (firing, quiet int) {
	for a := range fleet.All[*fleet.Alert](s, fleet.KindAlert) {
		if a.Status.Quiet() {
			quiet++
		} else {
			firing++
		}
	}
	return firing, quiet
}

// alertsBeside is what the findings' title says of alerts: the judgement of others beside strata's own.
func alertsBeside(s *fleet.Snapshot) string {
	firing, quiet := alertCounts(s)
	if firing+quiet == 0 {
		return ""
	}
	return fmt.Sprintf(", %d %s (:alerts)", firing, plural("alert", firing))
}
