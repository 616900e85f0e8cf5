package fleet

import "time"

// Waits is what tasks of a machine wait for in the kernel where nothing can interrupt them (state D).
type Waits struct {
	Tasks []WaitingTask `json:"tasks,omitempty"` // those that wait longest first, 12 at most
	More  int           `json:"more,omitempty"`  // that are not among them
	Cut   bool          `json:"cut,omitempty"`   // there were too many tasks to look at all
	// IO is the share of all CPUs' time that was idle while I/O was under way (iowait), 0 to 1 in steps of 0.05.
	IO Opt[float64] `json:"ioWait,omitzero"`
}

// WaitingTask is a task in state D. One that was seen to run in between begins anew.
type WaitingTask struct {
	PID   int       `json:"pid"` // of its process
	TID   int       `json:"tid"` // its own; the same for the first thread of a process
	Comm  string    `json:"comm"`
	Wchan string    `json:"wchan,omitempty"` // the function it waits in; empty without the right to see it
	Since time.Time `json:"since"`           // the first look that saw it in this wait
	Looks int       `json:"looks"`           // that saw it in this wait
}

// For returns those that have been in one wait for at least so long.
func (w *Waits) For(long time.Duration, now time.Time) (found []WaitingTask) {
	if w == nil {
		return nil
	}
	for _, t := range w.Tasks {
		if t.Looks > 1 && now.Sub(t.Since) >= long {
			found = append(found, t)
		}
	}
	return found
}
