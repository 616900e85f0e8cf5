package ui

import (
	"fmt"

	"strata/internal/fleet"
)

// describeApp tells which objects of an application are off.
func describeApp(c *scene, a *fleet.App) []line {
	out := []line{{}, fact("sync", or(a.Sync.Status, "not told")+" "+a.Sync.Revision), fact("health", or(a.Condition.Status, "not told")+" "+a.Condition.Message)}
	for _, x := range a.Complaints {
		out = append(out, fact("complaint", x))
	}
	o := a.Objects
	if o == nil {
		return append(out, fact("objects", "not told"))
	}
	off := len(o.Off) + o.More
	text := fmt.Sprintf("%d, %d of them off", o.Count, off)
	if o.HealthUntold {
		text += "; how well each is Argo CD keeps to itself: argocd app get " + a.Name
	}
	out = append(out, fact("objects", text))
	for _, x := range o.Off {
		style := c.t.state(fleet.StateWarn)
		if x.Health == "Degraded" || x.Health == "Missing" {
			style = c.t.state(fleet.StateBad)
		}
		out = append(out, line{cells: []cell{{"  " + fit(x.Kind+" "+x.Name, 32, false) + " ", plain}, {fit(x.Sync, 10, false) + x.Health, style}, {" " + x.Message, dim}}})
	}
	if o.More > 0 {
		out = append(out, says(dim, fmt.Sprintf("  and %d more", o.More)))
	}
	return out
}
