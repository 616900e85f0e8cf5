package ui

import (
	"strconv"

	"strata/internal/fleet"
)

func workloadsView() *view {
	count := func(f func(fleet.Replicas) int32) func(*scene, fleet.Object) cell {
		return of(func(_ *scene, w *fleet.Workload) cell {
			if w.IsJob() {
				return cell{}
			}
			return cell{strconv.Itoa(int(f(w.Replicas))), dim}
		})
	}
	return &view{
		name: "workloads", title: "Workloads", kinds: []fleet.Kind{fleet.KindWorkload}, worst: worst, systems: kubeSystems,
		empty: "the cluster has no Deployments, StatefulSets, DaemonSets or Jobs",
		count: func(c *scene) string { return c.amounts(fleet.KindWorkload) },
		columns: []column{
			{title: "namespace", width: 12, grow: 1, drop: 3, search: true, cell: of(func(_ *scene, w *fleet.Workload) cell { return cell{w.Namespace, dim} }), key: text(func(w *fleet.Workload) string { return w.Namespace })},
			{title: "name", width: 18, grow: 3, search: true, middle: true, cell: of(func(_ *scene, w *fleet.Workload) cell { return cell{w.Name, plain} }), key: text(func(w *fleet.Workload) string { return w.Name })},
			{title: "type", width: 11, drop: 4, search: true, cell: of(func(_ *scene, w *fleet.Workload) cell { return cell{w.Type, dim} }), key: text(func(w *fleet.Workload) string { return w.Type })},
			{title: "ready", width: 16, grow: 1, search: true, flash: true, cell: health},
			{title: "updated", width: 7, right: true, drop: 5, flash: true, cell: count(func(r fleet.Replicas) int32 { return r.Updated })},
			{title: "available", width: 9, right: true, drop: 5, flash: true, cell: count(func(r fleet.Replicas) int32 { return r.Available })},
			{title: "because", width: 16, grow: 2, drop: 2, cell: of(workloadBecause)},
			{title: "restarted", width: 9, right: true, drop: 7, cell: of(func(c *scene, w *fleet.Workload) cell { return cell{coarse(w.Version.Restarted, c.now()), dim} })},
			{title: "age", width: 6, right: true, drop: 1, cell: of(func(c *scene, w *fleet.Workload) cell { return cell{coarse(w.Created, c.now()), dim} }), key: number(func(w *fleet.Workload) float64 { return -float64(w.Created.Unix()) })},
		},
	}
}

// workloadBecause is the worst cause of what is wrong with its pods, else what the workload says of itself.
func workloadBecause(c *scene, w *fleet.Workload) cell {
	if b := because(c, w); b.text != "" {
		return b
	}
	if w.Job.Done() {
		return cell{}
	}
	return cell{w.Message, warnInk}
}

func appsView() *view {
	return &view{
		name: "apps", title: "Argo CD applications", kinds: []fleet.Kind{fleet.KindApp}, worst: worst, systems: kubeSystems,
		empty: "argo cd has no applications",
		count: func(c *scene) string { return c.amounts(fleet.KindApp) },
		columns: []column{
			{title: "name", width: 18, grow: 2, search: true, middle: true, cell: of(func(_ *scene, a *fleet.App) cell { return cell{a.Name, plain} }), key: text(func(a *fleet.App) string { return a.Name })},
			{title: "sync", width: 9, search: true, flash: true, cell: of(func(_ *scene, a *fleet.App) cell {
				if a.Sync.Status != "Synced" {
					return cell{or(a.Sync.Status, "—"), warnInk}
				}
				return cell{a.Sync.Status, dim}
			}), key: text(func(a *fleet.App) string { return a.Sync.Status })},
			{title: "health", width: 11, search: true, flash: true, cell: of(func(c *scene, a *fleet.App) cell {
				return cell{or(a.Condition.Status, "—"), c.t.state(a.Health().State)}
			})},
			{title: "operation", width: 12, drop: 3, flash: true, cell: of(appOperation)},
			{title: "because", width: 16, grow: 3, drop: 2, search: true, cell: of(appBecause)},
			{title: "revision", width: 8, drop: 5, cell: of(func(_ *scene, a *fleet.App) cell { return cell{a.Sync.Revision[:min(7, len(a.Sync.Revision))], dim} })},
			{title: "repo", width: 24, grow: 2, drop: 6, search: true, cell: of(func(_ *scene, a *fleet.App) cell { return cell{a.Repo.URL + " " + a.Repo.Path, dim} })},
			{title: "project", width: 10, drop: 7, search: true, cell: of(func(_ *scene, a *fleet.App) cell { return cell{a.Project, dim} })},
			{title: "compared", width: 8, right: true, drop: 1, cell: of(func(c *scene, a *fleet.App) cell { return cell{coarse(a.Reconciled, c.now()), dim} })},
		},
	}
}

func appOperation(_ *scene, a *fleet.App) cell {
	o := a.Operation
	switch {
	case o.Asked && o.Phase != "Running":
		return cell{"asked for", warnInk}
	case o.Phase == "Failed" || o.Phase == "Error":
		return cell{o.Phase, badInk}
	case o.Phase == "Succeeded":
		return cell{o.Phase, dim}
	}
	return cell{o.Phase, warnInk}
}

func appBecause(_ *scene, a *fleet.App) cell {
	switch {
	case a.Operation.Phase == "Failed" || a.Operation.Phase == "Error":
		return cell{a.Operation.Message, badInk}
	case a.Condition.Message != "":
		return cell{a.Condition.Message, plain}
	case len(a.Complaints) > 0:
		return cell{a.Complaints[0], warnInk}
	}
	return cell{}
}
