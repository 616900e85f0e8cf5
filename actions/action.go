// Package actions holds everything strata can do to the world, one file each, and the runner that every deed goes
// through: plan, approve, audit, apply, seen. Effects come back through the store; nothing here reads the world.
package actions

import (
	"context"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// Action is something strata can do to one object: a comparable value made of a target and parameters, never a client.
// Its unexported methods keep all acting code in this package.
type Action interface {
	// Name is the action's word on the command line and in the audit log.
	Name() string
	Target() fleet.Ref
	// Plan says what would happen to the world as the snapshot shows it.
	Plan(*fleet.Snapshot) Plan
	// apply does it once. An error that is a connect.Lost leaves open whether it happened. When ctx ends before, apply
	// stops where it is safe to stop, looks at what is left (with a context of its own) and says that in its error.
	apply(ctx context.Context, hands Hands, say func(Step)) error
	// seen judges a snapshot in which the target was observed after the action was applied at the time since.
	seen(now *fleet.Snapshot, since time.Time) (verdict, string)
}

// Hands are the writing clients. Without them there is no Runner, and only connect.ForWriting makes them.
type Hands struct{ writing *connect.Writing }

// NewHands wraps what connect.ForWriting made.
func NewHands(w *connect.Writing) Hands { return Hands{w} }

// Step is what an action says of itself while it is applied.
type Step struct {
	Says   string
	Share  fleet.Opt[float64] // how much of it is done, 0 to 1
	Output string             // text that was asked for, such as a console log
}

// verdict is what a later snapshot says of an action.
type verdict int

const (
	waiting verdict = iota
	done
	failed
)

// Plan is what an action would do, for people to read before they agree. Text and deed come from the same action.
type Plan struct {
	Action  Action
	Title   string   // "start k8s-worker-1"
	Command []string // argv a person would type for the same effect
	Now     string   // the target's state
	Effects []string // what will happen
	Against []string // what speaks against it, without forbidding it
	Refused []string // reasons why it cannot be done; none means it can
	Ask     string   // what must be typed to agree; "" for a plain yes
	Undo    Action   // nil when there is none
	NoUndo  string   // why there is no undo, or what to do instead
	Reads   bool     // it changes nothing: it is over when it has answered
}

// Line is the command as it can be pasted into a shell.
func (p Plan) Line() string { return sh.Quote(p.Command...) }

// against lists the shown findings on an action's target and on what that stands on, but for those it would remedy.
func against(s *fleet.Snapshot, a Action) []string {
	var says []string
	about := append([]fleet.Ref{a.Target()}, below(s, a.Target())...)
	for _, r := range about {
		for f := range s.FindingsOn(r) {
			if f.Shown && f.Severity > fleet.Info && !slices.Contains(f.Remedies, a.Name()) {
				says = append(says, f.Says)
			}
		}
	}
	return append(says, elsewhere(s, a, about)...)
}

// elsewhereShown is how many findings on hosts a plan lists that are not known to be below its target.
const elsewhereShown = 3

// elsewhere lists what is wrong with hosts: a hot or swapping machine speaks against starting something even where
// nothing tells that the target runs on it. What is known of the target and below it is told already; what the action
// would remedy on its own machine does not speak against it.
func elsewhere(s *fleet.Snapshot, a Action, told []fleet.Ref) (says []string) {
	for i := range s.Findings {
		f := &s.Findings[i]
		switch f.About.Kind {
		case fleet.KindHost, fleet.KindSensor, fleet.KindDisk, fleet.KindFilesystem:
		default:
			continue
		}
		if !f.Shown || f.Under != "" || f.Severity <= fleet.Info || slices.Contains(told, f.About) {
			continue
		}
		where := "elsewhere: "
		if f.About.Source == a.Target().Source {
			if where = ""; slices.Contains(f.Remedies, a.Name()) {
				continue
			}
		}
		if len(says) < elsewhereShown {
			says = append(says, where+f.Says)
		}
	}
	return says
}

func below(s *fleet.Snapshot, r fleet.Ref) (refs []fleet.Ref) {
	for l := range s.Up(r) {
		refs = append(refs, l.To)
	}
	return refs
}

// found finds the object a plan is for, and says in the plan how it is and what speaks against touching it, or that there is
// none; called is its kind in words.
func found[T fleet.Object](s *fleet.Snapshot, p *Plan, called string) (T, bool) {
	r := p.Action.Target()
	o, ok := fleet.Find[T](s, r)
	if !ok {
		p.Refused = append(p.Refused, "no such "+called+" is seen in "+r.Source)
		return o, false
	}
	p.Refused = append(p.Refused, onlyTold(r)...)
	p.Now = o.Health().Word
	p.Against = append(append(p.Against, old(s, r)...), against(s, p.Action)...)
	return o, true
}

// onlyTold refuses to act on what is seen through another's eyes only.
func onlyTold(r fleet.Ref) []string {
	if strings.HasPrefix(r.Source, fleet.FleetSource) {
		return []string{"it is seen through Prometheus, which only tells: name its machine under hosts in the configuration"}
	}
	return nil
}

// old says that what is known of an object is not what is, when its source has been failing.
func old(s *fleet.Snapshot, r fleet.Ref) []string {
	p, ok := s.PartOf(r)
	if !ok || !p.Stale(s.At) {
		return nil
	}
	says := "it was last seen " + s.At.Sub(p.At).Round(time.Second).String() + " ago"
	if p.Err != "" {
		says += ": " + p.Err
	}
	return []string{says}
}
