package kube

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/connect"
	fake "strata/internal/fake/kube"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/sourcetest"
)

func TestMain(m *testing.M) {
	connect.QuietKlog(slog.DiscardHandler)
	goleak.VerifyTestMain(m)
}

func serve(t testing.TB, o fake.Options) (*fake.Server, connect.Cluster) {
	t.Helper()
	s, err := fake.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, s.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) string {
		if name == "KUBECONFIG" {
			return file
		}
		return ""
	}
	found, looked := connect.Clusters(connect.KubeSearch{Getenv: env})
	if len(found) != 1 || found[0].Err() != nil {
		t.Fatalf("the fake is not found: %v, %v", found, looked)
	}
	return s, found[0]
}

// seen is a source running into a store.
type seen struct {
	t     *testing.T
	store *fleet.Store
	name  string
}

func start(t *testing.T, c connect.Cluster) seen {
	t.Helper()
	return run(t, New(c, Options{}))
}

func run(t *testing.T, source sources.Source) seen {
	t.Helper()
	store := fleet.NewStore(nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sources.Run(ctx, store.Put, source) }()
	t.Cleanup(func() { cancel(); <-done })
	return seen{t, store, source.Name()}
}

// until waits for a scope for which ok holds.
func (s seen) until(scope, what string, ok func(*fleet.Part) bool) *fleet.Part {
	s.t.Helper()
	return s.within(20*time.Second, scope, what, ok)
}

func (s seen) within(most time.Duration, scope, what string, ok func(*fleet.Part) bool) *fleet.Part {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), most)
	defer cancel()
	snap := s.store.Snapshot()
	for {
		part, there := snap.Part(s.name, scope)
		if !there && strings.Contains(scope, "/") {
			part, there = &fleet.Part{}, true // a namespace without pods has no scope
		}
		if there && ok(part) {
			return part
		}
		next, err := s.store.Next(ctx, snap.Seq)
		if err != nil {
			s.t.Fatalf("waited %v for %s in scope %s, which is %+v (there: %v)", most, what, scope, part, there)
		}
		snap = next
	}
}

func count(n int) func(*fleet.Part) bool {
	return func(p *fleet.Part) bool { return p.Err == "" && len(p.Facts) == n }
}

func failed(p *fleet.Part) bool { return p.Err != "" }

func well(p *fleet.Part) bool { return p.Err == "" && !p.At.IsZero() }

// furnish puts some of everything into a cluster.
func furnish(s *fake.Server) {
	for n := range 3 {
		s.AddNode(fake.Node{Name: fmt.Sprint("worker-", n), IP: fmt.Sprint("10.0.0.", n), Roles: []string{"worker"}})
	}
	for n := range 5 {
		s.AddPod(fake.Pod{Namespace: "shop", Name: fmt.Sprint("web-", n), Node: "worker-0", Owner: "ReplicaSet/web"})
	}
	s.AddPod(fake.Pod{Namespace: "default", Name: "one", Node: "worker-1"})
	s.AddPod(fake.Pod{Namespace: "default", Name: "two"})
	s.AddEvent(fake.Event{Kind: "Pod", About: "default/two", Reason: "FailedScheduling", Message: "0/3 nodes are available"})
	s.AddEvent(fake.Event{Kind: "Pod", About: "default/one", Type: "Normal", Reason: "Pulled"})
	s.AddVolume(fake.Volume{Name: "pv-1", Claim: "shop/db", Backing: "hostPath", Path: "/srv"})
	s.AddClaim(fake.Claim{Namespace: "shop", Name: "db", Volume: "pv-1"})
}

func (s seen) allWell() {
	s.t.Helper()
	for scope, n := range map[string]int{
		"nodes": 3, "leases": 3, "pods": 0, "pods/shop": 5, "pods/default": 2, "events": 1, "volumes": 1, "claims": 1,
	} {
		s.until(scope, fmt.Sprint(n, " objects"), count(n))
	}
}

func TestEverythingIsSeen(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]fake.Options{"by a watch": {}, "by lists of an old server": {Old: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, cluster := serve(t, o)
			furnish(server)
			s := start(t, cluster)
			s.allWell()
			snap := s.store.Snapshot()
			two, ok := fleet.Find[*fleet.Pod](snap, fleet.Ref{Kind: fleet.KindPod, Source: s.name, Name: "default/two"})
			if !ok || two.Run.Reason != "Unschedulable" {
				t.Errorf("the pod without a node is %+v", two)
			}
			server.SetNodeReady("worker-1", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
			s.until("nodes", "a node that is not ready", func(p *fleet.Part) bool {
				return p.Facts[1].Health().State == fleet.StateBad
			})
			server.SetPodPhase("shop", "web-3", "Failed")
			s.until("pods/shop", "a failed pod", func(p *fleet.Part) bool { return p.Facts[3].Health().State == fleet.StateBad })
			server.DeletePod("default", "one")
			server.DeletePod("default", "two")
			s.until("pods/default", "no pods", count(0))
			for _, r := range server.Requests() {
				if r.Method != "GET" || r.Agent != "strata" || !strings.Contains(r.Accept, "protobuf") {
					t.Errorf("a request was %+v", r)
				}
			}
		})
	}
}

