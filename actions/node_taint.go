package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// TaintNode puts a taint on a node.
type TaintNode struct {
	Source string `json:"source"`
	Node   string `json:"node"`
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// kubeTaint is a taint as the API has it. Others must keep all they have.
type kubeTaint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
	Added  string `json:"timeAdded,omitempty"`
}

// Name is node-taint.
func (a TaintNode) Name() string { return "node-taint" }

// Target is the node.
func (a TaintNode) Target() fleet.Ref { return nodeRef(a.Source, a.Node) }

// Plan refuses a taint that is there, and one that Kubernetes itself keeps.
func (a TaintNode) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Title: "taint " + a.Node + " with " + taintText(a.Key, a.Value, a.Effect),
		Command: kubectlArgv(a.Source, "taint", "nodes", a.Node, taintText(a.Key, a.Value, a.Effect)),
		Undo:    UntaintNode{a.Source, a.Node, a.Key, a.Effect},
		Effects: []string{map[string]string{
			"NoSchedule":       "no new pod that does not tolerate it is put there; those that are there stay",
			"PreferNoSchedule": "new pods that do not tolerate it are put elsewhere if there is room",
			"NoExecute":        "pods that do not tolerate it are ended at once, and disruption budgets do not hold that up",
		}[a.Effect]},
	}
	if a.Effect == "NoExecute" {
		p.Ask = a.Node
		p.Effects = append(p.Effects, "taking it off again does not bring them back; their controllers put them elsewhere")
	}
	n, ok := nodeOf(s, &p)
	if !ok {
		return p
	}
	p.Refused = append(p.Refused, reserved(a.Key)...)
	for _, t := range n.Taints {
		if t.Key == a.Key && t.Effect == a.Effect {
			p.Refused = append(p.Refused, "it has "+taintText(t.Key, t.Value, t.Effect)+": node-untaint first")
		}
	}
	return p
}

// reserved says why a taint is not for people to touch.
func reserved(key string) []string {
	switch {
	case key == "node.kubernetes.io/unschedulable":
		return []string{"that taint follows the cordon: use node-cordon and node-uncordon"}
	case strings.HasPrefix(key, "node.kubernetes.io/"):
		return []string{"the node controller keeps that taint and would set it right again"}
	}
	return nil
}

func (a TaintNode) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return changeTaints(ctx, hands, a.Source, a.Node, func(all []kubeTaint) ([]kubeTaint, error) {
		if hasTaint(all, a.Key, a.Effect) {
			return nil, errAlready
		}
		return append(all, kubeTaint{Key: a.Key, Value: a.Value, Effect: a.Effect}), nil
	})
}

func (a TaintNode) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return taintSeen(s, a.Target(), a.Key, a.Effect, true)
}

// UntaintNode takes a taint off a node.
type UntaintNode struct {
	Source string `json:"source"`
	Node   string `json:"node"`
	Key    string `json:"key"`
	Effect string `json:"effect"`
}

// Name is node-untaint.
func (a UntaintNode) Name() string { return "node-untaint" }

// Target is the node.
func (a UntaintNode) Target() fleet.Ref { return nodeRef(a.Source, a.Node) }

// Plan refuses a taint that is not there. Its undo puts the taint back with the value it has.
func (a UntaintNode) Plan(s *fleet.Snapshot) Plan {
	p := Plan{
		Action: a, Title: "take the taint " + taintText(a.Key, "", a.Effect) + " off " + a.Node,
		Command: kubectlArgv(a.Source, "taint", "nodes", a.Node, taintText(a.Key, "", a.Effect)+"-"),
		Effects: []string{"pods that do not tolerate it may be put there"},
	}
	n, ok := nodeOf(s, &p)
	if !ok {
		return p
	}
	p.Refused = append(p.Refused, reserved(a.Key)...)
	i := slices.IndexFunc(n.Taints, func(t fleet.Taint) bool { return t.Key == a.Key && t.Effect == a.Effect })
	if i < 0 {
		p.Refused = append(p.Refused, "it has no taint "+taintText(a.Key, "", a.Effect))
		return p
	}
	p.Undo = TaintNode{a.Source, a.Node, a.Key, n.Taints[i].Value, a.Effect}
	if strings.HasPrefix(a.Key, "node-role.kubernetes.io/") {
		p.Against = append(p.Against, "it keeps ordinary pods away from the control plane")
	}
	return p
}

func (a UntaintNode) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return changeTaints(ctx, hands, a.Source, a.Node, func(all []kubeTaint) ([]kubeTaint, error) {
		if !hasTaint(all, a.Key, a.Effect) {
			return nil, errAlready
		}
		return slices.DeleteFunc(all, func(t kubeTaint) bool { return t.Key == a.Key && t.Effect == a.Effect }), nil
	})
}

func (a UntaintNode) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return taintSeen(s, a.Target(), a.Key, a.Effect, false)
}

func hasTaint(all []kubeTaint, key, effect string) bool {
	return slices.ContainsFunc(all, func(t kubeTaint) bool { return t.Key == key && t.Effect == effect })
}

// changeTaints replaces the list of taints, of which a patch can change no single one.
func changeTaints(ctx context.Context, hands Hands, source, node string, change func([]kubeTaint) ([]kubeTaint, error)) error {
	k, err := hands.kube(source)
	if err != nil {
		return err
	}
	var n kubeNode
	return k.patch(ctx, nodePath(node), &n, &n.Meta, func() (map[string]any, error) {
		taints, err := change(n.Spec.Taints)
		n.Spec.Taints = nil // the next answer may leave them out
		if err != nil {
			return nil, err
		}
		return map[string]any{"spec": map[string]any{"taints": taints}}, nil
	})
}

func taintSeen(s *fleet.Snapshot, r fleet.Ref, key, effect string, want bool) (verdict, string) {
	n, ok := fleet.Find[*fleet.Node](s, r)
	if !ok {
		return failed, "the node is gone"
	}
	has := slices.ContainsFunc(n.Taints, func(t fleet.Taint) bool { return t.Key == key && t.Effect == effect })
	if has != want {
		return waiting, map[bool]string{true: "the taint is there", false: "the taint is not there"}[has]
	}
	return done, map[bool]string{true: "tainted", false: "the taint is gone"}[want]
}

// taintText writes a taint as kubectl takes it.
func taintText(key, value, effect string) string {
	if value != "" {
		key += "=" + value
	}
	return key + ":" + effect
}

// parseTaint reads KEY=VALUE:EFFECT or KEY:EFFECT.
func parseTaint(s string) (key, value, effect string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", "", errors.New("taint must be KEY=VALUE:EFFECT, such as dedicated=db:NoSchedule")
	}
	key, value, _ = strings.Cut(s[:i], "=")
	effect = s[i+1:]
	if !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, effect) {
		return "", "", "", fmt.Errorf("the effect %q is not NoSchedule, PreferNoSchedule or NoExecute", effect)
	}
	if key == "" || strings.ContainsAny(key+value, " \t\n:,=") {
		return "", "", "", fmt.Errorf("%q is no taint: KEY=VALUE:EFFECT", s)
	}
	return key, value, effect, nil
}

// taintsOf are the taints of a node that people may take off.
func taintsOf(s *fleet.Snapshot, r fleet.Ref) (all []string) {
	n, ok := fleet.Find[*fleet.Node](s, r)
	if !ok {
		return nil
	}
	for _, t := range n.Taints {
		if reserved(t.Key) == nil {
			all = append(all, taintText(t.Key, "", t.Effect))
		}
	}
	return all
}
