package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// lossRules judge what follows when a node is lost, or comes back.
func lossRules() []Rule {
	return []Rule{{
		ID: "K8S-04", Title: "pods will leave the node", Kind: fleet.KindNode, Severity: fleet.Warn,
		Source: "taints node.kubernetes.io/not-ready and unreachable, NoExecute: DefaultTolerationSeconds gives pods 300 s",
		Hold:   10 * time.Second, Judge: on(evicting), // a node that joins is tainted for a moment
	}, {
		ID: "K8S-11", Title: "node rebooted", Kind: fleet.KindNode, Severity: fleet.Info,
		Source:   "btime of the host that the node is; for an hour",
		Explains: []string{"K8S-12"}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindHost}}, Judge: on(nodeBooted),
	}, {
		ID: "K8S-12", Title: "kubelet tells of a reboot", Kind: fleet.KindEvent, Severity: fleet.Info,
		Source: "kubelet pkg/kubelet/events: Rebooted, when its node's bootID is another one; for an hour", Judge: on(bootTold),
	}}
}

// evictAfter is how long a pod stays on a node with such a taint unless it says otherwise.
const evictAfter = 300 * time.Second

func evicting(s *fleet.Snapshot, n *fleet.Node) Verdict {
	var verdict Verdict
	found, since := false, time.Time{}
	for _, t := range n.Taints {
		if t.Effect != "NoExecute" || t.Key != "node.kubernetes.io/not-ready" && t.Key != "node.kubernetes.io/unreachable" {
			continue
		}
		found, since = true, sooner(since, t.Since)
		verdict.Because = append(verdict.Because, because(n, t.Since, "node spec.taints", "%s:%s", t.Key, t.Effect))
	}
	switch {
	case !found:
		return Verdict{State: OK}
	case since.IsZero():
		return Verdict{State: CannotTell, Missing: []string{"since when it is tainted: kubectl get node " + n.Name + " -o jsonpath={.spec.taints}"}}
	}
	end := since.Add(evictAfter)
	if !s.At.Before(end) {
		return Verdict{State: OK} // they have been told to go: what is left of them is a matter of each
	}
	verdict.State, verdict.Since, verdict.Again = Bad, since, end
	verdict.Says = fmt.Sprintf("pods leave %s at %s unless it is back by then; those of DaemonSets and with longer tolerations stay", n.Name, clock(s, end))
	verdict.Missing = []string{"which tolerate it for how long: kubectl get pods -A --field-selector spec.nodeName=" + n.Name + " -o custom-columns=NAME:.metadata.name,FOR:.spec.tolerations[*].tolerationSeconds"}
	return verdict
}

// newBoot is how long a boot is news.
const newBoot = time.Hour

func nodeBooted(s *fleet.Snapshot, n *fleet.Node) Verdict {
	for l := range s.Up(n.Ref()) {
		if l.To.Kind != fleet.KindHost {
			continue
		}
		host, ok := fleet.Find[*fleet.Host](s, l.To)
		if !ok || host.Boot.IsZero() {
			break
		}
		end := host.Boot.Add(newBoot)
		if !s.At.Before(end) || n.Created.After(host.Boot) {
			return Verdict{State: OK}
		}
		verdict := Verdict{
			State: Bad, Since: host.Boot, Again: end, Confidence: l.Sure,
			Says:    fmt.Sprintf("%s rebooted at %s", n.Name, clock(s, host.Boot)),
			Because: []fleet.Evidence{because(host, host.Boot, "/proc/stat btime", "%s", host.Boot.UTC().Format(time.RFC3339))},
		}
		if n.Identity.BootID != "" && host.BootID != "" && !sameBoot(n.Identity.BootID, host.BootID) {
			verdict.Says += ", and its kubelet has not told of that yet"
			verdict.Because = append(verdict.Because, because(n, time.Time{}, "node status.nodeInfo.bootID", "%s, on the host itself %s", n.Identity.BootID, host.BootID))
		}
		return verdict
	}
	return Verdict{State: CannotTell, Missing: []string{"when it booted: kubectl get events -A --field-selector reason=Rebooted,involvedObject.name=" + n.Name + "; uptime -s on " + n.Name}}
}

func bootTold(s *fleet.Snapshot, e *fleet.Event) Verdict {
	switch {
	case e.Reason != "Rebooted" || e.About.Kind != fleet.KindNode:
		return Verdict{State: OK}
	case e.Last.IsZero():
		return Verdict{State: CannotTell, Missing: []string{"when: kubectl -n " + e.Namespace + " get event " + e.Name}}
	}
	end := e.Last.Add(newBoot)
	if !s.At.Before(end) {
		return Verdict{State: OK}
	}
	return Verdict{
		State: Bad, Since: e.Last, Again: end,
		Says:    fmt.Sprintf("%s rebooted, its kubelet said at %s", e.About.Name, clock(s, e.Last)),
		Because: []fleet.Evidence{eventEvidence(e)},
	}
}
