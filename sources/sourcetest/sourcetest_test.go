package sourcetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// TestPollPasses runs the suite over the simplest source there is.
func TestPollPasses(t *testing.T) {
	var mu sync.Mutex
	objects := map[string]*fleet.Filesystem{"/": {Source: "plain/x", Mount: "/"}}
	var broken error
	locked := func(do func()) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			do()
		}
	}
	look := func(context.Context) (fleet.Facts, error) {
		mu.Lock()
		defer mu.Unlock()
		if broken != nil {
			return nil, broken
		}
		var facts fleet.Facts
		for _, name := range []string{"/", "/srv"} {
			if o := objects[name]; o != nil {
				facts = append(facts, o)
			}
		}
		return facts, nil
	}
	extra := &fleet.Filesystem{Source: "plain/x", Mount: "/srv"}
	Run(t, Harness{
		New:    func() sources.Source { return sources.Poll("plain/x", "mounts", time.Millisecond, look) },
		Scope:  "mounts",
		Extra:  extra.Ref(),
		Add:    locked(func() { objects["/srv"] = extra }),
		Remove: locked(func() { delete(objects, "/srv") }),
		Break:  locked(func() { broken = errors.New("no such thing") }),
		Heal:   locked(func() { broken = nil }),
	})
}
