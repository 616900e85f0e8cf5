// Package diagnose joins the layers (which pod on which node on which server on which hypervisor on which host) and
// judges what it sees: rules over a snapshot, folded so that causes stand above their effects. It is pure: it reads no
// clock, no file and no network, so that a diagnosis can be replayed from a recording.
package diagnose

import (
	"time"

	"strata/internal/fleet"
)

// State is the outcome of judging one object by one rule. The zero value is CannotTell.
type State uint8

// Outcomes. Absent evidence is CannotTell, never OK.
const (
	CannotTell State = iota // starts no finding and ends none
	OK
	Lingering // neither clearly bad nor clearly ok: keeps a finding that stands, starts none; with Says it words it anew
	Bad
)

// Verdict is what a rule says of one object. The same snapshot gives the same verdict, and only Again lets the passing
// of time alone change it.
type Verdict struct {
	State      State
	Says       string           // one line that names the object and the cause; must not change with the clock alone
	Severity   fleet.Severity   // zero: the rule's
	Confidence fleet.Confidence // zero: the rule's
	Because    []fleet.Evidence // verbatim, with where it came from
	Missing    []string         // what could not be seen, and the command that would show it
	Since      time.Time        // when it began as the evidence tells; zero: when it was first judged bad
	Now        bool             // show it at once, whatever the rule's hold
	On         fleet.Ref        // a part of the object, or of what it runs on, that it is about: causes are looked for there too
	// Machines, of a host, are those of its virtual machines that it is about, as machineName has them: it explains nothing on others.
	Machines fleet.Opt[[]string]
	Again    time.Time // when the verdict may differ although nothing changed; zero: never
}

// Rule judges all objects of one kind.
type Rule struct {
	ID         string
	Title      string // what it finds, in a few words
	Short      string // the same in a word or two, to stand behind the name of what it is about
	Source     string // what the rule rests on: documentation, source code, or "heuristic"
	Beware     string // when it is wrong, or harmless
	Kind       fleet.Kind
	Severity   fleet.Severity
	Confidence fleet.Confidence // zero: High
	Hold       time.Duration    // how long it must last before it is shown
	Clear      time.Duration    // how long it stays after it has ended
	Explains   []string         // rules whose findings this one's causes, on the same object or above it
	Fold       Fold
	Reads      Reads
	Remedies   []string // names of actions
	// Judge must be pure. It gets the object rather than its Ref: there may be 50,000, and finding each once per rule is
	// most of what judging them costs.
	Judge func(*fleet.Snapshot, fleet.Object) Verdict
}

// Fold narrows which findings explain which.
type Fold struct {
	// Around: the cause may be about anything in the same source, linked or not.
	Around bool
	// Direct: only rules that name this one explain it, not those that explain these.
	Direct bool
	// Gate: what explains this one explains what this one explains only where this one is found, too.
	Gate bool
	// Parts: the cause may be about a disk or filesystem of the host that it is about, or that is one layer below it.
	Parts bool
	// App: the cause may be about a pod or claim of the application that it is about.
	App bool
	// Named: this one explains an application only that names what it is about, not any of its namespace.
	Named bool
	// After: only what began before this one, or up to five minutes after it, explains it.
	After bool
	// Whole: this one speaks for all that led to it, and explains it whenever that began.
	Whole bool
	// Within: this one explains only what began no later than that after it. Zero: whenever it began.
	Within time.Duration
	// Least: this one explains only while it is at least that severe. Zero: always.
	Least fleet.Severity
}

// Reads says what a rule looks at besides its own object, so that it is judged again when that changes.
type Reads struct {
	Kinds []fleet.Kind // of objects one link away
	// Around is of objects anywhere in its own source, and whether looking at them fails: those that aroundKind knows. The
	// rule's own kind has one scope there.
	Around []fleet.Kind
	// Far is of those around a host that is one or two links away, such as the one that runs the virtual machine it is about.
	Far []fleet.Kind
	// Beside is of objects that stand on the same as the rule's own, by a link that is found out.
	Beside []fleet.Kind
	// Job is of the Job that made the pod it is about, and whether looking at that fails. What is read so may change what a
	// finding says, not whether there is one.
	Job   bool
	Fails fleet.Kind // whether looking at that kind fails (Snapshot.Failing)
	Seen  fleet.Kind // when that kind was last seen (Part.At)
}

// Diagnose judges everything in next from scratch. Since, holds and what is clearing come from prev's findings, which may
// be nil; "now" is next.At. The links are made afresh from next's objects.
func Diagnose(rules []Rule, prev, next *fleet.Snapshot) []fleet.Finding {
	if prev == nil {
		prev = &fleet.Snapshot{}
	}
	_, findings := newEngine(rules).full(prev, next)
	return findings
}

// Derive returns a function for one fleet.Store that gives what Links and Diagnose give, but judges again only what
// changed, what is linked to it, and what is due. It keeps no snapshot.
func Derive(rules []Rule) fleet.Derive { return newEngine(rules).step }

// Root returns the finding to put in the header: the first that is shown, still holds, is explained by none other, and is
// worth a look.
func Root(s *fleet.Snapshot) (*fleet.Finding, bool) {
	for i := range s.Findings {
		f := &s.Findings[i]
		if !f.Shown || f.Under != "" || !f.Cleared.IsZero() {
			break
		}
		if f.Severity >= fleet.Warn {
			return f, true
		}
	}
	return nil, false
}

// Judged is a rule with its verdict on one object.
type Judged struct {
	Rule    *Rule
	Verdict Verdict
}

// Examine judges one object by all rules for its kind: what is ok, what is not, and what cannot be told.
func Examine(rules []Rule, s *fleet.Snapshot, r fleet.Ref) []Judged {
	o, ok := s.Get(r)
	if !ok {
		return nil
	}
	var all []Judged
	for i := range rules {
		if rules[i].Kind == r.Kind {
			all = append(all, Judged{&rules[i], rules[i].verdict(s, o)})
		}
	}
	return all
}

// verdict judges an object. Where it cannot be seen any more nothing is ok: what looked well may have changed, and the
// passing of time ends nothing.
func (r *Rule) verdict(s *fleet.Snapshot, o fleet.Object) Verdict {
	v := r.Judge(s, o)
	if v.State == OK && unseen(s, o.Ref()) {
		v.State, v.Missing = CannotTell, []string{"whether it is so now: " + o.Ref().Source + " cannot be seen"}
	}
	return v
}

// unseen reports whether the scope that holds an object cannot be seen now.
func unseen(s *fleet.Snapshot, r fleet.Ref) bool {
	p, ok := s.PartOf(r)
	return ok && s.Failing(p.Source, p.Scope)
}

// on makes a Judge of a function over the rule's own type.
func on[T fleet.Object](judge func(*fleet.Snapshot, T) Verdict) func(*fleet.Snapshot, fleet.Object) Verdict {
	return func(s *fleet.Snapshot, o fleet.Object) Verdict {
		t, ok := o.(T)
		if !ok {
			return Verdict{State: CannotTell}
		}
		return judge(s, t)
	}
}
