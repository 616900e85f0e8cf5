package incident

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/fake/kube"
)

type kind int

const (
	deployment kind = iota
	statefulSet
	daemonSet
	static // pods that a kubelet has from a file
)

// workload is what keeps pods alive.
type workload struct {
	kind            kind
	namespace, name string
	hash            string // of the ReplicaSet of a deployment
	containers      []string
	anywhere        bool   // its pods tolerate the taint of the control plane
	only            string // the node its pods must be on; "" for any
	age             time.Duration
	pods            []place // at first
	local           string  // volumes of its pods on their node

	want      int    // how many are wanted now
	restarted string // the template's annotation
}

// place is a pod's node and the end of its name.
type place struct{ node, suffix string }

// stays tells pods that tolerate a node that is lost.
func (w *workload) stays() bool { return w.kind == daemonSet || w.kind == static }

// owner is the controller of a pod on a node.
func (w *workload) owner(node string) string {
	switch w.kind {
	case deployment:
		return "ReplicaSet/" + w.name + "-" + w.hash
	case statefulSet:
		return "StatefulSet/" + w.name
	case daemonSet:
		return "DaemonSet/" + w.name
	}
	return "Node/" + node
}

func (w *workload) owns(p kube.Pod) bool {
	return p.Namespace == w.namespace && p.Owner == w.owner(p.Node) && strings.HasPrefix(p.Name, w.name)
}

// before reports whether a pod is of a version before the one that is wanted now.
func (w *workload) before(p kube.Pod) bool {
	switch w.kind {
	case deployment:
		set, ok := strings.CutPrefix(p.Owner, "ReplicaSet/"+w.name+"-")
		return p.Namespace == w.namespace && ok && set != w.hash && !strings.Contains(set, "-")
	case static:
		return false
	}
	at, err := time.Parse(time.RFC3339, w.restarted)
	return err == nil && w.owns(p) && p.Created.Before(at)
}

// typ is its kind in the API.
func (w *workload) typ() string {
	return [...]string{deployment: "Deployment", statefulSet: "StatefulSet", daemonSet: "DaemonSet", static: "Pod"}[w.kind]
}

// places are where its pods have a place of their own.
func (w *workload) places() []place {
	if w.kind != statefulSet {
		return w.pods
	}
	var all []place
	for i := range w.want {
		all = append(all, place{suffix: strconv.Itoa(i)})
	}
	return all
}

func (w *workload) podName(suffix string) string {
	if w.kind == deployment {
		return w.name + "-" + w.hash + "-" + suffix
	}
	return w.name + "-" + suffix
}

// everywhere is the pods of a daemon set.
func everywhere(onMaster, onOne, onTwo string) []place {
	return []place{{master, onMaster}, {workerOne, onOne}, {workerTwo, onTwo}}
}

func workloads() []workload {
	const hour = time.Hour
	all := []workload{
		{namespace: "default", name: "wwwm-mysql", hash: "6b74788df8", containers: []string{"mysql", "mysqld-exporter"}, anywhere: true, only: master, age: 10 * day, pods: []place{{master, "vcszk"}}},
		{namespace: "default", name: "wwwm-spring-be-deployment", hash: "58589d7bdc", containers: []string{"wwwm-spring-be"}, age: 167 * time.Minute, pods: []place{{workerOne, "r98zf"}, {workerTwo, "rfvfz"}}},
		{namespace: "default", name: "wwwm-spring-be-v2-dev", hash: "5bf69b6cb7", containers: []string{"wwwm-spring-be"}, age: 46 * hour, pods: []place{{workerTwo, "8hxv4"}}},
		{kind: daemonSet, namespace: "monitoring", name: "node-exporter", containers: []string{"node-exporter"}, age: 133 * day, pods: everywhere("q4tzn", "x8wlc", "m2vkj")},
		{kind: statefulSet, namespace: "monitoring", name: "prometheus", containers: []string{"prometheus", "config-reloader"}, age: 20 * day, pods: []place{{workerTwo, "0"}}},
		{namespace: "monitoring", name: "grafana", hash: "7c9d6c5b4f", containers: []string{"grafana"}, age: 20 * day, pods: []place{{workerOne, "w5n2h"}}},
		{kind: statefulSet, namespace: "argocd", name: "argocd-application-controller", containers: []string{"application-controller"}, age: 60 * day, pods: []place{{workerOne, "0"}}},
		{namespace: "argocd", name: "argocd-server", hash: "64d5fcbd58", containers: []string{"argocd-server"}, age: 60 * day, pods: []place{{workerTwo, "k7pzd"}}},
		{namespace: "argocd", name: "argocd-repo-server", hash: "5c768cfb6c", containers: []string{"argocd-repo-server"}, age: 60 * day, pods: []place{{workerOne, "t9xgv"}}},
		{namespace: "argocd", name: "argocd-redis", hash: "74cb89f466", local: "emptyDir", containers: []string{"redis"}, age: 60 * day, pods: []place{{workerTwo, "h6blr"}}},
		{namespace: "argocd", name: "argocd-applicationset-controller", hash: "7b6ff755dc", containers: []string{"applicationset-controller"}, age: 60 * day, pods: []place{{workerOne, "zc4mq"}}},
		{namespace: "argocd", name: "argocd-notifications-controller", hash: "76dcc5d9f8", containers: []string{"notifications-controller"}, age: 60 * day, pods: []place{{workerTwo, "m8wvl"}}},
		{namespace: "argocd", name: "argocd-dex-server", hash: "89d45c7b5", containers: []string{"dex"}, age: 60 * day, pods: []place{{workerOne, "xq7rd"}}},
		{namespace: "kube-system", name: "coredns", hash: "668d6bf9bc", containers: []string{"coredns"}, anywhere: true, age: 133 * day, pods: []place{{master, "4jx7s"}, {workerTwo, "v8d2k"}}},
		{namespace: "kube-system", name: "metrics-server", hash: "5dd7b49d79", local: "emptyDir", containers: []string{"metrics-server"}, age: 90 * day, pods: []place{{workerOne, "n6rfw"}}},
		{namespace: "kube-system", name: "nginx-ingress", hash: "d8c96cf68", containers: []string{"controller"}, age: 90 * day, pods: []place{{workerTwo, "p2tqz"}}},
		{kind: daemonSet, namespace: "kube-system", name: "kube-proxy", containers: []string{"kube-proxy"}, age: 133 * day, pods: everywhere("8sg5b", "lw9tn", "d4jzk")},
		{kind: daemonSet, namespace: "kube-flannel", name: "kube-flannel-ds", containers: []string{"kube-flannel"}, age: 133 * day, pods: everywhere("fk2mx", "7hcvq", "pr6wz")},
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		all = append(all, workload{
			kind: static, local: "hostPath", namespace: "kube-system", name: name, containers: []string{name}, anywhere: true, only: master,
			age: 133 * day, pods: []place{{master, master}},
		})
	}
	return all
}

