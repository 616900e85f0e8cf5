package actions

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	fake "strata/internal/fake/kube"
	"strata/internal/fleet"
)

func (l *kubeLab) drain() DrainNode {
	return DrainNode{Source: l.source, Node: "w1", Timeout: time.Minute}
}

func on(api *fake.Server, node string) (names []string) {
	for _, p := range api.Pods() {
		if p.Node == node {
			names = append(names, p.Name)
		}
	}
	return names
}

func TestDrainMovesPodsAndLeavesDaemons(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, func(api *fake.Server) {
		api.AddPod(fake.Pod{Namespace: "sys", Name: "agent-1", Node: "w1", Owner: "DaemonSet/agent"})
		api.AddPod(fake.Pod{Namespace: "sys", Name: "etcd-w1", Node: "w1", Owner: "Node/w1"})
	})
	l.until(t, func(s *fleet.Snapshot) bool { return s.Tally(fleet.KindPod).Total() == 5 })
	p, said, err := l.do(t, l.drain())
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Line(); got != "kubectl --context prod drain w1 --ignore-daemonsets --timeout=1m0s" {
		t.Errorf("the plan shows %q", got)
	}
	if all := strings.Join(p.Effects, "; "); !strings.Contains(all, "2 pods of DaemonSets and static ones stay: sys/agent-1, sys/etcd-w1") || !strings.Contains(all, "do not come back by themselves") {
		t.Errorf("effects: %s", all)
	}
	if got := on(l.api, "w1"); len(got) != 2 || !l.node(t, "w1").Unschedulable {
		t.Errorf("left on the node: %v", got)
	}
	last := 0.0
	for _, one := range said {
		if one.Share.OK && one.Share.V < last {
			t.Errorf("progress went back to %v: %+v", one.Share.V, one)
		}
		last = max(last, one.Share.V)
	}
	if last != 1 {
		t.Errorf("progress ended at %v", last)
	}
	l.undo(t)
	if l.node(t, "w1").Unschedulable || len(on(l.api, "w1")) != 2 {
		t.Error("the undo did not uncordon it, or brought pods back")
	}
}

func TestDrainOfACordonedNodeIsSeen(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.must(t, CordonNode{l.source, "w1"})
	p, _ := l.must(t, l.drain())
	if p.Undo != nil || p.NoUndo == "" {
		t.Errorf("it was cordoned before: undo %v because %q", p.Undo, p.NoUndo)
	}
}

func TestDrainRefusesWhatWouldBeLost(t *testing.T) {
	t.Parallel()
	pods := fleet.Facts{
		&fleet.Pod{Source: "kube/p", Namespace: "d", Name: "bare", Node: "w1", Run: fleet.PodRun{Phase: "Running"}},
		&fleet.Pod{Source: "kube/p", Namespace: "d", Name: "cache", Node: "w1", Owner: "ReplicaSet/cache-1", Run: fleet.PodRun{Phase: "Running", Local: fleet.EmptyDir}},
		&fleet.Pod{Source: "kube/p", Namespace: "d", Name: "over", Node: "w1", Run: fleet.PodRun{Phase: "Succeeded", Local: fleet.EmptyDir}},
	}
	s := fleet.NewSnapshot(1, time.Now(), []fleet.Part{
		{Source: "kube/p", Scope: "nodes", At: time.Now(), Facts: fleet.Facts{&fleet.Node{Source: "kube/p", Name: "w1"}}},
		{Source: "kube/p", Scope: "pods/d", At: time.Now(), Facts: pods},
	}, nil, nil)
	a := DrainNode{Source: "kube/p", Node: "w1", Timeout: time.Minute}
	if got := strings.Join(a.Plan(s).Refused, "; "); !strings.Contains(got, "nothing would make d/bare again") || !strings.Contains(got, "would be lost: d/cache; local-data=delete") || strings.Contains(got, "over") {
		t.Errorf("refused: %s", got)
	}
	a.Force, a.LocalData = true, true
	if p := a.Plan(s); len(p.Refused) > 0 || p.Ask != "w1" || !strings.Contains(p.Line(), "--delete-emptydir-data --force") {
		t.Errorf("with both gates open: refused %v, asks for %q, %s", p.Refused, p.Ask, p.Line())
	}
}

