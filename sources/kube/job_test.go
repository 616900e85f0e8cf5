package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"strata/internal/fleet"
)

func TestJobsAreReadFromProtobufAndJSON(t *testing.T) {
	t.Parallel()
	three, six, yes := int32(3), int32(6), true
	started, ended := at(10), at(90)
	labels := &metav1.LabelSelector{MatchLabels: map[string]string{"batch.kubernetes.io/controller-uid": "7"}}
	condition := func(typ, status, reason, message string) batchv1.JobCondition {
		return batchv1.JobCondition{Type: batchv1.JobConditionType(typ), Status: corev1.ConditionStatus(status), Reason: reason, Message: message, LastProbeTime: at(1), LastTransitionTime: ended}
	}
	for name, c := range map[string]struct {
		spec   batchv1.JobSpec
		status batchv1.JobStatus
		want   *fleet.Workload
	}{
		"one that was not begun": {
			batchv1.JobSpec{Selector: labels, Template: template()},
			batchv1.JobStatus{},
			&fleet.Workload{Replicas: fleet.Replicas{Want: 1}, Job: &fleet.JobRun{Parallel: 1}},
		},
		"one at work": {
			batchv1.JobSpec{Selector: labels, Template: template(), Completions: &six, Parallelism: &three, BackoffLimit: &six},
			batchv1.JobStatus{StartTime: &started, Active: 2, Succeeded: 3, Failed: 1, Ready: &three},
			&fleet.Workload{Replicas: fleet.Replicas{Want: 6, Total: 2, Ready: 3}, Job: &fleet.JobRun{Parallel: 3, Backoff: fleet.Some[int32](6), Failed: 1, Started: utc(10)}},
		},
		"one that is done": {
			batchv1.JobSpec{Selector: labels, Template: template()},
			batchv1.JobStatus{
				StartTime: &started, CompletionTime: &ended, Succeeded: 1,
				Conditions: []batchv1.JobCondition{condition("SuccessCriteriaMet", "True", "CompletionsReached", "soon"), condition("Complete", "True", "CompletionsReached", "all of it"), condition("Suspended", "False", "JobResumed", "")},
			},
			&fleet.Workload{Replicas: fleet.Replicas{Want: 1, Ready: 1}, Message: "all of it", Job: &fleet.JobRun{Condition: "Complete", Reason: "CompletionsReached", Parallel: 1, Started: utc(10), Ended: utc(90)}},
		},
		"one that failed": {
			batchv1.JobSpec{Selector: labels, Template: template(), BackoffLimit: new(int32)},
			batchv1.JobStatus{
				StartTime: &started, Failed: 1,
				Conditions: []batchv1.JobCondition{condition("FailureTarget", "True", "BackoffLimitExceeded", "soon"), condition("Failed", "True", "BackoffLimitExceeded", "it gave up")},
			},
			&fleet.Workload{Replicas: fleet.Replicas{Want: 1}, Message: "it gave up", Job: &fleet.JobRun{Condition: "Failed", Reason: "BackoffLimitExceeded", Backoff: fleet.Some[int32](0), Failed: 1, Parallel: 1, Started: utc(10), Ended: utc(90)}},
		},
		"one that was suspended": {
			batchv1.JobSpec{Selector: labels, Template: template(), Suspend: &yes},
			batchv1.JobStatus{Conditions: []batchv1.JobCondition{condition("Suspended", "True", "JobSuspended", "Job suspended")}},
			&fleet.Workload{Replicas: fleet.Replicas{Want: 1}, Paused: true, Message: "Job suspended", Job: &fleet.JobRun{Condition: "Suspended", Reason: "JobSuspended", Parallel: 1}},
		},
	} {
		c.want.Source, c.want.Namespace, c.want.Name, c.want.Type, c.want.Created = testSource, "shop", "web", "Job", utc(0)
		c.want.Version, c.want.Selector = fleet.Rollout{Generation: 9}, "batch.kubernetes.io/controller-uid=7"
		if diff := cmp.Diff(fleet.Object(c.want), both(t, "jobs", &batchv1.Job{ObjectMeta: workloadMeta(), Spec: c.spec, Status: c.status})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
