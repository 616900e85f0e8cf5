package fleet

import "strings"

// AppObjects is what an application consists of (status.resources).
type AppObjects struct {
	Count int         `json:"count"`
	Off   []AppObject `json:"off,omitempty"`  // those that are off, see AppObject.Off; 20 at most
	More  int         `json:"more,omitempty"` // that are off and not among them
	// HealthUntold says that Argo CD keeps the health of each to itself, as it does since 3.0 (resourceHealthSource: appTree).
	HealthUntold bool `json:"healthUntold,omitempty"`
	// Owners are the keys of those that pods or data may belong to, sorted, 200 at most.
	Owners []string `json:"owners,omitempty"`
	// Custom says that pods may belong to it under other names: an operator makes them of a custom resource, or Owners is cut.
	Custom bool `json:"custom,omitempty"`
}

// AppObject is an object of an application.
type AppObject struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Sync      string `json:"sync,omitempty"`   // Synced, OutOfSync, Unknown
	Health    string `json:"health,omitempty"` // as AppHealth.Status; "" where it has none, or it is not told
	Message   string `json:"message,omitempty"`
}

// ObjectKey names an object of a cluster as an application does.
func ObjectKey(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

// Key is the object's ObjectKey.
func (o AppObject) Key() string { return ObjectKey(o.Kind, o.Namespace, o.Name) }

// Ill reports whether Argo CD says that it is not well.
func (o AppObject) Ill() bool {
	return o.Health != "" && o.Health != "Healthy" && o.Health != "Suspended"
}

// Off reports whether it is not well, or not as the repository has it.
func (o AppObject) Off() bool { return o.Ill() || o.Sync != "" && o.Sync != "Synced" }

// Custom reports whether an operator may make pods of it under names that it does not tell.
func (o AppObject) Custom() bool {
	switch o.Group {
	case "", "apps", "batch", "extensions", "autoscaling", "policy", "argoproj.io":
		return false
	}
	return !strings.HasSuffix(o.Group, ".k8s.io")
}

// Owns reports whether pods or data may belong to it.
func (o AppObject) Owns() bool {
	switch o.Group {
	case "":
		return o.Kind == "Pod" || o.Kind == "PersistentVolumeClaim" || o.Kind == "ReplicationController"
	case "apps", "batch":
		return true
	case "argoproj.io":
		return o.Kind == "Rollout" || o.Kind == "Workflow" || o.Kind == "CronWorkflow"
	}
	return o.Custom()
}
