package diagnose

import (
	"cmp"
	"strings"
	"time"

	"strata/internal/fleet"
)

// podStartRules judge pods that do not come up.
func podStartRules() []Rule {
	return []Rule{{
		ID: "K8S-07", Title: "no node takes the pod", Kind: fleet.KindPod, Severity: fleet.Serious,
		Source: "pod condition PodScheduled=False, Unschedulable; heuristic: for 1 min", Hold: time.Minute, Explains: []string{"ARGO-02"}, Judge: on(unschedulable),
	}, {
		ID: "K8S-23", Title: "pod waits for nodes that are down", Kind: fleet.KindPod, Severity: fleet.Serious,
		Source: "Unschedulable, for the taints that the node-controller sets on dead nodes", Hold: 15 * time.Second,
		Fold: Fold{Around: true}, Explains: []string{"ARGO-02"}, Judge: on(waitsForNodes),
	}, {
		ID: "K8S-20", Title: "image cannot be pulled", Kind: fleet.KindPod, Severity: fleet.Serious,
		Source: "kubelet pkg/kubelet/images/types.go", Hold: 20 * time.Second, Fold: Fold{After: true}, Explains: []string{"ARGO-02"}, Judge: on(noImage),
	}, {
		ID: "K8S-21", Title: "container cannot be made", Kind: fleet.KindPod, Severity: fleet.Serious,
		Source: "kubelet: CreateContainerError, CreateContainerConfigError, RunContainerError", Hold: 20 * time.Second,
		Fold: Fold{After: true}, Explains: []string{"ARGO-02"}, Judge: on(noContainer),
	}, {
		ID: "K8S-24", Title: "pod takes long to start", Kind: fleet.KindPod, Severity: fleet.Warn,
		Source: "heuristic: Pending on a node for 5 min, or for one when the kubelet has warned of it three times", Confidence: fleet.Medium, Hold: 5 * time.Minute,
		Explains: []string{"ARGO-02"}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindEvent}}, Judge: on(slowStart),
	}}
}

// waiting returns a pod's reason for not running yet, "" when it is not waiting.
func waiting(p *fleet.Pod) string {
	if p.Run.Phase == "Succeeded" || p.Run.Phase == "Failed" || !p.Deleting.IsZero() {
		return ""
	}
	return p.Run.Reason
}

// blamesNodes tells from the scheduler's message whether dead nodes are among its reasons.
func blamesNodes(message string) bool {
	return strings.Contains(message, "node.kubernetes.io/unreachable") || strings.Contains(message, "node.kubernetes.io/not-ready") ||
		strings.Contains(message, "not ready")
}

func unschedulable(_ *fleet.Snapshot, p *fleet.Pod) Verdict { return unscheduled(p, false) }
func waitsForNodes(_ *fleet.Snapshot, p *fleet.Pod) Verdict { return unscheduled(p, true) }

func unscheduled(p *fleet.Pod, forNodes bool) Verdict {
	switch {
	case p.Run.Phase == "":
		return noPhase(p)
	case waiting(p) != "Unschedulable" || blamesNodes(p.Run.Message) != forNodes:
		return Verdict{State: OK}
	}
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{podEvidence(p)}, Since: p.Created}
	verdict.Says = podName(p) + " is Pending: " + cmp.Or(sentence(p.Run.Message), "no node takes it")
	if p.Run.Message == "" {
		verdict.Missing = []string{"the scheduler's reasons: kubectl -n " + p.Namespace + " describe pod " + p.Name}
	}
	if forNodes {
		verdict.Says = podName(p) + " is Pending: the nodes that could take it are down"
	}
	return verdict
}

func noImage(_ *fleet.Snapshot, p *fleet.Pod) Verdict {
	switch waiting(p) {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable":
		return stuckStart(p, " cannot get its image: ")
	}
	return phaseTold(p)
}

func noContainer(_ *fleet.Snapshot, p *fleet.Pod) Verdict {
	switch waiting(p) {
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError":
		return stuckStart(p, " cannot start a container: ")
	}
	return phaseTold(p)
}

func stuckStart(p *fleet.Pod, what string) Verdict {
	says := podName(p) + what + p.Run.Reason
	if p.Run.Message != "" {
		says += ", " + sentence(p.Run.Message)
	}
	return Verdict{
		State: Bad, Says: says, Because: []fleet.Evidence{podEvidence(p)},
		Missing: []string{"its events: kubectl -n " + p.Namespace + " describe pod " + p.Name},
	}
}

// phaseTold is the verdict on a pod that has none of a rule's troubles.
func phaseTold(p *fleet.Pod) Verdict {
	if p.Run.Phase == "" {
		return noPhase(p)
	}
	return Verdict{State: OK}
}

// slowStart is bad as soon as a pod is Pending on a node: the rule's hold makes it slow.
func slowStart(s *fleet.Snapshot, p *fleet.Pod) Verdict {
	if p.Run.Phase != "Pending" || p.Node == "" || !p.Deleting.IsZero() {
		return phaseTold(p)
	}
	switch p.Run.Reason {
	case "", "ContainerCreating", "PodInitializing":
	default:
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Since: p.Created, Because: []fleet.Evidence{podEvidence(p)},
		Says: podName(p) + " is still starting on " + p.Node + ": " + cmp.Or(p.Run.Reason, "Pending"),
	}
	why, warned := warning(s, p.Ref())
	if !warned {
		verdict.Missing = []string{"what it waits for (a volume, an init container): kubectl -n " + p.Namespace + " describe pod " + p.Name}
		return verdict
	}
	verdict.Says += ", " + ending(why.Message)
	verdict.Because = append(verdict.Because, eventEvidence(why))
	if soon := p.Created.Add(time.Minute); why.Count >= 3 {
		verdict.Now = !s.At.Before(soon)
		verdict.Confidence, verdict.Again = fleet.High, soon
	}
	return verdict
}
