package kube

import (
	"time"

	"strata/internal/fleet"
)

// kind is one of the resources strata watches.
type kind struct {
	resource string // as in the API's path
	scope    string // of the observations
	path     string // of its API group
	only     string // the one namespace it is watched in; "" for all, or for resources without namespaces
	selector string // field selector
	prefix   string // of the names in refs, behind the namespace
	grant    grant  // what permits to look

	namespaced bool          // it lives in namespaces
	optional   bool          // a custom resource: the cluster may not know it
	perSpace   bool          // each namespace is a scope of its own: SCOPE/NAMESPACE
	every      time.Duration // the least time between two observations
	fresh      func() object
	name       func(fleet.Object) string // metadata.name
	trim       func(fleet.Facts, time.Time) fleet.Facts
	follow     func(old, next fleet.Object) // nil, or what is noted on a new object, which is nobody's yet; old may be nil
}

// kinds are the resources strata watches. Each is listed once and watched from then on.
func kinds() []*kind {
	const soon = 100 * time.Millisecond
	return []*kind{
		{
			resource: "nodes", scope: "nodes", path: "/api/v1", grant: grantNodes, every: soon,
			fresh: func() object { return new(node) },
			name:  func(o fleet.Object) string { return o.(*fleet.Node).Name },
		},
		{
			// A node renews its lease every 10 s: at 5,000 nodes that is 500 changes a second.
			resource: "leases", scope: "leases", path: "/apis/coordination.k8s.io/v1", only: "kube-node-lease",
			grant: grantNodes, every: 2 * time.Second,
			fresh:  func() object { return new(lease) },
			name:   func(o fleet.Object) string { return o.(*fleet.Lease).Node },
			follow: renewal,
		},
		{
			resource: "pods", scope: "pods", path: "/api/v1", grant: grantView, namespaced: true, perSpace: true, every: soon,
			fresh: func() object { return new(pod) },
			name:  func(o fleet.Object) string { return o.(*fleet.Pod).Name },
		},
		{
			resource: "events", scope: "events", path: "/api/v1", selector: "type=Warning", grant: grantView,
			namespaced: true, every: time.Second, trim: recent,
			fresh: func() object { return new(event) },
			name:  func(o fleet.Object) string { return o.(*fleet.Event).Name },
		},
		{
			resource: "persistentvolumes", scope: "volumes", path: "/api/v1", grant: grantNodes, every: soon,
			fresh: func() object { return new(volume) },
			name:  func(o fleet.Object) string { return o.(*fleet.Volume).Name },
		},
		{
			resource: "persistentvolumeclaims", scope: "claims", path: "/api/v1", grant: grantView, namespaced: true,
			every: soon,
			fresh: func() object { return new(claim) },
			name:  func(o fleet.Object) string { return o.(*fleet.Claim).Name },
		},
		workloadKind("deployments", "deployment/", func() object { return &workload{shape: deploymentShape()} }),
		workloadKind("statefulsets", "statefulset/", func() object { return &workload{shape: statefulSetShape()} }),
		workloadKind("daemonsets", "daemonset/", func() object { return &workload{shape: daemonSetShape()} }),
		jobKind(),
		{
			resource: "applications", scope: "apps", path: "/apis/argoproj.io/v1alpha1", grant: grantApps, namespaced: true,
			optional: true, every: soon,
			fresh: func() object { return new(app) },
			name:  func(o fleet.Object) string { return o.(*fleet.App).Name },
		},
	}
}

func workloadKind(resource, prefix string, fresh func() object) *kind {
	return &kind{
		resource: resource, scope: "workloads/" + resource, path: "/apis/apps/v1", grant: grantView, namespaced: true,
		every: 100 * time.Millisecond, prefix: prefix, fresh: fresh,
		name: func(o fleet.Object) string { return o.(*fleet.Workload).Name },
	}
}

// jobKind is like that of other workloads, of another group of the API.
func jobKind() *kind {
	k := workloadKind("jobs", "job/", func() object { return new(job) })
	k.path = "/apis/batch/v1"
	return k
}

// mayNarrow says that the kind can be watched in one namespace when all of them are denied.
func (k *kind) mayNarrow() bool { return k.namespaced && k.only == "" }

// group is the scope of an object in that namespace.
func (k *kind) group(namespace string) string {
	if k.perSpace {
		return k.scope + "/" + namespace
	}
	return k.scope
}

// key is what objects of one scope are sorted by: the name of their Ref, or without the namespace that they share.
func (k *kind) key(o fleet.Object) string {
	if k.namespaced && !k.perSpace {
		return o.Ref().Name
	}
	return k.name(o)
}

// itemKey is the key of what an item is about, which may be gone.
func (k *kind) itemKey(i *item) string {
	if k.namespaced && !k.perSpace {
		return i.namespace + "/" + k.prefix + i.name
	}
	return i.name
}
