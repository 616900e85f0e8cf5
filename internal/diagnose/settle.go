package diagnose

import (
	"slices"
	"time"

	"strata/internal/fleet"
)

// settle turns a verdict into the finding that stands after it, nil for none, and says when to judge again. before is the
// finding that stood, if any. Settling the same verdict at the same time once more changes nothing.
func settle(rule *Rule, about fleet.Ref, v Verdict, before *fleet.Finding, now time.Time) (*fleet.Finding, time.Time) {
	switch v.State {
	case Bad:
		return stand(rule, about, v, before, now)
	case OK:
		return fade(rule, before, now, v.Again)
	}
	if before == nil {
		return nil, v.Again
	}
	if v.State == CannotTell && !before.Cleared.IsZero() {
		return fade(rule, before, now, v.Again) // it was ok when it was last seen
	}
	f := *before
	f.Cleared = time.Time{}
	switch {
	case v.State == Lingering && v.Says != "":
		told := tell(rule, about, v)
		told.Since, told.Shown, told.Under = f.Since, f.Shown, f.Under
		f = *told
	case v.State == CannotTell:
		for _, m := range v.Missing {
			if !slices.Contains(f.Missing, m) {
				f.Missing = append(slices.Clip(f.Missing), m)
			}
		}
	}
	return &f, v.Again
}

// tell makes a finding of what a verdict says.
func tell(rule *Rule, about fleet.Ref, v Verdict) *fleet.Finding {
	f := &fleet.Finding{
		Rule: rule.ID, About: about, On: v.On, Says: v.Says, Severity: v.Severity, Confidence: v.Confidence,
		Because: v.Because, Missing: v.Missing, Remedies: rule.Remedies, Since: v.Since,
	}
	if f.Severity == 0 {
		f.Severity = rule.Severity
	}
	if f.Confidence == 0 {
		f.Confidence = rule.Confidence
	}
	if f.Confidence == 0 {
		f.Confidence = fleet.High
	}
	return f
}

func stand(rule *Rule, about fleet.Ref, v Verdict, before *fleet.Finding, now time.Time) (*fleet.Finding, time.Time) {
	f := tell(rule, about, v)
	// Texts tell times of today without the date.
	due := now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	if v.Again.After(now) {
		due = sooner(v.Again, due)
	}
	if f.Since.After(now) {
		// The clocks of two machines differ: until ours gets there, it began when it was seen.
		due = sooner(due, f.Since)
		f.Since = time.Time{}
	}
	if f.Since.IsZero() {
		f.Since = now
		if before != nil {
			f.Since = before.Since
		}
	}
	switch shown := f.Since.Add(rule.Hold); {
	case v.Now, !now.Before(shown):
		f.Shown = true
	case before != nil && before.Shown && before.Cleared.IsZero():
		f.Shown = true
	default:
		due = sooner(due, shown)
	}
	return f, due
}

// fade keeps a shown finding for as long as its rule's Clear.
func fade(rule *Rule, before *fleet.Finding, now, again time.Time) (*fleet.Finding, time.Time) {
	if before == nil || !before.Shown || rule.Clear == 0 {
		return nil, again
	}
	f := *before
	if f.Cleared.IsZero() {
		f.Cleared = now
	}
	end := f.Cleared.Add(rule.Clear)
	if !now.Before(end) {
		return nil, again
	}
	return &f, sooner(again, end)
}

// sooner returns the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// alike reports whether two findings are the same but for what explains them.
func alike(a, b *fleet.Finding) bool {
	return a.Says == b.Says && a.On == b.On && a.Severity == b.Severity && a.Confidence == b.Confidence && a.Shown == b.Shown &&
		a.Since.Equal(b.Since) && a.Cleared.Equal(b.Cleared) && slices.Equal(a.Because, b.Because) &&
		slices.Equal(a.Missing, b.Missing)
}
