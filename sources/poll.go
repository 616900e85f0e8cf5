package sources

import (
	"context"
	"time"

	"strata/internal/fleet"
)

// Poll makes a source of one scope out of a function that looks once. It looks at once and then every so often; while
// looks fail the delay grows up to eight times.
func Poll(name, scope string, every time.Duration, look func(context.Context) (fleet.Facts, error)) Source {
	return &poll{name: name, scope: scope, every: every, look: look}
}

type poll struct {
	name, scope string
	every       time.Duration
	look        func(context.Context) (fleet.Facts, error)
}

func (p *poll) Name() string { return p.name }

func (p *poll) Watch(ctx context.Context, see func(fleet.Observation)) error {
	delay := p.every
	for {
		facts, err := p.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		see(fleet.Observation{Source: p.name, Scope: p.scope, At: time.Now(), Facts: facts, Err: err, Every: p.every})
		if err == nil {
			delay = p.every
		} else {
			delay = min(2*delay, 8*p.every)
		}
		if !Sleep(ctx, delay) {
			return ctx.Err()
		}
	}
}

// Clock observes the time each second, so that ages move even when every other source hangs.
func Clock() Source { return clock{} }

type clock struct{}

func (clock) Name() string { return fleet.ClockSource }

func (clock) Watch(ctx context.Context, see func(fleet.Observation)) error {
	for {
		now := time.Now()
		see(fleet.Observation{Source: fleet.ClockSource, At: now})
		if !Sleep(ctx, now.Truncate(time.Second).Add(time.Second).Sub(now)) {
			return ctx.Err()
		}
	}
}
