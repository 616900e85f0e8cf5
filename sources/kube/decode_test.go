package kube

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"strata/internal/fleet"
)

const testSource = "kube/test"

func kindOf(t testing.TB, resource string) *kind {
	t.Helper()
	for _, k := range kinds() {
		if k.resource == resource {
			return k
		}
	}
	t.Fatalf("no kind %s", resource)
	return nil
}

// marshaler is what every generated API type has.
type marshaler interface{ Marshal() ([]byte, error) }

// both decodes an API object from its real protobuf and its real JSON, and requires the same fact of both.
func both(t *testing.T, resource string, o marshaler) fleet.Object {
	t.Helper()
	wire, err := o.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	k := kindOf(t, resource)
	d := k.decoder(testSource, newInterner())
	fromWire, fromText := d.protobuf(wire), d.json(text)
	if fromWire.err != nil || fromText.err != nil {
		t.Fatalf("decoding failed: protobuf %v, JSON %v", fromWire.err, fromText.err)
	}
	// The decoder uses its room again: what it gave out must not change with it.
	clear(wire)
	d.protobuf(nil)
	if diff := cmp.Diff(fromWire.fact, fromText.fact); diff != "" {
		t.Errorf("protobuf and JSON differ (-protobuf +JSON):\n%s", diff)
	}
	if fromWire.version != "77" || fromText.version != "77" {
		t.Errorf("versions %q and %q, want 77", fromWire.version, fromText.version)
	}
	return fromWire.fact
}

func at(second int64) metav1.Time { return metav1.Unix(1_700_000_000+second, 0) }

func utc(second int64) time.Time { return time.Unix(1_700_000_000+second, 0).UTC() }

