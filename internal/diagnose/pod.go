package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

// podRules judge pods that ran, or run.
func podRules() []Rule {
	return []Rule{{
		ID: "K8S-05", Title: "container crashes again and again", Kind: fleet.KindPod, Severity: fleet.Serious,
		Source: "kubelet back-off: 10 s doubled to 300 s, reset after 10 min", Fold: Fold{After: true}, Explains: []string{"ARGO-02", "K8S-22"}, Judge: on(crashing),
	}, {
		ID: "K8S-06", Title: "container killed for memory", Kind: fleet.KindPod, Severity: fleet.Serious,
		Source: "lastState.terminated.reason OOMKilled, within the hour; no alarm once all its containers have been ready for 10 min", Fold: Fold{After: true},
		Explains: []string{"ARGO-02", "K8S-05", "K8S-22"}, Judge: on(killedForMemory),
	}, {
		ID: "K8S-08", Title: "pod does not go away", Kind: fleet.KindPod, Severity: fleet.Warn,
		Source: "heuristic: 5 min after its deletionTimestamp", Hold: 5 * time.Minute,
		Fold: Fold{Named: true}, Explains: []string{"ARGO-02"}, Judge: on(stuckDeleting),
	}, {
		ID: "K8S-22", Title: "pod not ready", Kind: fleet.KindPod, Severity: fleet.Warn,
		Source: "pod status.conditions Ready; heuristic: for 1 min, of a new pod after 5", Hold: time.Minute, Explains: []string{"ARGO-02"}, Judge: on(podNotReady),
	}, {
		ID: "K8S-25", Title: "pod failed", Kind: fleet.KindPod, Severity: fleet.Warn,
		Source: "pod status.phase Failed; of a Job's the Job's status.conditions", Fold: Fold{After: true, Named: true, Least: fleet.Warn},
		Reads: Reads{Job: true}, Explains: []string{"ARGO-02"}, Judge: on(podFailed),
	}}
}

func podName(p *fleet.Pod) string { return p.Namespace + "/" + p.Name }

// noPhase is the verdict on a pod of which nothing is told.
func noPhase(p *fleet.Pod) Verdict {
	return Verdict{State: CannotTell, Missing: []string{"its phase: kubectl -n " + p.Namespace + " get pod " + p.Name}}
}

func podEvidence(p *fleet.Pod) fleet.Evidence {
	return because(p, time.Time{}, "pod status", "phase=%s ready=%d/%d restarts=%d reason=%s message=%s",
		p.Run.Phase, p.Run.Ready, p.Run.Total, p.Run.Restarts, cmp.Or(p.Run.Reason, "-"), cmp.Or(sentence(p.Run.Message), "-"))
}

func exitEvidence(p *fleet.Pod) fleet.Evidence {
	e := p.LastExit
	return because(p, e.Finished, "pod status.containerStatuses lastState.terminated", "%s %s exitCode=%d signal=%d finishedAt=%s",
		e.Container, cmp.Or(e.Reason, "?"), e.Code, e.Signal, e.Finished.UTC().Format(time.RFC3339))
}

func previousLog(p *fleet.Pod) []string {
	command := "what it said before it died: kubectl -n " + p.Namespace + " logs --previous " + p.Name
	if p.LastExit != nil && p.LastExit.Container != "" {
		command += " -c " + p.LastExit.Container
	}
	return []string{command}
}

// calm is how long a container must run before the kubelet forgets its crashes.
const calm = 10 * time.Minute

func crashing(s *fleet.Snapshot, p *fleet.Pod) Verdict {
	switch {
	case p.Run.Phase == "":
		return noPhase(p)
	case !p.Deleting.IsZero():
		return Verdict{State: OK}
	case p.Run.Reason == "CrashLoopBackOff":
	case p.LastExit != nil && p.LastExit.Code != 0 && s.At.Before(p.LastExit.Finished.Add(calm)):
		// It runs between two crashes, or did until now.
		return Verdict{State: Lingering, Again: p.LastExit.Finished.Add(calm)}
	default:
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Because: []fleet.Evidence{podEvidence(p)}, Missing: previousLog(p),
		Says: fmt.Sprintf("%s crashes again and again, %s", podName(p), plural(p.Run.Restarts, "restart")),
	}
	if e := p.LastExit; e != nil {
		verdict.Says += fmt.Sprintf(": %s exits with %d (%s)", e.Container, e.Code, cmp.Or(e.Reason, "no reason"))
		verdict.Because = append(verdict.Because, exitEvidence(p))
	}
	return verdict
}

