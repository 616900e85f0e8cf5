package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"strata/internal/fleet"
)

func waitingFor(reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
}

func endedWith(reason string, code, signal int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, Signal: signal, Message: "the end"},
	}}
}

func running() corev1.ContainerStatus {
	return corev1.ContainerStatus{Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

// TestPodReasonIsWhatKubectlSays holds the cases of kubectl's STATUS column, and our three differences.
func TestPodReasonIsWhatKubectlSays(t *testing.T) {
	t.Parallel()
	type status = corev1.PodStatus
	containers := func(all ...corev1.ContainerStatus) []corev1.ContainerStatus { return all }
	ready := []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, c := range []struct {
		name    string
		status  status
		init    int // init containers in the spec
		sidecar bool
		deleted bool
		want    string
		message string
		state   fleet.State
	}{
		{
			name: "running", status: status{Phase: "Running", ContainerStatuses: containers(running()), Conditions: ready},
			state: fleet.StateOK,
		},
		{name: "pending", status: status{Phase: "Pending"}, state: fleet.StateWarn},
		{
			name: "image", status: status{Phase: "Pending", ContainerStatuses: containers(waitingFor("ImagePullBackOff"))},
			want: "ImagePullBackOff", state: fleet.StateBad,
		},
		{
			name: "creating", status: status{Phase: "Pending", ContainerStatuses: containers(waitingFor("ContainerCreating"))},
			want: "ContainerCreating", state: fleet.StateWarn,
		},
		{
			name: "the first container speaks",
			status: status{
				Phase: "Running", ContainerStatuses: containers(waitingFor("CrashLoopBackOff"), waitingFor("ErrImagePull")),
			},
			want: "CrashLoopBackOff", state: fleet.StateBad,
		},
		{
			name: "error", status: status{Phase: "Failed", ContainerStatuses: containers(endedWith("Error", 1, 0))},
			want: "Error", message: "the end", state: fleet.StateBad,
		},
		{
			name: "signal", status: status{Phase: "Failed", ContainerStatuses: containers(endedWith("", 137, 9))},
			want: "Signal:9", message: "the end", state: fleet.StateBad,
		},
		{
			name: "exit code", status: status{Phase: "Failed", ContainerStatuses: containers(endedWith("", 3, 0))},
			want: "ExitCode:3", message: "the end", state: fleet.StateBad,
		},
		{
			name: "done", status: status{Phase: "Succeeded", ContainerStatuses: containers(endedWith("Completed", 0, 0))},
			want: "Completed", message: "the end", state: fleet.StateOK,
		},
		{
			name: "one done and one running",
			status: status{
				Phase: "Running", Conditions: ready, ContainerStatuses: containers(endedWith("Completed", 0, 0), running()),
			},
			state: fleet.StateWarn, // 1 of 2 is ready
		},
		{
			name: "one done and one failed",
			status: status{
				Phase: "Running", ContainerStatuses: containers(endedWith("Completed", 0, 0), endedWith("Error", 2, 0)),
			},
			want: "Error", message: "the end", state: fleet.StateBad,
		},
		{
			name: "evicted", status: status{Phase: "Failed", Reason: "Evicted", Message: "low on memory"},
			want: "Evicted", message: "low on memory", state: fleet.StateBad,
		},
		{
			name: "unschedulable",
			status: status{Phase: "Pending", Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: "False", Reason: "Unschedulable", Message: "0/3 nodes are available",
			}}},
			want: "Unschedulable", message: "0/3 nodes are available", state: fleet.StateBad,
		},
		{
			name: "gated",
			status: status{Phase: "Pending", Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: "False", Reason: "SchedulingGated",
			}}},
			want: "SchedulingGated", state: fleet.StateWarn,
		},
		{
			name: "initializing", init: 3,
			status: status{Phase: "Pending", InitContainerStatuses: containers(endedWith("Completed", 0, 0), running())},
			want:   "Init:1/3", state: fleet.StateWarn,
		},
		{
			name: "init fails", init: 1,
			status: status{
				Phase: "Pending", InitContainerStatuses: containers(waitingFor("CrashLoopBackOff")),
				ContainerStatuses: containers(waitingFor("PodInitializing")),
			},
			want: "Init:CrashLoopBackOff", state: fleet.StateBad,
		},
		{
			name: "init ended badly", init: 1,
			status: status{Phase: "Pending", InitContainerStatuses: containers(endedWith("", 4, 0))},
			want:   "Init:ExitCode:4", message: "the end", state: fleet.StateBad,
		},
		{
			name: "a sidecar runs", init: 1, sidecar: true,
			status: status{
				Phase: "Running", InitContainerStatuses: containers(running()), Conditions: ready, ContainerStatuses: containers(running()),
			},
			state: fleet.StateOK,
		},
		{
			name: "terminating", deleted: true, status: status{Phase: "Running", ContainerStatuses: containers(running())},
			want: "Terminating", state: fleet.StateWarn,
		},
		{
			name: "lost", deleted: true, status: status{Phase: "Running", Reason: "NodeLost", Message: "node was lost"},
			want: "NodeLost", message: "node was lost", state: fleet.StateWarn,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &corev1.Pod{ObjectMeta: podMeta(), Status: c.status}
			always := corev1.ContainerRestartPolicyAlways
			for i := range c.init {
				name := string(rune('a' + i))
				p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name})
				if c.sidecar {
					p.Spec.InitContainers[i].RestartPolicy = &always
				}
			}
			for i := range p.Status.InitContainerStatuses {
				p.Status.InitContainerStatuses[i].Name = string(rune('a' + i))
				p.Status.InitContainerStatuses[i].Started = &c.sidecar
			}
			p.Spec.Containers = make([]corev1.Container, len(c.status.ContainerStatuses))
			if c.deleted {
				p.DeletionTimestamp = &metav1.Time{Time: utc(9)}
			}
			got := both(t, "pods", p).(*fleet.Pod)
			if got.Run.Reason != c.want || got.Run.Message != c.message {
				t.Errorf("reason %q, message %q; want %q, %q", got.Run.Reason, got.Run.Message, c.want, c.message)
			}
			if h := got.Health(); h.State != c.state {
				t.Errorf("health is %v (%s), want %v", h.State, h.Word, c.state)
			}
		})
	}
}
