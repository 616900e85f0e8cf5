package fleet

import (
	"cmp"
	"time"
)

// JobRun is how far a Job (batch/v1) is.
type JobRun struct {
	// Condition is the type of the status.conditions that is True and tells most: Failed, FailureTarget, Complete,
	// SuccessCriteriaMet, Suspended. Empty of a Job that is at work or was not begun.
	Condition string     `json:"condition,omitempty"`
	Reason    string     `json:"reason,omitempty"` // of that condition: BackoffLimitExceeded, DeadlineExceeded, ...
	Failed    int32      `json:"failed"`           // status.failed: pods that failed
	Parallel  int32      `json:"parallelism"`      // spec.parallelism: pods that may run at once
	Backoff   Opt[int32] `json:"backoffLimit"`     // spec.backoffLimit: how many pods may fail
	Started   time.Time  `json:"started,omitzero"` // status.startTime
	Ended     time.Time  `json:"ended,omitzero"`   // status.completionTime; of one that failed that condition's lastTransitionTime
}

// Done reports whether the work is done, though pods may still be ending. It is false of a Job that is not known.
func (j *JobRun) Done() bool {
	return j != nil && (j.Condition == "Complete" || j.Condition == "SuccessCriteriaMet")
}

// Lost reports whether it failed for good, though pods may still be ending.
func (j *JobRun) Lost() bool {
	return j != nil && (j.Condition == "Failed" || j.Condition == "FailureTarget")
}

// health is bad of a Job that failed. Of one that waits to be let go nothing can be said.
func (j *JobRun) health(word string, suspended bool) Health {
	switch {
	case j == nil:
		return Health{StateUnknown, word}
	case j.Lost():
		return Health{StateBad, cmp.Or(j.Reason, "Failed")}
	case j.Done():
		return Health{StateOK, word + " complete"}
	case suspended || j.Condition == "Suspended":
		return Health{StateUnknown, word + " suspended"}
	case j.Started.IsZero():
		return Health{StateUnknown, word + " not begun"}
	}
	return Health{StateOK, word + " running"}
}
