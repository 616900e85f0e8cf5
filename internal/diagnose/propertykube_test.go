package diagnose_test

import (
	"time"

	"strata/internal/fleet"
)

func (r random) app(w *world) fleet.Object {
	var objects *fleet.AppObjects
	if r.IntN(3) > 0 {
		objects = &fleet.AppObjects{HealthUntold: r.yes(), Custom: r.IntN(3) == 0}
		for _, name := range []string{"s1", "s2"} {
			if o := (fleet.AppObject{Group: "apps", Kind: "Deployment", Namespace: "d", Name: name, Health: r.one("Degraded", "", "Healthy")}); r.yes() {
				objects.Owners = append(objects.Owners, o.Key())
				objects.Off = append(objects.Off, o)
			}
		}
		if r.yes() {
			objects.Owners = append(objects.Owners, "PersistentVolumeClaim/d/c1")
		}
	}
	return &fleet.App{
		Objects: objects,
		Source:  "kube/p", Namespace: "argocd", Name: r.one("a1", "a2"), Target: fleet.AppTarget{Namespace: r.one("", "d")},
		Sync:      fleet.AppSync{Status: r.one("Synced", "OutOfSync", "OutOfSync", "Unknown", ""), Auto: r.yes()},
		Condition: fleet.AppHealth{Status: r.one("Healthy", "Degraded", "Degraded", "Missing", "Progressing", "Progressing", "Unknown", "")},
		Operation: fleet.AppOperation{Asked: r.IntN(6) == 0, Phase: r.one("", "Failed", "Succeeded"), Finished: r.ago(w, time.Hour)},
	}
}

func (r random) event(w *world) fleet.Object {
	about := fleet.Ref{Kind: fleet.KindNode, Source: "kube/" + r.one("p", "q"), Name: r.one("w1.novalocal", "w2")}
	if r.IntN(3) == 0 {
		kind, name := fleet.KindClaim, r.one("c1", "c2")
		if r.yes() {
			kind, name = fleet.KindPod, r.one("p1", "p2")
		}
		return &fleet.Event{
			Source: "kube/p", Namespace: "d", Name: name + "." + r.one("1", "2"), Reason: "Failed", Message: r.one("m", "n"), Count: int32(r.IntN(5)),
			About: fleet.Ref{Kind: kind, Source: "kube/" + r.one("p", "p", "q"), Name: "d/" + name}, Last: r.ago(w, time.Hour),
		}
	}
	return &fleet.Event{
		Source: "kube/" + r.one("p", "q"), Namespace: "default", Name: r.one("e1", "e2", "e3"), Reason: r.one("Rebooted", "Rebooted", "NodeNotReady"), Message: "m",
		About: about, Last: r.ago(w, 2*time.Hour),
	}
}

func (r random) node(w *world) fleet.Object {
	n := &fleet.Node{
		Source: "kube/" + r.one("p", "p", "q"), Name: r.one("w1.novalocal", "w2", "w3"),
		Identity: fleet.NodeIdentity{
			ProviderID: r.one("", "", "openstack://r/"+uuid(r.IntN(4))), SystemUUID: r.one("", uuid(r.IntN(4))), MachineID: r.one("", "", "x"),
		},
		Addresses: []fleet.Address{{Kind: "InternalIP", IP: r.one("10.0.0.1", "10.0.0.2", "10.0.0.9")}}, Unschedulable: r.IntN(3) == 0,
	}
	for range r.IntN(3) {
		n.Taints = append(n.Taints, fleet.Taint{Key: "node.kubernetes.io/" + r.one("unreachable", "not-ready", "unschedulable"), Effect: r.one("NoExecute", "NoExecute", "NoSchedule"), Since: r.ago(w, 8*time.Minute)})
	}
	if r.IntN(3) == 0 {
		n.Created, n.Identity.BootID = r.ago(w, 2*time.Hour), r.one("", boot(2))
	}
	for _, typ := range []string{"Ready", "MemoryPressure"} {
		if r.IntN(8) > 0 {
			n.Conditions = append(n.Conditions, fleet.NodeCondition{Type: typ, Status: r.one("True", "False", "Unknown"), Message: "m", Since: r.ago(w, 10*time.Minute)})
		}
	}
	return n
}

func (r random) pod(w *world) fleet.Object {
	p := &fleet.Pod{
		Source: "kube/" + r.one("p", "p", "q"), Namespace: "d", Name: r.one("p1", "p2", "p3", "p4", "p5"), Node: r.one("w1.novalocal", "w2", "w3", ""),
		Run: fleet.PodRun{
			Phase: r.one("Running", "Running", "Pending", "Failed", "Succeeded", ""), Ready: int32(r.IntN(2)), Total: 1,
			Reason:  r.one("", "", "CrashLoopBackOff", "ImagePullBackOff", "Unschedulable", "CreateContainerError", "ContainerCreating"),
			Message: r.one("", "untolerated taint {node.kubernetes.io/unreachable: }", "Insufficient cpu"),
		},
		Created: r.ago(w, 10*time.Minute), Owner: r.one("", "ReplicaSet/s1-5d", "ReplicaSet/s2-5d", "Job/s1", "Job/s1", "Job/s2-7", "DaemonSet/d1", "DaemonSet/d1", "DaemonSet/d2"),
	}
	if r.IntN(8) == 0 {
		p.Deleting = r.ago(w, 10*time.Minute)
	}
	if r.yes() {
		p.LastExit = &fleet.Exit{Container: "c", Reason: r.one("OOMKilled", "Error"), Code: int32(r.IntN(2)), Finished: r.ago(w, 2*time.Hour)}
	}
	return p
}

// job is a Job, or a workload of another type by the name of one.
func (r random) job(w *world) fleet.Object {
	o := &fleet.Workload{Source: "kube/" + r.one("p", "p", "q"), Namespace: "d", Type: r.one("Job", "Job", "Job", "Deployment"), Name: r.one("s1", "s2-7"), Paused: r.IntN(6) == 0}
	if o.IsJob() && r.IntN(8) > 0 {
		o.Job = &fleet.JobRun{
			Condition: r.one("", "Complete", "Failed", "Failed", "FailureTarget", "Suspended"), Reason: r.one("", "BackoffLimitExceeded"), Failed: int32(r.IntN(3)),
			Started: r.ago(w, time.Hour), Ended: r.ago(w, 30*time.Hour),
		}
	}
	return o
}
