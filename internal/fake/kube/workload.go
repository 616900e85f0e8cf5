package kube

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Workload is a Deployment, StatefulSet or DaemonSet of the fake cluster.
type Workload struct {
	Kind, Namespace, Name string
	Replicas              int // wanted; of a DaemonSet how many nodes it should be on
	Paused                bool
	Strategy              string // RollingUpdate if empty
	RestartedAt           string // the template's annotation
	Hash                  string // of a Deployment's ReplicaSet; it follows RestartedAt
	Generation            int64
	Status                WorkloadStatus
	Stuck                 string // the message of a Progressing condition that is False
	Created               time.Time
}

// WorkloadStatus is what its controller reports.
type WorkloadStatus struct {
	Observed                         int64
	Total, Ready, Updated, Available int
}

// Owner is the controller of its pods.
func (w Workload) Owner() string {
	if w.Kind == "Deployment" {
		return "ReplicaSet/" + w.Name + "-" + w.Hash
	}
	return w.Kind + "/" + w.Name
}

// Owns reports whether a pod is one of its, also of a version before.
func (w Workload) Owns(p Pod) bool {
	if p.Namespace != w.Namespace {
		return false
	}
	if w.Kind == "Deployment" {
		set, ok := strings.CutPrefix(p.Owner, "ReplicaSet/"+w.Name+"-")
		return ok && !strings.Contains(set, "-")
	}
	return p.Owner == w.Owner()
}

// Resource is the plural of its kind.
func (w Workload) Resource() string { return strings.ToLower(w.Kind) + "s" }

