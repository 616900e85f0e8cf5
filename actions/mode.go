package actions

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"strata/internal/fleet"
)

// mode is whether a runner acts at the moment. The zero value does.
type mode struct {
	mu    sync.Mutex
	why   string    // why it does not; "" when it does
	until time.Time // when it ceases to; zero is never
}

// Mode is whether a runner acts, for the screen.
type Mode struct {
	Closed string    // why it does not act; "" when it does
	Until  time.Time // when it ceases to; zero is never
}

// Mode returns whether the runner acts at a time.
func (r *Runner) Mode(now time.Time) Mode {
	r.mode.mu.Lock()
	defer r.mode.mu.Unlock()
	if r.mode.why == "" && !r.mode.until.IsZero() && !now.Before(r.mode.until) {
		return Mode{Closed: "the time for writing is over; :write 10m REASON gives more"}
	}
	return Mode{r.mode.why, r.mode.until}
}

// Closed says why the runner does not act now; "" when it does.
func (r *Runner) Closed() string { return r.Mode(time.Now()).Closed }

// Close has the runner act no more until Open. What runs goes on.
func (r *Runner) Close(why string) {
	r.mode.mu.Lock()
	defer r.mode.mu.Unlock()
	r.mode.why, r.mode.until = why, time.Time{}
}

// Open lets the runner act for a while, and puts who wanted that and why on record first: without that it stays closed.
func (r *Runner) Open(d time.Duration, reason string) error {
	if d <= 0 || reason == "" {
		return errors.New("opening for writing: say for how long and why: :write 10m REASON")
	}
	until := time.Now().Add(d)
	deed := fleet.Deed{Who: r.Who, Action: "write", Title: fmt.Sprintf("writing for %s: %s", d, reason), After: "until " + until.UTC().Format(time.RFC3339)}
	if err := r.record(deed, "write", deed.After, nil); err != nil {
		return fmt.Errorf("opening for writing: %w", err)
	}
	r.mode.mu.Lock()
	defer r.mode.mu.Unlock()
	r.mode.why, r.mode.until = "", until
	return nil
}
