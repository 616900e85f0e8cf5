package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// seeder makes nodes and pods through the API. kwok brings them to Ready and Running; without kwok -status does.
type seeder struct {
	*kubernetes.Clientset
	nodes, pods, namespaces int
	status                  bool
}

func seed(args []string) int {
	var s seeder
	f := flag.NewFlagSet("seed", flag.ExitOnError)
	kubeconfig := f.String("kubeconfig", "", "")
	f.IntVar(&s.nodes, "nodes", 3, "nodes wanted; those that are there stay")
	f.IntVar(&s.pods, "pods", 0, "pods wanted, bound to the nodes in turn")
	f.IntVar(&s.namespaces, "namespaces", 20, "namespaces of the pods")
	f.BoolVar(&s.status, "status", false, "make nodes Ready and pods Running (nothing renews leases then: run without -kcm)")
	_ = f.Parse(args) // ExitOnError
	s.Clientset = client(*kubeconfig)
	ctx := context.Background()

	began := time.Now()
	parallel(s.nodes, func(i int) error { return s.makeNode(ctx, i) })
	nodesTook := time.Since(began)
	if s.pods > 0 {
		parallel(s.namespaces, func(i int) error { return s.makeNamespace(ctx, i) })
	}
	began = time.Now()
	parallel(s.pods, func(i int) error { return s.makePod(ctx, i) })
	podsTook := time.Since(began).Seconds()
	fmt.Printf("nodes=%d in %.1fs; pods=%d in %.1fs (%.0f/s)\n",
		s.nodes, nodesTook.Seconds(), s.pods, podsTook, float64(s.pods)/podsTook)
	return 0
}

func nodeName(i int) string {
	if i == 0 {
		return "master"
	}
	return fmt.Sprintf("k8s-worker-%d.novalocal", i)
}

func unlessThere(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (s *seeder) makeNamespace(ctx context.Context, i int) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("lab-%02d", i)}}
	_, err := s.CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{})
	return unlessThere(err)
}

func (s *seeder) makeNode(ctx context.Context, i int) error {
	room := corev1.ResourceList{
		"cpu": resource.MustParse("32"), "memory": resource.MustParse("256Gi"), "pods": resource.MustParse("250"),
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        nodeName(i),
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
			Labels: map[string]string{
				"type": "kwok", "kubernetes.io/hostname": nodeName(i), "kubernetes.io/os": "linux",
				"kubernetes.io/arch": "amd64", "topology.kubernetes.io/zone": fmt.Sprintf("az-%d", i%3),
			},
		},
		Spec:   corev1.NodeSpec{ProviderID: fmt.Sprintf("openstack:///%08x-0000-4000-8000-%012x", i, i)},
		Status: corev1.NodeStatus{Allocatable: room, Capacity: room},
	}
	if i == 0 {
		n.Labels["node-role.kubernetes.io/control-plane"] = ""
	}
	_, err := s.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{})
	if err := unlessThere(err); err != nil || !s.status {
		return err
	}
	now := metav1.Now()
	n.Status.NodeInfo = corev1.NodeSystemInfo{
		KubeletVersion: "v1.37.2", OSImage: "Ubuntu 24.04 LTS", KernelVersion: "6.8.0",
		ContainerRuntimeVersion: "containerd://2.0.0", OperatingSystem: "linux", Architecture: "amd64",
	}
	n.Status.Addresses = []corev1.NodeAddress{
		{Type: "InternalIP", Address: fmt.Sprintf("10.%d.%d.%d", 1+(i>>16), i>>8&255, i&255)},
		{Type: "Hostname", Address: n.Name},
	}
	n.Status.Conditions = []corev1.NodeCondition{
		{Type: "Ready", Status: "True", Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now},
	}
	_, err = s.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
	return err
}

func (s *seeder) makePod(ctx context.Context, i int) error {
	app, hash := fmt.Sprintf("app-%03d", i/10), fmt.Sprintf("%08x", uint32(i/10*2654435761))
	asked := corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("64Mi")}
	var noToken bool
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%s-%05d", app, hash, i), Namespace: fmt.Sprintf("lab-%02d", i%s.namespaces),
			Labels: map[string]string{"app": app, "pod-template-hash": hash, "app.kubernetes.io/part-of": "lab"},
		},
		Spec: corev1.PodSpec{
			NodeName: nodeName(i % s.nodes), AutomountServiceAccountToken: &noToken,
			Tolerations: []corev1.Toleration{{Operator: "Exists"}},
			Containers: []corev1.Container{
				{
					Name: "main", Image: "registry.local/" + app + ":1.2.3",
					Env:       []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}},
					Ports:     []corev1.ContainerPort{{ContainerPort: 8080}},
					Resources: corev1.ResourceRequirements{Requests: asked},
				},
				{Name: "sidecar", Image: "registry.local/proxy:9"},
			},
		},
	}
	p, err := s.CoreV1().Pods(p.Namespace).Create(ctx, p, metav1.CreateOptions{})
	if err != nil || !s.status {
		return unlessThere(err)
	}
	p.Status = running(p, i)
	_, err = s.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
	return err
}

// running is the status of a pod whose containers all run.
func running(p *corev1.Pod, i int) corev1.PodStatus {
	now, yes := metav1.Now(), true
	ip := fmt.Sprintf("10.%d.%d.%d", 200+(i>>16), i>>8&255, i&255)
	s := corev1.PodStatus{Phase: "Running", PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, StartTime: &now}
	for _, t := range []corev1.PodConditionType{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: t, Status: "True", LastTransitionTime: now})
	}
	for _, c := range p.Spec.Containers {
		s.ContainerStatuses = append(s.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: &yes,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return s
}
