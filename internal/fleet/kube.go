package fleet

import (
	"strconv"
	"strings"
	"time"
)

// Node is a Kubernetes node.
type Node struct {
	Source        string          `json:"source"`
	Name          string          `json:"name"`
	UID           string          `json:"uid,omitempty"`
	Roles         []string        `json:"roles,omitempty"`
	Unschedulable bool            `json:"unschedulable,omitempty"`
	Conditions    []NodeCondition `json:"conditions,omitempty"`
	Taints        []Taint         `json:"taints,omitempty"`
	Identity      NodeIdentity    `json:"identity"`
	Versions      NodeVersions    `json:"versions"`
	Addresses     []Address       `json:"addresses,omitempty"`
	Allocatable   NodeResources   `json:"allocatable"`
	Created       time.Time       `json:"created,omitzero"`
}

// NodeIdentity is what ties a node to the machine under it (spec.providerID, status.nodeInfo).
type NodeIdentity struct {
	ProviderID string `json:"providerID,omitempty"`
	SystemUUID string `json:"systemUUID,omitempty"`
	MachineID  string `json:"machineID,omitempty"`
	BootID     string `json:"bootID,omitempty"`
}

// NodeVersions are the versions a node reports of itself.
type NodeVersions struct {
	Kubelet string `json:"kubelet,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	OS      string `json:"os,omitempty"`
	Runtime string `json:"runtime,omitempty"`
	Arch    string `json:"arch,omitempty"`
}

// NodeResources are what a node can give to pods.
type NodeResources struct {
	MilliCPU    int64 `json:"milliCPU,omitempty"`
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	Pods        int64 `json:"pods,omitempty"`
}

// NodeCondition is one status condition. Status is True, False or Unknown.
type NodeCondition struct {
	Type      string    `json:"type"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason,omitempty"`
	Message   string    `json:"message,omitempty"`
	Since     time.Time `json:"since,omitzero"`     // lastTransitionTime
	Heartbeat time.Time `json:"heartbeat,omitzero"` // lastHeartbeatTime
}

// Taint keeps pods away from a node.
type Taint struct {
	Key    string    `json:"key"`
	Value  string    `json:"value,omitempty"`
	Effect string    `json:"effect"`
	Since  time.Time `json:"since,omitzero"`
}

// Ref of a node is its name.
func (n *Node) Ref() Ref { return Ref{KindNode, n.Source, n.Name} }

// Condition returns the condition of that type.
func (n *Node) Condition(typ string) (NodeCondition, bool) {
	for _, c := range n.Conditions {
		if c.Type == typ {
			return c, true
		}
	}
	return NodeCondition{}, false
}

// Health is bad when Ready is not True, and worth a look under pressure or when cordoned.
func (n *Node) Health() Health {
	ready, ok := n.Condition("Ready")
	switch {
	case !ok:
		return Health{StateUnknown, "no Ready condition"}
	case ready.Status != "True":
		return Health{StateBad, "NotReady"}
	}
	for _, c := range n.Conditions {
		if c.Type != "Ready" && c.Status == "True" {
			return Health{StateWarn, c.Type}
		}
	}
	if n.Unschedulable {
		return Health{StateWarn, "Ready, cordoned"}
	}
	return Health{StateOK, "Ready"}
}

// Lease is a node's lease in kube-node-lease: its renew age is the fastest sign of a node's death.
type Lease struct {
	Source   string        `json:"source"`
	Node     string        `json:"node"`
	Renewed  time.Time     `json:"renewed,omitzero"` // spec.renewTime, by the node's clock
	Duration time.Duration `json:"durationNs,omitempty"`
	Seen     time.Time     `json:"seen,omitzero"`     // when this renewal was first seen, by the clock of what saw it
	Watched  bool          `json:"watched,omitempty"` // the one before was seen, too: it was renewed then, whatever its clock says
}

// usualLease is how long a lease is good for where it does not say.
const usualLease = 40 * time.Second

// Good is how long the lease is good for.
func (l *Lease) Good() time.Duration {
	if l.Duration <= 0 {
		return usualLease
	}
	return l.Duration
}

