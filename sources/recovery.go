package sources

import (
	"maps"
	"strings"
	"sync"
	"time"

	"strata/internal/fleet"
)

// recovery passes on what a source sees and keeps the error of scope "", which speaks for all of the source, until it
// is true no more: each scope that was known before the failure was told of again, or the source has run for settled and
// saw something.
type recovery struct {
	put func(fleet.Observation)

	mu    sync.Mutex
	known map[string]bool // scopes that were told of and are still there
	owed  map[string]bool // of them, those not told of since the failure; nil when no error stands
	runs  int             // how often the source was started
	late  bool            // it has run for settled
	well  *fleet.Observation
	what  string // the source that failed: it may tell of others too
}

// settled is how long a source that was started again may take to tell of everything. What it has not told of by then may
// be gone for good, as the pods of a namespace.
const settled = 30 * time.Second

// begin says that the source is started. The returned function says that it ended.
func (r *recovery) begin() (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs++
	r.late = false
	run := r.runs
	timer := time.AfterFunc(settled, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.runs == run {
			r.late = true
			r.settle()
		}
	})
	return func() { timer.Stop() }
}

func (r *recovery) see(o fleet.Observation) {
	r.put(o)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[o.Scope] = true
	if o.Err == nil {
		r.well = &o
		if len(o.Facts) == 0 && strings.Contains(o.Scope, "/") {
			delete(r.known, o.Scope) // what is below another scope and empty is gone
		}
	}
	delete(r.owed, o.Scope)
	r.settle()
}

// fail tells that the source as a whole failed.
func (r *recovery) fail(o fleet.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs++ // the timer of this run counts no more
	r.owed, r.well, r.what = maps.Clone(r.known), nil, o.Source
	delete(r.owed, "")
	r.put(o)
}

// settle takes the error back if it is time to.
func (r *recovery) settle() {
	if r.owed == nil || r.well == nil || len(r.owed) > 0 && !r.late {
		return
	}
	r.put(fleet.Observation{Source: r.what, At: r.well.At})
	r.owed = nil
}
