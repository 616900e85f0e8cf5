package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// latency measures an ordinary informer: how long it takes to fill, and from a patch sent to the update seen.
func latency(args []string) int {
	f := flag.NewFlagSet("latency", flag.ExitOnError)
	kubeconfig := f.String("kubeconfig", "", "")
	n := f.Int("n", 200, "how many patches")
	_ = f.Parse(args) // ExitOnError
	c, ctx := client(*kubeconfig), context.Background()

	seen := make(chan string, 1000)
	began := time.Now()
	factory := informers.NewSharedInformerFactory(c, 0)
	pods, nodes := factory.Core().V1().Pods().Informer(), factory.Core().V1().Nodes().Informer()
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(_, o any) {
		if p, ok := o.(*corev1.Pod); ok {
			seen <- p.Annotations["lab/t"]
		}
	}})
	must(err)
	factory.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), nodes.HasSynced)
	nodesAfter := time.Since(began)
	cache.WaitForCacheSync(ctx.Done(), pods.HasSynced)
	all := pods.GetStore().List()
	fmt.Printf("informers filled: nodes=%d %.2fs, pods=%d %.2fs\n",
		len(nodes.GetStore().List()), nodesAfter.Seconds(), len(all), time.Since(began).Seconds())
	if len(all) == 0 {
		fmt.Fprintln(os.Stderr, "kubelab: there are no pods to patch")
		return 1
	}
	var took []time.Duration
	for i := range *n {
		p, _ := all[i%len(all)].(*corev1.Pod)
		mark := strconv.Itoa(i) + "/" + strconv.FormatInt(time.Now().UnixNano(), 36)
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"lab/t":%q}}}`, mark)
		sent := time.Now()
		_, err := c.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		must(err)
		if arrived(seen, mark) {
			took = append(took, time.Since(sent))
		} else {
			fmt.Println("an update was lost")
		}
	}
	fmt.Println("patch sent to update seen:", quantiles(took))
	return 0
}

// arrived waits for an update.
func arrived(seen <-chan string, mark string) bool {
	limit := time.After(10 * time.Second)
	for {
		select {
		case got := <-seen:
			if got == mark {
				return true
			}
		case <-limit:
			return false
		}
	}
}
