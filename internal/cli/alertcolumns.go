package cli

import (
	"time"

	"strata/internal/fleet"
)

func alertColumns() []column {
	return []column{
		{"ALERT", false, on(func(a *fleet.Alert) string { return a.Name })},
		{"STATUS", false, on(func(a *fleet.Alert) string { return a.Health().Word })},
		{"SEVERITY", false, on(func(a *fleet.Alert) string { return a.Severity })},
		{"SINCE", true, aged(func(a *fleet.Alert) time.Time { return a.Starts })},
		{"INSTANCE", false, on(func(a *fleet.Alert) string { return a.Instance })},
		{"SAYS", false, on(func(a *fleet.Alert) string { return a.Says })},
	}
}
