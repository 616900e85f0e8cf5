package kube

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

func podItem(namespace, name, phase string) *item {
	p := &fleet.Pod{Source: testSource, Namespace: namespace, Name: name, Run: fleet.PodRun{Phase: phase}}
	return &item{namespace: namespace, name: name, fact: p}
}

func claimItem(namespace, name string) *item {
	return &item{namespace: namespace, name: name, fact: &fleet.Claim{Source: testSource, Namespace: namespace, Name: name}}
}

// flushed is what a flush observes, by scope.
func flushed(s *shelf) map[string]fleet.Observation {
	all := map[string]fleet.Observation{}
	for _, o := range s.flush(utc(0)) {
		all[o.Scope] = o
	}
	return all
}

func fill(t *testing.T, s *shelf, all ...*item) {
	t.Helper()
	list := make([]any, 0, len(all))
	for _, i := range all {
		list = append(list, i)
	}
	if err := s.Replace(list, "1"); err != nil {
		t.Fatal(err)
	}
}

func names(facts fleet.Facts) (all []string) {
	for _, o := range facts {
		all = append(all, o.Ref().Name)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestShelfObservesOnlyTheScopesThatChanged(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "pods"))
	if len(flushed(s)) > 0 {
		t.Error("an empty shelf is observed before it was listed")
	}
	fill(t, s, podItem("b", "2", "Running"), podItem("a", "1", "Running"), podItem("b", "1", "Running"))
	first := flushed(s)
	if got := names(first["pods/b"].Facts); !slices.Equal(got, []string{"b/1", "b/2"}) || len(first) != 3 {
		t.Fatalf("after the list there are %d observations and pods/b has %v", len(first), got)
	}
	must(t, s.Update(podItem("b", "2", "Failed")))
	must(t, s.Add(podItem("b", "15", "Running")))
	must(t, s.Delete(podItem("b", "1", "")))
	next := flushed(s)
	if got := names(next["pods/b"].Facts); !slices.Equal(got, []string{"b/15", "b/2"}) || len(next) != 1 {
		t.Errorf("after three changes there are %d observations and pods/b has %v", len(next), got)
	}
	if got := names(first["pods/b"].Facts); !slices.Equal(got, []string{"b/1", "b/2"}) {
		t.Errorf("the observation before changed to %v", got)
	}
}

func TestShelfIsSilentWhenNothingShownChanged(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "pods"))
	fill(t, s, podItem("a", "1", "Running"), podItem("a", "2", "Running"))
	before := flushed(s)["pods/a"].Facts
	must(t, s.Update(podItem("a", "1", "Running")))
	must(t, s.Delete(podItem("a", "unknown", "")))
	if got := flushed(s); len(got) > 0 {
		t.Errorf("an update that changes nothing is observed: %v", got)
	}
	must(t, s.Update(podItem("a", "1", "Failed")))
	must(t, s.Update(podItem("a", "1", "Running")))
	if after := flushed(s)["pods/a"].Facts; after[0] != before[0] {
		t.Error("a pod that changed and changed back is a new object")
	}
	fill(t, s, podItem("a", "2", "Failed"), podItem("a", "1", "Running"))
	after := flushed(s)["pods/a"].Facts
	if after[0] != before[0] || after[1] == before[1] {
		t.Error("after a second list the pod that did not change is a new object, or the one that did is not")
	}
}

func TestShelfForgetsEmptyNamespaces(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "pods"))
	fill(t, s)
	for n := range 1000 {
		must(t, s.Add(podItem(fmt.Sprint("job-", n), "1", "Running")))
	}
	flushed(s)
	for n := range 1000 {
		must(t, s.Delete(podItem(fmt.Sprint("job-", n), "1", "")))
	}
	got := flushed(s)
	if o, ok := got["pods/job-7"]; !ok || o.Facts == nil || len(o.Facts) > 0 {
		t.Errorf("a namespace without pods is observed as %+v (%v), want empty", o, ok)
	}
	if len(s.groups) != 1 {
		t.Errorf("%d groups are left", len(s.groups))
	}
	fill(t, s, podItem("x", "1", "Running"))
	flushed(s)
	fill(t, s)
	if o, ok := flushed(s)["pods/x"]; !ok || o.Facts == nil || len(o.Facts) > 0 {
		t.Errorf("a namespace that a second list does not have is observed as %+v (%v)", o, ok)
	}
}

// TestShelfSortsAsRefsAreSorted guards against sorting by namespace and then name: "a-b/x" comes before "a/x".
func TestShelfSortsAsRefsAreSorted(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "persistentvolumeclaims"))
	fill(t, s, claimItem("a", "x"), claimItem("a-b", "x"))
	must(t, s.Add(claimItem("a-a", "y")))
	got := flushed(s)["claims"].Facts
	if !slices.IsSortedFunc(got, func(a, b fleet.Object) int { return a.Ref().Compare(b.Ref()) }) || len(got) != 3 {
		t.Errorf("claims are %v", names(got))
	}
}

