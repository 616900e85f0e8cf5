package kube

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"strata/internal/fleet"
)

func workloadMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: "web", Namespace: "shop", ResourceVersion: "77", Generation: 9, CreationTimestamp: at(0), Labels: map[string]string{"x": "y"}}
}

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-03-01T10:00:00+01:00", "other": "z"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "img"}}},
	}
}

func TestWorkloadsAreReadFromProtobufAndJSON(t *testing.T) {
	t.Parallel()
	three := int32(3)
	labels := &metav1.LabelSelector{
		MatchLabels:      map[string]string{"app": "web"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "In", Values: []string{"a", "b"}}, {Key: "old", Operator: "DoesNotExist"}},
	}
	restarted := metav1.Unix(1772355600, 0).UTC()
	for name, c := range map[string]struct {
		resource string
		object   marshaler
		want     *fleet.Workload
	}{
		"a Deployment that is stuck": {
			"deployments", &appsv1.Deployment{
				ObjectMeta: workloadMeta(),
				Spec:       appsv1.DeploymentSpec{Replicas: &three, Selector: labels, Template: template(), Paused: true, Strategy: appsv1.DeploymentStrategy{Type: "Recreate"}},
				Status: appsv1.DeploymentStatus{
					ObservedGeneration: 8, Replicas: 4, UpdatedReplicas: 2, ReadyReplicas: 1, AvailableReplicas: 1, UnavailableReplicas: 3,
					Conditions: []appsv1.DeploymentCondition{{Type: "Available", Status: "False", Message: "no"}, {Type: "Progressing", Status: "False", Message: "exceeded its progress deadline"}},
				},
			},
			&fleet.Workload{
				Type: "Deployment", Replicas: fleet.Replicas{Want: 3, Total: 4, Ready: 1, Updated: 2, Available: 1},
				Version:  fleet.Rollout{Generation: 9, Observed: 8, Strategy: "Recreate", Restarted: restarted},
				Selector: "!old,app=web,tier in (a,b)", Paused: true, Message: "exceeded its progress deadline",
			},
		},
		"a StatefulSet": {
			"statefulsets", &appsv1.StatefulSet{
				ObjectMeta: workloadMeta(),
				Spec:       appsv1.StatefulSetSpec{Selector: labels, Template: template(), ServiceName: "s", UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: "OnDelete"}},
				Status:     appsv1.StatefulSetStatus{ObservedGeneration: 9, Replicas: 1, ReadyReplicas: 1, CurrentReplicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1},
			},
			&fleet.Workload{
				Type: "StatefulSet", Replicas: fleet.Replicas{Want: 1, Total: 1, Ready: 1, Updated: 1, Available: 1},
				Version: fleet.Rollout{Generation: 9, Observed: 9, Strategy: "OnDelete", Restarted: restarted}, Selector: "!old,app=web,tier in (a,b)",
			},
		},
		"a DaemonSet": {
			"daemonsets", &appsv1.DaemonSet{
				ObjectMeta: workloadMeta(),
				Spec:       appsv1.DaemonSetSpec{Selector: labels, Template: template(), UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: "RollingUpdate"}},
				Status: appsv1.DaemonSetStatus{
					CurrentNumberScheduled: 5, NumberMisscheduled: 1, DesiredNumberScheduled: 6, NumberReady: 4, ObservedGeneration: 9,
					UpdatedNumberScheduled: 3, NumberAvailable: 2, NumberUnavailable: 4,
				},
			},
			&fleet.Workload{
				Type: "DaemonSet", Replicas: fleet.Replicas{Want: 6, Total: 5, Ready: 4, Updated: 3, Available: 2},
				Version: fleet.Rollout{Generation: 9, Observed: 9, Strategy: "RollingUpdate", Restarted: restarted}, Selector: "!old,app=web,tier in (a,b)",
			},
		},
	} {
		c.want.Source, c.want.Namespace, c.want.Name, c.want.Created = testSource, "shop", "web", utc(0)
		if diff := cmp.Diff(fleet.Object(c.want), both(t, c.resource, c.object)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLocalDataOfPodsIsReadFromProtobufAndJSON(t *testing.T) {
	t.Parallel()
	for want, volumes := range map[string][]corev1.Volume{
		"":         {{Name: "a", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}}},
		"emptyDir": {{Name: "a", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: "Memory"}}}},
		"hostPath": {{Name: "a", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x"}}}},
		"emptyDir,hostPath": {
			{Name: "a", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/x"}}},
			{Name: "b", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	} {
		p := &corev1.Pod{ObjectMeta: podMeta(), Spec: corev1.PodSpec{Volumes: volumes}}
		if got := both(t, "pods", p).(*fleet.Pod).Run.Local.String(); got != want {
			t.Errorf("local data %q, want %q", got, want)
		}
	}
}

const application = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"name":"shop","namespace":"argocd","resourceVersion":"77",
"creationTimestamp":"2023-11-14T22:13:20Z","annotations":{"argocd.argoproj.io/refresh":"hard"}},
"spec":{"project":"default","sources":[{"repoURL":"https://git.example/shop","chart":"web","targetRevision":"1.2"},{"repoURL":"x"}],
"destination":{"name":"prod","namespace":"shop"},"syncPolicy":{"automated":{"prune":true}}},
"operation":{"sync":{}},
"status":{"sync":{"status":"OutOfSync","revisions":["abc","def"]},"health":{"status":"Degraded","message":"a pod crashes"},
"operationState":{"phase":"Failed","message":"hook failed","startedAt":"2023-11-14T22:13:21Z","finishedAt":"2023-11-14T22:13:22Z"},
"reconciledAt":"2023-11-14T22:13:23Z","conditions":[{"type":"SyncError","message":"no such path"}],"resources":[
{"version":"v1","kind":"ConfigMap","namespace":"shop","name":"conf","status":"OutOfSync"},
{"group":"apps","version":"v1","kind":"Deployment","namespace":"shop","name":"web","status":"Synced","health":{"status":"Degraded","message":"too slow"},"syncWave":2},
{"group":"apps","version":"v1","kind":"StatefulSet","namespace":"shop","name":"db","status":"Synced","health":{"status":"Healthy"}},
{"version":"v1","kind":"PersistentVolumeClaim","namespace":"shop","name":"data","status":"Synced","health":null},
{"group":"batch","version":"v1","kind":"Job","namespace":"shop","name":"seed","status":"Synced","health":{"status":"Suspended"}}]}}`

func TestAnApplicationIsReadWhole(t *testing.T) {
	t.Parallel()
	got := kindOf(t, "applications").decoder(testSource, newInterner()).json([]byte(application))
	want := &fleet.App{
		Source: testSource, Namespace: "argocd", Name: "shop", Project: "default", Created: utc(0), Refresh: "hard", Reconciled: utc(3),
		Repo: fleet.AppRepo{URL: "https://git.example/shop", Path: "web", Revision: "1.2"}, Target: fleet.AppTarget{Server: "prod", Namespace: "shop"},
		Sync: fleet.AppSync{Status: "OutOfSync", Revision: "abc", Auto: true}, Condition: fleet.AppHealth{Status: "Degraded", Message: "a pod crashes"},
		Operation:  fleet.AppOperation{Asked: true, Phase: "Failed", Message: "hook failed", Started: utc(1), Finished: utc(2)},
		Complaints: []string{"SyncError: no such path"},
		Objects: &fleet.AppObjects{
			Count: 5, Owners: []string{"Deployment/shop/web", "Job/shop/seed", "PersistentVolumeClaim/shop/data", "StatefulSet/shop/db"},
			Off: []fleet.AppObject{
				{Kind: "ConfigMap", Namespace: "shop", Name: "conf", Sync: "OutOfSync"},
				{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web", Sync: "Synced", Health: "Degraded", Message: "too slow"},
			},
		},
	}
	if diff := cmp.Diff(fleet.Object(want), got.fact); diff != "" || got.err != nil {
		t.Errorf("%v (-want +got):\n%s", got.err, diff)
	}
}

// What is kept of an application with very many objects is bounded; Argo CD 3 does not tell how each is.
func TestAnApplicationOfManyObjects(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"metadata":{"name":"big","namespace":"argocd","resourceVersion":"1"},"status":{"resourceHealthSource":"appTree","resources":[`)
	for i := range 250 {
		fmt.Fprintf(&b, `{"group":"apps","kind":"Deployment","namespace":"n","name":"d%03d","status":"OutOfSync"},`, i)
	}
	b.WriteString(`{"kind":"Service","namespace":"n","name":"s","status":"Synced"}]}}`)
	got := kindOf(t, "applications").decoder(testSource, newInterner()).json([]byte(b.String()))
	if got.err != nil {
		t.Fatal(got.err)
	}
	all := got.fact.(*fleet.App).Objects
	if all.Count != 251 || len(all.Off) != 20 || all.More != 230 || len(all.Owners) != 200 || !all.Custom || !all.HealthUntold {
		t.Errorf("%d objects, %d and %d off, %d owners, custom %t, untold %t", all.Count, len(all.Off), all.More, len(all.Owners), all.Custom, all.HealthUntold)
	}
}

