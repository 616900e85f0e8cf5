package sources

import (
	"sync"
	"time"

	"strata/internal/fleet"
)

// Ledger remembers what each counter was when it was first read. Make one with NewLedger.
type Ledger struct {
	mu      sync.Mutex
	entries map[[2]string]fleet.Counter
}

// NewLedger returns an empty one.
func NewLedger() *Ledger { return &Ledger{entries: map[[2]string]fleet.Counter{}} }

// Count enters a counter of an owner (a disk with its serial number, a filesystem's device). A value lower than before
// means another device or a reset: counting starts over.
func (l *Ledger) Count(owner, name string, value uint64, at time.Time) fleet.Counter {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]string{owner, name}
	c, known := l.entries[key]
	switch {
	case !known || value < c.Value:
		c = fleet.Counter{Name: name, First: value, Since: at}
	case value > c.Value:
		c.Grown = at
	}
	c.Value = value
	l.entries[key] = c
	return c
}
