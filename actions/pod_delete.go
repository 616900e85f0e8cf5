package actions

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// DeletePod deletes a pod as kubectl does: its containers are asked to end, and have the grace for it.
type DeletePod struct {
	Source string         `json:"source"`
	Pod    string         `json:"pod"`            // namespace/name
	UID    string         `json:"uid,omitempty"`  // which one of that name; "" until it was planned
	Grace  fleet.Opt[int] `json:"grace,omitzero"` // seconds; missing is what the pod itself says
}

// Name is pod-delete.
func (a DeletePod) Name() string { return "pod-delete" }

// Target is the pod.
func (a DeletePod) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindPod, Source: a.Source, Name: a.Pod}
}

// Plan refuses pods that a kubelet has from a file: they cannot be deleted through the API.
func (a DeletePod) Plan(s *fleet.Snapshot) Plan {
	namespace, name := split(a.Pod)
	args := []string{"delete", "pod", name, "--namespace", namespace}
	if a.Grace.OK {
		args = append(args, "--grace-period="+strconv.Itoa(a.Grace.V))
	}
	plan := Plan{Action: a, Title: "delete pod " + a.Pod, Command: kubectlArgv(a.Source, args...)}
	p, ok := podOf(s, &plan, &a.UID)
	plan.Action = a
	if !ok {
		return plan
	}
	if !p.Deleting.IsZero() {
		plan.Refused = append(plan.Refused, "it is being deleted already")
	}
	if n, known := fleet.Find[*fleet.Node](s, nodeRef(a.Source, p.Node)); known && notReady(n) {
		plan.Against = append(plan.Against, "its node is not ready: it will stay Terminating until the node is back")
	}
	return plan
}

// podOf finds the pod a plan is for and says in the plan what becomes of it. which is the pod's uid, once it is known.
func podOf(s *fleet.Snapshot, plan *Plan, which *string) (*fleet.Pod, bool) {
	r := plan.Action.Target()
	p, ok := fleet.Find[*fleet.Pod](s, r)
	switch {
	case !ok:
		plan.Refused = append(plan.Refused, "no such pod is seen in "+r.Source)
		return nil, false
	case *which != "" && *which != p.UID:
		plan.Refused = append(plan.Refused, "it is another pod of that name by now")
	case p.Static():
		plan.Refused = append(plan.Refused, "its kubelet has it from a file on "+p.Node+": move that file away instead")
	}
	*which = p.UID
	plan.Now = p.Health().Word
	switch job := strings.HasPrefix(p.Owner, "Job/"); {
	case p.Owner == "":
		plan.Ask = p.Name
		plan.Effects = append(plan.Effects, "nothing makes it again: it has no controller")
		plan.NoUndo = "its manifest must be applied again; y shows it"
	case job && p.Over():
		plan.Effects = append(plan.Effects, p.Owner+" counted it already and makes no other for it")
		plan.NoUndo = "its log is gone with it"
	case job:
		plan.Effects = append(plan.Effects, "it counts as failed; "+p.Owner+" makes another one if its backoffLimit allows for it")
		plan.NoUndo = "its work is begun anew; what was in its memory and its emptyDir is lost"
	default:
		plan.Effects = append(plan.Effects, p.Owner+" makes another one")
		plan.NoUndo = "the one that replaces it is new; what was in its memory and its emptyDir is lost"
	}
	if p.Run.Local != 0 {
		plan.Against = append(plan.Against, localText(p.Run.Local))
	}
	plan.Against = append(append(plan.Against, old(s, r)...), against(s, plan.Action)...)
	return p, true
}

// localText says what becomes of data on the node.
func localText(local fleet.LocalData) string {
	var says []string
	if local&fleet.EmptyDir != 0 {
		says = append(says, "what is in its emptyDir is lost")
	}
	if local&fleet.HostPath != 0 {
		says = append(says, "its hostPath data stays on the node, and is not there on another one")
	}
	return strings.Join(says, "; ")
}

func notReady(n *fleet.Node) bool {
	ready, ok := n.Condition("Ready")
	return ok && ready.Status != "True"
}

func (a DeletePod) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	options := map[string]any{}
	if a.Grace.OK {
		options["gracePeriodSeconds"] = a.Grace.V
	}
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	if a.UID != "" { // that pod, and no other of its name
		options["preconditions"] = map[string]any{"uid": a.UID}
	}
	err = k.do(ctx, kubeCall{verb: "delete", path: podPath(a.Pod), body: options}, nil)
	switch {
	case isKube(err, http.StatusConflict):
		return fmt.Errorf("deleting pod %s: it is another pod of that name by now: %w", a.Pod, err)
	case err != nil:
		return fmt.Errorf("deleting pod %s: %w", a.Pod, err)
	}
	return nil
}

func podPath(pod string) kubePath {
	namespace, name := split(pod)
	return kubePath{group: "api/v1", namespace: namespace, resource: "pods", name: name}
}

func (a DeletePod) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return podGone(s, a.Target(), a.UID)
}