// held starts a drain that a budget holds, and waits until it says which.
func held(t *testing.T, l *kubeLab, then func()) ([]Progress, error) {
	t.Helper()
	p := l.drain().Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, "")
	if err != nil {
		t.Fatal(err)
	}
	var said []Progress
	once := false
	err = l.runner.Run(t.Context(), ok, func(p Progress) {
		said = append(said, p)
		if strings.Contains(p.Says, "disruption budget shop/web-pdb allows 0 disruptions now: 3 healthy, 3 needed") && !once {
			once = true
			then()
		}
	})
	if !once {
		t.Errorf("it never said which budget holds it: %+v", said[len(said)-1])
	}
	return said, err
}

func guarded(api *fake.Server) {
	api.AddBudget(fake.Budget{Namespace: "shop", Name: "web-pdb", Workload: "web", MinAvailable: 3})
}

func TestDrainWaitsForABudgetAndSaysWhich(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, guarded)
	_, err := held(t, l, func() {
		l.api.AddBudget(fake.Budget{Namespace: "shop", Name: "web-pdb", Workload: "web", MinAvailable: 1})
	})
	if err != nil || len(on(l.api, "w1")) != 0 {
		t.Errorf("once the budget allows it: %v, left %v", err, on(l.api, "w1"))
	}
}

func TestAnAbortedDrainSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, guarded)
	before := len(on(l.api, "w1"))
	said, err := held(t, l, func() { l.runner.Abort(l.drain().Target()) })
	if err == nil || !strings.Contains(err.Error(), "it is cordoned; 0 pods evicted and gone, 0 on their way, "+itoa(before)+" left: shop/web-") {
		t.Errorf("it says %v", err)
	}
	if last := said[len(said)-1]; last.Phase != Aborted || !l.node(t, "w1").Unschedulable || len(on(l.api, "w1")) != before {
		t.Errorf("it ended with %+v, %v on the node", last, on(l.api, "w1"))
	}
	if got := phases(l.deeds(t)); got != "begin aborted" {
		t.Errorf("audit phases %s", got)
	}
	l.until(t, func(s *fleet.Snapshot) bool {
		n, _ := fleet.Find[*fleet.Node](s, nodeRef(l.source, "w1"))
		return n.Unschedulable
	})
	l.undo(t)
}

func itoa(n int) string { return string(rune('0' + n)) }

func TestADrainEndsWithItsTime(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, guarded)
	a := l.drain()
	a.Timeout = 2 * time.Second
	_, _, err := l.do(t, a)
	if err == nil || !strings.Contains(err.Error(), "not all pods left within 2s; it is cordoned") || errors.Is(err, ErrNotSeen) {
		t.Errorf("outcome %v", err)
	}
}

func TestALostEvictionIsNotSentAgain(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.Break("pods/eviction", fake.Fault{Lose: true})
	want := len(on(l.api, "w1"))
	l.must(t, l.drain())
	sent := 0
	for _, r := range l.api.Requests() {
		if strings.HasSuffix(r.Path, "/eviction") {
			sent++
		}
	}
	if sent != want {
		t.Errorf("%d evictions were sent for %d pods", sent, want)
	}
}

// An API server that is short of something for a moment does not end a drain of many minutes.
func TestADrainGoesOnWhenTheServerCanAgain(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.Break("pods/eviction", fake.Fault{Status: http.StatusServiceUnavailable})
	ok, err := l.runner.Approve(l.drain().Plan(l.store.Snapshot()), "")
	if err != nil {
		t.Fatal(err)
	}
	told := false
	err = l.runner.Run(t.Context(), ok, func(p Progress) {
		if !told && strings.Contains(p.Says, " waits: ") {
			told = true
			l.api.Heal()
		}
	})
	if err != nil || !told || len(on(l.api, "w1")) != 0 {
		t.Errorf("%v; told %v; left %v", err, told, on(l.api, "w1"))
	}
}

func TestADrainThatMayNotEvictSaysTheGrantAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.DenyVerb("create", "pods/eviction")
	_, _, err := l.do(t, l.drain())
	if err == nil || !strings.Contains(err.Error(), "--verb=create --resource=pods/eviction") || !strings.Contains(err.Error(), "it is cordoned") {
		t.Errorf("outcome %v", err)
	}
}