func TestConformance(t *testing.T) {
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	extra := fake.Pod{Namespace: "shop", Name: "zz-extra", Node: "worker-2"}
	sourcetest.Run(t, sourcetest.Harness{
		New: func() sources.Source {
			return flickering{New(cluster, Options{}), server}
		},
		Scope:  "pods/shop",
		Extra:  fleet.Ref{Kind: fleet.KindPod, Source: "kube/demo", Name: "shop/zz-extra"},
		Add:    func() { server.AddPod(extra) },
		Remove: func() { server.DeletePod("shop", "zz-extra") },
		Break:  func() { server.Break("", fake.Fault{Status: 503}) },
		Heal:   server.Heal,
	})
}

// flickering keeps changing one pod, as the suite wants to see a scope several times without touching it.
type flickering struct {
	sources.Source
	server *fake.Server
}

func (f flickering) Watch(ctx context.Context, see func(fleet.Observation)) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; sources.Sleep(ctx, 20*time.Millisecond); n++ {
			f.server.ChangePod("shop", "web-0", func(p *fake.Pod) { p.IP = fmt.Sprint("10.1.0.", n%200) })
		}
	}()
	defer func() { <-done }()
	return f.Source.Watch(ctx, see)
}

func TestAChangeIsSeenWithinATenthOfASecond(t *testing.T) {
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	observed := make(chan fleet.Observation, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(cluster, Options{}).Watch(ctx, func(o fleet.Observation) { observed <- o }) }()
	defer func() { cancel(); <-done }()
	phase := func(o fleet.Observation, want string) bool {
		return o.Scope == "pods/shop" && len(o.Facts) == 5 && o.Facts[2].(*fleet.Pod).Run.Phase == want
	}
	for o := range observed {
		if phase(o, "Running") {
			break
		}
	}
	var took []time.Duration
	for n := range 21 {
		want := []string{"Failed", "Running"}[n%2]
		began := time.Now()
		server.SetPodPhase("shop", "web-2", want)
		for o := range observed {
			if phase(o, want) {
				break
			}
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	// The middle one and twice the promise, as the machine may be busy.
	if took[10] > 200*time.Millisecond {
		t.Errorf("half of the changes took more than %v to be observed, want at most 100 ms", took[10])
	}
}

// TestFailuresShowAndHeal goes through the ways in which an API server fails.
func TestFailuresShowAndHeal(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{
		"401": {Status: 401}, "429": {Status: 429}, "503": {Status: 503}, "garbage": {Garbage: true}, "cut": {Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, cluster := serve(t, fake.Options{})
			furnish(server)
			s := start(t, cluster)
			s.allWell()
			server.Break("pods", fault)
			broken := s.within(3*time.Second, "pods/shop", "an error", failed)
			if len(broken.Facts) != 5 || broken.Fix == "" {
				t.Errorf("with the error %q (fix %q) %d pods are left, want 5", broken.Err, broken.Fix, len(broken.Facts))
			}
			if nodes, _ := s.store.Snapshot().Part(s.name, "nodes"); nodes.Err != "" {
				t.Errorf("the nodes fail with the pods: %s", nodes.Err)
			}
			server.AddPod(fake.Pod{Namespace: "shop", Name: "while-broken", Node: "worker-0"})
			server.Heal()
			s.until("pods/shop", "six pods", count(6))
			s.until("pods", "no error", well)
		})
	}
}

func TestFailuresBeforeTheFirstListShowAndHeal(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]fake.Fault{
		"401": {Status: 401}, "503": {Status: 503}, "garbage": {Garbage: true}, "cut": {Cut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, cluster := serve(t, fake.Options{})
			furnish(server)
			server.Break("pods", fault)
			s := start(t, cluster)
			s.within(3*time.Second, "pods", "an error", failed)
			s.until("nodes", "three nodes", count(3))
			server.Heal()
			s.until("pods/shop", "five pods", count(5))
			s.until("pods", "no error", well)
		})
	}
}

func TestAServerThatStopsAndStartsAgain(t *testing.T) {
	t.Parallel()
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	s := start(t, cluster)
	s.allWell()
	// A watch that ends within a second and has brought nothing is not gone on with.
	server.DeletePod("shop", "web-4")
	s.until("pods/shop", "four pods", count(4))
	server.Stop()
	s.within(3*time.Second, "pods/shop", "an error", failed)
	s.until("pods/shop", "a fix", func(p *fleet.Part) bool { return strings.Contains(p.Fix, "kube-apiserver") })
	before := len(server.Requests())
	server.AddPod(fake.Pod{Namespace: "shop", Name: "while-stopped", Node: "worker-0"})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	s.within(12*time.Second, "pods/shop", "five pods", count(5))
	for _, r := range server.Requests()[before:] {
		if strings.HasSuffix(r.Path, "/pods") && strings.Contains(r.Query, "sendInitialEvents") {
			t.Errorf("pods were all read again, though the watch could go on: %s", r.Query)
		}
	}
}

