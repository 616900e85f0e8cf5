package fleet

import (
	"fmt"
	"slices"
	"testing"
)

// BenchmarkJoin measures the next snapshot when one pod among 50,000 changed, without links and findings.
func BenchmarkJoin(b *testing.B) {
	store := NewStore(nil)
	pod := func(ns, i, restarts int) Object {
		return &Pod{Source: "kube/a", Namespace: fmt.Sprintf("ns-%02d", ns), Name: fmt.Sprintf("pod-%05d", i), Run: PodRun{Phase: "Running", Restarts: int32(restarts)}}
	}
	todo := map[[2]string]waiting{}
	var facts Facts
	for ns := 19; ns >= 0; ns-- {
		facts = nil
		for i := range 2500 {
			facts = append(facts, pod(ns, i, 0))
		}
		scope := fmt.Sprintf("pods/ns-%02d", ns)
		todo[[2]string{"kube/a", scope}] = waiting{seen: &Observation{Source: "kube/a", Scope: scope, Facts: facts}}
	}
	s := store.join(store.last, todo)
	i := 0
	for b.Loop() {
		facts = slices.Clone(facts)
		facts[i%2500] = pod(0, i%2500, i+1)
		s = store.join(s, map[[2]string]waiting{{"kube/a", "pods/ns-00"}: {seen: &Observation{Source: "kube/a", Scope: "pods/ns-00", Facts: facts}}})
		i++
	}
}