func TestShelfKeepsFactsThroughFailure(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "pods"))
	broken := errors.New("broken")
	s.fail(broken)
	if o := flushed(s)["pods"]; !errors.Is(o.Err, broken) || o.Facts != nil {
		t.Errorf("a failure before any list is observed as %+v", o)
	}
	fill(t, s, podItem("a", "1", "Running"))
	if o := flushed(s)["pods"]; o.Err != nil || o.Facts == nil {
		t.Errorf("the first list is observed as %+v", o)
	}
	s.fail(broken)
	got := flushed(s)
	if len(got) != 2 || !errors.Is(got["pods/a"].Err, broken) || got["pods/a"].Facts != nil {
		t.Errorf("a failure is observed as %+v", got)
	}
	s.seen()
	if o := flushed(s)["pods/a"]; o.Err != nil || len(o.Facts) != 1 {
		t.Errorf("recovery is observed as %+v", o)
	}
}

func TestShelfKeepsOtherRowsBesideABadOne(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "pods"))
	bad := errors.New("bad row")
	fill(t, s, podItem("a", "1", "Running"), &item{namespace: "a", name: "2", err: bad})
	got := flushed(s)
	if len(got["pods/a"].Facts) != 1 || got["pods/a"].Err != nil || !errors.Is(got["pods"].Err, bad) {
		t.Errorf("observed %+v", got)
	}
	fill(t, s, podItem("a", "1", "Running"))
	if o := flushed(s)["pods"]; o.Err != nil {
		t.Errorf("the bad row is gone and still said: %v", o.Err)
	}
}

// A pod that could not be read is no trouble any more once it is seen well, or is gone, without a new list.
func TestShelfForgetsABadRowThatIsMendedOrGone(t *testing.T) {
	t.Parallel()
	for name, mend := range map[string]func(*shelf) error{
		"seen well": func(s *shelf) error { return s.Update(podItem("a", "2", "Running")) },
		"gone":      func(s *shelf) error { return s.Delete(podItem("a", "2", "")) },
	} {
		s := newShelf(kindOf(t, "pods"))
		fill(t, s, podItem("a", "1", "Running"))
		bad := errors.New("bad row")
		must(t, s.Update(&item{namespace: "a", name: "2", err: bad}))
		must(t, s.Update(&item{namespace: "b", name: "2", err: errors.New("another")}))
		if o := flushed(s)["pods"]; !errors.Is(o.Err, bad) || o.Err.Error() != "bad row (and 1 more)" || o.Facts == nil {
			t.Errorf("%s: two bad rows are observed as %+v", name, o)
		}
		must(t, s.Delete(podItem("b", "2", "")))
		if o := flushed(s)["pods"]; o.Err == nil || o.Err.Error() != "bad row" {
			t.Errorf("%s: one bad row is left, observed as %+v", name, o)
		}
		must(t, mend(s))
		if o, ok := flushed(s)["pods"]; !ok || o.Err != nil {
			t.Errorf("%s: the bad row is still said: %v", name, o.Err)
		}
	}
}

func TestEventsAreTheNewestOfTheLastHour(t *testing.T) {
	t.Parallel()
	s := newShelf(kindOf(t, "events"))
	all := make([]*item, 0, eventsMost+100)
	for n := range eventsMost + 100 {
		name := fmt.Sprintf("e%05d", n)
		e := &fleet.Event{Source: testSource, Namespace: "a", Name: name, Last: utc(int64(-n))}
		all = append(all, &item{namespace: "a", name: name, fact: e})
	}
	fill(t, s, all...)
	got := flushed(s)["events"].Facts
	if len(got) != eventsMost || got[0].(*fleet.Event).Name != "e00000" {
		t.Errorf("%d events are left, the first is %v", len(got), got[0].Ref())
	}
	later := utc(0).Add(time.Hour)
	s.grownOld(later)
	old := s.flush(later)
	if len(old) != 1 || len(old[0].Facts) != 1 {
		t.Errorf("an hour later %d observations are made, want one with the one event that is not older", len(old))
	}
	s.grownOld(later)
	if again := s.flush(later); len(again) > 0 {
		t.Error("events are observed again though none grew old")
	}
}

func TestALeaseTellsWhenItWasSeenToBeRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		renewed := func(at time.Time) *item {
			return &item{name: "w1", fact: &fleet.Lease{Source: testSource, Node: "w1", Renewed: at}}
		}
		s := newShelf(kindOf(t, "leases"))
		lease := func() *fleet.Lease {
			t.Helper()
			s.flush(time.Now())
			return s.groups["leases"].facts[0].(*fleet.Lease)
		}
		began, theirs := time.Now(), time.Now().Add(-time.Hour) // the node's clock is an hour behind
		fill(t, s, renewed(theirs))
		if l := lease(); !l.Seen.Equal(began) || l.Watched {
			t.Errorf("listed: %+v", l)
		}
		first := lease()
		time.Sleep(5 * time.Second)
		fill(t, s, renewed(theirs))
		must(t, s.Update(renewed(theirs)))
		if lease() != first {
			t.Errorf("one that is the same was seen again: %+v", lease())
		}
		for _, take := range []func(*item){func(i *item) { must(t, s.Update(i)) }, func(i *item) { fill(t, s, i) }} {
			time.Sleep(5 * time.Second)
			theirs = theirs.Add(10 * time.Second)
			take(renewed(theirs))
			if l := lease(); !l.Seen.Equal(time.Now()) || !l.Watched || !l.Renewed.Equal(theirs) {
				t.Errorf("renewed: %+v", l)
			}
		}
	})
}
