// Package sources turns the systems that strata looks at into observations. Looking never acts: nothing here, nor in
// the packages below, may reach a writing client.
package sources

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"strata/internal/fleet"
)

// Source watches one system until ctx ends. It pushes complete scopes through see, never deltas; what it cannot read it
// pushes as an observation with Err. It returns nil or ctx.Err() when ctx ends, and any other error to be started
// again. It must not call see after it returned.
type Source interface {
	Name() string
	Watch(ctx context.Context, see func(fleet.Observation)) error
}

// Run watches all sources until ctx ends. One that returns or panics is started again after a growing delay, and says
// so as an observation of scope "".
func Run(ctx context.Context, put func(fleet.Observation), all ...Source) error {
	var group errgroup.Group
	for _, s := range all {
		group.Go(func() error {
			keep(ctx, put, s)
			return nil
		})
	}
	_ = group.Wait()
	return ctx.Err()
}

// Restart delays grow from first to longest, each with a jitter of a quarter.
const (
	firstDelay   = time.Second
	longestDelay = time.Minute
	calm         = 2 * time.Minute // a source that ran this long starts over with the first delay
)

func keep(ctx context.Context, put func(fleet.Observation), s Source) {
	delay := firstDelay
	r := &recovery{put: put, known: map[string]bool{}}
	for {
		began := time.Now()
		stop := r.begin()
		err := watch(ctx, r.see, s)
		stop()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("watching %s: ended by itself", s.Name())
		}
		if time.Since(began) > calm {
			delay = firstDelay
		}
		r.fail(fleet.Observation{Source: s.Name(), At: time.Now(), Err: err})
		if !Sleep(ctx, Jitter(delay)) {
			return
		}
		delay = min(2*delay, longestDelay)
	}
}

// watch runs a source once and turns a panic into an error: one broken source must not take the cockpit down. The error
// is one line for the screen; the stack goes into the log.
func watch(ctx context.Context, see func(fleet.Observation), s Source) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Panicked(s.Name(), "watching "+s.Name(), p)
		}
	}()
	return s.Watch(ctx, see)
}

// Jitter spreads a delay by up to a quarter to both sides.
func Jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}

// Sleep waits for d and reports false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