func TestAnOldVersionIsReadAnew(t *testing.T) {
	t.Parallel()
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	s := start(t, cluster)
	s.allWell()
	// A watch that ends within a second and has brought nothing is not gone on with.
	server.DeletePod("shop", "web-4")
	s.until("pods/shop", "four pods", count(4))
	server.Break("pods", fake.Fault{Status: 503})
	s.within(3*time.Second, "pods/shop", "an error", failed)
	server.DeletePod("shop", "web-3")
	server.Expire()
	server.Heal()
	healed := s.within(15*time.Second, "pods/shop", "no error", well)
	if len(healed.Facts) != 3 {
		t.Errorf("%d pods count as current, one of which was deleted while nobody watched", len(healed.Facts))
	}
}

func TestWhatIsDeniedSaysHowToGrantIt(t *testing.T) {
	t.Parallel()
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	server.Deny("nodes")
	server.Deny("persistentvolumeclaims")
	s := start(t, cluster)
	s.until("pods/shop", "five pods", count(5))
	nodes := s.until("nodes", "a denial", failed)
	for _, want := range []string{"create clusterrole ", "nodes,persistentvolumes,leases", "--user=operator"} {
		if !strings.Contains(nodes.Fix, want) {
			t.Errorf("fix %q has no %q", nodes.Fix, want)
		}
	}
	claims := s.until("claims", "a denial", failed)
	if want := "--clusterrole=view --user=operator"; !strings.Contains(claims.Fix, want) {
		t.Errorf("fix %q has no %q", claims.Fix, want)
	}
	server.Heal()
	s.until("nodes", "three nodes", count(3))
	s.until("claims", "one claim", count(1))
}

func TestOneNamespaceIsShownWhileAllAreDenied(t *testing.T) {
	t.Parallel()
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	server.DenyWide("pods")
	server.DenyWide("events")
	s := start(t, cluster)
	s.until("pods/default", "the context's namespace", count(2))
	all := s.until("pods", "the denial", failed)
	if !strings.Contains(all.Fix, "only namespace default is shown") {
		t.Errorf("fix is %q", all.Fix)
	}
	s.until("events", "an event beside the denial", func(p *fleet.Part) bool { return failed(p) && len(p.Facts) == 1 })
	server.SetPodPhase("default", "one", "Failed")
	s.until("pods/default", "the change", func(p *fleet.Part) bool { return p.Facts[0].Health().State == fleet.StateBad })
	if _, there := s.store.Snapshot().Part(s.name, "pods/shop"); there {
		t.Error("a namespace is shown that is denied")
	}
	server.Heal()
	s.until("pods/shop", "the other namespace", count(5))
	s.until("pods", "no error", well)
	s.until("events", "no error", count(1))
}

func TestADenialAfterwardsKeepsWhatWasSeen(t *testing.T) {
	t.Parallel()
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	s := start(t, cluster)
	s.allWell()
	server.DenyWide("pods")
	denied := s.until("pods/shop", "the denial", failed)
	if len(denied.Facts) != 5 {
		t.Errorf("%d pods are left, want 5", len(denied.Facts))
	}
	server.Heal()
	s.until("pods/shop", "five pods", count(5))
}

func TestAHungServerIsNoticed(t *testing.T) {
	t.Parallel()
	server, cluster := serve(t, fake.Options{})
	furnish(server)
	server.Break("pods", fake.Fault{Hang: true})
	impatient := New(cluster, Options{}).(*source)
	impatient.silence = 300 * time.Millisecond
	s := run(t, impatient)
	s.until("nodes", "three nodes", count(3))
	hung := s.until("pods", "an error", failed)
	if !strings.Contains(hung.Err, errSilent.Error()) {
		t.Errorf("the error is %q", hung.Err)
	}
	server.Heal()
	s.until("pods/shop", "five pods", count(5))
}

func TestABrokenKubeconfigIsAnError(t *testing.T) {
	t.Parallel()
	found, _ := connect.Clusters(connect.KubeSearch{
		Contexts: []string{"nowhere"}, Getenv: func(string) string { return "" },
	})
	if len(found) != 1 {
		t.Fatalf("found %v", found)
	}
	if err := New(found[0], Options{}).Watch(t.Context(), func(fleet.Observation) {}); fleet.FixOf(err) == "" {
		t.Errorf("the error is %v, without a fix", err)
	}
}
