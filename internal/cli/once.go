package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// answer is what one scope had to say: nothing in time, an error, or facts.
type answer struct {
	awaited
	part *fleet.Part // nil when it never answered
	err  string
	fix  string
}

// Waits that look beyond the first answer of every scope.
const (
	// settleFor lets what belongs together arrive: the pods of each namespace are scopes of their own, and the store
	// publishes ten times a second.
	settleFor = 150 * time.Millisecond
	// deepenFor is how long the second looks may take: histories of stopped servers, SMART of disks.
	deepenFor = 3 * time.Second
)

// once runs an assembly until every scope in want has answered or failed, or ctx ends, and returns the last snapshot.
func (a *assembly) once(ctx context.Context, want []awaited) (*fleet.Snapshot, error) {
	return a.during(ctx, func(ctx context.Context) *fleet.Snapshot { return a.settled(ctx, want) })
}

// during runs an assembly while something is waited for.
func (a *assembly) during(ctx context.Context, wait func(context.Context) *fleet.Snapshot) (*fleet.Snapshot, error) {
	connect.QuietKlog(slog.DiscardHandler) // what client-go has to say is in the parts' errors
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.run(running) // ends with the context only
	}()
	defer func() {
		stop()
		// A look that hangs in the kernel must not keep the answer from being printed.
		select {
		case <-ended:
		case <-time.After(settleFor):
		}
	}()
	s := wait(ctx)
	select {
	case err := <-a.broke:
		return s, err
	default:
		return s, nil
	}
}

// settled waits until every scope in want has answered or failed, and for what follows the first answers, or until ctx
// ends.
func (a *assembly) settled(ctx context.Context, want []awaited) *fleet.Snapshot {
	s := a.until(ctx, func(s *fleet.Snapshot) bool { return allAnswered(s, want) })
	if ctx.Err() == nil && len(want) > 0 {
		deep, done := context.WithTimeout(ctx, deepenFor)
		s = a.until(deep, func(s *fleet.Snapshot) bool { return deepened(s, want) })
		done()
		if slices.ContainsFunc(want, func(w awaited) bool { return w.scope == "pods" }) {
			settle, done := context.WithTimeout(ctx, settleFor)
			s = a.until(settle, func(*fleet.Snapshot) bool { return false })
			done()
		}
	}
	return s
}

// until returns the first snapshot in which ok holds, or the newest when ctx ends before.
func (a *assembly) until(ctx context.Context, ok func(*fleet.Snapshot) bool) *fleet.Snapshot {
	s := a.store.Snapshot()
	for !ok(s) {
		next, err := a.store.Next(ctx, s.Seq)
		if err != nil {
			return a.store.Snapshot()
		}
		s = next
	}
	return s
}

func allAnswered(s *fleet.Snapshot, want []awaited) bool {
	for _, w := range want {
		if p := w.in(s); p == nil {
			return false
		}
	}
	return true
}

// in is the part that answers for a scope: its own, or the source's as a whole when that fails.
func (w awaited) in(s *fleet.Snapshot) *fleet.Part {
	if p, ok := s.Part(w.source, w.scope); ok && (p.Err != "" || !p.At.IsZero() && !connecting(p)) {
		return p
	}
	if p, ok := s.Part(w.source, ""); ok && p.Err != "" {
		return p
	}
	return nil
}

// connecting reports whether a part is of an agent that was not reached yet: that is no answer.
func connecting(p *fleet.Part) bool {
	return slices.ContainsFunc(p.Facts, func(o fleet.Object) bool {
		a, ok := o.(*fleet.Agent)
		return ok && a.State == "connecting"
	})
}

// deepened reports whether nothing is left of which the sources said that they will look again at once.
func deepened(s *fleet.Snapshot, want []awaited) bool {
	for _, w := range want {
		p := w.in(s)
		if p == nil || p.Err != "" {
			continue
		}
		for _, o := range p.Facts {
			switch o := o.(type) {
			case *fleet.Disk:
				if slices.Contains(o.Missing, "SMART: not read yet") {
					return false
				}
			case *fleet.Check:
				if o.State == "" {
					return false
				}
			case *fleet.Agent:
				if o.State == "connecting" || o.State == "connected" && !o.RSS.OK {
					return false
				}
			case *fleet.Server:
				if (o.Run.Status == "SHUTOFF" || o.Run.Locked.V) && o.Actions == nil && o.ActionsErr == "" {
					return false
				}
			}
		}
	}
	return true
}

// answers tells how each scope in want did.
func answers(s *fleet.Snapshot, want []awaited, waited time.Duration) []answer {
	all := make([]answer, 0, len(want))
	for _, w := range want {
		a := answer{awaited: w, part: w.in(s)}
		if a.part == nil {
			a.err = fmt.Sprintf("no answer within %s", waited)
			a.fix = "give it longer with --wait, or see strata doctor"
		} else if !a.part.Unconfigured || a.part.Scope == "" {
			a.err, a.fix = a.part.Err, a.part.Fix
		}
		all = append(all, a)
	}
	return all
}
