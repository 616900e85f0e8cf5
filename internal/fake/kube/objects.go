package kube

import (
	"fmt"
	"hash/fnv"
	"time"
)

// Node is a node of the fake cluster. Unset fields get what a freshly joined node has.
type Node struct {
	Name          string
	Roles         []string
	Unschedulable bool
	Taints        []Taint
	Conditions    []Condition // Ready=True if none are given
	Info          NodeInfo
	IP            string // InternalIP
	CPU, Memory   string // allocatable, as quantities: "4", "16Gi"
	Pods          string
	Created       time.Time
}

// NodeInfo is what a node says of its machine.
type NodeInfo struct {
	ProviderID, SystemUUID, MachineID, BootID string
	Kubelet, Kernel, OS, Runtime              string
}

// Taint keeps pods off a node.
type Taint struct {
	Key, Value, Effect string
	Added              time.Time
}

// Condition is a condition of a node or a pod.
type Condition struct {
	Type, Status, Reason, Message string
	Since, Heartbeat              time.Time // Heartbeat of nodes only
}

// Pod is a pod of the fake cluster. Without containers it gets one that fits its phase.
type Pod struct {
	Namespace, Name  string
	Node             string
	Owner            string // the controller, as Kind/name
	IP               string
	Local            string // volumes on its node: emptyDir, hostPath, or both with a comma
	Phase            string // Running if empty
	Reason, Message  string // of the pod itself: Evicted, NodeLost
	Containers, Init []Container
	Conditions       []Condition // those that fit its phase if none are given
	Created          time.Time
	Deleting         time.Time
}

// Container is a container and its state: the first of Waiting, Ended and running that is set.
type Container struct {
	Name     string
	Ready    bool
	Restarts int
	Waiting  string // reason: CrashLoopBackOff, ImagePullBackOff, ContainerCreating
	Message  string // that goes with Waiting
	Ended    *Exit
	Last     *Exit // how it ended the last time
	Sidecar  bool  // an init container that goes on running
}

// Exit is how a container ended.
type Exit struct {
	Code, Signal    int
	Reason, Message string
	Finished        time.Time
}

// Event is an event of the fake cluster.
type Event struct {
	Namespace, Name string
	Type            string // Warning if empty
	Reason, Message string
	Kind, About     string // the object: Pod and "shop/web-1", Node and "worker-1"
	Component, Host string
	Count           int
	First, Last     time.Time // now if zero
}

// Volume is a PersistentVolume.
type Volume struct {
	Name    string
	Phase   string // Bound if it has a claim, else Available
	Class   string
	Claim   string // namespace/name
	Reclaim string
	Backing string // hostPath, local, csi, nfs, ...
	Path    string // of a hostPath, local or nfs volume
	Pinned  bool   // it has a node affinity
	Size    string // 10Gi
	Message string
}

// Claim is a PersistentVolumeClaim.
type Claim struct {
	Namespace, Name string
	Phase           string // Bound if it has a volume, else Pending
	Volume, Class   string
	Size            string
}

// uid is a stable made-up UUID.
func uid(resource, namespace, name string) string {
	h := fnv.New128a()
	fmt.Fprintf(h, "%s/%s/%s", resource, namespace, name)
	b := h.Sum(nil)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// jsonObject is an object of the API, or a part of one.
type jsonObject map[string]any

// with puts a value into an object unless it is empty.
func (o jsonObject) with(key string, value any) jsonObject {
	switch v := value.(type) {
	case string:
		if v == "" {
			return o
		}
	case int:
		if v == 0 {
			return o
		}
	case bool:
		if !v {
			return o
		}
	case time.Time:
		if v.IsZero() {
			return o
		}
		value = v.UTC().Format(time.RFC3339)
	case []any:
		if len(v) == 0 {
			return o
		}
	case jsonObject:
		if len(v) == 0 {
			return o
		}
	}
	o[key] = value
	return o
}

func list[T any](all []T, one func(T) jsonObject) (out []any) {
	for _, a := range all {
		out = append(out, one(a))
	}
	return out
}
