package kube

import (
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// workload is what strata reads of a Deployment, StatefulSet or DaemonSet.
type workload struct {
	Meta   meta           `json:"metadata"`
	Spec   workloadSpec   `json:"spec"`
	Status workloadStatus `json:"status"`

	shape *shape
}

// shape is where the three kinds of workloads differ: their field numbers in k8s.io/api/apps/v1.
type shape struct {
	typ            string
	replicas       uint64 // of the spec; 0 when the status tells how many are wanted
	selector       uint64
	template       uint64
	strategy       uint64
	paused         uint64
	observed       uint64 // of the status from here on
	want           uint64
	total          uint64
	ready, updated uint64
	available      uint64
	conditions     uint64
}

func deploymentShape() *shape {
	return &shape{typ: "Deployment", replicas: 1, selector: 2, template: 3, strategy: 4, paused: 7, observed: 1, total: 2, updated: 3, available: 4, conditions: 6, ready: 7}
}

func statefulSetShape() *shape {
	return &shape{typ: "StatefulSet", replicas: 1, selector: 2, template: 3, strategy: 7, observed: 1, total: 2, ready: 3, updated: 5, conditions: 10, available: 11}
}

func daemonSetShape() *shape {
	return &shape{typ: "DaemonSet", selector: 1, template: 2, strategy: 3, total: 1, want: 3, ready: 4, observed: 5, updated: 6, available: 7, conditions: 10}
}

type workloadSpec struct {
	Replicas maybe[int32] `json:"replicas"`
	Selector selector     `json:"selector"`
	Template struct {
		Meta struct {
			Notes pairs `json:"annotations"`
		} `json:"metadata"`
	} `json:"template"`
	Strategy strategy `json:"strategy"`       // of a Deployment
	Update   strategy `json:"updateStrategy"` // of the others
	Paused   bool     `json:"paused"`
}

type strategy struct {
	Type text `json:"type"`
}

type selector struct {
	Labels pairs         `json:"matchLabels"`
	Terms  []requirement `json:"matchExpressions"`
}

type requirement struct {
	Key      text   `json:"key"`
	Operator text   `json:"operator"`
	Values   []text `json:"values"`
}

type workloadStatus struct {
	Observed   int64          `json:"observedGeneration"`
	Total      int32          `json:"replicas"`
	Ready      int32          `json:"readyReplicas"`
	Updated    int32          `json:"updatedReplicas"`
	Available  int32          `json:"availableReplicas"`
	Conditions []podCondition `json:"conditions"`

	// Of a DaemonSet.
	Want            int32 `json:"desiredNumberScheduled"`
	TotalOnNodes    int32 `json:"currentNumberScheduled"`
	ReadyOnNodes    int32 `json:"numberReady"`
	UpdatedOnNodes  int32 `json:"updatedNumberScheduled"`
	AvailableOnNode int32 `json:"numberAvailable"`
}

func (w *workload) head() *meta { return &w.Meta }

func (w *workload) reset() { *w = workload{shape: w.shape} }

// fact makes the workload as strata knows it.
func (w *workload) fact(source string, in *interner) fleet.Object {
	f := &fleet.Workload{
		Source: source, Namespace: in.of(w.Meta.Namespace), Type: w.shape.typ, Name: string(w.Meta.Name),
		Replicas: w.replicas(), Selector: in.of(w.Spec.Selector.text()), Paused: w.Spec.Paused, Created: w.Meta.Created.Time,
		Version: fleet.Rollout{
			Generation: w.Meta.Generation, Observed: w.Status.Observed,
			Strategy: in.of(append(w.Spec.Strategy.Type, w.Spec.Update.Type...)),
		},
	}
	for _, note := range w.Spec.Template.Meta.Notes {
		if note.key.is("kubectl.kubernetes.io/restartedAt") {
			// A text that is no time was written by somebody else, and says nothing.
			f.Version.Restarted, _ = time.Parse(time.RFC3339, string(note.value))
			f.Version.Restarted = f.Version.Restarted.UTC()
		}
	}
	for i := range w.Status.Conditions {
		c := &w.Status.Conditions[i]
		if c.Type.is("ReplicaFailure") && c.Status.is("True") || c.Type.is("Progressing") && c.Status.is("False") {
			f.Message = in.message(c.Message)
		}
	}
	return f
}

func (w *workload) replicas() fleet.Replicas {
	s := &w.Status
	r := fleet.Replicas{Want: s.Want, Total: s.Total, Ready: s.Ready, Updated: s.Updated, Available: s.Available}
	if w.shape.replicas == 0 {
		r.Total, r.Ready, r.Updated, r.Available = s.TotalOnNodes, s.ReadyOnNodes, s.UpdatedOnNodes, s.AvailableOnNode
		return r
	}
	r.Want = 1 // what the API server makes of a spec without replicas
	if w.Spec.Replicas.is {
		r.Want = w.Spec.Replicas.v
	}
	return r
}

// text is the selector as kubectl -l takes it.
func (s *selector) text() text {
	var all []string
	for _, p := range s.Labels {
		all = append(all, string(p.key)+"="+string(p.value))
	}
	for _, t := range s.Terms {
		var values []string
		for _, v := range t.Values {
			values = append(values, string(v))
		}
		among := " (" + strings.Join(values, ",") + ")"
		switch string(t.Operator) {
		case "Exists":
			all = append(all, string(t.Key))
		case "DoesNotExist":
			all = append(all, "!"+string(t.Key))
		case "NotIn":
			all = append(all, string(t.Key)+" notin"+among)
		default:
			all = append(all, string(t.Key)+" in"+among)
		}
	}
	slices.Sort(all)
	return text(strings.Join(all, ","))
}

// unmarshal reads a message Deployment, StatefulSet or DaemonSet.
func (w *workload) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(w.Meta.unmarshal(r.data, nil))
		case 2:
			r.fail(w.spec(r.data))
		case 3:
			r.fail(w.status(r.data))
		}
	}
	return r.err
}

