package incident

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"strata/internal/fake/kube"
)

// The nodes of the cluster.
const (
	master    = "master"
	workerOne = "k8s-worker-1.novalocal"
	workerTwo = "k8s-worker-2.novalocal"
)

// What keeps pods off nodes.
const (
	taintControl     = "node-role.kubernetes.io/control-plane"
	taintUnreachable = "node.kubernetes.io/unreachable"
	taintCordoned    = "node.kubernetes.io/unschedulable"
)

// cluster is what a control plane and its kubelets do. The objects are those of the API server and nowhere else, so
// that whatever changes them there counts.
type cluster struct {
	kube     *kube.Server
	rng      *rand.Rand
	pace     pace
	kubelets []*kubelet
	work     []workload

	at    time.Duration // of the step
	now   time.Time
	seen  uint64                   // the version of the objects after the step
	ready map[string]bool          // nodes
	due   map[string]time.Duration // when a pod's containers are up or gone, by namespace/name
	// said is the last thing that was said of a pod that no node takes.
	said   map[string]string
	events []spoken
	// speakAt is when containers write their next line.
	speakAt time.Duration
	// backends are the nodes on which pods of a workload are up.
	backends map[string][]string
	doors    *doors
}

// kubelet is one node's, and what the node controller makes of it.
type kubelet struct {
	node  string
	guest *guest // nil for the master, which lives elsewhere

	boots   int
	works   bool
	silent  time.Duration // since when it does not work
	renewAt time.Duration
	renewed time.Time
	evictAt time.Duration // when the pods of a silent node are deleted; 0 when they are not
}

func newCluster(server *kube.Server, rng *rand.Rand, p pace, guests []*guest) *cluster {
	c := &cluster{
		kube: server, rng: rng, pace: p, work: workloads(), kubelets: []*kubelet{{node: master, works: true}},
		due: map[string]time.Duration{}, said: map[string]string{},
	}
	for _, g := range guests {
		c.kubelets = append(c.kubelets, &kubelet{node: g.node, guest: g, works: true})
	}
	return c
}

// step lets the control plane act on what is there.
func (c *cluster) step(at time.Duration, now time.Time) {
	c.at, c.now = at, now
	version := c.kube.Version()
	if version != c.seen {
		c.ready = map[string]bool{}
		for _, n := range c.kube.Nodes() {
			c.ready[n.Name] = slices.ContainsFunc(n.Conditions, func(c kube.Condition) bool { return c.Type == "Ready" && c.Status == "True" })
		}
	}
	for _, k := range c.kubelets {
		if k.guest != nil {
			c.wake(k)
		}
		if k.works && at >= k.renewAt {
			c.kube.RenewLease(k.node)
			k.renewed = now
			k.renewAt = at + leaseEvery - time.Duration(c.rng.IntN(400))*time.Millisecond
		}
		c.watchNode(k, c.ready[k.node])
	}
	c.speak()
	c.manage()
	if c.kube.Version() == c.seen && len(c.due) == 0 {
		return
	}
	c.seen = version // and so what is changed here is looked at once more
	c.hear()
	c.replace(c.kube.Pods())
	pods := c.kube.Pods()
	c.schedule(pods, c.kube.Nodes())
	there := map[string]bool{}
	for _, p := range pods {
		there[podKey(p)] = true
		c.keepPod(p)
	}
	c.report(c.kube.Pods())
	maps.DeleteFunc(c.due, func(key string, _ time.Duration) bool { return !there[key] && !strings.HasPrefix(key, "app ") })
	maps.DeleteFunc(c.said, func(key, _ string) bool { return !there[key] })
	c.forgetEvents()
}

// wake follows the machine of a kubelet: it falls silent, and comes back, perhaps after a boot.
func (c *cluster) wake(k *kubelet) {
	g := k.guest
	if !g.running {
		if k.works {
			k.works, k.silent = false, c.at
		}
		return
	}
	if k.works {
		return
	}
	k.works, k.renewAt = true, c.at
	if k.boots == g.boots {
		return
	}
	k.boots = g.boots
	c.kube.ChangeNode(k.node, func(n *kube.Node) { n.Info.BootID = bootID(k.node, k.boots) })
	c.say(kube.Event{
		Reason: "Rebooted", Kind: "Node", About: k.node, Component: "kubelet", Host: k.node,
		Message: fmt.Sprintf("Node %s has been rebooted, boot id: %s", k.node, bootID(k.node, k.boots)),
	})
	for _, p := range c.kube.Pods() {
		if p.Node == k.node && p.Phase == "Running" && p.Deleting.IsZero() {
			c.restart(p)
		}
	}
}

