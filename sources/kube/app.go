package kube

import (
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"strata/internal/fleet"
)

// app is what strata reads of an Argo CD Application. Custom resources come in JSON only.
type app struct {
	Meta struct {
		meta
		Notes pairs `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Project     text           `json:"project"`
		Origin      appOrigin      `json:"source"`
		Origins     []appOrigin    `json:"sources"`
		Destination appDestination `json:"destination"`
		Policy      struct {
			Auto maybe[struct{}] `json:"automated"`
		} `json:"syncPolicy"`
	} `json:"spec"`
	Asked  maybe[struct{}] `json:"operation"`
	Status struct {
		Sync struct {
			Status    text   `json:"status"`
			Revision  text   `json:"revision"`
			Revisions []text `json:"revisions"`
		} `json:"sync"`
		Health struct {
			Status  text `json:"status"`
			Message text `json:"message"`
		} `json:"health"`
		Operation struct {
			Phase    text  `json:"phase"`
			Message  text  `json:"message"`
			Started  stamp `json:"startedAt"`
			Finished stamp `json:"finishedAt"`
		} `json:"operationState"`
		Reconciled stamp          `json:"reconciledAt"`
		Conditions []podCondition `json:"conditions"`
		Resources  []appResource  `json:"resources"`
		HealthIn   text           `json:"resourceHealthSource"`
	} `json:"status"`
}

type appResource struct {
	Group     text `json:"group"`
	Kind      text `json:"kind"`
	Namespace text `json:"namespace"`
	Name      text `json:"name"`
	Status    text `json:"status"`
	Health    struct {
		Status  text `json:"status"`
		Message text `json:"message"`
	} `json:"health"`
}

type appOrigin struct {
	Repo     text `json:"repoURL"`
	Path     text `json:"path"`
	Chart    text `json:"chart"`
	Revision text `json:"targetRevision"`
}

type appDestination struct {
	Server    text `json:"server"`
	Name      text `json:"name"`
	Namespace text `json:"namespace"`
}

// head also finds the annotation that ends the initial events of a watch, which the notes have taken.
func (a *app) head() *meta {
	for _, note := range a.Meta.Notes {
		a.Meta.Marks.initialEnd = a.Meta.Marks.initialEnd || note.key.is(metav1.InitialEventsAnnotationKey)
	}
	return &a.Meta.meta
}

func (a *app) reset() { *a = app{} }

func (a *app) unmarshal([]byte) error { return errors.New("an application in protobuf") }

// What is kept of an application at most.
const (
	complaintsMost = 8
	offMost        = 20
	ownersMost     = 200
)

// objects is what the application consists of.
func (a *app) objects(in *interner) *fleet.AppObjects {
	s := &a.Status
	if len(s.Resources) == 0 {
		return nil
	}
	all := &fleet.AppObjects{Count: len(s.Resources), HealthUntold: s.HealthIn.is("appTree")}
	for i := range s.Resources {
		r := &s.Resources[i]
		o := fleet.AppObject{
			Group: in.of(r.Group), Kind: in.of(r.Kind), Namespace: in.of(r.Namespace), Name: in.of(r.Name),
			Sync: in.of(r.Status), Health: in.of(r.Health.Status), Message: in.message(r.Health.Message),
		}
		all.Custom = all.Custom || o.Custom()
		switch {
		case !o.Owns():
		case len(all.Owners) == ownersMost:
			all.Custom = true
		default:
			all.Owners = append(all.Owners, o.Key())
		}
		switch {
		case !o.Off():
		case len(all.Off) == offMost:
			all.More++
		default:
			all.Off = append(all.Off, o)
		}
	}
	slices.Sort(all.Owners)
	return all
}

// fact makes the application as strata knows it.
func (a *app) fact(source string, in *interner) fleet.Object {
	s := &a.Status
	f := &fleet.App{
		Source: source, Namespace: in.of(a.Meta.Namespace), Name: string(a.Meta.Name), Project: in.of(a.Spec.Project),
		Target:    fleet.AppTarget{Server: in.of(a.Spec.Destination.Server), Namespace: in.of(a.Spec.Destination.Namespace)},
		Sync:      fleet.AppSync{Status: in.of(s.Sync.Status), Revision: string(s.Sync.Revision), Auto: a.Spec.Policy.Auto.is},
		Condition: fleet.AppHealth{Status: in.of(s.Health.Status), Message: in.message(s.Health.Message)},
		Operation: fleet.AppOperation{
			Asked: a.Asked.is, Phase: in.of(s.Operation.Phase), Message: in.message(s.Operation.Message),
			Started: s.Operation.Started.Time, Finished: s.Operation.Finished.Time,
		},
		Reconciled: s.Reconciled.Time, Created: a.Meta.Created.Time,
		Objects: a.objects(in),
	}
	origin := a.Spec.Origin
	if len(origin.Repo) == 0 && len(a.Spec.Origins) > 0 {
		origin = a.Spec.Origins[0]
	}
	f.Repo = fleet.AppRepo{URL: in.of(origin.Repo), Path: in.of(origin.Path), Revision: in.of(origin.Revision)}
	if f.Repo.Path == "" {
		f.Repo.Path = in.of(origin.Chart)
	}
	if f.Target.Server == "" {
		f.Target.Server = in.of(a.Spec.Destination.Name)
	}
	if f.Sync.Revision == "" && len(s.Sync.Revisions) > 0 {
		f.Sync.Revision = string(s.Sync.Revisions[0])
	}
	for _, note := range a.Meta.Notes {
		if note.key.is("argocd.argoproj.io/refresh") {
			f.Refresh = in.of(note.value)
		}
	}
	for i := range s.Conditions[:min(len(s.Conditions), complaintsMost)] {
		f.Complaints = append(f.Complaints, in.message(append(append(s.Conditions[i].Type, ": "...), s.Conditions[i].Message...)))
	}
	return f
}
