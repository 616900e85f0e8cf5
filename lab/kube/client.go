package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// workers is how many requests a load tool has under way at once.
const workers = 16

// client returns a client without a limit of its own.
func client(kubeconfig string) *kubernetes.Clientset {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	must(err)
	c.QPS, c.Burst = -1, -1
	c.ContentType = "application/vnd.kubernetes.protobuf"
	c.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return kubernetes.NewForConfigOrDie(c)
}

// parallel calls do for 0 to n-1, and tells how many of the calls failed.
func parallel(n int, do func(i int) error) {
	var next, failures atomic.Int64
	var first atomic.Value
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					failures.Add(1)
					first.CompareAndSwap(nil, err.Error())
				}
			}
		})
	}
	all.Wait()
	if n := failures.Load(); n > 0 {
		fmt.Printf("errors=%d first=%v\n", n, first.Load())
	}
}

// quantiles describes how long things took.
func quantiles(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(f float64) time.Duration { return all[int(f*float64(len(all)-1))].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50=%v p95=%v p99=%v max=%v", at(.5), at(.95), at(.99), at(1))
}