func podMeta() metav1.ObjectMeta {
	yes := true
	return metav1.ObjectMeta{
		Name: "web-5d9f-x1", Namespace: "shop", UID: "0a1b", ResourceVersion: "77", CreationTimestamp: at(0),
		Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"a": "b"},
		OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Thing", Name: "other", UID: "1"},
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d9f", UID: "2", Controller: &yes},
		},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`)}},
	}
}

func TestPodIsReadWholeFromProtobufAndJSON(t *testing.T) {
	t.Parallel()
	always := corev1.ContainerRestartPolicyAlways
	yes := true
	deleted := at(500)
	p := &corev1.Pod{
		ObjectMeta: podMeta(),
		Spec: corev1.PodSpec{
			NodeName: "worker-1",
			InitContainers: []corev1.Container{
				{Name: "setup", Env: []corev1.EnvVar{{Name: "A", Value: "B"}}},
				{Name: "proxy", RestartPolicy: &always},
			},
			Containers: []corev1.Container{{Name: "main", Image: "img"}, {Name: "side"}},
			Volumes:    []corev1.Volume{{Name: "v"}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.7", HostIP: "192.168.0.1",
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"},
				{Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
			},
			InitContainerStatuses: []corev1.ContainerStatus{
				{Name: "setup", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}},
				{
					Name: "proxy", Started: &yes, Ready: true, RestartCount: 1,
					State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(1)}},
				},
			},
			ContainerStatuses: []corev1.ContainerStatus{
				{
					Name: "main", RestartCount: 7, State: corev1.ContainerState{
						Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 5m0s"},
					},
					LastTerminationState: corev1.ContainerState{
						Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Signal: 9, Reason: "OOMKilled", FinishedAt: at(90)},
					},
				},
				{
					Name: "side", Ready: true, RestartCount: 2, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
					LastTerminationState: corev1.ContainerState{
						Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", FinishedAt: at(30)},
					},
				},
			},
		},
	}
	want := &fleet.Pod{
		Source: testSource, Namespace: "shop", Name: "web-5d9f-x1", UID: "0a1b", Node: "worker-1", Owner: "ReplicaSet/web-5d9f",
		IP: "10.0.0.7", Created: utc(0),
		Run: fleet.PodRun{
			Phase: "Running", Ready: 2, Total: 3, Restarts: 10, PodReady: fleet.Some(false), Reason: "CrashLoopBackOff",
			Message: "back-off 5m0s",
		},
		LastExit: &fleet.Exit{Container: "main", Reason: "OOMKilled", Code: 137, Signal: 9, Finished: utc(90)},
	}
	if diff := cmp.Diff(fleet.Object(want), both(t, "pods", p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.DeletionTimestamp = &deleted
	want.Deleting, want.Run.Reason, want.Run.Message = utc(500), "Terminating", ""
	if diff := cmp.Diff(fleet.Object(want), both(t, "pods", p)); diff != "" {
		t.Errorf("when deleted (-want +got):\n%s", diff)
	}
}

func TestNodeIsReadWholeFromProtobufAndJSON(t *testing.T) {
	t.Parallel()
	added := at(9)
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "worker-1", UID: "u", ResourceVersion: "77", CreationTimestamp: at(0),
			Labels: map[string]string{"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "gpu", "x": "y"},
		},
		Spec: corev1.NodeSpec{
			ProviderID: "openstack://region/abc", Unschedulable: true,
			Taints: []corev1.Taint{{Key: "node.kubernetes.io/unreachable", Value: "v", Effect: "NoExecute", TimeAdded: &added}},
		},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{"cpu": resource.MustParse("8")},
			Allocatable: corev1.ResourceList{
				"cpu": resource.MustParse("3920m"), "memory": resource.MustParse("16Gi"), "pods": resource.MustParse("110"),
			},
			Conditions: []corev1.NodeCondition{{
				Type: "Ready", Status: "Unknown", Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status.",
				LastHeartbeatTime: at(1), LastTransitionTime: at(2),
			}},
			Addresses: []corev1.NodeAddress{{Type: "InternalIP", Address: "10.0.0.1"}, {Type: "Hostname", Address: "worker-1"}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: "m", SystemUUID: "s", BootID: "b", KernelVersion: "6.1", OSImage: "Debian", ContainerRuntimeVersion: "c",
				KubeletVersion: "v1.33", Architecture: "amd64",
			},
			Images: []corev1.ContainerImage{{Names: []string{"big"}, SizeBytes: 1}},
		},
	}
	want := &fleet.Node{
		Source: testSource, Name: "worker-1", UID: "u", Roles: []string{"gpu", "worker"}, Unschedulable: true, Created: utc(0),
		Conditions: []fleet.NodeCondition{{
			Type: "Ready", Status: "Unknown", Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status.",
			Heartbeat: utc(1), Since: utc(2),
		}},
		Taints:      []fleet.Taint{{Key: "node.kubernetes.io/unreachable", Value: "v", Effect: "NoExecute", Since: utc(9)}},
		Identity:    fleet.NodeIdentity{ProviderID: "openstack://region/abc", SystemUUID: "s", MachineID: "m", BootID: "b"},
		Versions:    fleet.NodeVersions{Kubelet: "v1.33", Kernel: "6.1", OS: "Debian", Runtime: "c", Arch: "amd64"},
		Addresses:   []fleet.Address{{Kind: "InternalIP", IP: "10.0.0.1"}},
		Allocatable: fleet.NodeResources{MilliCPU: 3920, MemoryBytes: 16 << 30, Pods: 110},
	}
	if diff := cmp.Diff(fleet.Object(want), both(t, "nodes", n)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOtherKindsAreReadFromProtobufAndJSON(t *testing.T) {
	t.Parallel()
	seconds, renewed, class := int32(40), metav1.NewMicroTime(utc(5).Add(123456*time.Microsecond)), "fast"
	meta := metav1.ObjectMeta{Name: "x", Namespace: "shop", ResourceVersion: "77", CreationTimestamp: at(0)}
	asked := meta
	asked.Annotations = map[string]string{"volume.kubernetes.io/storage-provisioner": "csi.example", "other": `a "quoted" one`}
	for name, c := range map[string]struct {
		resource string
		object   marshaler
		want     fleet.Object
	}{
		"lease": {
			"leases", &coordinationv1.Lease{
				ObjectMeta: meta, Spec: coordinationv1.LeaseSpec{LeaseDurationSeconds: &seconds, RenewTime: &renewed},
			},
			&fleet.Lease{Source: testSource, Node: "x", Renewed: renewed.UTC(), Duration: 40 * time.Second},
		},
		"event of the kubelet": {
			"events", &corev1.Event{
				ObjectMeta:     meta,
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-1"},
				Reason:         "BackOff", Message: "Back-off restarting", Source: corev1.EventSource{Component: "kubelet", Host: "worker-1"},
				FirstTimestamp: at(1), LastTimestamp: at(60), Count: 12, Type: "Warning",
			},
			&fleet.Event{
				Source: testSource, Namespace: "shop", Name: "x", Reason: "BackOff", Message: "Back-off restarting",
				About:     fleet.Ref{Kind: fleet.KindPod, Source: testSource, Name: "shop/web-1"},
				Component: "kubelet", Host: "worker-1", Count: 12, First: utc(0), Last: utc(60),
			},
		},
		"event of the new dialect about a node": {
			"events", &corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{Name: "x", Namespace: "default", ResourceVersion: "77", CreationTimestamp: at(3)},
				InvolvedObject: corev1.ObjectReference{Kind: "Node", Name: "worker-1"}, Type: "Warning", Reason: "Rebooted",
				EventTime: metav1.NewMicroTime(utc(3)), ReportingController: "kubelet",
				Series: &corev1.EventSeries{Count: 4, LastObservedTime: metav1.NewMicroTime(utc(9))},
			},
			&fleet.Event{
				Source: testSource, Namespace: "default", Name: "x", Reason: "Rebooted",
				About:     fleet.Ref{Kind: fleet.KindNode, Source: testSource, Name: "worker-1"},
				Component: "kubelet", Count: 4, First: utc(3), Last: utc(9),
			},
		},
		"hostPath volume": {
			"persistentvolumes", &corev1.PersistentVolume{
				ObjectMeta: metav1.ObjectMeta{Name: "x", ResourceVersion: "77", CreationTimestamp: at(0)},
				Spec: corev1.PersistentVolumeSpec{
					Capacity:                      corev1.ResourceList{"storage": resource.MustParse("20Gi")},
					PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv/mysql"}},
					ClaimRef:                      &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "db"},
					PersistentVolumeReclaimPolicy: "Retain", StorageClassName: "manual",
				},
				Status: corev1.PersistentVolumeStatus{Phase: "Failed", Message: "no plugin", Reason: "r"},
			},
			&fleet.Volume{
				Source: testSource, Name: "x", Phase: "Failed", Class: "manual", Claim: "shop/db", Reclaim: "Retain",
				Backing: "hostPath", HostPath: "/srv/mysql", Bytes: 20 << 30, Message: "no plugin", Created: utc(0),
			},
		},
		"pinned local volume": {
			"persistentvolumes", &corev1.PersistentVolume{
				ObjectMeta: metav1.ObjectMeta{Name: "x", ResourceVersion: "77"},
				Spec: corev1.PersistentVolumeSpec{
					PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/mnt/disk"}},
					NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
						MatchExpressions: []corev1.NodeSelectorRequirement{
							{Key: "disk", Operator: "Exists"}, {Key: "kubernetes.io/hostname", Operator: "In", Values: []string{"k8s-worker-1"}},
						},
					}}}},
				},
			},
			&fleet.Volume{Source: testSource, Name: "x", Backing: "local", HostPath: "/mnt/disk", Pinned: true, Node: "k8s-worker-1"},
		},
		"local volume of either of two nodes": {
			"persistentvolumes", &corev1.PersistentVolume{
				ObjectMeta: metav1.ObjectMeta{Name: "x", ResourceVersion: "77"},
				Spec: corev1.PersistentVolumeSpec{
					PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/mnt/disk"}},
					NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
						{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"a"}}}},
						{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"b"}}}},
					}}},
				},
			},
			&fleet.Volume{Source: testSource, Name: "x", Backing: "local", HostPath: "/mnt/disk", Pinned: true},
		},
		"claim": {
			"persistentvolumeclaims", &corev1.PersistentVolumeClaim{
				ObjectMeta: meta,
				Spec: corev1.PersistentVolumeClaimSpec{
					VolumeName: "pv-1", StorageClassName: &class,
					Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("5Gi")}},
				},
				Status: corev1.PersistentVolumeClaimStatus{
					Phase: "Bound", Capacity: corev1.ResourceList{"storage": resource.MustParse("20Gi")},
				},
			},
			&fleet.Claim{
				Source: testSource, Namespace: "shop", Name: "x", Phase: "Bound", Volume: "pv-1", Class: "fast", Bytes: 20 << 30,
				Created: utc(0),
			},
		},
		"pending claim": {
			"persistentvolumeclaims", &corev1.PersistentVolumeClaim{
				ObjectMeta: asked,
				Spec: corev1.PersistentVolumeClaimSpec{
					Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("5Gi")}},
				},
				Status: corev1.PersistentVolumeClaimStatus{Phase: "Pending"},
			},
			&fleet.Claim{Source: testSource, Namespace: "shop", Name: "x", Phase: "Pending", Provisioner: "csi.example", Bytes: 5 << 30, Created: utc(0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, both(t, c.resource, c.object)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRealAnswers reads what a kube-apiserver 1.37 sent, in both encodings.
func TestRealAnswers(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"pods", "nodes"} {
		k := kindOf(t, resource)
		d := k.decoder(testSource, newInterner())
		wire, err := d.protobufPage(captured(t, resource+".pb"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := d.jsonPage(captured(t, resource+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(wire.Items) != 2 || len(text.Items) != 2 || wire.Continue == "" || wire.ResourceVersion == "" {
			t.Fatalf("%s: %d and %d objects, version %q, continue %q", resource, len(wire.Items), len(text.Items),
				wire.ResourceVersion, wire.Continue)
		}
		for i := range wire.Items {
			a, b := wire.Items[i].(*item), text.Items[i].(*item)
			if a.fact == nil || a.name == "" || a.version == "" {
				t.Errorf("%s %d was read as %+v", resource, i, a)
			}
			if diff := cmp.Diff(a.fact, b.fact); diff != "" {
				t.Errorf("%s differ (-protobuf +JSON):\n%s", resource, diff)
			}
		}
	}
}

func captured(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLongMessagesAreCut(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("ü"), messageMost)
	got := newInterner().message(long)
	if len(got) > messageMost+4 || !bytes.HasPrefix(long, []byte(got[:len(got)-len("…")])) {
		t.Errorf("a message of %d bytes became %d: …%q", len(long), len(got), got[len(got)-8:])
	}
	if !bytes.Equal(long, bytes.Repeat([]byte("ü"), messageMost)) {
		t.Error("cutting changed the answer's buffer")
	}
}

// FuzzProtobuf reads damaged objects of every kind: it may refuse them, but not panic.
func FuzzProtobuf(f *testing.F) {
	for _, name := range []string{"pods.pb", "nodes.pb"} {
		body, err := unwrap(captured(f, name))
		if err != nil {
			f.Fatal(err)
		}
		r := read(body)
		for r.next() {
			f.Add(bytes.Clone(r.data))
		}
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, k := range kinds() {
			o := k.fresh()
			if o.unmarshal(b) == nil {
				o.fact(testSource, newInterner())
			}
		}
	})
}

// FuzzJSON reads damaged objects of every kind.
func FuzzJSON(f *testing.F) {
	f.Add(captured(f, "pods.json"))
	f.Add([]byte(`{"metadata":{"name":null,"creationTimestamp":null,"annotations":{"k8s.io/initial-events-end":"true"}}}`))
	f.Add([]byte(`{"spec":{"capacity":{"storage":5},"hostPath":{"path":1}},"status":{"containerStatuses":[{"state":{"waiting":null}}]}}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, k := range kinds() {
			k.decoder(testSource, newInterner()).json(b)
		}
	})
}