// Late is when the lease is late. The node's clock and ours may differ: if it was seen to be renewed ours alone counts, and
// until it could be seen it is late only if it is so by more than clocks usually differ.
func (l *Lease) Late() time.Time {
	late := l.Renewed.Add(l.Good())
	switch {
	case l.Watched:
		return l.Seen.Add(l.Good())
	case l.Seen.IsZero():
		return late
	}
	most, watched := late.Add(3*l.Good()), l.Seen.Add(l.Good()*3/8) // a kubelet renews after a quarter
	if most.Before(watched) {
		return most
	}
	if late.Before(watched) {
		return watched
	}
	return late
}

// Skew is by how much the node's clock is ahead of ours: known once a renewal was watched.
func (l *Lease) Skew() (ahead time.Duration, known bool) {
	return l.Renewed.Sub(l.Seen), l.Watched
}

// Ref of a lease is its node's name.
func (l *Lease) Ref() Ref { return Ref{KindLease, l.Source, l.Node} }

// Health of a lease is unknown here: whether it is late depends on the time.
func (l *Lease) Health() Health { return Health{StateUnknown, ""} }

// Pod is a Kubernetes pod, slim: what an operator looks at.
type Pod struct {
	Source    string    `json:"source"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       string    `json:"uid,omitempty"`
	Node      string    `json:"node,omitempty"`
	Owner     string    `json:"owner,omitempty"` // Kind/name of the controlling owner
	IP        string    `json:"ip,omitempty"`
	Run       PodRun    `json:"run"`
	LastExit  *Exit     `json:"lastExit,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	Deleting  time.Time `json:"deleting,omitzero"` // deletionTimestamp
}

