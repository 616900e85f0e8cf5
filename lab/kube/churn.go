package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// churn changes the restarts and the readiness of random pods at a steady rate. Its first line says that it began.
func churn(args []string) int {
	f := flag.NewFlagSet("churn", flag.ExitOnError)
	kubeconfig := f.String("kubeconfig", "", "")
	rate := f.Float64("rate", 50, "changes per second; 0 is as many as the API server takes")
	limit := f.Duration("for", 30*time.Second, "")
	_ = f.Parse(args) // ExitOnError
	c := client(*kubeconfig)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	pods, err := c.CoreV1().Pods("").List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	must(err)
	if len(pods.Items) == 0 {
		fmt.Fprintln(os.Stderr, "kubelab: there are no pods to change")
		return 1
	}

	jobs := make(chan *corev1.Pod, workers)
	var all sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	failures := 0
	for range workers {
		all.Go(func() {
			for p := range jobs {
				began := time.Now()
				_, err := c.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, change(p), metav1.PatchOptions{}, "status")
				mu.Lock()
				if err != nil {
					failures++
				} else {
					took = append(took, time.Since(began))
				}
				mu.Unlock()
			}
		})
	}
	fmt.Println("churning")
	began := time.Now()
	for i := 0; time.Since(began) < *limit && ctx.Err() == nil; i++ {
		if *rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(i) / *rate * float64(time.Second)))))
		}
		jobs <- &pods.Items[rand.IntN(len(pods.Items))]
	}
	close(jobs)
	all.Wait()
	seconds := time.Since(began).Seconds()
	fmt.Printf("pods=%d changes=%d errors=%d in %.1fs = %.0f/s; patch %s\n",
		len(pods.Items), len(took), failures, seconds, float64(len(took))/seconds, quantiles(took))
	return 0
}

// change is a patch of a pod's status: one pod in ten becomes not ready.
func change(p *corev1.Pod) []byte {
	n := rand.IntN(100)
	ready, word := n%10 != 0, "True"
	if !ready {
		word = "False"
	}
	type object map[string]any
	b, err := json.Marshal(object{"status": object{
		"conditions": []object{{"type": "Ready", "status": word}, {"type": "ContainersReady", "status": word}},
		"containerStatuses": []object{{
			"name": p.Spec.Containers[0].Name, "image": p.Spec.Containers[0].Image, "imageID": "",
			"ready": ready, "restartCount": n,
			"state": object{"running": object{"startedAt": time.Now().UTC().Format(time.RFC3339)}},
		}},
	}})
	must(err)
	return b
}
