package fleet

import (
	"encoding/json"
	"testing"
	"time"
)

func TestWhatKeepsAPodAlive(t *testing.T) {
	t.Parallel()
	web := &Workload{Source: "kube/p", Namespace: "shop", Type: "Deployment", Name: "web-v2"}
	db := &Workload{Source: "kube/p", Namespace: "shop", Type: "StatefulSet", Name: "db"}
	night := &Workload{Source: "kube/p", Namespace: "shop", Type: "Job", Name: "night-29927670"}
	s := NewSnapshot(1, time.Now(), []Part{
		{Source: "kube/p", Scope: "workloads/jobs", Facts: Facts{night}}, {Source: "kube/p", Scope: "workloads/deployments", Facts: Facts{web}}, {Source: "kube/p", Scope: "workloads/statefulsets", Facts: Facts{db}},
	}, nil, nil)
	for owner, want := range map[string]*Workload{
		"ReplicaSet/web-v2-58589d7bdc": web, "StatefulSet/db": db, "ReplicaSet/db-58589d7bdc": nil, "DaemonSet/db": nil, "Job/web-v2": nil, "Job/night-29927670": night, "": nil, "ReplicaSet/bare": nil,
	} {
		got, ok := WorkloadOf(s, &Pod{Source: "kube/p", Namespace: "shop", Owner: owner})
		if ok != (want != nil) || ok && got != want {
			t.Errorf("a pod of %q is kept by %+v", owner, got)
		}
	}
	if _, ok := WorkloadOf(s, &Pod{Source: "kube/p", Namespace: "other", Owner: "StatefulSet/db"}); ok {
		t.Error("a pod of another namespace is kept by it")
	}
}

func TestWorkloadsAndApplicationsAreAsTheirSystemSays(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Object{
		"ok 3/3":                &Workload{Replicas: Replicas{3, 3, 3, 3, 3}},
		"warn 2/3":              &Workload{Replicas: Replicas{Want: 3, Total: 3, Ready: 2, Updated: 3, Available: 2}},
		"bad 0/3":               &Workload{Replicas: Replicas{Want: 3, Total: 3, Updated: 3}},
		"warn 3/3 rolling out":  &Workload{Replicas: Replicas{Want: 3, Total: 4, Ready: 3, Updated: 1, Available: 3}},
		"ok scaled to 0":        &Workload{},
		"warn 1/1 paused":       &Workload{Replicas: Replicas{1, 1, 1, 1, 1}, Paused: true},
		"bad DeadlineExceeded":  jobOf(JobRun{Condition: "FailureTarget", Reason: "DeadlineExceeded"}),
		"bad Failed":            jobOf(JobRun{Condition: "Failed"}),
		"ok 2/3 complete":       jobOf(JobRun{Condition: "Complete"}), // its success policy wants no more
		"ok 2/3 running":        jobOf(JobRun{Started: time.Unix(1, 0)}),
		"unknown 2/3 not begun": jobOf(JobRun{}),
		"unknown 2/3 suspended": jobOf(JobRun{Condition: "Suspended", Started: time.Unix(1, 0)}),
		"unknown 0/0":           &Workload{Type: "Job"},
		"ok Healthy":            &App{Sync: AppSync{Status: "Synced"}, Condition: AppHealth{Status: "Healthy"}},
		"warn Healthy OutOfSync": &App{
			Sync: AppSync{Status: "OutOfSync"}, Condition: AppHealth{Status: "Healthy"},
		},
		"bad Degraded":              &App{Sync: AppSync{Status: "Synced"}, Condition: AppHealth{Status: "Degraded"}},
		"bad sync failed":           &App{Condition: AppHealth{Status: "Healthy"}, Operation: AppOperation{Phase: "Failed"}},
		"unknown not looked at yet": &App{},
		"warn Progressing":          &App{Sync: AppSync{Status: "Synced"}, Condition: AppHealth{Status: "Progressing"}},
	} {
		if h := o.Health(); h.State.String()+" "+h.Word != want {
			t.Errorf("%s %s, want %s", h.State, h.Word, want)
		}
	}
}

func jobOf(j JobRun) *Workload {
	return &Workload{Type: "Job", Replicas: Replicas{Want: 3, Ready: 2}, Job: &j}
}

func TestLocalDataIsText(t *testing.T) {
	t.Parallel()
	for l := range HostPath + EmptyDir + 1 {
		b, err := json.Marshal(PodRun{Local: l})
		var back PodRun
		if err == nil {
			err = json.Unmarshal(b, &back)
		}
		if err != nil || back.Local != l {
			t.Errorf("%v came back as %v, %v", l, back.Local, err)
		}
	}
}

// A pod that was the last of its namespace takes its scope along: when that was seen, the scope of all pods tells.
func TestWhenWhatIsGoneWasSeen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := NewSnapshot(1, now, []Part{{Source: "kube/p", Scope: "pods", At: now}}, nil, nil)
	if got := s.SeenAt(Ref{KindPod, "kube/p", "a/b"}); !got.Equal(now) {
		t.Errorf("it was seen at %v", got)
	}
}
