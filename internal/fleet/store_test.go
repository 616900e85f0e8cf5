package fleet_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

func pod(ns, name string, restarts int32) *fleet.Pod {
	return &fleet.Pod{Source: "kube/a", Namespace: ns, Name: name, Run: fleet.PodRun{Phase: "Running", Restarts: restarts}}
}

func see(scope string, objects ...fleet.Object) fleet.Observation {
	return fleet.Observation{Source: "kube/a", Scope: scope, At: time.Now(), Facts: objects}
}

// settled puts observations and returns the snapshot that has them all.
func settled(store *fleet.Store, all ...fleet.Observation) *fleet.Snapshot {
	for _, o := range all {
		store.Put(o)
	}
	time.Sleep(time.Second) // of the bubble's clock
	synctest.Wait()
	return store.Snapshot()
}

func TestAnObservationReplacesItsScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		s := settled(store, see("pods/x", pod("x", "a", 0), pod("x", "b", 0)), see("pods/y", pod("y", "a", 0)))
		if n := s.Tally(fleet.KindPod).Total(); n != 3 {
			t.Fatalf("%d pods, want 3", n)
		}
		s = settled(store, see("pods/x", pod("x", "b", 0)))
		if _, ok := s.Get(fleet.Ref{Kind: fleet.KindPod, Source: "kube/a", Name: "x/a"}); ok {
			t.Error("a pod that is gone can still be found")
		}
		if _, ok := s.Get(fleet.Ref{Kind: fleet.KindPod, Source: "kube/a", Name: "y/a"}); !ok {
			t.Error("another scope lost its pod")
		}
		if n := s.Tally(fleet.KindPod).Total(); n != 2 {
			t.Errorf("the tally says %d pods, want 2", n)
		}
	})
}

func TestAFailureKeepsTheLastFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		settled(store, see("pods/x", pod("x", "a", 0)))
		failed := fleet.Observation{Source: "kube/a", Scope: "pods/x", At: time.Now(), Err: &fleet.Trouble{Doing: "listing pods", Cause: errors.New("403"), Fix: "ask"}}
		s := settled(store, failed)
		p, _ := s.Part("kube/a", "pods/x")
		if len(p.Facts) != 1 || p.Err != "listing pods: 403" || p.Fix != "ask" || !p.Stale(s.At) {
			t.Errorf("part %+v", p)
		}
		since := p.ErrAt
		again := failed
		again.At = failed.At.Add(time.Minute)
		if p, _ = settled(store, again).Part("kube/a", "pods/x"); !p.ErrAt.Equal(since) {
			t.Error("the time the failing began moved")
		}
		if p, _ = settled(store, see("pods/x", pod("x", "a", 0))).Part("kube/a", "pods/x"); p.Err != "" {
			t.Error("the error stays after a good look")
		}
	})
}

func TestAnErrorJustAfterFactsLosesNeither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		settled(store, see("nodes"))
		s := settled(store, see("pods/x", pod("x", "a", 0)), fleet.Observation{Source: "kube/a", Scope: "pods/x", At: time.Now(), Err: errors.New("cut")})
		if p, _ := s.Part("kube/a", "pods/x"); len(p.Facts) != 1 || p.Err != "cut" || p.Partial || !p.Stale(s.At) {
			t.Errorf("part %+v", p)
		}
	})
}

// All that follows comes before one snapshot is made of it.
func TestErrorsJustAfterFactsLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		settled(store, see("nodes"))
		began := time.Now()
		failed := func(after time.Duration, says string) fleet.Observation {
			return fleet.Observation{Source: "kube/a", Scope: "pods/x", At: began.Add(after), Err: errors.New(says)}
		}
		s := settled(store, see("pods/x", pod("x", "a", 0)), failed(time.Millisecond, "cut"), failed(2*time.Millisecond, "refused"))
		p, _ := s.Part("kube/a", "pods/x")
		if len(p.Facts) != 1 || p.Err != "refused" || !p.At.Equal(began) || !p.ErrAt.Equal(began.Add(time.Millisecond)) {
			t.Errorf("good, bad, bad: %+v", p)
		}
		s = settled(store, failed(0, "cut"), see("pods/x", pod("x", "a", 0), pod("x", "b", 0)))
		if p, _ = s.Part("kube/a", "pods/x"); len(p.Facts) != 2 || p.Err != "" {
			t.Errorf("bad, good: %+v", p)
		}
	})
}

// One object that cannot be read does not make the others old; that nothing can be read any more does.
func TestAFailureInPartIsNotStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		partly := see("pods/x", pod("x", "a", 0))
		partly.Err = &fleet.Trouble{Doing: "reading pods", Cause: errors.New("pod b is odd"), Fix: "look at b"}
		s := settled(store, partly)
		p, _ := s.Part("kube/a", "pods/x")
		if !p.Partial || p.Failing() || p.Stale(s.At) || s.Failing("kube/a", "pods/x") || p.Err != "reading pods: pod b is odd" || p.Fix != "look at b" {
			t.Errorf("part %+v", p)
		}
		if again, _ := settled(store, see("pods/x", pod("x", "a", 0))).Part("kube/a", "pods/x"); again.Partial || again.Err != "" || !again.ErrAt.IsZero() {
			t.Errorf("after a good look: %+v", again)
		}
		settled(store, partly)
		whole := fleet.Observation{Source: "kube/a", Scope: "pods/x", At: time.Now(), Err: errors.New("403")}
		s = settled(store, whole)
		if p, _ = s.Part("kube/a", "pods/x"); p.Partial || !p.Failing() || !p.Stale(s.At) || !s.Failing("kube/a", "pods/x") || !p.ErrAt.Equal(whole.At) || len(p.Facts) != 1 {
			t.Errorf("after a look that saw nothing: %+v", p)
		}
		s = settled(store, partly)
		if p, _ = s.Part("kube/a", "pods/x"); !p.Partial || p.Stale(s.At) {
			t.Errorf("seen in part again: %+v", p)
		}
	})
}

func TestASourceThatDiedFailsInAllItsScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		s := settled(store, see("pods/x", pod("x", "a", 0)), fleet.Observation{Source: "kube/a", At: time.Now(), Err: errors.New("panic")})
		if !s.Failing("kube/a", "pods/x") || s.Failing("kube/b", "pods/x") {
			t.Error("not the scopes of the source that died count as failing, or others do")
		}
	})
}

func TestSnapshotsAreConflated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		for i := range 1000 {
			store.Put(see("pods/x", pod("x", "a", int32(i))))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		s := store.Snapshot()
		if s.Seq > 12 {
			t.Errorf("%d snapshots in a second, at most 10 a second were promised", s.Seq)
		}
		if got, _ := fleet.Find[*fleet.Pod](s, pod("x", "a", 0).Ref()); got.Run.Restarts != 999 {
			t.Errorf("the newest observation is not in the newest snapshot: %d", got.Run.Restarts)
		}
	})
}

func TestASnapshotNeverChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		old := settled(store, see("pods/x", pod("x", "a", 1)))
		settled(store, see("pods/x", pod("x", "a", 2), pod("x", "b", 0)), see("pods/y", pod("y", "c", 0)))
		if n := len(old.Parts); n != 1 {
			t.Errorf("an old snapshot has %d parts now", n)
		}
		if got, _ := fleet.Find[*fleet.Pod](old, pod("x", "a", 0).Ref()); got.Run.Restarts != 1 {
			t.Error("an object of an old snapshot changed")
		}
		if _, ok := old.Get(pod("x", "b", 0).Ref()); ok {
			t.Error("an old snapshot finds a new object")
		}
	})
}

func TestDiffSeesWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		kept := pod("x", "kept", 0)
		a := settled(store, see("pods/x", pod("x", "changed", 0), pod("x", "gone", 0), kept), see("pods/z", pod("z", "all", 0)))
		b := settled(store, see("pods/x", pod("x", "changed", 1), kept, pod("x", "new", 0)), see("pods/y", pod("y", "first", 0)))
		var got []string
		fleet.Diff(a, b, func(old, next fleet.Object) {
			switch {
			case old == nil:
				got = append(got, "+"+next.Ref().Name)
			case next == nil:
				got = append(got, "-"+old.Ref().Name)
			default:
				got = append(got, "~"+next.Ref().Name)
			}
		})
		slices.Sort(got)
		if want := []string{"+x/new", "+y/first", "-x/gone", "~x/changed"}; !slices.Equal(got, want) {
			t.Errorf("diff %q, want %q", got, want)
		}
	})
}

func TestTrendsKeepTheLastSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		sensor := func(c float64) fleet.Observation {
			return fleet.Observation{Source: "host/h", Scope: "sensors", At: time.Now(), Facts: fleet.Facts{&fleet.Sensor{Source: "host/h", Name: "cpu", Celsius: fleet.Some(c)}}}
		}
		ref := fleet.Ref{Kind: fleet.KindSensor, Source: "host/h", Name: "cpu"}
		var s *fleet.Snapshot
		for i := range 70 {
			s = settled(store, sensor(float64(i)))
		}
		got := s.Trend(ref)
		if len(got) != 60 || got[0] != 10 || got[59] != 69 {
			t.Errorf("trend of %d samples from %v to %v", len(got), got[0], got[len(got)-1])
		}
		if s = settled(store, fleet.Observation{Source: "host/h", Scope: "sensors", At: time.Now()}); s.Trend(ref) != nil {
			t.Error("the trend of a sensor that is gone is kept")
		}
	})
}

func TestTheClockIsTheOnlyNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(nil)
		now := time.Now()
		settled(store, fleet.Observation{Source: fleet.ClockSource, At: now})
		s := settled(store, fleet.Observation{Source: fleet.ClockSource, At: now.Add(time.Second)})
		if !s.At.Equal(now.Add(time.Second)) {
			t.Errorf("at %v", s.At)
		}
		if len(s.Parts) != 0 {
			t.Error("the clock is no part of the fleet")
		}
	})
}

func TestComparePodsAsTheirRefs(t *testing.T) {
	var pods []*fleet.Pod
	for _, ns := range []string{"a", "a-b", "a.b", "ab", "b", "a/"} {
		for _, name := range []string{"x", "y", "x-1", "x.1"} {
			pods = append(pods, pod(ns, name, 0))
		}
	}
	sign := func(n int) int { return max(-1, min(1, n)) }
	for _, a := range pods {
		for _, b := range pods {
			if got, want := sign(fleet.Compare(a, b)), a.Ref().Compare(b.Ref()); got != want {
				t.Errorf("compare %s with %s: %d, their refs say %d", a.Ref().Name, b.Ref().Name, got, want)
			}
		}
	}
}
