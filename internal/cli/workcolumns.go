package cli

import (
	"fmt"
	"strconv"
	"time"

	"strata/internal/fleet"
)

func workColumns(kind fleet.Kind) []column {
	if kind == fleet.KindApp {
		return []column{
			{"NAMESPACE", false, on(func(a *fleet.App) string { return a.Namespace })},
			{"NAME", false, on(func(a *fleet.App) string { return a.Name })},
			{"PROJECT", false, on(func(a *fleet.App) string { return a.Project })},
			{"SYNC", false, on(func(a *fleet.App) string { return a.Sync.Status })},
			{"HEALTH", false, on(func(a *fleet.App) string { return a.Condition.Status })},
			{"OPERATION", false, on(func(a *fleet.App) string { return a.Operation.Phase })},
			{"RECONCILED", true, aged(func(a *fleet.App) time.Time { return a.Reconciled })},
			{"REPO", false, on(func(a *fleet.App) string { return a.Repo.URL + " " + a.Repo.Path })},
		}
	}
	count := func(f func(fleet.Replicas) int32) func(fleet.Object, time.Time) string {
		return on(func(w *fleet.Workload) string {
			if w.IsJob() {
				return ""
			}
			return strconv.Itoa(int(f(w.Replicas)))
		})
	}
	return []column{
		{"NAMESPACE", false, on(func(w *fleet.Workload) string { return w.Namespace })},
		{"TYPE", false, on(func(w *fleet.Workload) string { return w.Type })},
		{"NAME", false, on(func(w *fleet.Workload) string { return w.Name })},
		{"READY", false, on(func(w *fleet.Workload) string { return fmt.Sprintf("%d/%d", w.Replicas.Ready, w.Replicas.Want) })},
		{"UPDATED", true, count(func(r fleet.Replicas) int32 { return r.Updated })},
		{"AVAILABLE", true, count(func(r fleet.Replicas) int32 { return r.Available })},
		{"AGE", true, aged(func(w *fleet.Workload) time.Time { return w.Created })},
		{"SELECTOR", false, on(func(w *fleet.Workload) string { return w.Selector })},
	}
}
