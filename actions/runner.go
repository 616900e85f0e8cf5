package actions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/wire"
)

// ErrNotSeen is returned when an action was accepted, or its answer lost, and no later observation showed its effect
// in time. It may still happen.
var ErrNotSeen = errors.New("accepted but not seen")

// Phase is how far a running action is.
type Phase string

// Phases, in order. Queued is for those who start several: the runner does not say it. An action ends in seen,
// not-seen, failed, aborted or refused.
const (
	Queued  Phase = "queued"
	Begun   Phase = "begin"
	Applied Phase = "waiting to see it"
	Seen    Phase = "seen"
	NotSeen Phase = "not-seen"
	Failed  Phase = "failed"
	Aborted Phase = "aborted"
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
	Step
}

// Approved is a plan that somebody agreed to. Only Approve makes one.
type Approved struct {
	plan  Plan
	typed string
	by    *Runner
}

// Setup is what a Runner works with.
type Setup struct {
	Hands   Hands
	Store   *fleet.Store
	Audit   *Audit
	Who     string              // the operator, for the audit log
	Wake    func(source string) // something was done to this source: it should look sooner
	Patient time.Duration       // how long an effect is waited for
	Locks   string              // the folder in which those who act on one target exclude each other; "" locks nothing
}

// Runner runs approved actions, one at a time for each target. It exists only where there are Hands.
type Runner struct {
	Setup
	mode mode

	mu   sync.Mutex
	busy map[fleet.Ref]*running
	runs sync.WaitGroup
}

// running is an action under way.
type running struct {
	name  string
	abort context.CancelCauseFunc
}

// errAbort is why the context of an aborted action ends.
var errAbort = errors.New("aborted")

// NewRunner returns a runner that may act at once.
func NewRunner(s Setup) *Runner { return &Runner{Setup: s, busy: map[fleet.Ref]*running{}} }

// Abort asks the action that runs on a target to stop where it safely can. It reports whether there was one. What is
// left then is the last thing the action says.
func (r *Runner) Abort(target fleet.Ref) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	run, ok := r.busy[target]
	if ok {
		run.abort(errAbort)
	}
	return ok
}

// Approve agrees to a plan with what was typed for its Ask. A refused plan cannot be approved.
func (r *Runner) Approve(p Plan, typed string) (Approved, error) {
	switch {
	case r.Closed() != "":
		return Approved{}, fmt.Errorf("%s: read-only: %s", p.Title, r.Closed())
	case len(p.Refused) > 0:
		return Approved{}, fmt.Errorf("%s: refused: %s", p.Title, strings.Join(p.Refused, "; "))
	case typed != p.Ask:
		return Approved{}, fmt.Errorf("%s: type %q to agree", p.Title, p.Ask)
	}
	return Approved{plan: p, typed: typed, by: r}, nil
}

// Run does what was approved and waits until it is seen. It plans again on the newest snapshot and refuses if the world
// moved; it does nothing when the audit log cannot be written.
func (r *Runner) Run(ctx context.Context, ok Approved, say func(Progress)) error {
	if ok.by != r {
		return errors.New("running an action: it was not approved here")
	}
	act := ok.plan.Action
	tell := func(phase Phase, step Step) {
		say(Progress{Action: act.Name(), Target: act.Target(), Title: ok.plan.Title, Phase: phase, Step: step})
	}
	refuse := func(err error) error {
		tell(Refused, Step{Says: err.Error()})
		return err
	}
	if err := ctx.Err(); err != nil {
		return refuse(fmt.Errorf("%s: nothing was done: %w", ok.plan.Title, err))
	}
	ctx, release, err := r.take(ctx, act)
	if err != nil {
		return refuse(err)
	}
	defer release()

	plan := act.Plan(r.Store.Snapshot())
	deed := r.deed(plan)
	if len(plan.Refused) > 0 {
		err := fmt.Errorf("%s: refused: %s", plan.Title, strings.Join(plan.Refused, "; "))
		return refuse(errors.Join(err, r.record(deed, Refused, "", err)))
	}
	if err := r.record(deed, Begun, "", nil); err != nil {
		return refuse(fmt.Errorf("%s: nothing was done: %w", plan.Title, err))
	}
	tell(Begun, Step{})
	return r.perform(ctx, plan, ok.typed, deed, tell)
}

// pace is how long after the begin of one action the next of the same source begins: an API that is told many things
// at once answers none of them well.
const pace = time.Second

