package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	fake "strata/internal/fake/kube"
	"strata/internal/fleet"
)

// benchPod is a pod as a Deployment makes it, of about 5 kB.
func benchPod(b *testing.B) *corev1.Pod {
	b.Helper()
	page := &corev1.PodList{}
	body, err := unwrap(captured(b, "pods.pb"))
	if err != nil {
		b.Fatal(err)
	}
	if err := page.Unmarshal(body); err != nil {
		b.Fatal(err)
	}
	return &page.Items[0]
}

func BenchmarkDecodePod(b *testing.B) {
	o := benchPod(b)
	wire, err := o.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	text := jsonItem(b)
	d := kindOf(b, "pods").decoder(testSource, newInterner())
	b.Run("protobuf", func(b *testing.B) {
		b.SetBytes(int64(len(wire)))
		b.ReportAllocs()
		for b.Loop() {
			if d.protobuf(wire).fact == nil {
				b.Fatal("not read")
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if d.json(text).fact == nil {
				b.Fatal("not read")
			}
		}
	})
}

func jsonItem(b *testing.B) []byte {
	b.Helper()
	body := captured(b, "pods.json")
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(body, &list); err != nil {
		b.Fatal(err)
	}
	return list.Items[0]
}

// BenchmarkOneChange is a pod change in one scope, from the reflector's call to the observation.
func BenchmarkOneChange(b *testing.B) {
	for _, n := range []int{2_500, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newShelf(kindOf(b, "pods"))
			all := make([]any, 0, n)
			for i := range n {
				all = append(all, podItem("a", fmt.Sprintf("pod-%06d", i), "Running"))
			}
			if err := s.Replace(all, "1"); err != nil {
				b.Fatal(err)
			}
			s.flush(time.Time{})
			changes := []*item{podItem("a", fmt.Sprintf("pod-%06d", n/3), "Failed"), podItem("a", fmt.Sprintf("pod-%06d", n/3), "Running")}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := s.Update(changes[i%2]); err != nil {
					b.Fatal(err)
				}
				if got := s.flush(time.Time{}); len(got) != 1 {
					b.Fatal("no observation")
				}
				i++
			}
		})
	}
}

// BenchmarkHeapPerPod reports what 50,000 pods take on the heap, on the shelf and in a Store's snapshot.
func BenchmarkHeapPerPod(b *testing.B) {
	const pods, namespaces, perOwner = 50_000, 20, 10
	o := benchPod(b)
	d := kindOf(b, "pods").decoder(testSource, newInterner())
	for b.Loop() {
		before := heap()
		s := newShelf(kindOf(b, "pods"))
		all := make([]any, 0, pods)
		for n := range pods {
			o.Namespace, o.Name = fmt.Sprintf("lab-%02d", n%namespaces), fmt.Sprintf("app-%05d-5d9f8c7b6d-%05d", n/perOwner, n)
			o.UID, o.Spec.NodeName = types.UID(fmt.Sprintf("%08x-e6f7-4c6d-a252-374d8719c13e", n)), fmt.Sprintf("worker-%04d", n%5000)
			o.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
			wire, err := o.Marshal()
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, d.protobuf(wire))
		}
		if err := s.Replace(all, "1"); err != nil {
			b.Fatal(err)
		}
		all = nil
		observed := s.flush(time.Time{})
		shelf := heap() - before
		parts := make([]fleet.Part, 0, len(observed))
		for _, o := range observed {
			parts = append(parts, fleet.Part{Source: testSource, Scope: o.Scope, Facts: o.Facts})
		}
		snap := fleet.NewSnapshot(1, time.Time{}, parts, nil, nil)
		b.ReportMetric(float64(shelf)/pods, "B/pod")
		b.ReportMetric(float64(heap()-before)/pods, "B/pod-in-snapshot")
		runtime.KeepAlive(snap)
		runtime.KeepAlive(all)
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below the sign
}

// BenchmarkStart is how long a source takes from nothing to all pods of 5,000 nodes, in JSON, from the fake server in
// this process.
func BenchmarkStart(b *testing.B) {
	for _, pods := range []int{10_000, 50_000} {
		b.Run(fmt.Sprint(pods), func(b *testing.B) {
			server, cluster := serve(b, fake.Options{})
			for n := range 5_000 {
				server.AddNode(fake.Node{Name: fmt.Sprintf("worker-%04d", n)})
			}
			for n := range pods {
				server.AddPod(fake.Pod{
					Namespace: fmt.Sprintf("lab-%02d", n%20), Name: fmt.Sprintf("app-%05d", n), Node: fmt.Sprintf("worker-%04d", n%5000),
				})
			}
			for b.Loop() {
				ctx, cancel := context.WithCancel(b.Context())
				left := pods
				err := New(cluster, Options{}).Watch(ctx, func(o fleet.Observation) {
					if strings.HasPrefix(o.Scope, "pods/") {
						left -= len(o.Facts)
					}
					if left == 0 {
						cancel()
					}
				})
				cancel()
				if !errors.Is(err, context.Canceled) {
					b.Fatal(err)
				}
			}
		})
	}
}
