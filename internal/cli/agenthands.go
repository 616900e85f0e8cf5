package cli

import (
	"context"
	"time"

	"strata/actions"
	"strata/internal/fleet"
	"strata/internal/plain"
	"strata/internal/wire"
)

// agentHands does one thing on this machine, as the cockpit on another one was told to: the plan is made anew from what
// is seen here, and what is refused here is not done.
func (p *program) agentHands(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, err := p.meet(ctx, cancel)
	if m == nil {
		return err
	}
	do := awaitDo(ctx, m.in)
	if do == nil {
		return nil
	}
	// From here on it is seen through: who goes away leaves an action that ends, not half of one.
	ctx = context.WithoutCancel(ctx)
	return p.running(ctx, m.a, lookFirst, func(ctx context.Context, s *fleet.Snapshot) error {
		if err := p.doOne(ctx, m, s, *do); err != nil {
			return m.out.say(wire.Line{Did: &wire.Did{Phase: string(actions.Refused), Says: err.Error()}})
		}
		return nil
	})
}

// lookFirst is how long an agent with hands looks before it plans.
const lookFirst = 10 * time.Second

func awaitDo(ctx context.Context, in <-chan wire.Line) *wire.Do {
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	for {
		select {
		case l := <-in:
			if l.Do != nil {
				return l.Do
			}
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// doOne runs one order. Its own error is one from before anything was begun; whatever comes after is told as progress.
func (p *program) doOne(ctx context.Context, m *met, s *fleet.Snapshot, do wire.Do) error {
	act, err := actions.Decode(do.Recipe)
	if err != nil {
		return err
	}
	c := m.c
	c.Who = plain.Text(do.Who) + " through its agent here"
	if !c.ReadOnly {
		h, err := p.hands(m.a, c)
		if err != nil {
			return err
		}
		defer h.putDown()
		ok, err := h.runner.Approve(act.Plan(s), do.Typed)
		if err != nil {
			return err
		}
		over := make(chan struct{})
		defer close(over)
		go func() {
			for {
				select {
				case l := <-m.in:
					if l.Abort != nil {
						h.runner.Abort(act.Target())
					}
				case <-over:
					return
				}
			}
		}()
		_ = h.runner.Run(ctx, ok, func(now actions.Progress) { // its last progress says what came of it
			_ = m.out.say(wire.Line{Did: &wire.Did{Phase: string(now.Phase), Says: now.Says, Share: now.Share, Output: now.Output}})
		})
	}
	return nil
}
