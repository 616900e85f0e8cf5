package actions

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/connect"
	fake "strata/internal/fake/kube"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/kube"
)

// kubeLab is a fake cluster that strata watches and may write to.
type kubeLab struct {
	*lab
	api *fake.Server
}

// kubeStart starts a cluster with two nodes and a Deployment web of three pods.
func kubeStart(t *testing.T, patience time.Duration, prepare ...func(*fake.Server)) *kubeLab {
	t.Helper()
	api, err := fake.New(fake.Options{Context: "prod", Controllers: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	api.AddNode(fake.Node{Name: "w1"})
	api.AddNode(fake.Node{Name: "w2"})
	api.AddWorkload(fake.Workload{Kind: "Deployment", Namespace: "shop", Name: "web", Replicas: 3})
	for _, do := range prepare {
		do(api)
	}

	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, api.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	clusters, _ := connect.Clusters(connect.KubeSearch{Getenv: func(name string) string { return map[string]string{"KUBECONFIG": file}[name] }})
	if len(clusters) != 1 || clusters[0].Err() != nil {
		t.Fatalf("found clusters %+v", clusters)
	}
	l := &kubeLab{&lab{store: fleet.NewStore(nil), source: clusters[0].Source(), audit: filepath.Join(dir, "state", "audit.jsonl")}, api}
	wishes := sources.NewWishes()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = sources.Run(ctx, l.store.Put, kube.New(clusters[0], kube.Options{Wishes: wishes}))
	}()
	t.Cleanup(func() { cancel(); <-ended })
	audit, err := OpenAudit(l.audit)
	if err != nil {
		t.Fatal(err)
	}
	writing := connect.ForWriting("test", connect.Reach{Clusters: clusters})
	t.Cleanup(func() { writing.Close(); _ = audit.Close() })
	l.runner = NewRunner(Setup{
		Hands: NewHands(writing), Store: l.store, Audit: audit, Who: "tester", Wake: wishes.Refresh, Patient: patience, Locks: filepath.Join(dir, "locks"),
	})
	l.until(t, func(s *fleet.Snapshot) bool {
		w, ok := fleet.Find[*fleet.Workload](s, workloadRef(l.source, "shop/deployment/web"))
		return ok && w.Settled() && s.Tally(fleet.KindNode).Total() == 2 && s.Tally(fleet.KindPod)[fleet.StateOK] >= 3
	})
	return l
}

// do plans, agrees and runs.
func (l *kubeLab) do(t *testing.T, a Action) (Plan, []Progress, error) {
	t.Helper()
	p := a.Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, p.Ask)
	if err != nil {
		t.Fatal(err)
	}
	var said []Progress
	err = l.runner.Run(t.Context(), ok, func(p Progress) { said = append(said, p) })
	return p, said, err
}

// must runs an action that has to be seen, and returns its plan and what was seen.
func (l *kubeLab) must(t *testing.T, a Action) (Plan, string) {
	t.Helper()
	p, said, err := l.do(t, a)
	if err != nil {
		t.Fatalf("%s: %v", p.Title, err)
	}
	last := said[len(said)-1]
	if last.Phase != Seen {
		t.Fatalf("%s ended with %+v", p.Title, last)
	}
	return p, last.Says
}

// undo takes back the last deed, as it stands in the audit log.
func (l *kubeLab) undo(t *testing.T) string {
	t.Helper()
	var last fleet.Deed
	for _, d := range l.deeds(t) {
		if d.Phase == string(Begun) {
			last = d
		}
	}
	if last.Undo == nil {
		t.Fatalf("no undo for %s", last.Title)
	}
	a, err := Decode(*last.Undo)
	if err != nil {
		t.Fatal(err)
	}
	_, says := l.must(t, a)
	return says
}

func (l *kubeLab) refused(t *testing.T, a Action, why string) {
	t.Helper()
	if got := strings.Join(a.Plan(l.store.Snapshot()).Refused, "; "); !strings.Contains(got, why) || got == "" {
		t.Errorf("%s is refused because of %q, want %q", a.Name(), got, why)
	}
}