func killedForMemory(s *fleet.Snapshot, p *fleet.Pod) Verdict {
	e := p.LastExit
	switch {
	case p.Run.Phase == "":
		return noPhase(p)
	case e == nil || e.Reason != "OOMKilled" || !p.Deleting.IsZero():
		return Verdict{State: OK}
	}
	end := e.Finished.Add(time.Hour)
	if !s.At.Before(end) {
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Since: e.Finished, Again: end,
		Says:    fmt.Sprintf("%s: container %s was killed for memory at %s", podName(p), e.Container, clock(s, e.Finished)),
		Because: []fleet.Evidence{exitEvidence(p), podEvidence(p)},
		Missing: []string{"its limit (or was the whole node out of memory?): kubectl -n " + p.Namespace + " describe pod " + p.Name},
	}
	switch over := e.Finished.Add(calm); {
	case p.Run.Reason != "" || p.Run.Ready < p.Run.Total || !p.Run.PodReady.Or(true):
	case s.At.Before(over):
		verdict.Again = over
	default:
		verdict.Severity = fleet.Info
		verdict.Says += ", and all of it is ready again"
	}
	return verdict
}

// stuckDeleting is bad from the time a pod should be gone: the rule's hold makes it stuck.
func stuckDeleting(s *fleet.Snapshot, p *fleet.Pod) Verdict {
	if p.Deleting.IsZero() {
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Since: p.Deleting,
		Says:    fmt.Sprintf("%s should have been gone at %s and is still there", podName(p), clock(s, p.Deleting)),
		Because: []fleet.Evidence{because(p, p.Deleting, "pod metadata.deletionTimestamp", "%s", p.Deleting.UTC().Format(time.RFC3339))},
		Missing: []string{"finalizers: kubectl -n " + p.Namespace + " get pod " + p.Name + " -o jsonpath={.metadata.finalizers}"},
	}
}

// startsIn is how long a new pod may take until it is ready.
const startsIn = 5 * time.Minute

func podNotReady(s *fleet.Snapshot, p *fleet.Pod) Verdict {
	switch {
	case p.Run.Phase == "":
		return noPhase(p)
	case p.Run.Phase != "Running" || !p.Deleting.IsZero() || p.Run.Reason != "":
		return Verdict{State: OK}
	case p.Run.Ready >= p.Run.Total && p.Run.PodReady.Or(true):
		return Verdict{State: OK}
	case s.At.Before(p.Created.Add(startsIn)):
		return Verdict{State: Lingering, Again: p.Created.Add(startsIn)}
	}
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{podEvidence(p)}}
	if p.Run.Ready < p.Run.Total {
		verdict.Says = fmt.Sprintf("%s runs, but only %d of %s ready", podName(p), p.Run.Ready, plural(p.Run.Total, "container"))
	} else {
		verdict.Says = podName(p) + " is marked not ready, though its containers were ready when last heard of"
	}
	return verdict
}

func podFailed(s *fleet.Snapshot, p *fleet.Pod) Verdict {
	switch {
	case p.Run.Phase == "":
		return noPhase(p)
	case p.Run.Phase != "Failed" || !p.Deleting.IsZero():
		return Verdict{State: OK}
	}
	verdict := Verdict{State: Bad, Says: podName(p) + " failed: " + cmp.Or(p.Run.Reason, "no reason given"), Because: []fleet.Evidence{podEvidence(p)}}
	if p.Run.Message != "" {
		verdict.Says += ", " + sentence(p.Run.Message)
	}
	if p.LastExit != nil {
		verdict.Because = append(verdict.Because, exitEvidence(p))
	}
	if sentAway(p) {
		verdict.Severity = fleet.Info
	}
	if job, ok := jobOf(p); ok {
		attempt(s, job, &verdict)
	}
	return verdict
}

// sentAway reports whether a pod failed because its node was short of something or went down, and what owns it has another
// made: only its record is left.
func sentAway(p *fleet.Pod) bool {
	owner, _, _ := strings.Cut(p.Owner, "/")
	switch owner {
	case "ReplicaSet", "StatefulSet", "DaemonSet":
		return p.Run.Reason == "Evicted" && strings.HasPrefix(p.Run.Message, "The node was low on resource") ||
			p.Run.Reason == "NodeShutdown" || p.Run.Reason == "Terminated"
	}
	return false
}
