package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
)

func argoRules() []Rule {
	ofItsPods := Fold{App: true}
	return []Rule{{
		ID: "ARGO-01", Title: "application is not as its repository has it", Kind: fleet.KindApp, Severity: fleet.Warn,
		Source: "argo-cd docs/user-guide/auto_sync.md: a sync that failed is not tried again at the same revision, without selfHeal or retry; heuristic: for 15 min",
		Hold:   15 * time.Minute, Judge: on(outOfSync), Remedies: []string{"app-refresh", "app-sync"},
	}, {
		ID: "ARGO-02", Title: "application is not healthy", Kind: fleet.KindApp, Severity: fleet.Serious,
		Source: "argo-cd docs/operator-manual/health.md: Degraded, Missing, Unknown; heuristic: for 15 min",
		Hold:   15 * time.Minute, Explains: []string{"ARGO-03"}, Fold: ofItsPods, Judge: on(appUnwell), Remedies: []string{"app-refresh", "app-sync"},
	}, {
		ID: "ARGO-03", Title: "application does not get on", Kind: fleet.KindApp, Severity: fleet.Warn, Confidence: fleet.Medium,
		Source: "heuristic: Progressing for 10 min; a Deployment is Degraded after its progressDeadlineSeconds, 600 by default",
		Hold:   10 * time.Minute, Fold: ofItsPods, Judge: on(appStuck), Remedies: []string{"app-refresh"},
	}}
}

func appCommand(a *fleet.App) string {
	return "kubectl -n " + a.Namespace + " get application " + a.Name
}

func appEvidence(a *fleet.App) []fleet.Evidence {
	all := []fleet.Evidence{because(a, a.Reconciled, "application status", "sync=%s revision=%s health=%s %s",
		cmp.Or(a.Sync.Status, "?"), cmp.Or(a.Sync.Revision, "?"), cmp.Or(a.Condition.Status, "?"), sentence(a.Condition.Message))}
	if o := a.Operation; o.Phase != "" {
		all = append(all, because(a, o.Finished, "application status.operationState", "%s %s", o.Phase, sentence(o.Message)))
	}
	if o := a.Objects; o != nil {
		const most = 10
		for _, x := range o.Off[:min(most, len(o.Off))] {
			all = append(all, because(a, time.Time{}, "application status.resources", "%s sync=%s health=%s %s", x.Key(), cmp.Or(x.Sync, "?"), cmp.Or(x.Health, "?"), sentence(x.Message)))
		}
		if n := len(o.Off) + o.More - most; n > 0 {
			all = append(all, because(a, time.Time{}, "application status.resources", "and %d more", n))
		}
	}
	for _, c := range a.Complaints {
		all = append(all, because(a, time.Time{}, "application status.conditions", "%s", sentence(c)))
	}
	return all
}

func appUntold(a *fleet.App, what string) Verdict {
	return Verdict{State: CannotTell, Missing: []string{what + ": " + appCommand(a) + " -o yaml"}}
}

func outOfSync(_ *fleet.Snapshot, a *fleet.App) Verdict {
	switch {
	case a.Sync.Status == "":
		return appUntold(a, "how it compares with its repository")
	case a.Sync.Status == "Synced":
		return Verdict{State: OK}
	case a.Operation.Running():
		return Verdict{State: Lingering}
	}
	name := a.Namespace + "/" + a.Name
	verdict := Verdict{State: Bad, Because: appEvidence(a)}
	switch failed := a.Operation.Phase == "Failed" || a.Operation.Phase == "Error"; {
	case a.Sync.Status == "Unknown":
		verdict.Says = name + " cannot be compared with its repository"
		if len(a.Complaints) > 0 {
			verdict.Says += ": " + sentence(a.Complaints[0])
		}
	case failed:
		verdict.Says = fmt.Sprintf("%s is %s and its last sync failed: %s", name, a.Sync.Status, cmp.Or(sentence(a.Operation.Message), "no reason given"))
		if a.Sync.Auto {
			verdict.Says += "; argo does not try that revision again by itself"
		}
	case a.Sync.Auto:
		verdict.Says = name + " is " + a.Sync.Status + ", although argo syncs it by itself"
	default:
		verdict.Severity = fleet.Info // it waits for somebody, as it was set up to
		verdict.Says = name + " is " + a.Sync.Status + " and waits for somebody to sync it"
	}
	if off := offObjects(a, func(x fleet.AppObject) bool { return x.Sync == "OutOfSync" }); off != "" {
		verdict.Says += "; it differs in " + off
	}
	verdict.Missing = []string{"what differs: argocd app diff " + a.Name}
	return verdict
}

func appUnwell(_ *fleet.Snapshot, a *fleet.App) Verdict {
	verdict := Verdict{State: Bad, Because: appEvidence(a)}
	switch a.Condition.Status {
	case "":
		return appUntold(a, "its health")
	case "Degraded", "Missing":
	case "Unknown":
		verdict.Severity = fleet.Warn
	case "Progressing":
		return Verdict{State: Lingering} // it may well fall back
	default:
		return Verdict{State: OK}
	}
	verdict.Says = appSays(a)
	verdict.Missing = whichObjects(a)
	return verdict
}

func appSays(a *fleet.App) string {
	says := fmt.Sprintf("%s/%s is %s", a.Namespace, a.Name, a.Condition.Status)
	if a.Condition.Status == "Unknown" {
		says = fmt.Sprintf("argo cannot tell how %s/%s is", a.Namespace, a.Name)
	}
	if a.Target.Namespace != "" {
		says += " in namespace " + a.Target.Namespace
	}
	m := sentence(a.Condition.Message)
	if ill := offObjects(a, fleet.AppObject.Ill); ill != "" {
		says += ", for its " + ill
	}
	if first := firstIll(a); m == "" && first != nil {
		m = sentence(first.Message)
	}
	if m != "" {
		says += ": " + m
	}
	return says
}

// offObjects names the objects of an application that are off in some way, the first three.
func offObjects(a *fleet.App, is func(fleet.AppObject) bool) string {
	if a.Objects == nil {
		return ""
	}
	var all []string
	for _, x := range a.Objects.Off {
		if is(x) {
			all = append(all, x.Kind+" "+x.Name)
		}
	}
	switch {
	case len(all) == 0:
		return ""
	case len(all) > 3 && a.Objects.More > 0:
		return names(all) + " at least"
	}
	return names(all)
}

// firstIll is the first object of an application that is not well, as far as that is told.
func firstIll(a *fleet.App) *fleet.AppObject {
	if a.Objects == nil {
		return nil
	}
	if i := slices.IndexFunc(a.Objects.Off, fleet.AppObject.Ill); i >= 0 {
		return &a.Objects.Off[i]
	}
	return nil
}

// whichObjects tells how to learn which objects are not well, where the application does not.
func whichObjects(a *fleet.App) []string {
	switch {
	case firstIll(a) != nil:
		return nil
	case a.Objects != nil && a.Objects.HealthUntold:
		return []string{"which of its objects, as Argo CD keeps their health to itself (resourceHealthSource: appTree): argocd app get " + a.Name}
	}
	return []string{"which of its objects: argocd app get " + a.Name}
}

func appStuck(_ *fleet.Snapshot, a *fleet.App) Verdict {
	switch a.Condition.Status {
	case "":
		return appUntold(a, "its health")
	case "Progressing":
	default:
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Says: appSays(a), Because: appEvidence(a), Missing: whichObjects(a),
	}
}
