package fleet

import (
	"errors"
	"time"
)

// Facts are the objects of one scope: all of one kind, sorted by Ref, each Ref once. Values that did not change keep
// their pointers.
type Facts []Object

// Observation is what a source saw of one scope ("all servers", "pods of namespace x", "the disks of this host").
// It replaces the scope whole: what is gone is simply absent. With Err and no Facts it replaces nothing: the last good
// facts stay, marked with the error. With both, Facts replace the scope and Err says what of it could not be seen.
type Observation struct {
	Source string
	Scope  string
	At     time.Time
	Facts  Facts
	Err    error
	// Every is how often the source looks; a scope not seen for three times as long is stale. Zero for scopes that
	// are pushed on change.
	Every time.Duration
}

// ClockSource is the source whose observations carry nothing but the time.
const ClockSource = "clock"

// Trouble is an error an operator can act on.
type Trouble struct {
	Doing string // "listing servers of cloud home"
	Cause error
	Fix   string // what to do next: a command, a right, a file
	// Unconfigured marks a system that was looked for and not found, which is no failure.
	Unconfigured bool
}

func (t *Trouble) Error() string {
	if t.Cause == nil {
		return t.Doing
	}
	return t.Doing + ": " + t.Cause.Error()
}

func (t *Trouble) Unwrap() error { return t.Cause }

// FixOf returns what to do about an error, "" when it does not say.
func FixOf(err error) string {
	var t *Trouble
	if errors.As(err, &t) {
		return t.Fix
	}
	return ""
}
