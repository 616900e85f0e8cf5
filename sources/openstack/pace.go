package openstack

import (
	"context"
	"time"

	"strata/internal/connect"
	"strata/sources"
)

// longestWait caps Retry-After: whoever asks for an hour is asked again all the same, now and then.
const longestWait = 2 * time.Minute

// pace says when to look next. While looks fail it waits longer and longer, up to four times.
type pace struct {
	every  time.Duration
	failed int
}

// after returns how long to wait after a look that ended with err, and the wait that the API asked for, if it did.
func (p *pace) after(err error) (wait, asked time.Duration) {
	if err == nil {
		p.failed = 0
		return p.every, 0
	}
	p.failed = min(p.failed+1, 2)
	wait = p.every << p.failed
	if a, ok := connect.AnswerOf(err); ok && a.RetryAfter > 0 {
		asked = min(a.RetryAfter, longestWait)
		return max(asked, p.every), asked
	}
	return sources.Jitter(wait), 0
}

// pause waits until d is over or a wake comes, but never less than least since began, so that many wakes are one.
// It reports what woke it, and false when ctx ended.
func pause(ctx context.Context, began time.Time, least, d time.Duration, wakes ...<-chan struct{}) (woke int, ok bool) {
	for len(wakes) < 2 {
		wakes = append(wakes, nil)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	woke = -1
	select {
	case <-ctx.Done():
		return woke, false
	case <-timer.C:
		return woke, true
	case <-wakes[0]:
		woke = 0
	case <-wakes[1]:
		woke = 1
	}
	return woke, sources.Sleep(ctx, max(0, least-time.Since(began)))
}