func (l *kubeLab) node(t *testing.T, name string) fake.Node {
	t.Helper()
	for _, n := range l.api.Nodes() {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %s", name)
	return fake.Node{}
}

func (l *kubeLab) writes() (n int) {
	for _, r := range l.api.Requests() {
		if r.Method != "GET" {
			n++
		}
	}
	return n
}

func TestCordonAndBack(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.refused(t, UncordonNode{l.source, "w1"}, "not cordoned")
	l.refused(t, CordonNode{l.source, "w9"}, "no such node")
	p, _ := l.must(t, CordonNode{l.source, "w1"})
	if got := p.Line(); got != "kubectl --context prod cordon w1" {
		t.Errorf("the plan shows %q", got)
	}
	if !l.node(t, "w1").Unschedulable {
		t.Error("it is not cordoned")
	}
	l.refused(t, CordonNode{l.source, "w1"}, "cordoned already")
	l.undo(t)
	if l.node(t, "w1").Unschedulable {
		t.Error("the undo did not uncordon it")
	}
}

func TestALostAnswerOfThePatchIsSeenAndNotSentAgain(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	p := CordonNode{l.source, "w1"}.Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, "")
	if err != nil {
		t.Fatal(err)
	}
	l.api.Break("nodes", fake.Fault{Lose: true})
	if err := l.runner.Run(t.Context(), ok, func(Progress) {}); err != nil {
		t.Fatalf("it was carried out, and seen, yet: %v", err)
	}
	if n := l.writes(); n != 1 {
		t.Errorf("%d writing requests", n)
	}
}

func TestForbiddenIsSaidWithTheGrant(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.DenyVerb("patch", "nodes")
	l.api.DenyVerb("patch", "deployments/scale")
	l.api.DenyVerb("delete", "pods")
	pod := l.api.Pods()[0]
	for _, c := range []struct {
		act  Action
		want string
	}{
		{CordonNode{l.source, "w1"}, "kubectl create clusterrole strata-patch-nodes --verb=patch --resource=nodes; kubectl create clusterrolebinding strata-patch-nodes --clusterrole=strata-patch-nodes --user=operator"},
		{ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 5}, "kubectl create role strata-patch-deployments-apps-scale --namespace shop --verb=patch --resource=deployments.apps/scale; kubectl create rolebinding"},
		{DeletePod{Source: l.source, Pod: pod.Namespace + "/" + pod.Name}, "--verb=delete --resource=pods"},
	} {
		_, said, err := l.do(t, c.act)
		if err == nil || !strings.Contains(err.Error(), "forbidden") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.act.Name(), err, c.want)
		}
		if last := said[len(said)-1]; last.Phase != Failed {
			t.Errorf("%s ended with %+v", c.act.Name(), last)
		}
	}
}

func TestAChangeInBetweenIsTriedAgainAndAnotherOperatorIsNamed(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	first := true
	l.api.BeforeWrite(func(string, string) {
		if first { // as the kubelet writes its status
			first = false
			l.api.ChangeNode("w1", func(n *fake.Node) { n.Info.Kernel = "another" })
		}
	})
	l.must(t, CordonNode{l.source, "w1"})
	if n := l.writes(); n != 2 {
		t.Errorf("%d writing requests, want the one that met the change and another", n)
	}
	l.api.BeforeWrite(func(_, path string) {
		if strings.HasSuffix(path, "/scale") {
			l.api.ChangeWorkload("Deployment", "shop", "web", func(w *fake.Workload) { w.Replicas = 7 })
		}
	})
	_, _, err := l.do(t, ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 5})
	if err == nil || !strings.Contains(err.Error(), "wants 7 by now, not 3") {
		t.Errorf("somebody else scaled it, and it says %v", err)
	}
}

func TestTaintAndBack(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.ChangeNode("w1", func(n *fake.Node) { n.Taints = []fake.Taint{{Key: "old", Value: "v", Effect: "NoSchedule"}} })
	l.until(t, func(s *fleet.Snapshot) bool {
		n, _ := fleet.Find[*fleet.Node](s, nodeRef(l.source, "w1"))
		return len(n.Taints) == 1
	})
	l.refused(t, TaintNode{l.source, "w1", "old", "x", "NoSchedule"}, "untaint first")
	l.refused(t, TaintNode{l.source, "w1", "node.kubernetes.io/unschedulable", "", "NoSchedule"}, "node-cordon")
	l.refused(t, UntaintNode{l.source, "w1", "none", "NoSchedule"}, "no taint")
	p, _ := l.must(t, TaintNode{l.source, "w1", "dedicated", "db", "NoSchedule"})
	if got := p.Line(); got != "kubectl --context prod taint nodes w1 dedicated=db:NoSchedule" {
		t.Errorf("the plan shows %q", got)
	}
	if n := l.node(t, "w1"); len(n.Taints) != 2 || n.Taints[0].Key != "old" {
		t.Errorf("taints %+v", n.Taints)
	}
	l.undo(t)
	l.must(t, UntaintNode{l.source, "w1", "old", "NoSchedule"})
	l.undo(t)
	if n := l.node(t, "w1"); len(n.Taints) != 1 || n.Taints[0].Value != "v" {
		t.Errorf("the undo does not restore the value: %+v", n.Taints)
	}
	if p := (TaintNode{l.source, "w1", "a", "", "NoExecute"}).Plan(l.store.Snapshot()); p.Ask != "w1" {
		t.Errorf("a taint that ends pods asks for %q", p.Ask)
	}
}

