package ui

import (
	"fmt"
	"strconv"
	"strings"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

var kubeSystems = []string{"kube"}

func workView() *view {
	return &view{
		name: "work", title: "Nodes and pods", kinds: []fleet.Kind{fleet.KindNode, fleet.KindPod}, worst: worstNodesFirst,
		systems: kubeSystems, empty: "the cluster has no nodes and no pods",
		count: func(c *scene) string {
			return c.amounts(fleet.KindNode) + ", " + c.amounts(fleet.KindPod)
		},
		columns: []column{
			{title: "name", width: 18, grow: 3, search: true, middle: true, cell: workName, key: func(o fleet.Object) sortKey { return sortKey{str: workName(nil, o).text} }},
			{title: "status", width: 13, grow: 1, search: true, flash: true, cell: health, key: func(o fleet.Object) sortKey { return sortKey{str: o.Health().Word} }},
			{title: "because", width: 16, grow: 2, drop: 1, idle: true, cell: because},
			{title: "ready", width: 5, right: true, drop: 3, flash: true, cell: podReady},
			{title: "restarts", width: 8, right: true, drop: 5, flash: true, cell: podRestarts, key: pods(func(p *fleet.Pod) sortKey { return sortKey{num: -float64(p.Run.Restarts)} })},
			{title: "node", width: 16, grow: 1, drop: 6, search: true, cell: podNode, key: pods(func(p *fleet.Pod) sortKey { return sortKey{str: p.Node} })},
			{title: "age", width: 6, right: true, drop: 2, cell: workAge, key: workAgeKey},
		},
	}
}

func podsView() *view {
	v := workView()
	v.name, v.title, v.kinds, v.worst, v.empty = "pods", "Pods", []fleet.Kind{fleet.KindPod}, worst, "the cluster has no pods"
	v.count = func(c *scene) string { return c.amounts(fleet.KindPod) }
	v.columns = append([]column{{title: "namespace", width: 12, grow: 1, drop: 2, search: true, cell: of(func(_ *scene, p *fleet.Pod) cell { return cell{p.Namespace, dim} }), key: text(func(p *fleet.Pod) string { return p.Namespace })}}, v.columns...)
	v.columns = append(v.columns,
		column{title: "ip", width: 13, drop: 8, search: true, cell: of(func(_ *scene, p *fleet.Pod) cell { return cell{p.IP, dim} })},
		column{title: "owner", width: 20, grow: 1, drop: 9, cell: of(func(_ *scene, p *fleet.Pod) cell { return cell{p.Owner, dim} }), key: text(func(p *fleet.Pod) string { return p.Owner })},
		column{title: "cluster", width: 10, drop: 10, cell: of(func(_ *scene, p *fleet.Pod) cell { return cell{system(p.Source), dim} })},
	)
	return v
}

func nodesView() *view {
	return &view{
		name: "nodes", title: "Nodes", kinds: []fleet.Kind{fleet.KindNode}, worst: worst,
		systems: kubeSystems, empty: "the cluster has no nodes",
		count: func(c *scene) string { return c.amounts(fleet.KindNode) },
		columns: []column{
			{title: "name", width: 18, grow: 2, search: true, middle: true, cell: workName, key: func(o fleet.Object) sortKey { return sortKey{str: o.Ref().Name} }},
			{title: "status", width: 10, grow: 1, search: true, flash: true, cell: health, key: func(o fleet.Object) sortKey { return sortKey{str: o.Health().Word} }},
			{title: "because", width: 16, grow: 2, drop: 3, idle: true, cell: because},
			{title: "lease", width: 6, right: true, drop: 2, cell: of(nodeLease)},
			{title: "roles", width: 14, drop: 5, search: true, cell: of(func(_ *scene, n *fleet.Node) cell { return cell{strings.Join(n.Roles, ","), dim} })},
			{title: "version", width: 9, drop: 6, search: true, cell: of(func(_ *scene, n *fleet.Node) cell { return cell{n.Versions.Kubelet, dim} }), key: text(func(n *fleet.Node) string { return n.Versions.Kubelet })},
			{title: "address", width: 14, drop: 7, search: true, cell: of(func(_ *scene, n *fleet.Node) cell { return cell{addresses(n.Addresses), dim} })},
			{title: "taints", width: 6, right: true, drop: 4, cell: of(func(_ *scene, n *fleet.Node) cell { return cell{positive(len(n.Taints)), dim} })},
			{title: "kernel", width: 16, drop: 8, search: true, cell: of(func(_ *scene, n *fleet.Node) cell { return cell{n.Versions.Kernel, dim} })},
			{title: "age", width: 6, right: true, drop: 1, cell: workAge, key: workAgeKey},
		},
	}
}

func worstNodesFirst(o fleet.Object, s fleet.State) sortKey {
	k := worst(o, s)
	if _, isPod := o.(*fleet.Pod); isPod {
		k.num += 0.5
	}
	return k
}

func workName(_ *scene, o fleet.Object) cell {
	switch o := o.(type) {
	case *fleet.Pod:
		return cell{text: o.Name}
	case *fleet.Node:
		return cell{o.Name, bold}
	}
	return cell{}
}

// because is the worst cause of trouble in what an object stands on, which is where to look first; where nothing is found
// yet, what is not well there, or what its own system says.
func because(c *scene, o fleet.Object) cell {
	if f, ok := c.cause(o); ok {
		if n, node := o.(*fleet.Node); node && f.About == n.Ref() {
			if own := nodeSays(n); own.text != "" {
				return own // more than that it is not ready, which stands beside it
			}
		}
		return badge(c, f, o.Ref())
	}
	for _, r := range under(c, o) {
		if b, ok := c.s.Get(r); ok {
			if h := b.Health(); h.State == fleet.StateBad || h.State == fleet.StateWarn {
				return cell{c.t.or("← ", "< ") + fleet.NameOf(b) + " " + h.Word, c.t.state(h.State)}
			}
		}
	}
	switch o := o.(type) {
	case *fleet.Pod:
		if o.LastExit != nil && o.Health().State != fleet.StateOK {
			return cell{"last exit " + or(o.LastExit.Reason, "code") + " " + strconv.Itoa(int(o.LastExit.Code)), dim}
		}
	case *fleet.Node:
		return nodeSays(o)
	}
	return cell{}
}

// nodeSays is why a node is not ready by its own word.
func nodeSays(n *fleet.Node) cell {
	switch ready, _ := n.Condition("Ready"); ready.Status {
	case "Unknown":
		return cell{"no heartbeat", dim}
	case "False":
		return cell{ready.Message, dim}
	}
	return cell{}
}

// cause is the finding to look at first for what is wrong with an object or below it.
func (c *scene) cause(o fleet.Object) (*fleet.Finding, bool) {
	if c.causes == nil {
		return nil, false
	}
	return c.causes.Of(o)
}

// badgeName is how much of a name a badge shows: what is wrong must have room behind it.
const badgeName = 14

// badge is a finding in a row of something that stands on what it is about: how bad, what, in a word or two.
func badge(c *scene, f *fleet.Finding, row fleet.Ref) cell {
	state := f.Severity.State()
	name, wrong := diagnose.Short(c.s, c.rules, f)
	says := c.t.glyph(state) + " "
	if f.About != row {
		says += strings.TrimRight(fitMiddle(clean(name), min(width(name), badgeName)), " ") + " "
	}
	return cell{says + wrong, c.t.state(state)}
}

func podReady(_ *scene, o fleet.Object) cell {
	if p, ok := o.(*fleet.Pod); ok {
		return cell{strconv.Itoa(int(p.Run.Ready)) + "/" + strconv.Itoa(int(p.Run.Total)), dim}
	}
	return cell{}
}

func podRestarts(_ *scene, o fleet.Object) cell {
	if p, ok := o.(*fleet.Pod); ok {
		return cell{strconv.Itoa(int(p.Run.Restarts)), dim}
	}
	return cell{}
}

func podNode(_ *scene, o fleet.Object) cell {
	if p, ok := o.(*fleet.Pod); ok {
		return cell{p.Node, dim}
	}
	return cell{}
}

func pods(key func(*fleet.Pod) sortKey) func(fleet.Object) sortKey {
	return func(o fleet.Object) sortKey {
		if p, ok := o.(*fleet.Pod); ok {
			return key(p)
		}
		return sortKey{}
	}
}

func workAge(c *scene, o fleet.Object) cell {
	switch o := o.(type) {
	case *fleet.Pod:
		return cell{coarse(o.Created, c.now()), dim}
	case *fleet.Node:
		return cell{coarse(o.Created, c.now()), dim}
	}
	return cell{}
}

func workAgeKey(o fleet.Object) sortKey {
	switch o := o.(type) {
	case *fleet.Pod:
		return sortKey{num: -float64(o.Created.Unix())}
	case *fleet.Node:
		return sortKey{num: -float64(o.Created.Unix())}
	}
	return sortKey{}
}

func nodeLease(c *scene, n *fleet.Node) cell {
	l, ok := fleet.Find[*fleet.Lease](c.s, fleet.Ref{Kind: fleet.KindLease, Source: n.Source, Name: n.Name})
	if !ok || l.Renewed.IsZero() {
		return cell{"—", dim}
	}
	renewed := l.Renewed
	if l.Watched {
		renewed = l.Seen
	}
	if now := c.now(); !now.Before(l.Late()) {
		return cell{span(now.Sub(renewed)), badInk}
	}
	return cell{coarse(renewed, c.now()), dim}
}

func eventsView() *view {
	return &view{
		name: "events", title: "Kubernetes warnings", kinds: []fleet.Kind{fleet.KindEvent}, systems: kubeSystems, empty: "no warning events",
		worst: func(o fleet.Object, _ fleet.State) sortKey {
			return sortKey{num: -float64(o.(*fleet.Event).Last.Unix())}
		},
		count: func(c *scene) string { return strconv.Itoa(c.s.Tally(fleet.KindEvent).Total()) },
		columns: []column{
			{title: "last", width: 7, right: true, cell: of(func(c *scene, e *fleet.Event) cell { return cell{coarse(e.Last, c.now()), dim} }), key: number(func(e *fleet.Event) float64 { return -float64(e.Last.Unix()) })},
			{title: "reason", width: 16, grow: 1, search: true, cell: of(func(_ *scene, e *fleet.Event) cell { return cell{e.Reason, warnInk} }), key: text(func(e *fleet.Event) string { return e.Reason })},
			{title: "object", width: 20, grow: 2, drop: 2, search: true, cell: of(func(_ *scene, e *fleet.Event) cell { return cell{e.About.String(), plain} }), key: text(func(e *fleet.Event) string { return e.About.Name })},
			{title: "times", width: 5, right: true, drop: 3, cell: of(func(_ *scene, e *fleet.Event) cell { return cell{positive(int(e.Count)), dim} }), key: number(func(e *fleet.Event) float64 { return -float64(e.Count) })},
			{title: "message", width: 30, grow: 4, drop: 1, search: true, cell: of(func(_ *scene, e *fleet.Event) cell { return cell{e.Message, dim} })},
		},
	}
}

func volumesView() *view {
	return &view{
		name: "volumes", title: "Volumes and claims", kinds: []fleet.Kind{fleet.KindVolume, fleet.KindClaim}, worst: worst, systems: kubeSystems, empty: "no volumes and no claims",
		count: func(c *scene) string {
			v, k := c.s.Tally(fleet.KindVolume), c.s.Tally(fleet.KindClaim)
			return fmt.Sprintf("%d volumes, %d claims", v.Total(), k.Total())
		},
		columns: []column{
			{title: "name", width: 20, grow: 2, search: true, cell: func(_ *scene, o fleet.Object) cell { return cell{text: o.Ref().Name} }, key: func(o fleet.Object) sortKey { return sortKey{str: o.Ref().Name} }},
			{title: "phase", width: 9, search: true, flash: true, cell: health},
			{title: "kind", width: 4, drop: 4, search: true, cell: func(_ *scene, o fleet.Object) cell { return cell{string(o.Ref().Kind), dim} }},
			{title: "size", width: 7, right: true, drop: 3, cell: volumeSize},
			{title: "because", width: 16, grow: 2, drop: 3, idle: true, cell: because},
			{title: "bound to", width: 20, grow: 1, drop: 2, search: true, cell: volumeBound},
			{title: "backing", width: 26, grow: 1, drop: 5, search: true, cell: volumeBacking},
		},
	}
}

func volumeSize(_ *scene, o fleet.Object) cell {
	var n int64
	switch o := o.(type) {
	case *fleet.Volume:
		n = o.Bytes
	case *fleet.Claim:
		n = o.Bytes
	}
	if n == 0 {
		return cell{"—", dim}
	}
	return cell{bytesOf(float64(n)), dim}
}

func volumeBound(_ *scene, o fleet.Object) cell {
	switch o := o.(type) {
	case *fleet.Volume:
		return cell{o.Claim, dim}
	case *fleet.Claim:
		return cell{o.Volume, dim}
	}
	return cell{}
}

func volumeBacking(_ *scene, o fleet.Object) cell {
	v, ok := o.(*fleet.Volume)
	switch {
	case !ok:
		return cell{}
	case v.HostPath != "" && !v.Pinned:
		return cell{v.Backing + " " + v.HostPath + " on no fixed node", warnInk}
	}
	return cell{strings.TrimSpace(v.Backing + " " + v.HostPath), dim}
}
