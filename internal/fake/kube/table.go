package kube

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
)

const leaseNamespace = "kube-node-lease"

// resource is one kind of object the server has.
type resource struct {
	name, kind string
	path       string // of its API group and version
	version    string // as objects name it
	namespaced bool
}

func resources() []resource {
	const core, coordination, apps = "/api/v1", "/apis/coordination.k8s.io/v1", "/apis/apps/v1"
	return []resource{
		{"namespaces", "Namespace", core, "v1", false},
		{"nodes", "Node", core, "v1", false},
		{"pods", "Pod", core, "v1", true},
		{"events", "Event", core, "v1", true},
		{"persistentvolumes", "PersistentVolume", core, "v1", false},
		{"persistentvolumeclaims", "PersistentVolumeClaim", core, "v1", true},
		{"leases", "Lease", coordination, "coordination.k8s.io/v1", true},
		{"deployments", "Deployment", apps, "apps/v1", true},
		{"statefulsets", "StatefulSet", apps, "apps/v1", true},
		{"daemonsets", "DaemonSet", apps, "apps/v1", true},
		{"jobs", "Job", "/apis/batch/v1", "batch/v1", true},
		{"poddisruptionbudgets", "PodDisruptionBudget", "/apis/policy/v1", "policy/v1", true},
		{"horizontalpodautoscalers", "HorizontalPodAutoscaler", "/apis/autoscaling/v2", "autoscaling/v2", true},
		{"applications", "Application", "/apis/argoproj.io/v1alpha1", "argoproj.io/v1alpha1", true},
	}
}

// group is the API group, "" of the core.
func (r resource) group() string {
	group, _, ok := strings.Cut(r.version, "/")
	if !ok {
		return ""
	}
	return group
}

// entry is one version of an object. It never changes.
type entry struct {
	namespace, name string
	version         uint64
	json            []byte
	fields          map[string]string // that field selectors may ask for
	value           any               // what it was rendered from: a Node, a Pod
}

func (e *entry) key() string { return e.namespace + "/" + e.name }

// change is one step in the life of an object: before is nil when it was made, after when it was deleted.
type change struct {
	version       uint64
	before, after *entry
}

// table holds the objects of one resource and what became of them.
type table struct {
	resource
	objects map[string]*entry
	sorted  []string // the keys, nil when they must be sorted again
	log     []change // by version
	floor   uint64   // changes up to this version are forgotten
}

// logMost is how many changes a table remembers at least.
const logMost = 20_000

func (t *table) keys() []string {
	if t.sorted == nil {
		t.sorted = make([]string, 0, len(t.objects))
		for k := range t.objects {
			t.sorted = append(t.sorted, k)
		}
		slices.Sort(t.sorted)
	}
	return t.sorted
}

// put makes or changes an object at that version of the cluster.
func (t *table) put(at uint64, namespace, name string, body jsonObject, value any) {
	if !t.namespaced {
		namespace = ""
	}
	after := &entry{namespace: namespace, name: name, version: at, value: value}
	body["kind"], body["apiVersion"] = t.kind, t.version
	body["metadata"].(jsonObject)["resourceVersion"] = version(at)
	var err error
	if after.json, err = json.Marshal(body); err != nil {
		panic("kube: rendering " + t.name + " " + name + ": " + err.Error()) // maps of strings always render
	}
	after.fields = map[string]string{"metadata.name": name, "metadata.namespace": namespace}
	switch v := value.(type) {
	case Pod:
		after.fields["spec.nodeName"], after.fields["status.phase"] = v.Node, orElse(v.Phase, "Running")
	case Event:
		after.fields["type"], after.fields["reason"] = orElse(v.Type, "Warning"), v.Reason
	}
	key := after.key()
	before := t.objects[key]
	if before == nil {
		t.sorted = nil
	}
	t.objects[key] = after
	t.remember(change{at, before, after})
}

// drop deletes an object and reports whether it was there.
func (t *table) drop(at uint64, key string) bool {
	before := t.objects[key]
	if before == nil {
		return false
	}
	delete(t.objects, key)
	t.sorted = nil
	t.remember(change{at, before, nil})
	return true
}

func (t *table) remember(c change) {
	t.log = append(t.log, c)
	if len(t.log) > 2*logMost {
		t.floor = t.log[len(t.log)-logMost-1].version
		t.log = slices.Clone(t.log[len(t.log)-logMost:])
	}
}

// since returns the changes after that version.
func (t *table) since(v uint64) []change {
	i := sort.Search(len(t.log), func(i int) bool { return t.log[i].version > v })
	return t.log[i:]
}

// filter picks objects by namespace and field selector.
type filter struct {
	namespace string // "" for all
	fields    map[string]string
}

func newFilter(namespace, selector string) filter {
	f := filter{namespace: namespace, fields: map[string]string{}}
	for term := range strings.SplitSeq(selector, ",") {
		if key, value, ok := strings.Cut(term, "="); ok {
			f.fields[key] = strings.TrimPrefix(value, "=")
		}
	}
	return f
}

func (f filter) picks(e *entry) bool {
	if e == nil || f.namespace != "" && e.namespace != f.namespace {
		return false
	}
	for key, value := range f.fields {
		if e.fields[key] != value {
			return false
		}
	}
	return true
}
