package sourcetest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/fleet"
	"strata/sources"
)

// watching is a source at work and everything it has said.
type watching struct {
	t      *testing.T
	h      Harness
	before goleak.Option
	cancel context.CancelFunc
	done   chan error

	mu     sync.Mutex
	seen   []fleet.Observation
	read   int // how many of seen await has looked at
	ended  bool
	after  int           // observations since Watch returned
	spoken chan struct{} // has room for one: something was said since the last look
}

func watch(t *testing.T, h Harness, s sources.Source) *watching {
	w := &watching{t: t, h: h, before: goleak.IgnoreCurrent(), done: make(chan error, 1), spoken: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() {
		err := s.Watch(ctx, w.see)
		w.mu.Lock()
		w.ended = true
		w.mu.Unlock()
		w.done <- err
	}()
	return w
}

func (w *watching) see(o fleet.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		w.after++
		return
	}
	w.seen = append(w.seen, o)
	select {
	case w.spoken <- struct{}{}:
	default:
	}
}

// await waits for the next observation not yet looked at in which ok holds.
func (w *watching) await(what string, ok func(fleet.Observation) bool) {
	w.t.Helper()
	deadline := time.After(w.h.Within)
	for {
		w.mu.Lock()
		for w.read < len(w.seen) {
			o := w.seen[w.read]
			w.read++
			if ok(o) {
				w.mu.Unlock()
				return
			}
		}
		w.mu.Unlock()
		select {
		case <-w.spoken:
		case err := <-w.done:
			w.done <- err
			w.t.Fatalf("Watch returned (%v) while waiting for %s", err, what)
		case <-deadline:
			w.t.Fatalf("waited %v for %s; the last observation was %s", w.h.Within, what, w.last())
		}
	}
}

// stop ends the source and waits until Watch returned. Only the first call does anything.
func (w *watching) stop() error {
	w.cancel()
	select {
	case err := <-w.done:
		w.done <- nil
		return err
	case <-time.After(w.h.Within):
		w.t.Errorf("Watch did not return within %v after its context ended", w.h.Within)
		return nil
	}
}

func (w *watching) late() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.after
}

func (w *watching) all() []fleet.Observation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[:len(w.seen):len(w.seen)]
}

func (w *watching) last() string {
	seen := w.all()
	if len(seen) == 0 {
		return "none"
	}
	o := seen[len(seen)-1]
	return fmt.Sprintf("of scope %q with %d objects and error %v", o.Scope, len(o.Facts), o.Err)
}

// steady compares neighbouring observations of each scope: an object equal to its predecessor must be the same pointer,
// or every look would count as a change of everything. Objects with a sample are new each time, for their trend.
func steady(t *testing.T, h Harness) {
	w := watch(t, h, h.New())
	defer w.stop()
	for range 3 {
		w.await("facts in scope "+h.Scope, func(o fleet.Observation) bool {
			return o.Scope == h.Scope && o.Err == nil && len(o.Facts) > 0
		})
	}
	before := map[string]map[fleet.Ref]fleet.Object{}
	for _, o := range w.all() {
		if o.Err != nil {
			continue
		}
		now := make(map[fleet.Ref]fleet.Object, len(o.Facts))
		for _, f := range o.Facts {
			now[f.Ref()] = f
			_, samples := f.(interface{ Sample() (float64, bool) })
			old, ok := before[o.Scope][f.Ref()]
			if ok && !samples && old != f && reflect.DeepEqual(old, f) {
				t.Errorf("%v did not change and is a new object all the same", f.Ref())
			}
		}
		before[o.Scope] = now
	}
}

func describe(s *fleet.Snapshot) string {
	words := make([]string, 0, len(s.Parts))
	for _, p := range s.Parts {
		words = append(words, fmt.Sprintf("%s/%s: %d objects, error %q", p.Source, p.Scope, len(p.Facts), p.Err))
	}
	return "[" + strings.Join(words, "; ") + "]"
}