// podGone waits until a pod is gone, or another one has its name.
func podGone(s *fleet.Snapshot, r fleet.Ref, uid string) (verdict, string) {
	p, ok := fleet.Find[*fleet.Pod](s, r)
	switch {
	case !ok:
		return done, "gone"
	case uid != "" && p.UID != uid:
		return done, "gone; another one of its name is " + p.Health().Word
	}
	return waiting, p.Health().Word
}

// ForceDeletePod takes a pod out of the API without waiting for its kubelet.
type ForceDeletePod struct {
	Source string `json:"source"`
	Pod    string `json:"pod"` // namespace/name
	UID    string `json:"uid,omitempty"`
	Node   string `json:"node,omitempty"` // whose machine was proven to be off; "" for a pod without one
}

// Name is pod-delete-force.
func (a ForceDeletePod) Name() string { return "pod-delete-force" }

// Target is the pod.
func (a ForceDeletePod) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindPod, Source: a.Source, Name: a.Pod}
}

// Plan refuses unless the machine below the pod's node is proven to be off: else the containers may still run and
// write, beside those of the pod that replaces it.
func (a ForceDeletePod) Plan(s *fleet.Snapshot) Plan {
	namespace, name := split(a.Pod)
	plan := Plan{
		Action: a, Title: "force-delete pod " + a.Pod,
		Command: kubectlArgv(a.Source, "delete", "pod", name, "--namespace", namespace, "--grace-period=0", "--force"),
		Effects: []string{"the API server forgets it at once; whether its containers still run, nobody asks"},
	}
	p, ok := podOf(s, &plan, &a.UID)
	plan.Action, plan.Ask = a, name
	if !ok {
		return plan
	}
	proof, why := provenOff(s, p)
	a.Node = p.Node
	plan.Action = a
	if why != "" {
		plan.Refused = append(plan.Refused, "its containers may still run and write: "+why)
	} else {
		plan.Effects = append(plan.Effects, proof)
	}
	return plan
}

// provenOff tells by which evidence the machine of a pod's node is off, or why that is not proven.
func provenOff(s *fleet.Snapshot, p *fleet.Pod) (proof, why string) {
	if p.Node == "" {
		return "it was never put on a node", ""
	}
	node := nodeRef(p.Source, p.Node)
	for l := range s.Up(node) {
		sv, ok := fleet.Find[*fleet.Server](s, l.To)
		if !ok {
			continue
		}
		part, _ := s.PartOf(l.To)
		power := sv.Run.Power
		off := sv.Run.Status == "SHUTOFF" || sv.Run.Status == "SHELVED_OFFLOADED" || sv.Run.Status == "DELETED" || sv.Run.Status == "SOFT_DELETED"
		switch {
		case l.Sure < fleet.High:
			return "", fmt.Sprintf("that %s is the machine of %s is known by its %s only", sv.Name, p.Node, l.How)
		case part == nil || part.Stale(s.At):
			return "", fmt.Sprintf("how server %s is was not seen for a while", sv.Name)
		case !off:
			return "", fmt.Sprintf("server %s, the machine of %s, is %s", sv.Name, p.Node, sv.Run.Status)
		case sv.Run.TaskState != "":
			return "", fmt.Sprintf("nova is busy with server %s: %s", sv.Name, sv.Run.TaskState)
		case power.OK && power.V == fleet.PowerRunning:
			return "", fmt.Sprintf("server %s is %s, but its power state is %s", sv.Name, sv.Run.Status, power.V)
		}
		return fmt.Sprintf("server %s, the machine of %s, is %s (%s)", sv.Name, p.Node, sv.Run.Status, l.How), ""
	}
	return "", fmt.Sprintf("no cloud that is seen has the machine of %s", p.Node)
}

// apply deletes the pod as it was read last: one that was put on another node since is left alone.
func (a ForceDeletePod) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	k, err := hands.kube(a.Source)
	if err != nil {
		return err
	}
	for range conflictsMost {
		var p struct {
			Meta kubeMeta `json:"metadata"`
			Spec struct {
				Node string `json:"nodeName"`
			} `json:"spec"`
		}
		if err := k.do(ctx, kubeCall{verb: "get", path: podPath(a.Pod)}, &p); err != nil {
			return fmt.Errorf("reading pod %s before it is deleted: %w", a.Pod, err)
		}
		switch {
		case a.UID != "" && p.Meta.UID != a.UID:
			return fmt.Errorf("deleting pod %s: it is another pod of that name by now", a.Pod)
		case p.Spec.Node != a.Node:
			return fmt.Errorf("deleting pod %s: it was put on node %s meanwhile, whose machine nobody proved to be off", a.Pod, p.Spec.Node)
		}
		err = k.do(ctx, kubeCall{verb: "delete", path: podPath(a.Pod), body: map[string]any{
			"gracePeriodSeconds": 0, "preconditions": map[string]any{"uid": p.Meta.UID, "resourceVersion": p.Meta.Version},
		}}, nil)
		if !isKube(err, http.StatusConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("deleting pod %s: %w", a.Pod, err)
	}
	return nil
}

func (a ForceDeletePod) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return podGone(s, a.Target(), a.UID)
}
