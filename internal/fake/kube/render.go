package kube

import (
	"strconv"
	"strings"
	"time"
)

// render makes the JSON of a node as an API server sends it.
func (n Node) render(now time.Time) jsonObject {
	labels := jsonObject{"kubernetes.io/hostname": n.Name}
	for _, r := range n.Roles {
		labels["node-role.kubernetes.io/"+r] = ""
	}
	conditions := n.Conditions
	if len(conditions) == 0 {
		conditions = []Condition{{Type: "Ready", Status: "True", Reason: "KubeletReady", Message: "kubelet is posting ready status"}}
	}
	allocatable := jsonObject{}.with("cpu", orElse(n.CPU, "4")).with("memory", orElse(n.Memory, "8Gi")).with("pods", orElse(n.Pods, "110"))
	var addresses []any
	if n.IP != "" {
		addresses = append(addresses, jsonObject{"type": "InternalIP", "address": n.IP})
	}
	addresses = append(addresses, jsonObject{"type": "Hostname", "address": n.Name})
	return jsonObject{
		"metadata": metadata("nodes", "", n.Name, first(n.Created, now)).with("labels", labels),
		"spec": jsonObject{}.with("providerID", n.Info.ProviderID).with("unschedulable", n.Unschedulable).
			with("taints", list(n.Taints, func(t Taint) jsonObject {
				return jsonObject{"key": t.Key, "effect": t.Effect}.with("value", t.Value).with("timeAdded", t.Added)
			})),
		"status": jsonObject{
			"allocatable": allocatable, "capacity": allocatable, "addresses": addresses,
			"conditions": list(conditions, func(c Condition) jsonObject {
				return c.render(now).with("lastHeartbeatTime", first(c.Heartbeat, now))
			}),
			"nodeInfo": jsonObject{
				"systemUUID": n.Info.SystemUUID, "machineID": n.Info.MachineID, "bootID": n.Info.BootID,
				"kubeletVersion": orElse(n.Info.Kubelet, "v1.33.4"), "kernelVersion": orElse(n.Info.Kernel, "6.1.0-35-amd64"),
				"osImage": orElse(n.Info.OS, "Debian GNU/Linux 12 (bookworm)"), "operatingSystem": "linux",
				"containerRuntimeVersion": orElse(n.Info.Runtime, "containerd://1.7.27"), "architecture": "amd64",
			},
		},
	}
}

func (c Condition) render(now time.Time) jsonObject {
	return jsonObject{"type": c.Type, "status": c.Status}.with("reason", c.Reason).with("message", c.Message).
		with("lastTransitionTime", first(c.Since, now))
}

// render makes the JSON of a pod.
func (p Pod) render(now time.Time) jsonObject {
	phase := orElse(p.Phase, "Running")
	if len(p.Containers) == 0 {
		p.Containers = []Container{usualContainer(phase)}
	}
	if len(p.Conditions) == 0 {
		p.Conditions = p.usualConditions(phase)
	}
	meta := metadata("pods", p.Namespace, p.Name, first(p.Created, now)).with("deletionTimestamp", p.Deleting)
	meta["uid"] = uid("pods", p.Namespace, p.Name+p.Created.String()) // the next of that name is another one
	if kind, name, ok := strings.Cut(p.Owner, "/"); ok {
		api := "apps/v1"
		if kind == "Job" {
			api = "batch/v1"
		}
		meta["ownerReferences"] = []any{jsonObject{
			"apiVersion": api, "kind": kind, "name": name, "uid": uid(kind, p.Namespace, name), "controller": true,
		}}
	}
	spec := func(c Container) jsonObject {
		o := jsonObject{"name": c.Name, "image": "registry.example/" + c.Name + ":1"}
		if c.Sidecar {
			o["restartPolicy"] = "Always"
		}
		return o
	}
	var volumes []any
	for kind := range strings.SplitSeq(p.Local, ",") {
		if kind != "" {
			volumes = append(volumes, jsonObject{"name": strings.ToLower(kind), kind: jsonObject{}})
		}
	}
	status := func(c Container) jsonObject { return c.status(now) }
	started, init := p.Containers, p.Init
	if p.Node == "" {
		started, init = nil, nil // no kubelet has told of them
	}
	return jsonObject{
		"metadata": meta,
		"spec": jsonObject{"containers": list(p.Containers, spec)}.with("nodeName", p.Node).
			with("initContainers", list(p.Init, spec)).with("volumes", volumes),
		"status": jsonObject{"phase": phase}.with("reason", p.Reason).with("message", p.Message).with("podIP", p.IP).
			with("conditions", list(p.Conditions, func(c Condition) jsonObject { return c.render(now) })).
			with("containerStatuses", list(started, status)).with("initContainerStatuses", list(init, status)),
	}
}

func usualContainer(phase string) Container {
	c := Container{Name: "main"}
	switch phase {
	case "Running":
		c.Ready = true
	case "Pending":
		c.Waiting = "ContainerCreating"
	case "Succeeded":
		c.Ended = &Exit{Reason: "Completed"}
	default:
		c.Ended = &Exit{Reason: "Error", Code: 1}
	}
	return c
}

