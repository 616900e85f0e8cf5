package ui

import (
	"fmt"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

func findingsView() *view {
	return &view{
		name: "findings", title: "Findings", kinds: []fleet.Kind{fleet.KindFinding}, list: rootFindings, empty: "nothing found: all layers quiet",
		count: func(c *scene) string {
			n := len(rootFindings(c.s))
			return itoa(n) + " " + plural("cause", n) + alertsBeside(c.s)
		},
		columns: []column{
			{title: "what", width: 30, grow: 6, search: true, cell: of(func(_ *scene, f *fleet.Finding) cell { return cell{f.Says, plain} })},
			{title: "severity", width: 8, drop: 2, search: true, cell: of(func(c *scene, f *fleet.Finding) cell { return cell{f.Severity.String(), c.t.state(f.Severity.State())} })},
			{title: "sure", width: 6, drop: 3, cell: of(func(_ *scene, f *fleet.Finding) cell { return cell{f.Confidence.String(), dim} })},
			{title: "explains", width: 8, right: true, drop: 5, cell: explains},
			{title: "since", width: 6, right: true, drop: 1, cell: of(func(c *scene, f *fleet.Finding) cell { return cell{coarse(f.Since, c.now()), dim} })},
			{title: "rule", width: 10, drop: 4, search: true, cell: of(func(_ *scene, f *fleet.Finding) cell { return cell{f.Rule, dim} })},
		},
	}
}

// rootFindings are the findings that no other explains; their effects stand on their cards.
func rootFindings(s *fleet.Snapshot) (rows []fleet.Object) {
	shown := map[string]bool{}
	for i := range s.Findings {
		if f := &s.Findings[i]; f.Shown {
			shown[f.Key()] = true
		}
	}
	for i := range s.Findings {
		if f := &s.Findings[i]; f.Shown && !shown[f.Under] {
			rows = append(rows, f)
		}
	}
	return rows
}

// explains counts what stands under a finding, and under that.
func explains(c *scene, o fleet.Object) cell {
	f, ok := o.(*fleet.Finding)
	if !ok {
		return cell{}
	}
	return cell{positive(len(followers(c.s, f, true))), dim}
}

func auditView() *view {
	return &view{
		name: "audit", title: "Audit log", kinds: []fleet.Kind{fleet.KindDeed}, systems: []string{"audit"}, empty: "nothing was ever done through strata here",
		worst: func(o fleet.Object, _ fleet.State) sortKey { return sortKey{num: -float64(o.(*fleet.Deed).Line)} },
		count: func(c *scene) string { return strconv.Itoa(c.s.Tally(fleet.KindDeed).Total()) + " lines" },
		columns: []column{
			{title: "when", width: 20, cell: of(func(_ *scene, d *fleet.Deed) cell { return cell{stamp(d.At), dim} })},
			{title: "phase", width: 8, search: true, cell: of(func(c *scene, d *fleet.Deed) cell { return cell{d.Phase, c.t.state(d.Health().State)} })},
			{title: "what", width: 20, grow: 2, search: true, cell: of(func(_ *scene, d *fleet.Deed) cell { return cell{d.Title, plain} })},
			{title: "result", width: 16, grow: 3, drop: 1, search: true, cell: of(func(_ *scene, d *fleet.Deed) cell {
				if d.Error != "" {
					return cell{d.Error, badInk}
				}
				return cell{d.After, dim}
			})},
			{title: "who", width: 16, grow: 1, drop: 2, search: true, cell: of(func(_ *scene, d *fleet.Deed) cell { return cell{d.Who, dim} })},
			{title: "command", width: 30, grow: 2, drop: 3, search: true, cell: of(func(_ *scene, d *fleet.Deed) cell { return cell{strings.Join(d.Command, " "), dim} })},
		},
	}
}

// scopeRow makes a row of one scope of one source.
type scopeRow struct{ part *fleet.Part }

func (r scopeRow) Ref() fleet.Ref {
	return fleet.Ref{Kind: "source", Source: r.part.Source, Name: r.part.Scope}
}

func (r scopeRow) Health() fleet.Health {
	switch {
	case r.part.Unconfigured:
		return fleet.Health{State: fleet.StateUnknown, Word: "not configured"}
	case r.part.Partial:
		return fleet.Health{State: fleet.StateWarn, Word: "seen in part"}
	case r.part.Err != "":
		return fleet.Health{State: fleet.StateBad, Word: "failing"}
	}
	return fleet.Health{State: fleet.StateOK, Word: "seen"}
}

func sourcesView() *view {
	part := func(f func(*scene, *fleet.Part) cell) func(*scene, fleet.Object) cell {
		return of(func(c *scene, r scopeRow) cell { return f(c, r.part) })
	}
	return &view{
		name: "sources", title: "Sources", kinds: []fleet.Kind{"source"}, empty: "no source has answered yet",
		list: func(s *fleet.Snapshot) (rows []fleet.Object) {
			for _, failing := range []bool{true, false} {
				for i := range s.Parts {
					if (s.Parts[i].Err != "") == failing {
						rows = append(rows, scopeRow{&s.Parts[i]})
					}
				}
			}
			return rows
		},
		count: func(c *scene) string {
			n := 0
			for i := range c.s.Parts {
				if c.s.Parts[i].Err != "" && !c.s.Parts[i].Unconfigured {
					n++
				}
			}
			return fmt.Sprintf("%d of %d scopes failing", n, len(c.s.Parts))
		},
		columns: []column{
			{title: "source", width: 18, grow: 1, search: true, cell: part(func(_ *scene, p *fleet.Part) cell { return cell{p.Source, plain} })},
			{title: "scope", width: 14, grow: 1, search: true, cell: part(func(_ *scene, p *fleet.Part) cell { return cell{p.Scope, dim} })},
			{title: "state", width: 14, search: true, cell: health},
			{title: "seen", width: 6, right: true, drop: 2, cell: part(func(c *scene, p *fleet.Part) cell { return cell{coarse(p.At, c.now()), dim} })},
			{title: "every", width: 6, right: true, drop: 4, cell: part(func(_ *scene, p *fleet.Part) cell {
				if p.Every == 0 {
					return cell{"pushed", dim}
				}
				return cell{span(p.Every), dim}
			})},
			{title: "objects", width: 7, right: true, drop: 3, cell: part(func(_ *scene, p *fleet.Part) cell { return cell{strconv.Itoa(len(p.Facts)), dim} })},
			{title: "says", width: 20, grow: 4, drop: 1, search: true, cell: part(func(_ *scene, p *fleet.Part) cell { return cell{p.Err, badInk} })},
			{title: "what to do", width: 20, grow: 3, drop: 5, search: true, cell: part(func(_ *scene, p *fleet.Part) cell { return cell{p.Fix, plain} })},
		},
	}
}

// views lists every table there is; the first nine have the keys 1 to 9.
func views() []*view {
	return []*view{
		serversView(), workView(), temperaturesView(), disksView(), findingsView(), hostsView(), filesystemsView(), eventsView(), auditView(),
		podsView(), nodesView(), volumesView(), servicesView(), sourcesView(), agentsView(),
		unitsView(), swapView(),
		flavorsView(), vmsView(),
		workloadsView(), appsView(), kernelView(), dmesgView(), checksView(), bootsView(), alertsView(), timelineView(),
	}
}
