package fleet

import (
	"strconv"
	"strings"
	"time"
)

// Workload makes pods: a Deployment, StatefulSet or DaemonSet keeps them alive, a Job has them end well.
type Workload struct {
	Source    string    `json:"source"`
	Namespace string    `json:"namespace"`
	Type      string    `json:"type"` // Deployment, StatefulSet, DaemonSet, Job
	Name      string    `json:"name"`
	Replicas  Replicas  `json:"replicas"`
	Version   Rollout   `json:"rollout"`
	Job       *JobRun   `json:"job,omitempty"`      // of a Job only
	Selector  string    `json:"selector,omitempty"` // spec.selector, as kubectl -l takes it
	Paused    bool      `json:"paused,omitempty"`   // spec.paused; of a Job spec.suspend
	Message   string    `json:"message,omitempty"`  // of a condition that tells why it does not get on; of a Job that of Job.Condition
	Created   time.Time `json:"created,omitzero"`
}

// Replicas are how many pods a workload wants and has. Of a DaemonSet Want is how many nodes it should run on. Of a Job
// Want is how many pods must end well (spec.completions, 1 where it has none), Ready how many did (status.succeeded), Total
// how many are at it (status.active); the others are 0.
type Replicas struct {
	Want      int32 `json:"want"`
	Total     int32 `json:"total"`
	Ready     int32 `json:"ready"`
	Updated   int32 `json:"updated"`
	Available int32 `json:"available"`
}

// Rollout is how far a change of a workload is carried out.
type Rollout struct {
	Generation int64  `json:"generation,omitempty"` // metadata.generation
	Observed   int64  `json:"observed,omitempty"`   // status.observedGeneration
	Strategy   string `json:"strategy,omitempty"`   // RollingUpdate, Recreate, OnDelete
	// Restarted is the template's annotation kubectl.kubernetes.io/restartedAt.
	Restarted time.Time `json:"restarted,omitzero"`
}

// Ref of a workload is namespace/type/name, the type in lower case: names are unique only within a type.
func (w *Workload) Ref() Ref {
	return Ref{KindWorkload, w.Source, WorkloadName(w.Namespace, w.Type, w.Name)}
}

// WorkloadName is the name in a workload's Ref.
func WorkloadName(namespace, typ, name string) string {
	return namespace + "/" + strings.ToLower(typ) + "/" + name
}

// IsJob reports whether a workload is a Job: its pods shall end.
func (w *Workload) IsJob() bool { return w.Type == "Job" }

// Settled reports whether the newest version of a workload runs whole, and nothing of an older one.
func (w *Workload) Settled() bool {
	r := w.Replicas
	return w.Version.Observed >= w.Version.Generation && r.Updated == r.Want && r.Available == r.Want && r.Total == r.Want
}

// Health is bad when nothing of what should run is ready, worth a look when some of it is not.
func (w *Workload) Health() Health {
	r := w.Replicas
	word := strconv.Itoa(int(r.Ready)) + "/" + strconv.Itoa(int(r.Want))
	switch {
	case w.IsJob():
		return w.Job.health(word, w.Paused)
	case w.Paused:
		return Health{StateWarn, word + " paused"}
	case r.Want == 0:
		return Health{StateOK, "scaled to 0"}
	case r.Ready == 0:
		return Health{StateBad, word}
	case r.Ready < r.Want:
		return Health{StateWarn, word}
	case !w.Settled():
		return Health{StateWarn, word + " rolling out"}
	}
	return Health{StateOK, word}
}

// WorkloadOf returns what made a pod. Of a ReplicaSet's pod that is the Deployment whose name is the set's
// without the hash at its end, which is how a Deployment names its sets.
func WorkloadOf(s *Snapshot, p *Pod) (*Workload, bool) {
	typ, name, ok := strings.Cut(p.Owner, "/")
	if !ok {
		return nil, false
	}
	if typ == "ReplicaSet" {
		i := strings.LastIndexByte(name, '-')
		if i < 0 {
			return nil, false
		}
		typ, name = "Deployment", name[:i]
	}
	return Find[*Workload](s, Ref{KindWorkload, p.Source, WorkloadName(p.Namespace, typ, name)})
}

// App is an Argo CD application (argoproj.io/v1alpha1).
type App struct {
	Source     string       `json:"source"`
	Namespace  string       `json:"namespace"`
	Name       string       `json:"name"`
	Project    string       `json:"project,omitempty"`
	Repo       AppRepo      `json:"repo"`
	Target     AppTarget    `json:"destination"`
	Sync       AppSync      `json:"sync"`
	Condition  AppHealth    `json:"health"`
	Operation  AppOperation `json:"operation"`
	Refresh    string       `json:"refresh,omitempty"`    // a refresh that is asked for: normal, hard
	Reconciled time.Time    `json:"reconciled,omitzero"`  // status.reconciledAt
	Complaints []string     `json:"complaints,omitempty"` // status.conditions
	Objects    *AppObjects  `json:"objects,omitempty"`    // status.resources; nil where it has none, as before it was compared
	Created    time.Time    `json:"created,omitzero"`
}

// AppRepo is where an application's manifests come from, the first of its sources if it has several.
type AppRepo struct {
	URL      string `json:"url,omitempty"`
	Path     string `json:"path,omitempty"` // or the chart
	Revision string `json:"revision,omitempty"`
}

// AppTarget is where an application is deployed.
type AppTarget struct {
	Server    string `json:"server,omitempty"` // or the cluster's name
	Namespace string `json:"namespace,omitempty"`
}

// AppSync is how an application's objects compare with its repository.
type AppSync struct {
	Status   string `json:"status,omitempty"` // Synced, OutOfSync, Unknown
	Revision string `json:"revision,omitempty"`
	Auto     bool   `json:"auto,omitempty"` // Argo CD syncs it by itself
}

// AppHealth is what Argo CD makes of an application's objects.
type AppHealth struct {
	Status  string `json:"status,omitempty"` // Healthy, Progressing, Degraded, Suspended, Missing, Unknown
	Message string `json:"message,omitempty"`
}

// AppOperation is the sync that runs or the last one that ran.
type AppOperation struct {
	Asked    bool      `json:"asked,omitempty"` // one is asked for and not begun
	Phase    string    `json:"phase,omitempty"` // Running, Succeeded, Failed, Error, Terminating
	Message  string    `json:"message,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// Running reports whether a sync runs or is about to.
func (o AppOperation) Running() bool {
	return o.Asked || o.Phase == "Running" || o.Phase == "Terminating"
}

// Ref of an application is namespace/name.
func (a *App) Ref() Ref { return Ref{KindApp, a.Source, a.Namespace + "/" + a.Name} }

// Health is Argo CD's word; what differs from its repository is worth a look.
func (a *App) Health() Health {
	word := a.Condition.Status
	if a.Sync.Status != "" && a.Sync.Status != "Synced" {
		word = strings.TrimSpace(word + " " + a.Sync.Status)
	}
	switch {
	case a.Condition.Status == "Degraded" || a.Condition.Status == "Missing":
		return Health{StateBad, word}
	case a.Operation.Phase == "Failed" || a.Operation.Phase == "Error":
		return Health{StateBad, "sync " + strings.ToLower(a.Operation.Phase)}
	case word == "":
		return Health{StateUnknown, "not looked at yet"}
	case word == "Healthy":
		return Health{StateOK, word}
	}
	return Health{StateWarn, word}
}
