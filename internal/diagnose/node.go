package diagnose

import (
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

func nodeRules() []Rule {
	return []Rule{{
		ID: "K8S-01", Title: "node not ready", Kind: fleet.KindNode, Severity: fleet.Critical,
		Source: "node-controller: Unknown after node-monitor-grace-period, 50 s since v1.32; a warning of one that is cordoned, only told of one that is drained; False, as for some seconds after a start of the kubelet, for 8 s, of a new node for 5 min",
		Hold:   8 * time.Second, Clear: 15 * time.Second,
		Explains: []string{"K8S-02", "K8S-05", "K8S-06", "K8S-04", "K8S-08", "K8S-20", "K8S-21", "K8S-22", "K8S-23", "K8S-24", "K8S-25", "NET-01"},
		Reads:    Reads{Kinds: []fleet.Kind{fleet.KindServer, fleet.KindPod}}, Judge: on(nodeNotReady),
	}, {
		ID: "K8S-02", Title: "node's lease is late", Kind: fleet.KindNode, Severity: fleet.Critical,
		Source: "kube-node-lease: renewed every 10 s; late after its duration (40 s), dead 10 s later", Clear: 10 * time.Second,
		Explains: []string{"NET-01"},
		Reads:    Reads{Kinds: []fleet.Kind{fleet.KindLease, fleet.KindPod}, Fails: fleet.KindLease}, Judge: on(leaseLate),
	}, {
		ID: "K8S-03", Title: "node under pressure", Kind: fleet.KindNode, Severity: fleet.Serious,
		Source: "kubelet node-pressure eviction; a condition flips at most every 5 min", Hold: 2 * time.Minute,
		Explains: []string{"K8S-25"}, Fold: Fold{Parts: true}, Judge: on(nodePressure),
	}}
}

func conditionEvidence(n *fleet.Node, c fleet.NodeCondition) fleet.Evidence {
	return because(n, c.Since, "node status.conditions", "%s=%s %s: %s", c.Type, c.Status, c.Reason, sentence(c.Message))
}

func nodeNotReady(s *fleet.Snapshot, n *fleet.Node) Verdict {
	ready, ok := n.Condition("Ready")
	if !ok {
		return Verdict{State: CannotTell, Missing: []string{"Ready condition: kubectl get node " + n.Name + " -o yaml"}}
	}
	if ready.Status == "True" {
		return Verdict{State: OK}
	}
	never := !ready.Since.After(n.Created.Add(5 * time.Second)) // it was not ready yet since it is there
	if joined := n.Created.Add(startsIn); ready.Status == "False" && never && s.At.Before(joined) {
		return Verdict{State: Lingering, Again: joined}
	}
	verdict := Verdict{State: Bad, Because: []fleet.Evidence{conditionEvidence(n, ready)}, Since: ready.Since}
	verdict.Says = n.Name + " is NotReady"
	if ready.Status == "Unknown" {
		verdict.Now = true // it was silent before it was called that
		verdict.Says = n.Name + " is NotReady: its kubelet is silent"
		if !ready.Heartbeat.IsZero() {
			verdict.Because[0].Says += " (last heartbeat " + ready.Heartbeat.UTC().Format(time.RFC3339) + ")"
		}
	}
	if !ready.Since.IsZero() {
		verdict.Says += " since " + clock(s, ready.Since)
	}
	if ready.Status == "False" && ready.Message != "" {
		verdict.Says += ": " + sentence(ready.Message)
	}
	if n.Unschedulable {
		verdict.Severity = fleet.Warn
		verdict.Says += "; it is cordoned, so somebody may be at work on it"
		if drained(s, n) {
			verdict.Severity = fleet.Info
			verdict.Says += ", and nothing but its own pods is seen there"
		}
		verdict.Because = append(verdict.Because, because(n, time.Time{}, "node spec.unschedulable", "true"))
	}
	server, linked := below[*fleet.Server](s, n.Ref(), fleet.KindServer)
	switch {
	case !linked:
		verdict.Missing = []string{"the machine under it: no Nova server has its providerID, systemUUID, machineID, address or name"}
	case server.Run.Status != "ACTIVE":
		verdict.Says += fmt.Sprintf(", its server %s is %s", server.Name, server.Run.Status)
		verdict.Because = append(verdict.Because, statusEvidence(server))
	case server.Run.Power.OK && server.Run.Power.V != fleet.PowerRunning:
		verdict.Says += fmt.Sprintf(", the guest of its server %s is %s", server.Name, server.Run.Power.V)
		verdict.Because = append(verdict.Because, statusEvidence(server))
	}
	return verdict
}

func leaseLate(s *fleet.Snapshot, n *fleet.Node) Verdict {
	show := "kubectl -n kube-node-lease get lease " + n.Name
	lease, ok := fleet.Find[*fleet.Lease](s, fleet.Ref{Kind: fleet.KindLease, Source: n.Source, Name: n.Name})
	if !ok || lease.Renewed.IsZero() {
		return Verdict{State: CannotTell, Missing: []string{"its lease: " + show}}
	}
	if s.Failing(n.Source, fleet.KindLease.Scope()) {
		// Old leases look late although it is strata that does not see them.
		return Verdict{State: CannotTell, Missing: []string{"its lease, which cannot be read now: " + show}}
	}
	limit, late := lease.Good(), lease.Late()
	dead := late.Add(10 * time.Second)
	if s.At.Before(late) {
		return leaseClock(n, lease, late)
	}
	since := lease.Renewed
	if lease.Watched {
		since = lease.Seen
	}
	verdict := Verdict{
		State: Bad, Since: since, Severity: fleet.Warn, Again: dead,
		Says:    fmt.Sprintf("%s has not renewed its lease since %s", n.Name, clock(s, since)),
		Because: []fleet.Evidence{leaseEvidence(lease)},
	}
	if n.Unschedulable { // somebody is at work on it
		if drained(s, n) {
			verdict.Severity = fleet.Info
		}
		return verdict
	}
	if s.At.Before(dead) {
		return verdict
	}
	verdict.Severity = fleet.Critical
	// By then the control plane has marked a silent node Unknown. If it did not, the lease is not what is wrong.
	doubt := dead.Add(limit)
	if s.At.Before(doubt) {
		verdict.Again = doubt
		return verdict
	}
	verdict.Again = time.Time{}
	if ready, ok := n.Condition("Ready"); ok && ready.Status == "True" {
		verdict.Severity, verdict.Confidence = fleet.Warn, fleet.Low
		verdict.Says += ", yet counts as Ready: this machine's clock is wrong, or the controller manager does not run"
		verdict.Missing = []string{"the API server's clock: kubectl get --raw /readyz -v=8 shows its Date header"}
	}
	return verdict
}

// drained reports whether a cordoned node has pods of its own (of DaemonSets, static ones) and none else. One on which no pod
// is seen may be full of those that strata may not see.
func drained(s *fleet.Snapshot, n *fleet.Node) bool {
	own := false
	for p := range fleet.All[*fleet.Pod](s, fleet.KindPod) {
		if p.Node != n.Name || p.Source != n.Source || p.Over() {
			continue
		}
		if !p.KeptByNode() {
			return false
		}
		own = true
	}
	return own
}

func leaseEvidence(l *fleet.Lease) fleet.Evidence {
	says := fmt.Sprintf("%s, duration %s", l.Renewed.UTC().Format(time.RFC3339), l.Good())
	if l.Watched {
		says += ", seen at " + l.Seen.UTC().Format(time.RFC3339)
	}
	return because(l, l.Renewed, "lease spec.renewTime", "%s", says)
}

// leaseClock is the verdict on a lease in time: well, unless it is dated so that the clocks must differ.
func leaseClock(n *fleet.Node, l *fleet.Lease, late time.Time) Verdict {
	ahead, known := l.Skew()
	way := "ahead of"
	if ahead < 0 {
		ahead, way = -ahead, "behind"
	}
	if !known || ahead <= l.Good() {
		return Verdict{State: OK, Again: late}
	}
	return Verdict{
		State: Bad, Severity: fleet.Info, Confidence: fleet.Medium, Again: late,
		Says:    fmt.Sprintf("%s renews its lease in time, and the clock it does so by is more than %s %s this machine's: one of the two is wrong", n.Name, l.Good(), way),
		Because: []fleet.Evidence{leaseEvidence(l)},
		Missing: []string{"which of the two: timedatectl on " + n.Name + " and here"},
	}
}

func nodePressure(s *fleet.Snapshot, n *fleet.Node) Verdict {
	if len(n.Conditions) == 0 {
		return Verdict{State: CannotTell, Missing: []string{"conditions: kubectl describe node " + n.Name}}
	}
	var words []string
	verdict := Verdict{State: OK}
	for _, c := range n.Conditions {
		switch c.Type {
		case "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable":
			if c.Status == "True" {
				words = append(words, c.Type)
				verdict.Because = append(verdict.Because, conditionEvidence(n, c))
				verdict.Since = sooner(verdict.Since, c.Since)
			}
		}
	}
	if len(words) > 0 {
		verdict.State = Bad
		verdict.Says = fmt.Sprintf("%s reports %s", n.Name, strings.Join(words, ", "))
		if !verdict.Since.IsZero() {
			verdict.Says += " since " + clock(s, verdict.Since)
		}
	}
	return verdict
}