func TestDeletePodIsSeenGone(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	pod := l.api.Pods()[0]
	name := pod.Namespace + "/" + pod.Name
	p, says := l.must(t, DeletePod{Source: l.source, Pod: name, Grace: fleet.Some(5)})
	if got := p.Line(); !strings.HasSuffix(got, "--namespace shop --grace-period=5") || p.NoUndo == "" || says != "gone" {
		t.Errorf("%q, %q, no undo because %q", got, says, p.NoUndo)
	}
	l.api.AddPod(fake.Pod{Namespace: "solo", Name: "bare", Node: "w1"})
	l.until(t, func(s *fleet.Snapshot) bool {
		_, ok := s.Get(fleet.Ref{Kind: fleet.KindPod, Source: l.source, Name: "solo/bare"})
		return ok
	})
	if p, _ := l.must(t, DeletePod{Source: l.source, Pod: "solo/bare"}); p.Ask != "bare" {
		t.Errorf("a pod that nothing makes again asks for %q", p.Ask)
	}
	l.refused(t, DeletePod{Source: l.source, Pod: "solo/bare"}, "no such pod")
	l.refused(t, DeletePod{Source: l.source, Pod: l.api.Pods()[0].Namespace + "/" + l.api.Pods()[0].Name, UID: "other"}, "another pod of that name")
}

func TestForceDeleteNeedsProofThatTheMachineIsOff(t *testing.T) {
	t.Parallel()
	now := time.Now()
	pod := &fleet.Pod{Source: "kube/p", Namespace: "d", Name: "db-0", UID: "u", Node: "w1", Owner: "StatefulSet/db", Run: fleet.PodRun{Phase: "Running"}}
	node := &fleet.Node{Source: "kube/p", Name: "w1"}
	for name, c := range map[string]struct {
		server *fleet.Server
		sure   fleet.Confidence
		err    string
		why    string // "" when it may
	}{
		"no cloud":     {why: "no cloud that is seen has the machine"},
		"off":          {server: &fleet.Server{Run: fleet.ServerRun{Status: "SHUTOFF", Power: fleet.Some(fleet.PowerShutdown)}}, sure: fleet.High},
		"running":      {server: &fleet.Server{Run: fleet.ServerRun{Status: "ACTIVE"}}, sure: fleet.High, why: "is ACTIVE"},
		"power is on":  {server: &fleet.Server{Run: fleet.ServerRun{Status: "SHUTOFF", Power: fleet.Some(fleet.PowerRunning)}}, sure: fleet.High, why: "power state"},
		"starting":     {server: &fleet.Server{Run: fleet.ServerRun{Status: "SHUTOFF", TaskState: "powering-on"}}, sure: fleet.High, why: "busy"},
		"a mere name":  {server: &fleet.Server{Run: fleet.ServerRun{Status: "SHUTOFF"}}, sure: fleet.Low, why: "known by its name only"},
		"not seen now": {server: &fleet.Server{Run: fleet.ServerRun{Status: "SHUTOFF"}}, sure: fleet.High, err: "503", why: "not seen for a while"},
	} {
		parts := []fleet.Part{
			{Source: "kube/p", Scope: "pods/d", At: now, Facts: fleet.Facts{pod}}, {Source: "kube/p", Scope: "nodes", At: now, Facts: fleet.Facts{node}},
		}
		var links []fleet.Link
		if c.server != nil {
			c.server.Source, c.server.ID, c.server.Name = "openstack/a", "s", "vm1"
			parts = append(parts, fleet.Part{Source: "openstack/a", Scope: "servers", At: now, Err: c.err, Facts: fleet.Facts{c.server}})
			links = []fleet.Link{{From: node.Ref(), To: c.server.Ref(), How: "name", Sure: c.sure}}
		}
		p := ForceDeletePod{Source: "kube/p", Pod: "d/db-0"}.Plan(fleet.NewSnapshot(1, now, parts, links, nil))
		got := strings.Join(p.Refused, "; ")
		if (got == "") != (c.why == "") || !strings.Contains(got, c.why) || p.Ask != "db-0" {
			t.Errorf("%s: refused because of %q, want %q; it asks for %q", name, got, c.why, p.Ask)
		}
	}
}