// RunAll runs approved actions one after the other, each until it is seen, and no faster than pace. With halt the first
// that fails is the last; when ctx ends nothing of what is left is begun.
func (r *Runner) RunAll(ctx context.Context, approved []Approved, halt bool, say func(Progress)) {
	began := map[string]time.Time{} // by source
	failed := false
	for _, ok := range approved {
		if failed {
			r.Skip(ok, "one before it failed", say)
			continue
		}
		source := ok.plan.Action.Target().Source
		if last, before := began[source]; before {
			select {
			case <-time.After(time.Until(last.Add(pace))):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		began[source] = time.Now()
		// What came of it is said by its last progress and stands in the audit log.
		err := r.Run(ctx, ok, say)
		failed = halt && err != nil
	}
}

// Skip says that an approved action is not run after all, and puts that on record.
func (r *Runner) Skip(ok Approved, why string, say func(Progress)) {
	act := ok.plan.Action
	err := r.record(r.deed(ok.plan), Refused, "", errors.New("not run: "+why))
	if err != nil {
		why += "; " + err.Error()
	}
	say(Progress{Action: act.Name(), Target: act.Target(), Title: ok.plan.Title, Phase: Refused, Step: Step{Says: "not run: " + why}})
}

// perform applies a plan that is on record and waits for its effect.
func (r *Runner) perform(ctx context.Context, plan Plan, typed string, deed fleet.Deed, tell func(Phase, Step)) error {
	began := time.Now()
	output := ""
	say := func(s Step) {
		output = s.Output
		tell(Begun, s)
	}
	var err error
	if there, far := r.there(plan.Action); far {
		err = applyThere(ctx, there, wire.Do{Recipe: *recipe(plan.Action), Typed: typed, Who: r.Who}, say)
	} else {
		err = plan.Action.apply(ctx, r.Hands, say)
	}
	var lost *connect.Lost
	if err != nil && (plan.Reads || !errors.As(err, &lost)) {
		phase := Failed
		if errors.Is(context.Cause(ctx), errAbort) {
			phase = Aborted
		}
		r.Wake(plan.Action.Target().Source)
		err = errors.Join(err, r.record(deed, phase, "", err))
		tell(phase, Step{Says: err.Error(), Output: output})
		return err
	}
	if plan.Reads {
		err = r.record(deed, Seen, "answered", nil)
		tell(Seen, Step{Says: "answered", Output: output})
		return err
	}
	recorded := r.record(deed, "end", "", err)
	said := ""
	if lost != nil {
		said = "the answer was lost: " + lost.Error()
	}
	tell(Applied, Step{Says: said})
	r.Wake(plan.Action.Target().Source)

	phase, after := r.watch(ctx, plan.Action, began)
	var outcome error
	switch phase {
	case NotSeen:
		outcome = fmt.Errorf("%s: %w within %s (last seen: %s)", plan.Title, ErrNotSeen, time.Since(began).Round(time.Second), after)
		if ctx.Err() != nil {
			outcome = fmt.Errorf("%s: strata was left while waiting: %w (last seen: %s)", plan.Title, ErrNotSeen, after)
		}
		if errors.Is(context.Cause(ctx), errAbort) {
			outcome = fmt.Errorf("%s: nobody waits for it any more: %w (last seen: %s)", plan.Title, ErrNotSeen, after)
		}
	case Failed:
		outcome = fmt.Errorf("%s: %s", plan.Title, after)
	}
	outcome = errors.Join(outcome, recorded, r.record(deed, phase, after, outcome))
	tell(phase, Step{Says: after})
	return outcome
}

// there is the machine over ssh on which an action is done, if it is not done from here.
func (r *Runner) there(a Action) (connect.Remote, bool) {
	if _, own := a.(ownNotes); own {
		return connect.Remote{}, false
	}
	return r.Hands.writing.Remote(a.Target().Source)
}

// watch waits until an observation made after began shows the effect, its failure, or patience ends.
func (r *Runner) watch(ctx context.Context, act Action, began time.Time) (Phase, string) {
	ctx, cancel := context.WithTimeout(ctx, r.Patient)
	defer cancel()
	last := "nothing"
	var seq uint64
	for {
		s, err := r.Store.Next(ctx, seq)
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

// take gives a target to an action, and a context that Abort ends. release gives it back.
func (r *Runner) take(ctx context.Context, a Action) (_ context.Context, release func(), _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	target := a.Target()
	if other, ok := r.busy[target]; ok {
		return nil, nil, fmt.Errorf("%s: %s is still running on it", a.Name(), other.name)
	}
	folder := r.Locks
	if _, far := r.there(a); far {
		folder = "" // the agent there locks, among all who act on its machine
	}
	unlock, err := lock(folder, target, r.Who+", "+a.Name())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", a.Name(), err)
	}
	ctx, abort := context.WithCancelCause(ctx)
	r.busy[target] = &running{a.Name(), abort}
	r.runs.Add(1)
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.busy, target)
		abort(nil)
		unlock()
		r.runs.Done()
	}, nil
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

func (r *Runner) deed(p Plan) fleet.Deed {
	return fleet.Deed{
		ID: rand.Text()[:12], Who: r.Who, Action: p.Action.Name(), Target: p.Action.Target(), Title: p.Title,
		Command: p.Command, Params: recipe(p.Action).Params, Before: p.Now, Undo: recipe(p.Undo),
	}
}

func (r *Runner) record(d fleet.Deed, phase Phase, after string, err error) error {
	d.At, d.Phase, d.After = time.Now().UTC(), string(phase), after
	if err != nil {
		d.Error = err.Error()
	}
	return r.Audit.Append(d)
}
