package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/internal/fleet"
)

// refreshNote is the annotation by which Argo CD is asked to compare an application with its repository now.
const refreshNote = "argocd.argoproj.io/refresh"

// RefreshApp has Argo CD compare an application with its repository now.
type RefreshApp struct {
	Source string `json:"source"`
	App    string `json:"app"`  // namespace/name
	Mode   string `json:"mode"` // normal, hard
}

// Name is app-refresh.
func (a RefreshApp) Name() string { return "app-refresh" }

// Target is the application.
func (a RefreshApp) Target() fleet.Ref { return appRef(a.Source, a.App) }

// Plan refuses nothing but an application that is not seen: looking again harms nobody.
func (a RefreshApp) Plan(s *fleet.Snapshot) Plan {
	namespace, name := split(a.App)
	p := Plan{
		Action: a, Title: a.Mode + " refresh of " + a.App,
		Command: kubectlArgv(a.Source, "annotate", "applications.argoproj.io", name, "--namespace", namespace, "--overwrite", refreshNote+"="+a.Mode),
		Effects: []string{"argo cd compares it with its repository; nothing is deployed unless it syncs by itself"},
		NoUndo:  "there is nothing to take back",
	}
	if a.Mode == "hard" {
		p.Effects = append(p.Effects, "hard: the manifests are made anew, not taken from the cache")
	}
	app, ok := appOf(s, &p)
	if ok && app.Refresh != "" {
		p.Against = append(p.Against, "a "+app.Refresh+" refresh is asked for already and not done: does the application controller run?")
	}
	return p
}

func (a RefreshApp) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	var app kubeApp
	return k.patch(ctx, appPath(a.App), &app, &app.Meta, func() (map[string]any, error) {
		return map[string]any{"metadata": map[string]any{"annotations": map[string]any{refreshNote: a.Mode}}}, nil
	})
}

// seen waits until the controller took the annotation away and compared.
func (a RefreshApp) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	app, ok := fleet.Find[*fleet.App](s, a.Target())
	switch {
	case !ok:
		return failed, "the application is gone"
	case app.Refresh == "" && !app.Reconciled.Before(since.Truncate(time.Second)):
		return done, "compared: " + app.Health().Word
	case app.Refresh != "":
		return waiting, "the application controller has not taken it up"
	}
	return waiting, "last compared at " + app.Reconciled.Format(time.RFC3339)
}

func appRef(source, name string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindApp, Source: source, Name: name}
}

// appOf finds the application a plan is for.
func appOf(s *fleet.Snapshot, p *Plan) (*fleet.App, bool) {
	return found[*fleet.App](s, p, "application")
}

func appPath(name string) kubePath {
	namespace, name := split(name)
	return kubePath{group: "apis/argoproj.io/v1alpha1", namespace: namespace, resource: "applications", name: name}
}

// kubeApp is what the application actions read of an Application.
type kubeApp struct {
	Meta      kubeMeta       `json:"metadata"`
	Operation map[string]any `json:"operation"`
	Status    struct {
		Operation struct {
			Phase string `json:"phase"`
		} `json:"operationState"`
	} `json:"status"`
}

// SyncApp has Argo CD deploy an application, as `argocd app sync` does.
type SyncApp struct {
	Source   string `json:"source"`
	App      string `json:"app"`                // namespace/name
	Revision string `json:"revision,omitempty"` // "" is what the application follows
	Prune    bool   `json:"prune,omitempty"`    // delete what the repository no longer has
}

// Name is app-sync.
func (a SyncApp) Name() string { return "app-sync" }

// Target is the application.
func (a SyncApp) Target() fleet.Ref { return appRef(a.Source, a.App) }

// Plan refuses while an operation runs, as Argo CD's own server does.
func (a SyncApp) Plan(s *fleet.Snapshot) Plan {
	namespace, name := split(a.App)
	args := []string{"argocd", "app", "sync", name, "--app-namespace", namespace, "--core"}
	if context := kubectlArgv(a.Source); len(context) > 1 {
		args = append(args, "--kube-context", context[2])
	}
	if a.Revision != "" {
		args = append(args, "--revision", a.Revision)
	}
	p := Plan{
		Action: a, Title: "sync " + a.App, Command: args,
		NoUndo: "argocd app rollback " + name + " goes back to a revision of its history",
	}
	if a.Prune {
		p.Command = append(p.Command, "--prune")
		p.Ask = name
		p.Effects = append(p.Effects, "what the repository no longer has is deleted")
	}
	app, ok := appOf(s, &p)
	if !ok {
		return p
	}
	what := app.Repo.URL + " " + app.Repo.Path
	p.Effects = append([]string{"what " + what + " says is applied to " + app.Target.Namespace}, p.Effects...)
	if app.Operation.Running() {
		p.Refused = append(p.Refused, "an operation runs on it already: "+operationText(app.Operation))
	}
	if app.Sync.Status == "Synced" {
		p.Against = append(p.Against, "it is Synced: there is nothing to apply")
	}
	p.Against = append(p.Against, app.Complaints...)
	return p
}

func operationText(o fleet.AppOperation) string {
	if o.Asked && o.Phase != "Running" {
		return "asked for, not begun"
	}
	return o.Phase + " since " + o.Started.UTC().Format("15:04:05Z") + " " + o.Message
}

func (a SyncApp) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	var app kubeApp
	return k.patch(ctx, appPath(a.App), &app, &app.Meta, func() (map[string]any, error) {
		if phase := app.Status.Operation.Phase; app.Operation != nil || phase == "Running" || phase == "Terminating" {
			return nil, errors.New("another operation was begun in the meantime")
		}
		sync := map[string]any{"prune": a.Prune, "syncStrategy": map[string]any{"hook": map[string]any{}}}
		if a.Revision != "" {
			sync["revision"] = a.Revision
		}
		return map[string]any{
			"operation": map[string]any{"initiatedBy": map[string]any{"username": "strata"}, "sync": sync},
			"status":    map[string]any{"operationState": nil}, // as Argo CD's server does: what is told is the new one
		}, nil
	})
}

func (a SyncApp) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	app, ok := fleet.Find[*fleet.App](s, a.Target())
	if !ok {
		return failed, "the application is gone"
	}
	o := app.Operation
	// Argo CD's times have whole seconds and its own clock.
	ours := !o.Started.Before(since.Add(-2 * time.Second))
	switch {
	case ours && o.Phase == "Succeeded":
		return done, "synced: " + app.Health().Word
	case ours && (o.Phase == "Failed" || o.Phase == "Error"):
		return failed, fmt.Sprintf("sync %s: %s", o.Phase, o.Message)
	case o.Running():
		return waiting, operationText(o)
	}
	return waiting, "the application controller has not taken it up"
}