func FuzzApplication(f *testing.F) {
	f.Add([]byte(application))
	f.Add([]byte(`{"metadata":{"name":"a","resourceVersion":"1","annotations":null},"spec":{"sources":[]},"status":{"conditions":[{}]}}`))
	d := kindOf(f, "applications").decoder(testSource, newInterner())
	f.Fuzz(func(t *testing.T, b []byte) {
		if i := d.json(b); i.fact == nil && i.err == nil && i.version == "" && !i.initialEnd {
			t.Error("neither read nor refused")
		}
	})
}

func FuzzWorkload(f *testing.F) {
	three := int32(3)
	seed := &appsv1.Deployment{ObjectMeta: workloadMeta(), Spec: appsv1.DeploymentSpec{Replicas: &three, Template: template(), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}}
	wire, err := seed.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, resource := range []string{"deployments", "statefulsets", "daemonsets", "jobs"} {
			d := kindOf(t, resource).decoder(testSource, newInterner())
			d.protobuf(b)
			d.json(b)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"kind":"Pod","metadata":{"name":"a","managedFields":[{}]},"spec":{"containers":[{"name":"b"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, err := strip(b); err == nil && !json.Valid([]byte(text)) {
			t.Errorf("%q", text)
		}
		_, _, _ = containersOf(b)
	})
}
