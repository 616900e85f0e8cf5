package diagnose

import (
	"testing"
	"time"

	"strata/internal/fleet"
)

func TestTheWorstCauseOfARow(t *testing.T) {
	rules := map[string]*Rule{}
	for _, r := range Rules() {
		rules[r.ID] = &r
	}
	hypervisor := fleet.Ref{Kind: fleet.KindHypervisor, Source: "openstack/home", Name: "compute"}
	host := fleet.Ref{Kind: fleet.KindHost, Source: "host/compute", Name: "compute"}
	server := fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: webOne}
	node := fleet.Ref{Kind: fleet.KindNode, Source: "kube/home", Name: "n1"}
	pod := fleet.Ref{Kind: fleet.KindPod, Source: "kube/home", Name: "default/p"}
	reboot := fleet.Finding{Rule: "X-01", About: hypervisor, Severity: fleet.Critical, Shown: true}
	off := fleet.Finding{Rule: "NOVA-01", About: server, Severity: fleet.Serious, Shown: true, Under: reboot.Key()}
	gone := fleet.Finding{Rule: "K8S-01", About: node, Severity: fleet.Critical, Shown: true, Under: off.Key()}
	full := fleet.Finding{Rule: "MEM-02", About: host, Severity: fleet.Warn, Shown: true}
	crash := fleet.Finding{Rule: "K8S-05", About: pod, Severity: fleet.Serious, Shown: true}
	workload := &fleet.Workload{Source: "kube/home", Namespace: "default", Type: "Deployment", Name: "web"}
	job := func(name, condition string) *fleet.Workload {
		return &fleet.Workload{Source: "kube/home", Namespace: "default", Type: "Job", Name: name, Job: &fleet.JobRun{Condition: condition}}
	}
	lost, done := job("lost", "Failed"), job("done", "Complete")
	failed := fleet.Finding{Rule: "K8S-27", About: lost.Ref(), Severity: fleet.Warn, Shown: true}
	attempt := fleet.Ref{Kind: fleet.KindPod, Source: "kube/home", Name: "default/lost-1"}
	parts := append(history(), partOf("kube/home", "workloads/default", workload), partOf("kube/home", "workloads/jobs", done, lost))
	podOf := func(name, owner string) *fleet.Pod {
		return &fleet.Pod{Source: "kube/home", Namespace: "default", Name: name, Node: "n1", Owner: owner, Run: fleet.PodRun{Phase: "Failed"}}
	}
	for i := range parts {
		if p := &parts[i]; p.Scope == "pods/default" {
			p.Facts = fleet.Facts{podOf("done-1", "Job/done"), podOf("lost-1", "Job/lost"), podOf("p", "ReplicaSet/web-1234")}
		}
	}
	hidden, over, little := reboot, reboot, full
	hidden.Shown, over.Cleared, little.Severity = false, noon.Add(-time.Minute), fleet.Info
	for _, c := range []struct {
		name  string
		found []fleet.Finding
		of    fleet.Ref
		want  string
	}{
		{"nothing", nil, pod, ""},
		{"what explains what it stands on", []fleet.Finding{reboot, off, gone}, pod, "compute rebooted"},
		{"of its own", []fleet.Finding{reboot, off, gone}, node, "compute rebooted"},
		{"far below, nothing between", []fleet.Finding{full}, pod, "compute swap nearly full"},
		{"on the row itself", []fleet.Finding{full}, host, "swap nearly full"},
		{"the worst of two", []fleet.Finding{full, crash}, pod, "crashes"},
		{"the worst of two below", []fleet.Finding{full, reboot}, server, "compute rebooted"},
		{"not shown yet", []fleet.Finding{hidden}, pod, ""},
		{"over", []fleet.Finding{over}, pod, ""},
		{"not worth a look", []fleet.Finding{little}, pod, ""},
		{"of a workload that of its pods", []fleet.Finding{crash}, workload.Ref(), "p crashes"},
		{"of a workload that of the node of its pods", []fleet.Finding{gone}, workload.Ref(), "n1 not ready"},
		{"of a Job's pod that of the Job", []fleet.Finding{failed}, attempt, "lost failed"},
		{"of a Job its own", []fleet.Finding{failed}, lost.Ref(), "failed"},
		{"of a Job that of the node of its pods", []fleet.Finding{gone, failed}, lost.Ref(), "n1 not ready"},
		{"of a Job that is done nothing", []fleet.Finding{gone}, done.Ref(), ""},
		{"of another server", []fleet.Finding{reboot}, fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: webTwo}, ""},
	} {
		s := linked(parts, c.found)
		o, ok := s.Get(c.of)
		if !ok {
			t.Fatalf("%s: %v is not there", c.name, c.of)
		}
		got, causes := "", NewCauses(s)
		for range 2 { // the second time it remembers
			if f, ok := causes.Of(o); ok {
				name, wrong := Short(s, rules, f)
				if got = wrong; f.About != c.of {
					got = name + " " + wrong
				}
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	}
}