// render makes the JSON of a workload.
func (w Workload) render(now time.Time) jsonObject {
	labels := jsonObject{"app": w.Name}
	meta := metadata(w.Resource(), w.Namespace, w.Name, first(w.Created, now))
	meta["generation"] = w.Generation
	template := jsonObject{
		"metadata": jsonObject{"labels": labels, "annotations": jsonObject{}.with("kubectl.kubernetes.io/restartedAt", w.RestartedAt)},
		"spec":     jsonObject{"containers": []any{jsonObject{"name": "main", "image": "registry.example/" + w.Name + ":1"}}},
	}
	strategy := jsonObject{"type": orElse(w.Strategy, "RollingUpdate")}
	spec := jsonObject{"selector": jsonObject{"matchLabels": labels}, "template": template}.with("paused", w.Paused)
	s := w.Status
	status := jsonObject{"observedGeneration": s.Observed}
	if w.Stuck != "" {
		status["conditions"] = []any{jsonObject{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": w.Stuck}}
	}
	if w.Kind == "DaemonSet" {
		spec["updateStrategy"] = strategy
		for key, n := range map[string]int{
			"desiredNumberScheduled": w.Replicas, "currentNumberScheduled": s.Total, "numberReady": s.Ready,
			"updatedNumberScheduled": s.Updated, "numberAvailable": s.Available,
		} {
			status[key] = n
		}
		return jsonObject{"metadata": meta, "spec": spec, "status": status}
	}
	spec["replicas"] = w.Replicas
	spec[map[string]string{"Deployment": "strategy", "StatefulSet": "updateStrategy"}[w.Kind]] = strategy
	for key, n := range map[string]int{"replicas": s.Total, "readyReplicas": s.Ready, "updatedReplicas": s.Updated, "availableReplicas": s.Available} {
		status[key] = n
	}
	return jsonObject{"metadata": meta, "spec": spec, "status": status}
}

// App is an Argo CD application of the fake cluster.
type App struct {
	Namespace, Name string
	Project         string
	Repo, Path      string
	Sync, Health    string
	Message         string // of its health
	Revision        string
	Refresh         string // the annotation
	Asked           bool   // the field operation is there
	Operation       Operation
	Reconciled      time.Time
	Resources       string // status.resources as JSON
	HealthSource    string // status.resourceHealthSource
}

// Operation is the sync that runs or ran last.
type Operation struct {
	Phase, Message    string
	Started, Finished time.Time
}

// render makes the JSON of an application.
func (a App) render(now time.Time) jsonObject {
	meta := metadata("applications", a.Namespace, a.Name, now)
	if a.Refresh != "" {
		meta["annotations"] = jsonObject{"argocd.argoproj.io/refresh": a.Refresh}
	}
	status := jsonObject{
		"sync":   jsonObject{"status": orElse(a.Sync, "Synced")}.with("revision", a.Revision),
		"health": jsonObject{"status": orElse(a.Health, "Healthy")}.with("message", a.Message),
	}.with("reconciledAt", a.Reconciled).with("resourceHealthSource", a.HealthSource)
	if a.Resources != "" {
		status["resources"] = json.RawMessage(a.Resources)
	}
	if o := a.Operation; o.Phase != "" {
		status["operationState"] = jsonObject{"phase": o.Phase}.with("message", o.Message).with("startedAt", o.Started).with("finishedAt", o.Finished)
	}
	out := jsonObject{
		"metadata": meta, "status": status,
		"spec": jsonObject{
			"project": orElse(a.Project, "default"), "destination": jsonObject{"server": "https://kubernetes.default.svc", "namespace": "default"},
			"source": jsonObject{"repoURL": a.Repo, "path": a.Path, "targetRevision": "main"},
		},
	}
	if a.Asked {
		out["operation"] = jsonObject{"sync": jsonObject{}}
	}
	return out
}

// Budget is a PodDisruptionBudget over the pods of one workload.
type Budget struct {
	Namespace, Name string
	Workload        string // whose pods it guards
	MinAvailable    int
}

// Autoscaler is a HorizontalPodAutoscaler.
type Autoscaler struct {
	Namespace, Name string
	Kind, Target    string
	Min, Max        int
}

// AddWorkload makes or replaces a workload.
func (s *Server) AddWorkload(w Workload) {
	if w.Generation == 0 {
		w.Generation = 1
	}
	if w.Hash == "" {
		w.Hash = "58589d7bdc"
	}
	s.change(func(at uint64) { s.put(at, w.Resource(), w.Namespace, w.Name, w.render(s.options.Now()), w) })
	s.control()
}

// ChangeWorkload changes a workload. It reports whether there is one.
func (s *Server) ChangeWorkload(kind, namespace, name string, edit func(*Workload)) (ok bool) {
	resource := strings.ToLower(kind) + "s"
	s.change(func(at uint64) {
		e := s.tables[resource].objects[namespace+"/"+name]
		if e == nil {
			return
		}
		w := e.value.(Workload)
		before := w
		edit(&w)
		ok = true
		if w != before {
			s.put(at, resource, namespace, name, w.render(s.options.Now()), w)
		}
	})
	return ok
}

// Workloads returns the workloads as they are.
func (s *Server) Workloads() (all []Workload) {
	for _, resource := range []string{"deployments", "statefulsets", "daemonsets"} {
		all = append(all, values[Workload](s, resource)...)
	}
	return all
}

// AddApp makes or replaces an application. With the first one Argo CD is installed.
func (s *Server) AddApp(a App) {
	s.change(func(at uint64) {
		s.hasApps = true
		s.put(at, "applications", a.Namespace, a.Name, a.render(s.options.Now()), a)
	})
}

// ChangeApp changes an application. It reports whether there is one.
func (s *Server) ChangeApp(namespace, name string, edit func(*App)) (ok bool) {
	s.change(func(at uint64) {
		if e := s.tables["applications"].objects[namespace+"/"+name]; e != nil {
			a := e.value.(App)
			edit(&a)
			s.put(at, "applications", namespace, name, a.render(s.options.Now()), a)
			ok = true
		}
	})
	return ok
}

// Apps returns the applications as they are.
func (s *Server) Apps() []App { return values[App](s, "applications") }

// AddBudget makes or replaces a disruption budget.
func (s *Server) AddBudget(b Budget) {
	s.change(func(at uint64) { s.putBudget(at, b) })
}

// putBudget renders a budget with the status that its controller would give it now.
func (s *Server) putBudget(at uint64, b Budget) {
	healthy := s.healthy(b)
	s.put(at, "poddisruptionbudgets", b.Namespace, b.Name, jsonObject{
		"metadata": metadata("poddisruptionbudgets", b.Namespace, b.Name, s.options.Now()),
		"spec":     jsonObject{"minAvailable": b.MinAvailable},
		"status":   jsonObject{"disruptionsAllowed": max(0, healthy-b.MinAvailable), "currentHealthy": healthy, "desiredHealthy": b.MinAvailable},
	}, b)
}

// healthy counts the pods of a budget that run and are not being deleted.
func (s *Server) healthy(b Budget) (n int) {
	for _, e := range s.tables["pods"].objects {
		if p, ok := e.value.(Pod); ok && b.guards(p) && p.Deleting.IsZero() && p.ready() {
			n++
		}
	}
	return n
}

func (b Budget) guards(p Pod) bool {
	return p.Namespace == b.Namespace && (strings.HasSuffix(p.Owner, "/"+b.Workload) || strings.HasPrefix(p.Owner, "ReplicaSet/"+b.Workload+"-"))
}

// ready reports whether all containers of a pod are.
func (p Pod) ready() bool {
	if p.Node == "" || orElse(p.Phase, "Running") != "Running" {
		return false
	}
	for _, c := range p.Containers {
		if !c.Ready {
			return false
		}
	}
	for _, c := range p.Conditions {
		if c.Type == "Ready" && c.Status != "True" {
			return false
		}
	}
	return true
}

// AddAutoscaler makes or replaces an autoscaler.
func (s *Server) AddAutoscaler(h Autoscaler) {
	s.change(func(at uint64) {
		s.put(at, "horizontalpodautoscalers", h.Namespace, h.Name, jsonObject{
			"metadata": metadata("horizontalpodautoscalers", h.Namespace, h.Name, s.options.Now()),
			"spec": jsonObject{
				"scaleTargetRef": jsonObject{"apiVersion": "apps/v1", "kind": h.Kind, "name": h.Target}, "minReplicas": h.Min, "maxReplicas": h.Max,
			},
		}, h)
	})
}

// hashOf is the hash of a template with that annotation.
func hashOf(name, restartedAt string) string {
	return fmt.Sprintf("%.10s", strings.ReplaceAll(uid("template", name, restartedAt), "-", ""))
}