// PodRun is the state of a pod's containers.
type PodRun struct {
	Phase    string `json:"phase"` // Pending, Running, Succeeded, Failed, Unknown
	Ready    int32  `json:"ready"` // containers that are ready
	Total    int32  `json:"total"`
	Restarts int32  `json:"restarts,omitempty"`
	// PodReady is the Ready condition: false also when the node's death made it so. Missing before scheduling.
	PodReady Opt[bool] `json:"podReady"`
	Local    LocalData `json:"local,omitempty"`
	// Reason is the most telling reason there is: a container's waiting or terminated reason, else the pod's, else
	// that of a false PodScheduled condition.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// LocalData is what of a pod's data lies on its node. It is a byte, as there are many pods.
type LocalData uint8

// EmptyDir ends with the pod; HostPath stays on the node.
const (
	EmptyDir LocalData = 1 << iota
	HostPath
)

// String names the volumes as Kubernetes does: emptyDir, hostPath, or both with a comma.
func (l LocalData) String() string {
	return [...]string{"", "emptyDir", "hostPath", "emptyDir,hostPath"}[l&3]
}

// MarshalText writes what String does.
func (l LocalData) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (l *LocalData) UnmarshalText(b []byte) error {
	*l = 0
	if strings.Contains(string(b), "emptyDir") {
		*l |= EmptyDir
	}
	if strings.Contains(string(b), "hostPath") {
		*l |= HostPath
	}
	return nil
}

// Exit is how a container ended the last time.
type Exit struct {
	Container string    `json:"container"`
	Reason    string    `json:"reason,omitempty"` // OOMKilled, Error, Completed
	Code      int32     `json:"code"`
	Signal    int32     `json:"signal,omitempty"`
	Finished  time.Time `json:"finished,omitzero"`
}

// Ref of a pod is namespace/name.
func (p *Pod) Ref() Ref { return Ref{KindPod, p.Source, p.Namespace + "/" + p.Name} }

// KeptByNode reports whether a pod is the node's own: of a DaemonSet, or static, from a file of its kubelet. Nothing is
// won by removing it from there.
func (p *Pod) KeptByNode() bool {
	return strings.HasPrefix(p.Owner, "DaemonSet/") || p.Static()
}

// Static reports whether a pod only mirrors one that its kubelet has from a file.
func (p *Pod) Static() bool { return strings.HasPrefix(p.Owner, "Node/") }

// Over reports whether a pod's containers have ended for good.
func (p *Pod) Over() bool { return p.Run.Phase == "Succeeded" || p.Run.Phase == "Failed" }

// Health is bad when a pod should run and cannot, worth a look when it is not ready yet or going.
func (p *Pod) Health() Health {
	word := p.Run.Phase
	if p.Run.Reason != "" {
		word = p.Run.Reason
	}
	switch {
	case !p.Deleting.IsZero():
		return Health{StateWarn, "Terminating"}
	case p.Run.Phase == "Succeeded":
		return Health{StateOK, "Completed"}
	case p.Run.Phase == "Failed":
		return Health{StateBad, word}
	case p.Run.Phase == "Pending":
		if waits(p.Run.Reason) {
			return Health{StateWarn, word}
		}
		return Health{StateBad, word}
	case p.Run.Phase == "Running":
		if p.Run.Reason != "" {
			return Health{StateBad, word}
		}
		if p.Run.Ready < p.Run.Total {
			return Health{StateWarn, "Running " + strconv.Itoa(int(p.Run.Ready)) + "/" + strconv.Itoa(int(p.Run.Total))}
		}
		if p.Run.PodReady.OK && !p.Run.PodReady.V {
			return Health{StateWarn, "Running, not ready"}
		}
		return Health{StateOK, word}
	}
	return Health{StateUnknown, word}
}

// waits tells the reasons a pod passes through on its way up from those it gets stuck in.
func waits(reason string) bool {
	switch reason {
	case "", "ContainerCreating", "PodInitializing", "SchedulingGated":
		return true
	}
	// Init:1/3 counts init containers; Init:Error and the like have no slash.
	return strings.HasPrefix(reason, "Init:") && strings.Contains(reason, "/")
}

// Event is a Kubernetes Warning event.
type Event struct {
	Source    string    `json:"source"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
	About     Ref       `json:"about"`               // kind lower-cased as the API has it
	Component string    `json:"component,omitempty"` // reporting component
	Host      string    `json:"host,omitempty"`
	Count     int32     `json:"count,omitempty"`
	First     time.Time `json:"first,omitzero"`
	Last      time.Time `json:"last,omitzero"`
}

// Ref of an event is namespace/name.
func (e *Event) Ref() Ref { return Ref{KindEvent, e.Source, e.Namespace + "/" + e.Name} }

// Health of an event is a warning: strata watches no others.
func (e *Event) Health() Health { return Health{StateWarn, e.Reason} }

// Volume is a PersistentVolume.
type Volume struct {
	Source   string    `json:"source"`
	Name     string    `json:"name"`
	Phase    string    `json:"phase"` // Available, Bound, Released, Failed, Pending
	Class    string    `json:"class,omitempty"`
	Claim    string    `json:"claim,omitempty"` // namespace/name
	Reclaim  string    `json:"reclaim,omitempty"`
	Backing  string    `json:"backing,omitempty"`  // hostPath, local, csi, nfs, ...
	HostPath string    `json:"hostPath,omitempty"` // path of a hostPath or local volume
	Pinned   bool      `json:"pinned,omitempty"`   // has a node affinity
	Node     string    `json:"node,omitempty"`     // the only node of that affinity, by its kubernetes.io/hostname; empty when there may be several
	Bytes    int64     `json:"bytes,omitempty"`
	Message  string    `json:"message,omitempty"`
	Created  time.Time `json:"created,omitzero"`
}

// Ref of a volume is its name.
func (v *Volume) Ref() Ref { return Ref{KindVolume, v.Source, v.Name} }

// Health is bad when a volume failed, worth a look when it was released.
func (v *Volume) Health() Health {
	switch v.Phase {
	case "Bound", "Available":
		return Health{StateOK, v.Phase}
	case "Failed":
		return Health{StateBad, v.Phase}
	case "":
		return Health{StateUnknown, ""}
	}
	return Health{StateWarn, v.Phase}
}

// Claim is a PersistentVolumeClaim.
type Claim struct {
	Source    string `json:"source"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Phase     string `json:"phase"` // Pending, Bound, Lost
	Volume    string `json:"volume,omitempty"`
	Class     string `json:"class,omitempty"`
	// Provisioner is who was asked to make its volume: the annotation volume.kubernetes.io/storage-provisioner. A claim that
	// waits for its first pod has none yet.
	Provisioner string    `json:"provisioner,omitempty"`
	Bytes       int64     `json:"bytes,omitempty"`
	Created     time.Time `json:"created,omitzero"`
}

// Ref of a claim is namespace/name.
func (c *Claim) Ref() Ref { return Ref{KindClaim, c.Source, c.Namespace + "/" + c.Name} }

// Health is bad when a claim lost its volume, worth a look while it waits for one.
func (c *Claim) Health() Health {
	switch c.Phase {
	case "Bound":
		return Health{StateOK, c.Phase}
	case "Lost":
		return Health{StateBad, c.Phase}
	case "":
		return Health{StateUnknown, ""}
	}
	return Health{StateWarn, c.Phase}
}
