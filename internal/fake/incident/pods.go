package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fake/kube"
)

// keepPod is a kubelet's work on a pod of its node: end what is deleted, start what is not up.
func (c *cluster) keepPod(p kube.Pod) {
	key := podKey(p)
	switch {
	case p.Node == "" && !p.Deleting.IsZero():
		c.drop(p)
	case p.Node == "" || !c.alive(p.Node):
		delete(c.due, key)
	case !p.Deleting.IsZero():
		if c.isDue(key, goneFor) {
			c.drop(p)
		}
	case p.Phase == "Succeeded" || p.Phase == "Failed":
	case !up(p):
		if c.isDue(key, upFor+time.Duration(c.rng.IntN(upMore))*time.Millisecond) {
			delete(c.due, key)
			c.bringUp(p)
		}
	case slices.ContainsFunc(p.Conditions, notReady):
		// The node was lost only to the control plane.
		p.Conditions = nil
		c.kube.AddPod(p)
	}
}

// isDue reports whether a span has passed since it was asked first.
func (c *cluster) isDue(key string, span time.Duration) bool {
	at, ok := c.due[key]
	if !ok {
		c.due[key] = c.at + span
		return false
	}
	return c.at >= at
}

func (c *cluster) drop(p kube.Pod) {
	delete(c.due, podKey(p))
	c.kube.DeletePod(p.Namespace, p.Name)
}

func notReady(c kube.Condition) bool { return c.Type == "Ready" && c.Status != "True" }

// up reports whether all containers of a pod work.
func up(p kube.Pod) bool {
	return p.Phase == "Running" && !slices.ContainsFunc(p.Containers, func(c kube.Container) bool { return !c.Ready })
}

// bringUp ends the start of a pod's containers.
func (c *cluster) bringUp(p kube.Pod) {
	p.Containers = slices.Clone(p.Containers)
	for i := range p.Containers {
		p.Containers[i].Ready, p.Containers[i].Waiting, p.Containers[i].Ended = true, "", nil
	}
	for _, container := range p.Containers {
		c.kube.Log(p.Namespace, p.Name, container.Name, "level=info msg=\"starting\" container="+container.Name, "level=info msg=\"ready\"")
	}
	p.Phase, p.Conditions = "Running", nil
	if p.IP == "" {
		p.IP = c.podIP(p.Node)
	}
	c.kube.AddPod(p)
}

// restart begins a pod's containers anew after a boot of their node.
func (c *cluster) restart(p kube.Pod) {
	p.Containers = slices.Clone(p.Containers)
	for i := range p.Containers {
		c.kube.LogPrevious(p.Namespace, p.Name, p.Containers[i].Name, "level=info msg=\"flushed 12 rows\"", "level=warn msg=\"slow disk\" took=4210ms")
		p.Containers[i].Ready = false
		p.Containers[i].Restarts++
		p.Containers[i].Ended = lostExit(c.now)
		p.Containers[i].Last = lostExit(c.now)
	}
	p.Conditions = nil
	delete(c.due, podKey(p))
	c.kube.AddPod(p)
}

// lostExit is what containerd tells of a container that went down with its machine, when it finds it.
func lostExit(found time.Time) *kube.Exit {
	return &kube.Exit{Code: 255, Reason: "Unknown", Finished: found}
}

// podIP is a new address in the node's part of the pod network.
func (c *cluster) podIP(node string) string {
	i := slices.IndexFunc(c.kubelets, func(k *kubelet) bool { return k.node == node })
	return fmt.Sprintf("10.244.%d.%d", i, 2+c.rng.IntN(250))
}

// spoken is an event that will be forgotten.
type spoken struct {
	namespace, name string
	at              time.Time
}

// eventsLast is how long an API server keeps events.
const eventsLast = time.Hour

func (c *cluster) say(e kube.Event) {
	e.First, e.Last = c.now, c.now
	namespace, name, ok := strings.Cut(e.About, "/")
	if !ok {
		namespace, name = "default", e.About
	}
	e.Namespace, e.Name = namespace, fmt.Sprintf("%s.%x", name, c.now.UnixNano()+int64(len(c.events)))
	c.events = append(c.events, spoken{e.Namespace, e.Name, c.now})
	c.kube.AddEvent(e)
}

func (c *cluster) forgetEvents() {
	for len(c.events) > 0 && c.now.Sub(c.events[0].at) > eventsLast {
		c.kube.Delete("events", c.events[0].namespace, c.events[0].name)
		c.events = c.events[1:]
	}
}