func TestForceDelete(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.AddPod(fake.Pod{Namespace: "shop", Name: "never", Phase: "Pending", Owner: "StatefulSet/never"})
	l.until(t, func(s *fleet.Snapshot) bool {
		_, ok := s.Get(fleet.Ref{Kind: fleet.KindPod, Source: l.source, Name: "shop/never"})
		return ok
	})
	proven := ForceDeletePod{Source: l.source, Pod: "shop/never"}.Plan(l.store.Snapshot())
	l.must(t, ForceDeletePod{Source: l.source, Pod: "shop/never"})
	l.refused(t, ForceDeletePod{Source: l.source, Pod: "shop/" + l.api.Pods()[0].Name}, "no cloud")
	// Its successor of that name is scheduled between plan and deed.
	l.api.AddPod(fake.Pod{Namespace: "shop", Name: "never", Phase: "Running", Node: "w1", Owner: "StatefulSet/never"})
	writes := l.writes()
	err := proven.Action.apply(t.Context(), l.runner.Hands, func(Step) {})
	if err == nil || !strings.Contains(err.Error(), "put on node w1 meanwhile") || l.writes() != writes {
		t.Errorf("a pod that is on a node by now: %v", err)
	}
}

func TestRestartIsSeenWhenItIsRolledOut(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	before := map[string]bool{}
	for _, p := range l.api.Pods() {
		before[p.Name] = true
	}
	p, says := l.must(t, RestartWorkload{l.source, "shop/deployment/web"})
	if got := p.Line(); got != "kubectl --context prod rollout restart deployment/web --namespace shop" || p.Undo != nil || p.NoUndo == "" || !strings.Contains(says, "3 of 3") {
		t.Errorf("%q, undo %v because %q, seen %q", got, p.Undo, p.NoUndo, says)
	}
	for _, p := range l.api.Pods() {
		if before[p.Name] && p.Deleting.IsZero() {
			t.Errorf("%s was not replaced", p.Name)
		}
	}
	l.api.ChangeWorkload("Deployment", "shop", "web", func(w *fake.Workload) { w.Paused = true })
	l.until(t, func(s *fleet.Snapshot) bool {
		w, _ := fleet.Find[*fleet.Workload](s, workloadRef(l.source, "shop/deployment/web"))
		return w.Paused
	})
	l.refused(t, RestartWorkload{l.source, "shop/deployment/web"}, "paused")
}

func TestARestartThatGetsStuckIsAFailure(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	for _, n := range []string{"w1", "w2"} {
		l.api.ChangeNode(n, func(n *fake.Node) { n.Unschedulable = true })
	}
	p := RestartWorkload{l.source, "shop/deployment/web"}.Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, "")
	if err != nil {
		t.Fatal(err)
	}
	err = l.runner.Run(t.Context(), ok, func(p Progress) {
		if p.Phase == Applied {
			l.api.ChangeWorkload("Deployment", "shop", "web", func(w *fake.Workload) { w.Stuck = `ReplicaSet "web" has exceeded its progress deadline.` })
		}
	})
	if err == nil || !strings.Contains(err.Error(), "progress deadline") {
		t.Errorf("outcome %v", err)
	}
}

func TestScaleAndBack(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.api.AddAutoscaler(fake.Autoscaler{Namespace: "shop", Name: "web-hpa", Kind: "Deployment", Target: "web", Min: 2, Max: 9})
	l.refused(t, ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 3}, "wants 3 already")
	l.refused(t, ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 5, From: fleet.Some(int32(4))}, "somebody else scaled it")
	p, said, err := l.do(t, ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Line(); got != "kubectl --context prod scale deployment/web --namespace shop --replicas=5 --current-replicas=3" {
		t.Errorf("the plan shows %q", got)
	}
	warned := false
	for _, one := range said {
		warned = warned || strings.Contains(one.Says, "web-hpa keeps it between 2 and 9")
	}
	if !warned {
		t.Errorf("nobody warned of the autoscaler: %+v", said)
	}
	if says := l.undo(t); says != "3 of 3 available" {
		t.Errorf("after the undo: %q", says)
	}
	if p := (ScaleWorkload{Source: l.source, Workload: "shop/deployment/web"}).Plan(l.store.Snapshot()); p.Ask != "web" {
		t.Errorf("scaling to 0 asks for %q", p.Ask)
	}
	l.api.AddWorkload(fake.Workload{Kind: "DaemonSet", Namespace: "shop", Name: "agent", Replicas: 2})
	l.until(t, func(s *fleet.Snapshot) bool { return s.Tally(fleet.KindWorkload).Total() == 2 })
	l.refused(t, ScaleWorkload{Source: l.source, Workload: "shop/daemonset/agent", Replicas: 1}, "cannot be scaled")
	l.api.AddJob(fake.Job{Namespace: "shop", Name: "night", Active: 1, Started: time.Now()})
	l.until(t, func(s *fleet.Snapshot) bool { return s.Tally(fleet.KindWorkload).Total() == 3 })
	l.refused(t, ScaleWorkload{Source: l.source, Workload: "shop/job/night", Replicas: 1}, "spec.parallelism")
	l.refused(t, RestartWorkload{Source: l.source, Workload: "shop/job/night"}, "runs to its end")
}

