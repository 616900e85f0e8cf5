package host

import (
	"context"
	"fmt"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// patience is how long a look may take before its scope is marked as failing. Reading a sensor of a dying disk can
// block in the kernel for a minute and more.
const patience = 10 * time.Second

// loop looks at one scope again and again.
type loop struct {
	source, scope string
	every         time.Duration
	look          func(ctx context.Context, now time.Time) (fleet.Facts, error)
	wake          chan struct{} // looks sooner when poked; nil never is
	sampled       bool          // its objects have a trend and are new at each look

	before fleet.Facts
}

type looked struct {
	facts fleet.Facts
	err   error
	at    time.Time
}

// run returns as soon as ctx ends, even while a look hangs; the look's goroutine then ends by itself, unheard.
func (l *loop) run(ctx context.Context, see func(fleet.Observation)) {
	done := make(chan looked, 1)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		go func() { done <- l.lookOnce(ctx) }()
		timer.Reset(patience)
		var got looked
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case got = <-done:
				waiting = false
			case now := <-timer.C:
				see(l.observation(looked{at: now, err: &fleet.Trouble{
					Doing: fmt.Sprintf("reading %s of %s: no answer for %v", l.scope, l.source, patience),
					Fix:   "look for a dead disk or a lost server in: journalctl -k",
				}}))
			}
		}
		if ctx.Err() != nil {
			return
		}
		see(l.observation(got))
		// All scopes look at the same moment, with the clock: one snapshot instead of several, and fewer wake-ups.
		now := time.Now()
		timer.Reset(now.Truncate(l.every).Add(l.every).Sub(now))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
		}
	}
}

// lookOnce turns a panic into an error: one odd file must cost no more than its scope.
func (l *loop) lookOnce(ctx context.Context) (got looked) {
	got.at = time.Now()
	defer func() {
		if p := recover(); p != nil {
			got.err = sources.Panicked(l.source, "reading "+l.scope+" of "+l.source, p)
		}
	}()
	got.facts, got.err = l.look(ctx, got.at)
	return got
}

func (l *loop) observation(got looked) fleet.Observation {
	if got.facts != nil {
		got.facts = sources.Settle(l.before, got.facts, l.sampled)
		l.before = got.facts
	}
	return fleet.Observation{Source: l.source, Scope: l.scope, At: got.at, Facts: got.facts, Err: got.err, Every: l.every}
}