// furnish fills the API server with the cluster as it is when all is well.
func (c *cluster) furnish(now time.Time) {
	c.now = now
	for i, k := range c.kubelets {
		n := kube.Node{
			Name: k.node, Roles: []string{"worker"}, CPU: "2", Memory: "2792Mi", Created: now.Add(-133 * day),
			IP: []string{"192.168.100.10", "10.0.0.28", "10.0.0.107"}[i],
			Info: kube.NodeInfo{
				Kubelet: "v1.32.2", Kernel: "5.14.0-503.26.1.el9_5.x86_64", OS: "Rocky Linux 9.5 (Blue Onyx)",
				Runtime: "containerd://1.7.25", BootID: bootID(k.node, 0),
			},
			Conditions: soundConditions(now.Add(-lastStart), now),
		}
		if k.guest == nil {
			n.Roles, n.CPU, n.Memory = []string{"control-plane"}, "4", "7728Mi"
			n.Taints = []kube.Taint{{Key: taintControl, Effect: "NoSchedule"}}
			n.Info.SystemUUID, n.Info.MachineID = "b51f8c0a-6c52-4d9e-8a3e-91c4d2f7a001", "b51f8c0a6c524d9e8a3e91c4d2f7a001"
			n.Conditions = soundConditions(now.Add(-133*day), now)
		} else {
			n.Info.SystemUUID, n.Info.MachineID = k.guest.server, strings.ReplaceAll(k.guest.server, "-", "")
		}
		c.kube.AddNode(n)
		k.renewed = now
		k.renewAt = time.Duration(i) * leaseEvery / 3
	}
	c.furnishWork(now)
	for i := range c.work {
		w := &c.work[i]
		for _, at := range w.pods {
			c.kube.AddPod(c.firstPod(w, at))
		}
	}
	for i := range c.work {
		c.behind(&c.work[i], c.kube.Pods())
	}
	c.furnishDump()
	c.kube.AddVolume(kube.Volume{Name: "wwwm-mysql-pv", Class: "manual", Claim: "default/wwwm-mysql-pvc", Backing: "hostPath", Path: "/mnt/data/mysql", Size: "20Gi"})
	c.kube.AddClaim(kube.Claim{Namespace: "default", Name: "wwwm-mysql-pvc", Volume: "wwwm-mysql-pv", Class: "manual", Size: "20Gi"})
	c.kube.AddVolume(kube.Volume{Name: "prometheus-pv", Class: "nfs", Claim: "monitoring/prometheus-data", Backing: "nfs", Path: "/export/prometheus", Size: "50Gi"})
	c.kube.AddClaim(kube.Claim{Namespace: "monitoring", Name: "prometheus-data", Volume: "prometheus-pv", Class: "nfs", Size: "50Gi"})
}

// firstPod is a pod that was there before the play. Those that have been on a worker for long went down with it.
func (c *cluster) firstPod(w *workload, at place) kube.Pod {
	p := kube.Pod{
		Namespace: w.namespace, Name: w.podName(at.suffix), Node: at.node, Owner: w.owner(at.node), Phase: "Running",
		IP: c.podIP(at.node), Local: w.local, Created: c.now.Add(-w.age), Containers: w.ready(),
	}
	if at.node != master && w.age > lastStop {
		for i := range p.Containers {
			p.Containers[i].Restarts = 1
			if w.stays() {
				p.Containers[i].Restarts = 22
			}
			p.Containers[i].Last = lostExit(c.now.Add(-lastStart))
		}
	}
	return p
}

// ready returns a workload's containers, all at work.
func (w *workload) ready() []kube.Container {
	all := make([]kube.Container, len(w.containers))
	for i, name := range w.containers {
		all[i] = kube.Container{Name: name, Ready: true}
	}
	return all
}

// bootID is a UUID for each boot of a node.
func bootID(node string, boots int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s boot %d", node, boots))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