// argo plays the application controller once something was asked for.
func (l *kubeLab) argo(phase string) {
	l.api.AfterWrite(func(_, path string) {
		l.api.ChangeApp("argocd", "shop", func(a *fake.App) {
			now := time.Now()
			if a.Refresh != "" || a.Asked {
				a.Reconciled = now
			}
			a.Refresh = ""
			if a.Asked {
				a.Asked, a.Sync, a.Operation = false, "Synced", fake.Operation{Phase: phase, Message: "said so", Started: now, Finished: now}
			}
		})
	})
}

func withApp(api *fake.Server) {
	api.AddApp(fake.App{Namespace: "argocd", Name: "shop", Sync: "OutOfSync", Repo: "https://git.example/shop", Path: "deploy"})
}

func (l *kubeLab) untilApp(t *testing.T, ok func(*fleet.App) bool) {
	t.Helper()
	l.until(t, func(s *fleet.Snapshot) bool {
		a, found := fleet.Find[*fleet.App](s, appRef(l.source, "argocd/shop"))
		return found && ok(a)
	})
}

func TestApplicationsAreRefreshedAndSynced(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, withApp)
	l.untilApp(t, func(*fleet.App) bool { return true })
	l.argo("Succeeded")
	p, _ := l.must(t, RefreshApp{l.source, "argocd/shop", "hard"})
	if got := p.Line(); got != "kubectl --context prod annotate applications.argoproj.io shop --namespace argocd --overwrite argocd.argoproj.io/refresh=hard" {
		t.Errorf("the plan shows %q", got)
	}
	p, says := l.must(t, SyncApp{Source: l.source, App: "argocd/shop"})
	if got := p.Line(); got != "argocd app sync shop --app-namespace argocd --core --kube-context prod" || says != "synced: Healthy" {
		t.Errorf("%q, seen %q", got, says)
	}
	if p := (SyncApp{Source: l.source, App: "argocd/shop", Prune: true}).Plan(l.store.Snapshot()); p.Ask != "shop" {
		t.Errorf("pruning asks for %q", p.Ask)
	}
}

func TestASyncThatFailsIsAFailureAndOneAtATime(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, withApp)
	l.untilApp(t, func(*fleet.App) bool { return true })
	l.argo("Failed")
	if _, _, err := l.do(t, SyncApp{Source: l.source, App: "argocd/shop"}); err == nil || !strings.Contains(err.Error(), "sync Failed: said so") {
		t.Errorf("outcome %v", err)
	}
	l.api.BeforeWrite(func(_, _ string) {
		l.api.ChangeApp("argocd", "shop", func(a *fake.App) { a.Operation.Phase = "Running" })
	})
	if _, _, err := l.do(t, SyncApp{Source: l.source, App: "argocd/shop"}); err == nil || !strings.Contains(err.Error(), "another operation was begun") {
		t.Errorf("another one began in between: %v", err)
	}
	l.untilApp(t, func(a *fleet.App) bool { return a.Operation.Phase == "Running" })
	l.refused(t, SyncApp{Source: l.source, App: "argocd/shop"}, "an operation runs")
}

func TestTheAuditLogHasWhatWasDone(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	l.must(t, ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 4})
	d := l.deeds(t)[0]
	var params map[string]any
	if err := json.Unmarshal([]byte(d.Params), &params); err != nil || params["from"] != 3.0 || d.Undo == nil || d.Before == "" {
		t.Errorf("audit line %+v, %v", d, err)
	}
}
