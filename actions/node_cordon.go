package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// CordonNode keeps new pods away from a node (spec.unschedulable).
type CordonNode struct {
	Source string `json:"source"`
	Node   string `json:"node"`
}

// Name is node-cordon.
func (a CordonNode) Name() string { return "node-cordon" }

// Target is the node.
func (a CordonNode) Target() fleet.Ref { return nodeRef(a.Source, a.Node) }

// Plan refuses a node that is cordoned already.
func (a CordonNode) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Title: "cordon " + a.Node, Command: kubectlArgv(a.Source, "cordon", a.Node),
		Effects: []string{"no new pod is put on it; those that are there stay"}, Undo: UncordonNode(a),
	}
	n, ok := nodeOf(s, &p)
	if ok && n.Unschedulable {
		p.Refused = append(p.Refused, "it is cordoned already")
	}
	if ok && othersThatTake(s, n) == 0 {
		p.Against = append(p.Against, "no other node that is ready takes pods: new ones will stay Pending")
	}
	return p
}

func (a CordonNode) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return setCordon(ctx, hands, a.Source, a.Node, true)
}

func (a CordonNode) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return cordonSeen(s, a.Target(), true)
}

// UncordonNode lets new pods onto a node again.
type UncordonNode struct {
	Source string `json:"source"`
	Node   string `json:"node"`
}

// Name is node-uncordon.
func (a UncordonNode) Name() string { return "node-uncordon" }

// Target is the node.
func (a UncordonNode) Target() fleet.Ref { return nodeRef(a.Source, a.Node) }

// Plan refuses a node that is not cordoned.
func (a UncordonNode) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Title: "uncordon " + a.Node, Command: kubectlArgv(a.Source, "uncordon", a.Node),
		Effects: []string{"new pods may be put on it; those that left it do not come back by themselves"}, Undo: CordonNode(a),
	}
	if n, ok := nodeOf(s, &p); ok && !n.Unschedulable {
		p.Refused = append(p.Refused, "it is not cordoned")
	}
	return p
}

func (a UncordonNode) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return setCordon(ctx, hands, a.Source, a.Node, false)
}

func (a UncordonNode) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return cordonSeen(s, a.Target(), false)
}

func nodeRef(source, name string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindNode, Source: source, Name: name}
}

// nodeOf finds the node a plan is for, and says in the plan how it is and what speaks against touching it.
func nodeOf(s *fleet.Snapshot, p *Plan) (*fleet.Node, bool) {
	n, ok := found[*fleet.Node](s, p, "node")
	if ok && n.Unschedulable && !strings.Contains(p.Now, "cordoned") {
		p.Now += ", cordoned"
	}
	return n, ok
}

// othersThatTake counts the other nodes that a pod could be put on.
func othersThatTake(s *fleet.Snapshot, but *fleet.Node) (count int) {
	for n := range fleet.All[*fleet.Node](s, fleet.KindNode) {
		ready, _ := n.Condition("Ready")
		if n.Source == but.Source && n.Name != but.Name && ready.Status == "True" && !n.Unschedulable && !repels(n) {
			count++
		}
	}
	return count
}

// repels reports whether a node keeps ordinary pods away by a taint.
func repels(n *fleet.Node) bool {
	for _, t := range n.Taints {
		if t.Effect != "PreferNoSchedule" {
			return true
		}
	}
	return false
}

// kubeNode is what the node actions read of a Node.
type kubeNode struct {
	Meta kubeMeta `json:"metadata"`
	Spec struct {
		Unschedulable bool        `json:"unschedulable"`
		Taints        []kubeTaint `json:"taints"`
	} `json:"spec"`
}

func nodePath(name string) kubePath { return kubePath{group: "api/v1", resource: "nodes", name: name} }

// errAlready says that somebody else did it in the meantime.
var errAlready = errors.New("it is so already: somebody else was faster")

func setCordon(ctx context.Context, hands Hands, source, name string, want bool) error {
	k, err := hands.kube(source)
	if err != nil {
		return err
	}
	var n kubeNode
	return k.patch(ctx, nodePath(name), &n, &n.Meta, func() (map[string]any, error) {
		if n.Spec.Unschedulable == want {
			return nil, errAlready
		}
		var value any // null takes the field out, as kubectl uncordon does
		if want {
			value = true
		}
		n.Spec.Unschedulable = false // the next answer may leave it out
		return map[string]any{"spec": map[string]any{"unschedulable": value}}, nil
	})
}

func cordonSeen(s *fleet.Snapshot, r fleet.Ref, want bool) (verdict, string) {
	n, ok := fleet.Find[*fleet.Node](s, r)
	switch {
	case !ok:
		return failed, "the node is gone"
	case n.Unschedulable == want:
		return done, map[bool]string{true: "cordoned", false: "takes pods"}[want]
	}
	return waiting, fmt.Sprintf("unschedulable is %v", n.Unschedulable)
}
