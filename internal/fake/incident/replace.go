package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"strata/internal/fake/kube"
)

// workOf returns what a pod belongs to, nil for a stray one.
func (c *cluster) workOf(p kube.Pod) *workload {
	for i := range c.work {
		if c.work[i].owns(p) {
			return &c.work[i]
		}
	}
	return nil
}

// replace makes the pods that are missing, as the controllers do. A pod being deleted no longer counts, but for a
// stateful set, which waits until it is gone: it could still write to its volume.
func (c *cluster) replace(pods []kube.Pod) {
	for i := range c.work {
		w := &c.work[i]
		var have, old []kube.Pod
		for _, p := range pods {
			switch {
			case w.before(p):
				if p.Deleting.IsZero() {
					old = append(old, p)
				}
				if w.kind != deployment {
					have = append(have, p)
				}
			case w.owns(p) && (p.Deleting.IsZero() || w.kind == statefulSet):
				have = append(have, p)
			}
		}
		c.rollOut(w, have, old)
		if len(have) >= w.want {
			continue
		}
		if w.kind == deployment {
			for range w.want - len(have) {
				c.create(w, place{suffix: c.suffix()})
			}
			continue
		}
		for _, at := range w.places() {
			held := slices.ContainsFunc(have, func(p kube.Pod) bool {
				return p.Name == w.podName(at.suffix) || w.kind == daemonSet && p.Node == at.node
			})
			if held {
				continue
			}
			if w.kind == daemonSet {
				at.suffix = c.suffix()
			}
			c.create(w, at)
		}
	}
}

// rollOut ends one pod of a version before once all of the others are up, and one that is too many.
func (c *cluster) rollOut(w *workload, have, old []kube.Pod) {
	end := func(p kube.Pod) {
		c.kube.ChangePod(p.Namespace, p.Name, func(p *kube.Pod) { p.Deleting = c.now.Add(c.pace.real(deleteGrace)) })
	}
	switch {
	case len(have) > w.want && w.kind != daemonSet && w.kind != static:
		last := slices.MaxFunc(have, func(a, b kube.Pod) int { return cmp.Compare(a.Name, b.Name) })
		if last.Deleting.IsZero() {
			end(last)
		}
	case len(old) > 0 && !slices.ContainsFunc(have, func(p kube.Pod) bool { return !up(p) || !p.Deleting.IsZero() }):
		end(old[0])
	}
}

func (c *cluster) create(w *workload, at place) {
	containers := w.ready()
	for i := range containers {
		containers[i].Ready, containers[i].Waiting = false, "ContainerCreating"
	}
	c.kube.AddPod(kube.Pod{
		Namespace: w.namespace, Name: w.podName(at.suffix), Node: at.node, Owner: w.owner(at.node), Phase: "Pending",
		Created: c.now, Containers: containers, Local: w.local,
	})
}

// suffix is the end of a pod's name, of the letters Kubernetes takes.
func (c *cluster) suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	b := make([]byte, 5)
	for i := range b {
		b[i] = letters[c.rng.IntN(len(letters))]
	}
	return string(b)
}

// schedule finds a node for each pod without one, the one with the fewest pods, or says why none takes it. It changes
// pods in place, as it changes them in the API server.
func (c *cluster) schedule(pods []kube.Pod, nodes []kube.Node) {
	crowd := map[string]int{}
	for _, p := range pods {
		crowd[p.Node]++
	}
	for i := range pods {
		p := &pods[i]
		if p.Node != "" || !p.Deleting.IsZero() {
			continue
		}
		w := c.workOf(*p)
		if w == nil {
			continue
		}
		var fit []string
		no := map[string]int{}
		for _, n := range nodes {
			if why := w.refusal(n); why != "" {
				no[why]++
				continue
			}
			fit = append(fit, n.Name)
		}
		if len(fit) == 0 {
			c.refuse(p, no, len(nodes))
			continue
		}
		p.Node = slices.MinFunc(fit, func(a, b string) int { return cmp.Compare(crowd[a], crowd[b]) })
		crowd[p.Node]++
		p.Conditions = nil
		delete(c.said, podKey(*p))
		c.kube.AddPod(*p)
	}
}

// refusal is why a node does not take a workload's pods, as the scheduler words it, "" when it does.
func (w *workload) refusal(n kube.Node) string {
	if n.Unschedulable {
		return "node(s) were unschedulable"
	}
	for _, t := range n.Taints {
		if t.Key == taintControl && w.anywhere || t.Effect == "PreferNoSchedule" || t.Key == taintCordoned {
			continue
		}
		return fmt.Sprintf("node(s) had untolerated taint {%s: %s}", t.Key, t.Value)
	}
	if w.only != "" && w.only != n.Name {
		return "node(s) didn't match Pod's node affinity/selector"
	}
	return ""
}

// refuse says, once, why no node takes a pod.
func (c *cluster) refuse(p *kube.Pod, no map[string]int, nodes int) {
	var reasons []string
	for why, n := range no {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(reasons)
	message := fmt.Sprintf("0/%[1]d nodes are available: %[2]s. preemption: 0/%[1]d nodes are available: %[1]d Preemption is not helpful for scheduling.",
		nodes, strings.Join(reasons, ", "))
	if c.said[podKey(*p)] == message {
		return
	}
	c.said[podKey(*p)] = message
	p.Conditions = []kube.Condition{{
		Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: message, Since: c.now,
	}}
	c.kube.AddPod(*p)
	c.say(kube.Event{
		Reason: "FailedScheduling", Kind: "Pod", About: podKey(*p), Component: "default-scheduler", Message: message,
	})
}

func podKey(p kube.Pod) string { return p.Namespace + "/" + p.Name }
