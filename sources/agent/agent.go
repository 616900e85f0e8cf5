// Package agent watches other machines through strata's own agent there, over ssh: what the agent's sources see becomes
// observations here, on this machine's clock. It only listens, and asks for looks; it starts nothing but the agent.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/wire"
	"strata/sources"
)

// Scope is the scope in which the agent itself is told of.
const Scope = "agents"

// Options say how a machine is watched.
type Options struct {
	Wishes *sources.Wishes
	// Beat is how often the agent is asked for a sign of life; zero is 5 s. Three that stay out end the conversation.
	Beat time.Duration
	// Expect are the scopes of "host/NAME" that every machine has: one that was never reached fails in each of them.
	Expect []string
	// Checks are what it shall dial over there.
	Checks []fleet.Endpoint
}

// New returns the source "agent/NAME". It tells of that machine's own sources too, under their names there.
func New(r connect.Remote, o Options) sources.Source {
	if o.Beat == 0 {
		o.Beat = 5 * time.Second
	}
	return &source{remote: r, o: o, clock: &clock{}, name: "agent/" + r.Name}
}

type source struct {
	remote connect.Remote
	o      Options
	name   string

	clock *clock
	told  map[[2]string]bool // scopes of the machine that were told of
	agent fleet.Agent        // as it was last told of
}

func (s *source) Name() string { return s.name }

// Watch speaks with the agent once. When it ends, all that was known of the machine is told to be failing, with the
// reason in ssh's words; the caller starts it again.
func (s *source) Watch(ctx context.Context, see func(fleet.Observation)) error {
	if s.told == nil {
		s.told = map[[2]string]bool{}
		for _, scope := range s.o.Expect {
			s.told[[2]string{"host/" + s.remote.Name, scope}] = true
		}
		if len(s.o.Checks) > 0 {
			s.told[[2]string{"checks/" + s.remote.Name, fleet.KindCheck.Scope()}] = true
		}
		s.agent = fleet.Agent{Source: s.name, Name: s.remote.Name, Destination: s.remote.Destination, State: "connecting", Since: time.Now()}
		s.tell(see, s.agent.Since)
	}
	err := s.talk(ctx, see)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := time.Now()
	if s.agent.State != "failing" {
		s.agent.State, s.agent.Since = "failing", now
	}
	s.agent.Says = err.Error()
	s.tell(see, now)
	lost := &fleet.Trouble{Doing: "the agent on " + s.remote.Name + " is lost", Cause: err, Fix: cmp.Or(fleet.FixOf(err), s.remote.Fix(err.Error()))}
	for key := range s.told {
		see(fleet.Observation{Source: key[0], Scope: key[1], At: now, Err: lost})
	}
	return lost
}

func (s *source) tell(see func(fleet.Observation), at time.Time) {
	now := s.agent
	see(fleet.Observation{Source: s.name, Scope: Scope, At: at, Facts: fleet.Facts{&now}})
}

// errSilent: an agent that gives no sign of life is as good as none.
var errSilent = errors.New("it gives no sign of life")

// talk runs one conversation to its end.
func (s *source) talk(ctx context.Context, see func(fleet.Observation)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	talk, err := s.remote.Agent(ctx)
	if err != nil {
		return err
	}
	lines := make(chan wire.Line)
	ended := make(chan error, 1)
	go func() {
		err := readLines(ctx, talk.Out, lines)
		if err == nil {
			err = talk.End()
		}
		ended <- err
	}()
	defer func() {
		stop(nil) // kills it, if it is still there
		<-ended   //nolint:errcheck // it was told already, or it is left on purpose
		_ = talk.End()
	}()
	say := func(l wire.Line) {
		if b, err := wire.EncodeLine(l); err == nil {
			_, _ = talk.In.Write(b) // an agent that is gone is told by its end
		}
	}
	err = s.listen(ctx, see, lines, ended, say)
	if errors.Is(err, errSilent) || err != nil && !errors.Is(err, io.EOF) {
		return connect.Why(talk, err)
	}
	return connect.Why(talk, fmt.Errorf("it ended by itself"))
}

// listen takes lines until the conversation ends. The error of the reader is given back to ended for the caller.
func (s *source) listen(ctx context.Context, see func(fleet.Observation), lines <-chan wire.Line, ended chan error, say func(wire.Line)) error {
	var r wire.Receiver
	ticks := time.NewTicker(s.o.Beat)
	defer ticks.Stop()
	heard := time.Now()
	wake := s.o.Wishes.Wake("host/" + s.remote.Name)
	say(wire.Line{Start: &wire.Start{Name: s.remote.Name, Checks: s.o.Checks}})
	say(wire.Line{Ping: &wire.Ping{Now: heard}})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err
			if err == nil {
				err = io.EOF
			}
			return err
		case l := <-lines:
			heard = time.Now()
			if err := s.take(see, &r, l, heard); err != nil {
				return err
			}
		case now := <-ticks.C:
			if now.Sub(heard) > 3*s.o.Beat {
				return errSilent
			}
			say(wire.Line{Ping: &wire.Ping{Now: now}})
			if ref, ok := s.o.Wishes.Looking("host/" + s.remote.Name); ok {
				say(wire.Line{Wish: &wire.Wish{Look: ref}})
			}
		case <-wake:
			say(wire.Line{Wish: &wire.Wish{Refresh: "host/" + s.remote.Name}})
		}
	}
}

// take takes one line.
func (s *source) take(see func(fleet.Observation), r *wire.Receiver, l wire.Line, now time.Time) error {
	switch {
	case l.Hello != nil:
		if l.Hello.Protocol != wire.Protocol {
			return &fleet.Trouble{
				Doing: fmt.Sprintf("the agent speaks protocol %d, this strata %d", l.Hello.Protocol, wire.Protocol),
				Fix:   "start the cockpit anew: it brings its own agent",
			}
		}
		s.clock.hear(l.Hello.Now, time.Time{}, now)
		s.agent.Build, s.agent.State, s.agent.Since, s.agent.Says = l.Hello.Build, "connected", now, ""
		s.tell(see, now)
	case l.Beat != nil:
		s.clock.hear(l.Beat.Now, l.Beat.Ping, now)
		s.agent.Skew, s.agent.RoundTrip = s.clock.skew(), s.clock.trip
		s.agent.CPU, s.agent.RSS, s.agent.BytesSec = fleet.Some(l.Beat.CPU), fleet.Some(l.Beat.RSSBytes), fleet.Some(l.Beat.BytesSec)
		s.tell(see, now)
	case l.Scope != nil:
		if !owns(s.remote.Name, l.Scope.Source) {
			return nil // a machine speaks for itself only
		}
		if o, ok := r.Take(l.Scope, s.clock.shift()); ok {
			s.told[[2]string{o.Source, o.Scope}] = true
			see(o)
		}
	}
	return nil
}
