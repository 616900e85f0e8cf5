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
	read   fleet.Ref
	log    LogWish
	wake   map[string]chan struct{}
}

// LogWish is a log that somebody reads.
type LogWish struct {
	Pod       fleet.Ref
	Container string // "" is the one that kubectl would take
	Previous  bool   // of the container that ended before the one there is now
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

// Follow tells which log is being read; the zero LogWish is none.
func (w *Wishes) Follow(l LogWish) {
	if w == nil {
		return
	}
	w.mu.Lock()
	before := w.log
	w.log = l
	w.mu.Unlock()
	w.changed(before.Pod, l.Pod, before != l)
}

// Following returns the log being read if its pod belongs to that source.
func (w *Wishes) Following(source string) (LogWish, bool) {
	if w == nil {
		return LogWish{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log, w.log.Pod.Source == source && source != ""
}

// Read tells of which object the manifest is being read; the zero Ref is none.
func (w *Wishes) Read(r fleet.Ref) {
	if w == nil {
		return
	}
	w.mu.Lock()
	before := w.read
	w.read = r
	w.mu.Unlock()
	w.changed(before, r, before != r)
}

// Reading returns the object whose manifest is being read if it belongs to that source.
func (w *Wishes) Reading(source string) (fleet.Ref, bool) {
	if w == nil {
		return fleet.Ref{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.read, w.read.Source == source && source != ""
}

// changed wakes the sources of what is no longer wished for and of what now is.
func (w *Wishes) changed(before, now fleet.Ref, is bool) {
	for _, source := range [...]string{before.Source, now.Source} {
		if is && source != "" {
			w.Refresh(source)
		}
	}
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
