package kube

import (
	"slices"
	"strings"

	"strata/internal/fleet"
)

// node is what strata reads of a Node.
type node struct {
	Meta struct {
		meta
		Labels pairs `json:"labels"`
	} `json:"metadata"`
	Spec   nodeSpec   `json:"spec"`
	Status nodeStatus `json:"status"`
}

type nodeSpec struct {
	ProviderID    text    `json:"providerID"`
	Unschedulable bool    `json:"unschedulable"`
	Taints        []taint `json:"taints"`
}

type taint struct {
	Key    text  `json:"key"`
	Value  text  `json:"value"`
	Effect text  `json:"effect"`
	Added  stamp `json:"timeAdded"`
}

type nodeStatus struct {
	Allocatable pairs       `json:"allocatable"`
	Conditions  []condition `json:"conditions"`
	Addresses   []address   `json:"addresses"`
	Info        nodeInfo    `json:"nodeInfo"`
}

// condition is one of a node, or of a Job, whose field 3 is lastProbeTime.
type condition struct {
	Type      text  `json:"type"`
	Status    text  `json:"status"`
	Heartbeat stamp `json:"lastHeartbeatTime"`
	Since     stamp `json:"lastTransitionTime"`
	Reason    text  `json:"reason"`
	Message   text  `json:"message"`
}

type address struct {
	Type    text `json:"type"`
	Address text `json:"address"`
}

type nodeInfo struct {
	MachineID  text `json:"machineID"`
	SystemUUID text `json:"systemUUID"`
	BootID     text `json:"bootID"`
	Kernel     text `json:"kernelVersion"`
	OS         text `json:"osImage"`
	Runtime    text `json:"containerRuntimeVersion"`
	Kubelet    text `json:"kubeletVersion"`
	Arch       text `json:"architecture"`
}

func (n *node) head() *meta { return &n.Meta.meta }

func (n *node) reset() { *n = node{} }

// fact makes the node as strata knows it.
func (n *node) fact(source string, in *interner) fleet.Object {
	info := &n.Status.Info
	f := &fleet.Node{
		Source:        source,
		Name:          in.of(n.Meta.Name),
		UID:           string(n.Meta.UID),
		Roles:         n.roles(),
		Unschedulable: n.Spec.Unschedulable,
		Identity: fleet.NodeIdentity{
			ProviderID: string(n.Spec.ProviderID), SystemUUID: string(info.SystemUUID),
			MachineID: string(info.MachineID), BootID: string(info.BootID),
		},
		Versions: fleet.NodeVersions{
			Kubelet: in.of(info.Kubelet), Kernel: in.of(info.Kernel), OS: in.of(info.OS),
			Runtime: in.of(info.Runtime), Arch: in.of(info.Arch),
		},
		Allocatable: fleet.NodeResources{
			MilliCPU:    n.Status.Allocatable.milliOf("cpu"),
			MemoryBytes: n.Status.Allocatable.of("memory"),
			Pods:        n.Status.Allocatable.of("pods"),
		},
		Created: n.Meta.Created.Time,
	}
	for _, c := range n.Status.Conditions {
		f.Conditions = append(f.Conditions, fleet.NodeCondition{
			Type: in.of(c.Type), Status: in.of(c.Status), Reason: in.of(c.Reason), Message: in.message(c.Message),
			Since: c.Since.Time, Heartbeat: c.Heartbeat.Time,
		})
	}
	for _, t := range n.Spec.Taints {
		f.Taints = append(f.Taints, fleet.Taint{
			Key: in.of(t.Key), Value: in.of(t.Value), Effect: in.of(t.Effect), Since: t.Added.Time,
		})
	}
	for _, a := range n.Status.Addresses {
		if a.Type.is("InternalIP") || a.Type.is("ExternalIP") {
			f.Addresses = append(f.Addresses, fleet.Address{Kind: in.of(a.Type), IP: string(a.Address)})
		}
	}
	return f
}

// roles are those of kubectl's ROLES column: node-role.kubernetes.io/ROLE and kubernetes.io/role=ROLE.
func (n *node) roles() (all []string) {
	for _, l := range n.Meta.Labels {
		if role, ok := strings.CutPrefix(string(l.key), "node-role.kubernetes.io/"); ok && role != "" {
			all = append(all, role)
		} else if l.key.is("kubernetes.io/role") && len(l.value) > 0 {
			all = append(all, string(l.value))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unmarshal reads a message Node.
func (n *node) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			r.fail(n.Meta.unmarshal(r.data, &n.Meta.Labels))
		case 2:
			r.fail(n.Spec.unmarshal(r.data))
		case 3:
			r.fail(n.Status.unmarshal(r.data))
		}
	}
	return r.err
}

func (s *nodeSpec) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 3:
			s.ProviderID = r.data
		case 4:
			s.Unschedulable = r.bits != 0
		case 5:
			r.fail(more(&s.Taints).unmarshal(r.data))
		}
	}
	return r.err
}

func (t *taint) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			t.Key = r.data
		case 2:
			t.Value = r.data
		case 3:
			t.Effect = r.data
		case 4:
			t.Added = r.time()
		}
	}
	return r.err
}

func (s *nodeStatus) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 2:
			s.Allocatable = append(s.Allocatable, r.quantity())
		case 4:
			r.fail(more(&s.Conditions).unmarshal(r.data))
		case 5:
			r.fail(more(&s.Addresses).unmarshal(r.data))
		case 7:
			r.fail(s.Info.unmarshal(r.data))
		}
	}
	return r.err
}

func (c *condition) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			c.Type = r.data
		case 2:
			c.Status = r.data
		case 3:
			c.Heartbeat = r.time()
		case 4:
			c.Since = r.time()
		case 5:
			c.Reason = r.data
		case 6:
			c.Message = r.data
		}
	}
	return r.err
}

func (a *address) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			a.Type = r.data
		case 2:
			a.Address = r.data
		}
	}
	return r.err
}

func (i *nodeInfo) unmarshal(b []byte) error {
	r := read(b)
	for r.next() {
		switch r.num {
		case 1:
			i.MachineID = r.data
		case 2:
			i.SystemUUID = r.data
		case 3:
			i.BootID = r.data
		case 4:
			i.Kernel = r.data
		case 5:
			i.OS = r.data
		case 6:
			i.Runtime = r.data
		case 7:
			i.Kubelet = r.data
		case 10:
			i.Arch = r.data
		}
	}
	return r.err
}