func (w *workload) spec(b []byte) error {
	r, at := read(b), w.shape
	for r.next() {
		switch uint64(r.num) { //nolint:gosec // a field number
		case at.replicas:
			w.Spec.Replicas = maybe[int32]{true, r.number()}
		case at.selector:
			r.fail(w.Spec.Selector.unmarshal(r.data))
		case at.template:
			w.Spec.Template.Meta.Notes = notes(&r)
		case at.strategy:
			w.Spec.Strategy.Type = r.pair().key // type 1
		case at.paused:
			w.Spec.Paused = r.bits != 0
		}
	}
	return r.err
}

// notes are the annotations of the field as a message PodTemplateSpec: metadata 1, annotations 12 in there.
func notes(r *reader) (all pairs) {
	template := read(r.data)
	for template.next() {
		if template.num != 1 {
			continue
		}
		m := read(template.data)
		for m.next() {
			if m.num == 12 {
				all = append(all, m.pair())
			}
		}
		r.fail(m.err)
	}
	r.fail(template.err)
	return all
}

func (w *workload) status(b []byte) error {
	r, at, s := read(b), w.shape, &w.Status
	total, ready, updated, available := &s.Total, &s.Ready, &s.Updated, &s.Available
	if at.replicas == 0 {
		total, ready, updated, available = &s.TotalOnNodes, &s.ReadyOnNodes, &s.UpdatedOnNodes, &s.AvailableOnNode
	}
	for r.next() {
		switch uint64(r.num) { //nolint:gosec // a field number
		case at.observed:
			s.Observed = int64(r.bits) //nolint:gosec // as protobuf defines int64 on the wire
		case at.want:
			s.Want = r.number()
		case at.total:
			*total = r.number()
		case at.ready:
			*ready = r.number()
		case at.updated:
			*updated = r.number()
		case at.available:
			*available = r.number()
		case at.conditions:
			c, in := more(&s.Conditions), read(r.data)
			for in.next() {
				switch in.num {
				case 1:
					c.Type = in.data
				case 2:
					c.Status = in.data
				case 5:
					c.Message = in.data
				}
			}
			r.fail(in.err)
		}
	}
	return r.err
}

// unmarshal reads a message LabelSelector: matchLabels 1, matchExpressions 2.
func (s *selector) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			s.Labels = append(s.Labels, r.pair())
		case 2:
			term := more(&s.Terms)
			in := read(r.data)
			for in.next() {
				switch in.num {
				case 1:
					term.Key = in.data
				case 2:
					term.Operator = in.data
				case 3:
					term.Values = append(term.Values, in.data)
				}
			}
			r.fail(in.err)
		}
	}
	return r.err
}