// watchNode is the node controller: it marks a silent node and deletes its pods, and takes both back.
func (c *cluster) watchNode(k *kubelet, ready bool) {
	switch {
	case k.works && !ready:
		k.evictAt = 0
		c.kube.ChangeNode(k.node, func(n *kube.Node) {
			n.Conditions = soundConditions(c.now, c.now)
			n.Taints = without(n.Taints, taintUnreachable)
		})
		c.say(kube.Event{
			Type: "Normal", Reason: "NodeReady", Kind: "Node", About: k.node, Component: "kubelet", Host: k.node,
			Message: "Node " + k.node + " status is now: NodeReady",
		})
	case !k.works && ready && c.at-k.silent >= graceFor:
		k.evictAt = c.at + evictFor
		c.lose(k)
	case !k.works && k.evictAt > 0 && c.at >= k.evictAt:
		k.evictAt = 0
		c.evict(k.node)
	}
}

// lose marks a node of which nothing is heard, and its pods.
func (c *cluster) lose(k *kubelet) {
	c.kube.ChangeNode(k.node, func(n *kube.Node) {
		n.Conditions = soundConditions(c.now, k.renewed)
		for i := range n.Conditions {
			n.Conditions[i].Status, n.Conditions[i].Reason = "Unknown", "NodeStatusUnknown"
			n.Conditions[i].Message = "Kubelet stopped posting node status."
		}
		n.Taints = append(slices.Clip(without(n.Taints, taintUnreachable)),
			kube.Taint{Key: taintUnreachable, Effect: "NoSchedule", Added: c.now},
			kube.Taint{Key: taintUnreachable, Effect: "NoExecute", Added: c.now})
	})
	c.say(kube.Event{
		Type: "Normal", Reason: "NodeNotReady", Kind: "Node", About: k.node, Component: "node-controller",
		Message: "Node " + k.node + " status is now: NodeNotReady",
	})
	for _, p := range c.kube.Pods() {
		if p.Node != k.node || p.Phase != "Running" {
			continue
		}
		c.kube.ChangePod(p.Namespace, p.Name, func(p *kube.Pod) {
			p.Conditions = []kube.Condition{
				{Type: "PodScheduled", Status: "True", Since: p.Created},
				{Type: "Initialized", Status: "True", Since: p.Created},
				{Type: "ContainersReady", Status: "True", Since: p.Created},
				{Type: "Ready", Status: "False", Since: c.now},
			}
		})
		c.say(kube.Event{
			Reason: "NodeNotReady", Kind: "Pod", About: p.Namespace + "/" + p.Name, Component: "node-controller",
			Message: "Node is not ready",
		})
	}
}

// evict deletes the pods of a silent node but those that tolerate it. They stay, as nobody there can end them.
func (c *cluster) evict(node string) {
	for _, p := range c.kube.Pods() {
		w := c.workOf(p)
		if p.Node != node || !p.Deleting.IsZero() || w != nil && w.stays() {
			continue
		}
		c.kube.ChangePod(p.Namespace, p.Name, func(p *kube.Pod) { p.Deleting = c.now.Add(c.pace.real(deleteGrace)) })
	}
}

// alive reports whether a node's kubelet works.
func (c *cluster) alive(node string) bool {
	return slices.ContainsFunc(c.kubelets, func(k *kubelet) bool { return k.node == node && k.works })
}

// soundConditions are those of a node without trouble; Ready is the first.
func soundConditions(since, heard time.Time) []kube.Condition {
	all := []kube.Condition{{Type: "Ready", Status: "True", Reason: "KubeletReady", Message: "kubelet is posting ready status"}}
	for _, c := range [][3]string{
		{"MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
		{"DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
		{"PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
	} {
		all = append(all, kube.Condition{Type: c[0], Status: "False", Reason: c[1], Message: c[2]})
	}
	for i := range all {
		all[i].Since, all[i].Heartbeat = since, heard
	}
	return all
}

func without(all []kube.Taint, key string) []kube.Taint {
	return slices.DeleteFunc(slices.Clone(all), func(t kube.Taint) bool { return t.Key == key })
}