func (p Pod) usualConditions(phase string) []Condition {
	if p.Node == "" {
		return []Condition{{
			Type: "PodScheduled", Status: "False", Reason: "Unschedulable",
			Message: "0/3 nodes are available: 3 Insufficient memory.",
		}}
	}
	ready := "True"
	for _, c := range p.Containers {
		if !c.Ready || phase != "Running" {
			ready = "False"
		}
	}
	return []Condition{{Type: "PodScheduled", Status: "True"}, {Type: "Initialized", Status: "True"}, {Type: "Ready", Status: ready}}
}

func (c Container) status(now time.Time) jsonObject {
	o := jsonObject{"name": c.Name, "ready": c.Ready, "restartCount": c.Restarts, "started": c.Waiting == "" && c.Ended == nil}
	switch {
	case c.Waiting != "":
		o["state"] = jsonObject{"waiting": jsonObject{"reason": c.Waiting}.with("message", c.Message)}
	case c.Ended != nil:
		o["state"] = jsonObject{"terminated": c.Ended.render(now)}
	default:
		o["state"] = jsonObject{"running": jsonObject{"startedAt": now.UTC().Format(time.RFC3339)}}
	}
	if c.Last != nil {
		o["lastState"] = jsonObject{"terminated": c.Last.render(now)}
	}
	return o
}

func (e Exit) render(now time.Time) jsonObject {
	return jsonObject{"exitCode": e.Code}.with("signal", e.Signal).with("reason", e.Reason).with("message", e.Message).
		with("finishedAt", first(e.Finished, now))
}

// render makes the JSON of an event, in the dialect of the kubelet.
func (e Event) render(now time.Time) jsonObject {
	about := jsonObject{"kind": e.Kind, "name": e.About}
	if namespace, name, ok := strings.Cut(e.About, "/"); ok {
		about["namespace"], about["name"] = namespace, name
	}
	return jsonObject{
		"metadata":       metadata("events", e.Namespace, e.Name, first(e.First, now)),
		"involvedObject": about, "type": orElse(e.Type, "Warning"), "reason": e.Reason, "message": e.Message,
		"source": jsonObject{}.with("component", e.Component).with("host", e.Host),
		"count":  max(e.Count, 1), "firstTimestamp": first(e.First, now).UTC().Format(time.RFC3339),
		"lastTimestamp": first(e.Last, now).UTC().Format(time.RFC3339), "eventTime": nil,
		"reportingComponent": e.Component, "reportingInstance": e.Host,
	}
}

// render makes the JSON of a volume.
func (v Volume) render(now time.Time) jsonObject {
	spec := jsonObject{"capacity": jsonObject{"storage": orElse(v.Size, "10Gi")}, "accessModes": []any{"ReadWriteOnce"}}.
		with("storageClassName", v.Class).with("persistentVolumeReclaimPolicy", orElse(v.Reclaim, "Retain"))
	spec[orElse(v.Backing, "csi")] = jsonObject{}.with("path", v.Path)
	phase := "Available"
	if namespace, name, ok := strings.Cut(v.Claim, "/"); ok {
		spec["claimRef"], phase = jsonObject{"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name}, "Bound"
	}
	if v.Pinned {
		spec["nodeAffinity"] = jsonObject{"required": jsonObject{"nodeSelectorTerms": []any{}}}
	}
	return jsonObject{
		"metadata": metadata("persistentvolumes", "", v.Name, now), "spec": spec,
		"status": jsonObject{"phase": orElse(v.Phase, phase)}.with("message", v.Message),
	}
}

// render makes the JSON of a claim.
func (c Claim) render(now time.Time) jsonObject {
	size := jsonObject{"storage": orElse(c.Size, "10Gi")}
	status := jsonObject{"phase": orElse(c.Phase, "Pending")}
	if c.Volume != "" {
		status = jsonObject{"phase": orElse(c.Phase, "Bound"), "capacity": size}
	}
	return jsonObject{
		"metadata": metadata("persistentvolumeclaims", c.Namespace, c.Name, now), "status": status,
		"spec": jsonObject{"resources": jsonObject{"requests": size}}.with("volumeName", c.Volume).with("storageClassName", c.Class),
	}
}

func leaseOf(node string, now time.Time) jsonObject {
	return jsonObject{
		"metadata": metadata("leases", leaseNamespace, node, now),
		"spec": jsonObject{
			"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		},
	}
}

func metadata(resource, namespace, name string, created time.Time) jsonObject {
	return jsonObject{"name": name, "uid": uid(resource, namespace, name)}.with("namespace", namespace).
		with("creationTimestamp", created)
}

func version(v uint64) string { return strconv.FormatUint(v, 10) }

func orElse(s, alt string) string {
	if s == "" {
		return alt
	}
	return s
}

func first(t, alt time.Time) time.Time {
	if t.IsZero() {
		return alt
	}
	return t
}
