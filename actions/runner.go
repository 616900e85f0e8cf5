package actions

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// ErrNotSeen is returned when an action was accepted, or its answer lost, and no later observation showed its effect
// in time. It may still happen.
var ErrNotSeen = errors.New("accepted but not seen")

// Phase is how far a running action is.
type Phase string

// Phases, in order. Queued is for those who start several: the runner does not say it. An action ends in seen, not-seen, failed or refused.
const (
	Queued  Phase = "queued"
	Begun   Phase = "begin"
	Applied Phase = "waiting to see it"
	Seen    Phase = "seen"
	NotSeen Phase = "not-seen"
	Failed  Phase = "failed"
	Refused Phase = "refused"
)

// Over reports whether the action ended.
func (p Phase) Over() bool { return p != Queued && p != Begun && p != Applied }

// Progress is what a running action has to say.
type Progress struct {
	Action string
	Target fleet.Ref
	Title  string
	Phase  Phase
	Says   string
}

// Approved is a plan that somebody agreed to. Only Approve makes one.
type Approved struct {
	plan Plan
	by   *Runner
}

// Runner runs approved actions, one at a time for each target. It exists only where there are Hands.
type Runner struct {
	hands   Hands
	store   *fleet.Store
	audit   *Audit
	who     string
	wake    func(source string)
	patient time.Duration

	mu   sync.Mutex
	busy map[fleet.Ref]string
	runs sync.WaitGroup
}

// NewRunner returns a runner that writes to the audit log in the name of who. wake is called with a source's name when
// something was done to it, so that it looks sooner; patient is how long an effect is waited for.
func NewRunner(hands Hands, store *fleet.Store, audit *Audit, who string, wake func(source string), patient time.Duration) *Runner {
	return &Runner{hands: hands, store: store, audit: audit, who: who, wake: wake, patient: patient, busy: map[fleet.Ref]string{}}
}

// Approve agrees to a plan with what was typed for its Ask. A refused plan cannot be approved.
func (r *Runner) Approve(p Plan, typed string) (Approved, error) {
	switch {
	case len(p.Refused) > 0:
		return Approved{}, fmt.Errorf("%s: refused: %s", p.Title, strings.Join(p.Refused, "; "))
	case typed != p.Ask:
		return Approved{}, fmt.Errorf("%s: type %q to agree", p.Title, p.Ask)
	}
	return Approved{plan: p, by: r}, nil
}

// Run does what was approved and waits until it is seen. It plans again on the newest snapshot and refuses if the world
// moved; it does nothing when the audit log cannot be written.
func (r *Runner) Run(ctx context.Context, ok Approved, say func(Progress)) error {
	if ok.by != r {
		return errors.New("running an action: it was not approved here")
	}
	act := ok.plan.Action
	tell := func(phase Phase, says string) {
		say(Progress{Action: act.Name(), Target: act.Target(), Title: ok.plan.Title, Phase: phase, Says: says})
	}
	refuse := func(err error) error {
		tell(Refused, err.Error())
		return err
	}
	if err := ctx.Err(); err != nil {
		return refuse(fmt.Errorf("%s: nothing was done: %w", ok.plan.Title, err))
	}
	if err := r.take(act); err != nil {
		return refuse(err)
	}
	defer r.release(act)

	plan := act.Plan(r.store.Snapshot())
	deed := r.deed(plan)
	if len(plan.Refused) > 0 {
		err := fmt.Errorf("%s: refused: %s", plan.Title, strings.Join(plan.Refused, "; "))
		return refuse(errors.Join(err, r.record(deed, Refused, "", err)))
	}
	if err := r.record(deed, Begun, "", nil); err != nil {
		return refuse(fmt.Errorf("%s: nothing was done: %w", plan.Title, err))
	}
	tell(Begun, "")
	return r.perform(ctx, plan, deed, tell)
}

// perform applies a plan that is on record and waits for its effect.
func (r *Runner) perform(ctx context.Context, plan Plan, deed fleet.Deed, tell func(Phase, string)) error {
	began := time.Now()
	err := plan.Action.apply(ctx, r.hands, func(s string) { tell(Begun, s) })
	var lost *connect.Lost
	if err != nil && !errors.As(err, &lost) {
		err = errors.Join(err, r.record(deed, Failed, "", err))
		tell(Failed, err.Error())
		return err
	}
	recorded := r.record(deed, "end", "", err)
	said := ""
	if lost != nil {
		said = "the answer was lost: " + lost.Error()
	}
	tell(Applied, said)
	r.wake(plan.Action.Target().Source)

	phase, after := r.watch(ctx, plan.Action, began)
	var outcome error
	switch phase {
	case NotSeen:
		outcome = fmt.Errorf("%s: %w within %s (last seen: %s)", plan.Title, ErrNotSeen, time.Since(began).Round(time.Second), after)
		if ctx.Err() != nil {
			outcome = fmt.Errorf("%s: strata was left while waiting: %w (last seen: %s)", plan.Title, ErrNotSeen, after)
		}
	case Failed:
		outcome = fmt.Errorf("%s: %s", plan.Title, after)
	}
	outcome = errors.Join(outcome, recorded, r.record(deed, phase, after, outcome))
	tell(phase, after)
	return outcome
}

// watch waits until an observation made after began shows the effect, its failure, or patience ends.
func (r *Runner) watch(ctx context.Context, act Action, began time.Time) (Phase, string) {
	ctx, cancel := context.WithTimeout(ctx, r.patient)
	defer cancel()
	last := "nothing"
	var seq uint64
	for {
		s, err := r.store.Next(ctx, seq)
		if err != nil {
			return NotSeen, last
		}
		seq = s.Seq
		if !s.SeenAt(act.Target()).After(began) {
			continue
		}
		v, says := act.seen(s, began)
		switch v {
		case done:
			return Seen, says
		case failed:
			return Failed, says
		}
		last = strings.TrimSpace(says)
	}
}

func (r *Runner) take(a Action) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, ok := r.busy[a.Target()]; ok {
		return fmt.Errorf("%s: %s is still running on it", a.Name(), other)
	}
	r.busy[a.Target()] = a.Name()
	r.runs.Add(1)
	return nil
}

// Wait waits until no action runs, or ctx ends.
func (r *Runner) Wait(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		r.runs.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (r *Runner) release(a Action) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, a.Target())
	r.runs.Done()
}

func (r *Runner) deed(p Plan) fleet.Deed {
	params, _ := json.Marshal(p.Action) // actions are plain structs of strings and numbers
	return fleet.Deed{
		ID: rand.Text()[:12], Who: r.who, Action: p.Action.Name(), Target: p.Action.Target(), Title: p.Title,
		Command: p.Command, Params: string(params), Before: p.Now,
	}
}

func (r *Runner) record(d fleet.Deed, phase Phase, after string, err error) error {
	d.At, d.Phase, d.After = time.Now().UTC(), string(phase), after
	if err != nil {
		d.Error = err.Error()
	}
	return r.audit.Append(d)
}
