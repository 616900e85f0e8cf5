// Package sourcetest is the suite that every source must pass: whatever system it watches, it stops when told, shows
// what is gone as gone, and keeps what was last seen well when it cannot look.
package sourcetest

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/fleet"
	"strata/sources"
)

// Harness is a source and the system under it. Each test begins and ends with the system whole and the object that Add
// makes absent.
type Harness struct {
	// New makes the source. It should look every few milliseconds.
	New func() sources.Source
	// Scope is the scope that Extra appears in and that Break breaks. It holds at least one object even without Extra.
	Scope string
	// Of is the source that Scope is told as, of a source that speaks for others; "" is its own name.
	Of string
	// Extra is the object that Add makes and Remove takes away.
	Extra       fleet.Ref
	Add, Remove func()
	// Break makes the system fail for Scope, Heal makes it work again.
	Break, Heal func()
	// Quiet ends what the harness itself keeps running for a source (idle connections of a server). May be nil.
	Quiet func()
	// Within is how long to wait for anything to happen; zero is 10 s.
	Within time.Duration
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	if h.Within == 0 {
		h.Within = 10 * time.Second
	}
	if h.Quiet == nil {
		h.Quiet = func() {}
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, Harness)
	}{
		{"facts are sorted, of one kind and its own", wellFormed},
		{"objects that did not change keep their pointers", steady},
		{"stops when told and is silent after", stops},
		{"what is gone is absent", deletionShows},
		{"failure keeps what was seen, healing refreshes it", failureKeeps},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			defer func() {
				h.Quiet()
				goleak.VerifyNone(t, before)
			}()
			c.test(t, h)
		})
	}
}

func (h Harness) of(s sources.Source) string { return cmp.Or(h.Of, s.Name()) }

// wellFormed checks a few observations of the whole source against the contract of fleet.Observation.
func wellFormed(t *testing.T, h Harness) {
	s := h.New()
	w := watch(t, h, s)
	defer w.stop()
	for range 3 {
		w.await("facts in scope "+h.Scope, func(o fleet.Observation) bool {
			return o.Scope == h.Scope && o.Err == nil && len(o.Facts) > 0
		})
	}
	for _, o := range w.all() {
		if o.Source != s.Name() && o.Source != h.of(s) || o.At.IsZero() {
			t.Errorf("observation of %q has source %q and time %v, want source %q and a time", o.Scope, o.Source, o.At, h.of(s))
		}
		for i, f := range o.Facts {
			r := f.Ref()
			if r.Source != o.Source {
				t.Errorf("%v in scope %q says it is of source %q", r, o.Scope, r.Source)
			}
			if r.Kind != o.Facts[0].Ref().Kind {
				t.Errorf("scope %q mixes %s and %s", o.Scope, o.Facts[0].Ref().Kind, r.Kind)
			}
			if i > 0 && o.Facts[i-1].Ref().Compare(r) >= 0 {
				t.Errorf("scope %q has %v before %v: not sorted, or twice", o.Scope, o.Facts[i-1].Ref(), r)
			}
		}
	}
}

func stops(t *testing.T, h Harness) {
	w := watch(t, h, h.New())
	w.await("an observation", func(fleet.Observation) bool { return true })
	began := time.Now()
	err := w.stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Watch returned %v after its context ended, want nil or the context's error", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Watch took %v to stop", took)
	}
	h.Quiet()
	// With no goroutine of its own left, a source has nothing to speak with.
	goleak.VerifyNone(t, w.before)
	if n := w.late(); n > 0 {
		t.Errorf("%d observations came after Watch returned", n)
	}
}

func deletionShows(t *testing.T, h Harness) {
	w := watch(t, h, h.New())
	defer w.stop()
	has := func(o fleet.Observation) bool {
		for _, f := range o.Facts {
			if f.Ref() == h.Extra {
				return true
			}
		}
		return false
	}
	w.await("scope "+h.Scope+" seen before anything is added", func(o fleet.Observation) bool {
		return o.Scope == h.Scope && o.Err == nil
	})
	h.Add()
	w.await(h.Extra.String()+" after it was added", func(o fleet.Observation) bool { return o.Scope == h.Scope && has(o) })
	h.Remove()
	w.await("scope "+h.Scope+" without "+h.Extra.String(), func(o fleet.Observation) bool {
		return o.Scope == h.Scope && o.Err == nil && !has(o)
	})
}

// failureKeeps runs through a Store and sources.Run, as the program does: a source may answer a failure by an
// observation with Err or by returning, to be started again.
func failureKeeps(t *testing.T, h Harness) {
	s := h.New()
	store := fleet.NewStore(nil)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- sources.Run(ctx, store.Put, s) }()
	defer func() {
		cancel()
		<-ran
	}()

	part := until(t, h, store, "facts of scope "+h.Scope, func(snap *fleet.Snapshot) bool {
		p, ok := snap.Part(h.of(s), h.Scope)
		return ok && p.Err == "" && len(p.Facts) > 0
	})
	count := len(part.Facts)
	h.Break()
	part = until(t, h, store, "an error after the system broke", func(snap *fleet.Snapshot) bool {
		for _, scope := range []string{h.Scope, ""} {
			if p, ok := snap.Part(h.of(s), scope); ok && p.Err != "" {
				return true
			}
		}
		return false
	})
	if len(part.Facts) < count {
		t.Errorf("of %d objects %d are left after a failure, want all of them", count, len(part.Facts))
	}
	broke := part.At
	h.Heal()
	until(t, h, store, "fresh facts after the system was healed", func(snap *fleet.Snapshot) bool {
		p, ok := snap.Part(h.of(s), h.Scope)
		return ok && p.Err == "" && p.At.After(broke) && len(p.Facts) >= count
	})
}

// until waits for a snapshot in which ok holds and returns the harness' part of it.
func until(t *testing.T, h Harness, store *fleet.Store, what string, ok func(*fleet.Snapshot) bool) *fleet.Part {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), h.Within)
	defer cancel()
	snap := store.Snapshot()
	for !ok(snap) {
		next, err := store.Next(ctx, snap.Seq)
		if err != nil {
			t.Fatalf("waited %v for %s; the parts are %s", h.Within, what, describe(snap))
		}
		snap = next
	}
	for i := range snap.Parts {
		if snap.Parts[i].Scope == h.Scope && snap.Parts[i].Source != fleet.ClockSource {
			return &snap.Parts[i]
		}
	}
	t.Fatalf("there is no scope %s; the parts are %s", h.Scope, describe(snap))
	return nil
}
