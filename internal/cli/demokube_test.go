package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
	"strata/sources"
)

// demoKube is the demo without its screen.
type demoKube struct {
	t      *testing.T
	a      *assembly
	runner *actions.Runner
}

func startDemoKube(t *testing.T, o incident.Options) demoKube {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o.Dir = dir
	world, err := incident.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, getenv: func(string) string { return "" }}
	c := config.Default(p.getenv)
	c.Audit.Path = filepath.Join(dir, "audit.jsonl")
	d := demoKube{t: t, a: assemble(placesOf(world, dir), c, everything)}
	h, err := p.hands(d.a, c)
	if err != nil {
		t.Fatal(err)
	}
	d.runner = h.runner
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.a.run(ctx) // ends with the context only
	}()
	t.Cleanup(func() { cancel(); h.putDown(); <-ended; world.Stop() })
	d.until("all is seen and linked", func(s *fleet.Snapshot) bool {
		return s.Tally(fleet.KindWorkload).Total() >= 18 && s.Tally(fleet.KindApp).Total() == 2 && s.Tally(fleet.KindPod).Total() >= 30 && len(s.Links) > 1
	})
	return d
}

func (d demoKube) until(what string, ok func(*fleet.Snapshot) bool) *fleet.Snapshot {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	s := d.a.until(ctx, ok)
	if ctx.Err() != nil {
		t := func(k fleet.Kind) int { return s.Tally(k).Total() }
		d.t.Fatalf("waiting in vain: %s; %d workloads, %d apps, %d pods, %d links", what, t(fleet.KindWorkload), t(fleet.KindApp), t(fleet.KindPod), len(s.Links))
	}
	return s
}

// act does something and waits until it is seen; it returns the plan's undo.
func (d demoKube) act(name, target string, args actions.Args) actions.Action {
	d.t.Helper()
	offer, ok := actions.Find(name)
	if !ok {
		d.t.Fatalf("no action %s", name)
	}
	s := d.a.store.Snapshot()
	r, err := find(s, offer.Kind, target)
	if err != nil {
		d.t.Fatal(err)
	}
	act, err := offer.Make(s, r, args)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.run(act)
}

func (d demoKube) run(act actions.Action) actions.Action {
	d.t.Helper()
	plan := act.Plan(d.a.store.Snapshot())
	ok, err := d.runner.Approve(plan, plan.Ask)
	if err == nil {
		err = d.runner.Run(d.t.Context(), ok, func(actions.Progress) {})
	}
	if err != nil {
		d.t.Fatalf("%s: %v", plan.Title, err)
	}
	return plan.Undo
}

func (d demoKube) podsOf(owner string) (pods []*fleet.Pod) {
	for p := range fleet.All[*fleet.Pod](d.a.store.Snapshot(), fleet.KindPod) {
		if w, ok := fleet.WorkloadOf(d.a.store.Snapshot(), p); ok && w.Name == owner {
			pods = append(pods, p)
		}
	}
	return pods
}

// TestEveryKubernetesActionWorksInTheDemo goes through them while all is well there.
func TestEveryKubernetesActionWorksInTheDemo(t *testing.T) {
	d := startDemoKube(t, incident.Options{Speed: 3, Quiet: true})
	const worker = "k8s-worker-1.novalocal"
	d.run(d.act("node-cordon", worker, nil))
	d.run(d.act("node-taint", worker, actions.Args{"taint": "a=b:NoSchedule"}))
	d.act("app-refresh", "wwwm", nil)
	d.act("app-sync", "wwwm-dev", nil)
	d.run(d.act("workload-scale", "grafana", actions.Args{"replicas": "2"}))
	d.act("workload-restart", "wwwm-spring-be-deployment", nil)
	gone := d.podsOf("grafana")[0]
	d.act("pod-delete", gone.Namespace+"/"+gone.Name, nil)
	d.until("another pod takes its place", func(*fleet.Snapshot) bool {
		return len(d.podsOf("grafana")) == 1 && d.podsOf("grafana")[0].UID != gone.UID
	})
	undo := d.act("node-drain", worker, actions.Args{"local-data": "delete"})
	for p := range fleet.All[*fleet.Pod](d.a.store.Snapshot(), fleet.KindPod) {
		if p.Node == worker && !p.KeptByNode() {
			t.Errorf("%s is still on the drained node", p.Ref())
		}
	}
	d.run(undo)
}

// TestAPodOfAMachineThatIsOffIsForceDeletedInTheDemo: not before Nova shows that the machine is off.
func TestAPodOfAMachineThatIsOffIsForceDeletedInTheDemo(t *testing.T) {
	d := startDemoKube(t, incident.Options{Speed: 6})
	const pod = "monitoring/prometheus-0"
	forced, _ := actions.Find("pod-delete-force")
	plan := func() actions.Plan {
		s := d.a.store.Snapshot()
		r, err := find(s, fleet.KindPod, pod)
		if err != nil {
			return actions.Plan{Refused: []string{err.Error()}}
		}
		act, err := forced.Make(s, r, nil)
		if err != nil {
			t.Fatal(err)
		}
		return act.Plan(s)
	}
	d.until("it is refused while its machine runs", func(*fleet.Snapshot) bool {
		return strings.Contains(strings.Join(plan().Refused, "; "), "is ACTIVE")
	})
	d.until("it hangs on a machine that is off", func(s *fleet.Snapshot) bool {
		r, err := find(s, fleet.KindPod, pod)
		p, ok := fleet.Find[*fleet.Pod](s, r)
		return err == nil && ok && !p.Deleting.IsZero() && len(plan().Refused) == 0
	})
	if says := strings.Join(plan().Effects, "; "); !strings.Contains(says, "SHUTOFF") {
		t.Errorf("the proof is not said: %s", says)
	}
	d.act("pod-delete-force", pod, nil)
}

// TestLogsAndManifestsAreReadInTheDemo needs no hands.
func TestLogsAndManifestsAreReadInTheDemo(t *testing.T) {
	d := startDemoKube(t, incident.Options{Speed: 3, Quiet: true})
	pod := d.podsOf("grafana")[0].Ref()
	d.a.wishes.Follow(sources.LogWish{Pod: pod})
	d.until("the log grows", func(s *fleet.Snapshot) bool {
		for l := range fleet.All[*fleet.Log](s, fleet.KindLog) {
			return l.Pod == pod.Name && len(l.Lines) >= 2 && slices.Equal(l.Containers, []string{"grafana"})
		}
		return false
	})
	d.a.wishes.Read(pod)
	d.until("the manifest is there", func(s *fleet.Snapshot) bool {
		for m := range fleet.All[*fleet.Manifest](s, fleet.KindManifest) {
			return m.About == pod && strings.Contains(m.Text, `"kind":"Pod"`) && !strings.Contains(m.Text, "managedFields")
		}
		return false
	})
	d.a.wishes.Follow(sources.LogWish{})
	d.a.wishes.Read(fleet.Ref{})
	d.until("nothing is read any more", func(s *fleet.Snapshot) bool {
		return s.Tally(fleet.KindLog).Total() == 0 && s.Tally(fleet.KindManifest).Total() == 0
	})
}
