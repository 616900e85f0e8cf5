package sources

import (
	"sync"

	"strata/internal/fleet"
)

// Wishes is what the reader wants seen sooner or deeper: the object being looked at, and refetches asked for. It is the
// only thing that flows from the screen to a source. The zero value is not usable; a nil *Wishes wishes nothing.
type Wishes struct {
	mu     sync.Mutex
	looked fleet.Ref
	wake   map[string]chan struct{}
}

// NewWishes returns wishes without any.
func NewWishes() *Wishes { return &Wishes{wake: map[string]chan struct{}{}} }

// Look tells which object is being looked at.
func (w *Wishes) Look(r fleet.Ref) {
	if w == nil {
		return
	}
	w.mu.Lock()
	changed := w.looked != r
	w.looked = r
	w.mu.Unlock()
	if changed && r.Source != "" {
		w.Refresh(r.Source)
	}
}

// Looking returns the object being looked at if it belongs to that source.
func (w *Wishes) Looking(source string) (fleet.Ref, bool) {
	if w == nil {
		return fleet.Ref{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looked, w.looked.Source == source && source != ""
}

// Refresh asks a source to look now.
func (w *Wishes) Refresh(source string) {
	if w == nil {
		return
	}
	select {
	case w.channel(source) <- struct{}{}:
	default: // it was asked already
	}
}

// Wake is ready when the source should look now. Nil wishes never wake.
func (w *Wishes) Wake(source string) <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.channel(source)
}

func (w *Wishes) channel(source string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.wake[source]
	if c == nil {
		c = make(chan struct{}, 1)
		w.wake[source] = c
	}
	return c
}
