package klog

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// Bounds of what is kept.
const (
	MaxEvents = 500
	MaxLines  = 300
	maxBoots  = 20
)

// fold is how long after the last line of an event another one of its class and subject belongs to it.
const fold = 10 * time.Second

// Log gathers the lines of one machine: the events they tell of, the last lines, the span they cover. It is for one
// goroutine.
type Log struct {
	source, host string
	classifier   *Classifier
	below        func(boot, device string) string

	events []*held
	latest map[key]*held
	stack  stack

	lines   []fleet.KernelLine // a ring: the oldest is at next when it is full
	next    int
	from    time.Time // since when no line is missing
	gap     bool      // lines were lost after the last one
	boots   []fleet.Boot
	dropped int
}

type key struct {
	boot, class, subject string
	trouble              bool
}

// held is an event that may still grow; told is what was handed out of it.
type held struct {
	now  fleet.KernelEvent
	key  key
	told *fleet.KernelEvent
}

// NewLog returns an empty log of a machine.
func NewLog(source, host string) *Log {
	return &Log{source: source, host: host, classifier: NewClassifier(), latest: map[key]*held{}, below: func(string, string) string { return "" }}
}

// Below takes what tells the whole disk that a mapped device of a boot (dm-2) is on, "" where it is not known.
func (l *Log) Below(disk func(boot, device string) string) { l.below = disk }

// Add takes in the next line. It must know its boot and its time.
func (l *Log) Add(line Line) {
	l.span(line)
	l.keep(line)
	if line.User {
		return
	}
	m, ok := l.classifier.Classify(line.Text)
	if !ok {
		l.stack.see(line)
		return
	}
	e := l.event(line, m)
	if m.Class == fleet.ClassHung || m.Class == fleet.ClassLockup || m.Class == fleet.ClassPanic {
		l.stack = stack{of: e, boot: line.Boot, until: line.Mono + stackTakes}
	}
}

// Lost notes lines that nobody could read: what was read without a gap begins anew after them.
func (l *Log) Lost(n uint64) {
	l.dropped += int(min(n, math.MaxInt32))
	l.gap = l.gap || n > 0
}

func (l *Log) span(line Line) {
	if l.from.IsZero() || l.gap || line.At.Before(l.from) {
		l.from, l.gap = line.At, false
	}
	if n := len(l.boots); n > 0 && l.boots[n-1].ID == line.Boot {
		l.boots[n-1].Last = line.At
		return
	}
	l.boots = append(l.boots, fleet.Boot{ID: line.Boot, First: line.At, Last: line.At})
	if len(l.boots) > maxBoots {
		l.boots = slices.Delete(l.boots, 0, 1)
	}
}

func (l *Log) keep(line Line) {
	kept := fleet.KernelLine{At: line.At, Priority: line.Priority, Text: line.Text}
	if len(l.lines) < MaxLines {
		l.lines = append(l.lines, kept)
		return
	}
	l.lines[l.next] = kept
	l.next = (l.next + 1) % MaxLines
}

// event adds a line to the event it belongs to, or makes a new one of it.
func (l *Log) event(line Line, m Match) *held {
	k := key{line.Boot, m.Class, m.Subject, m.Severity > fleet.Info || m.Detail}
	h := l.latest[k]
	if h == nil && m.Class == fleet.ClassOOM {
		h = l.asked(line, k)
	}
	if h == nil || line.At.Sub(h.now.Last) > fold {
		return l.begin(line, m, k)
	}
	e := &h.now
	e.Last = line.At
	if e.Cause == "" {
		e.Cause = m.Cause
	}
	if e.CGroup == "" {
		e.CGroup = m.CGroup
	}
	switch {
	case m.Detail:
	case m.Severity > e.Severity:
		if e.Severity > fleet.Info {
			e.Count++
		}
		e.Severity, e.Line = m.Severity, line.Text
	default:
		e.Count++
	}
	return h
}

// asked finds the event of the process that asked for memory: which one is killed for it is told only afterwards.
func (l *Log) asked(line Line, k key) *held {
	if len(l.events) == 0 {
		return nil
	}
	h := l.events[len(l.events)-1]
	if h.now.Class != fleet.ClassOOM || h.now.Severity != fleet.Info || h.now.Boot != line.Boot || h.now.CGroup != "" || line.At.Sub(h.now.Last) > fold {
		return nil
	}
	delete(l.latest, h.key)
	h.key, h.now.Subject = k, k.subject
	l.latest[k] = h
	return h
}

func (l *Log) begin(line Line, m Match, k key) *held {
	name := fmt.Sprintf("%.8s-%016.6f-%s", line.Boot, line.Mono.Seconds(), m.Class)
	for slices.ContainsFunc(l.events, func(h *held) bool { return h.now.Name == name }) {
		name += "+"
	}
	h := &held{key: k, now: fleet.KernelEvent{
		Source: l.source, Host: l.host, Name: name, Boot: line.Boot, At: line.At, Last: line.At, Mono: line.Mono.Seconds(),
		Class: m.Class, Severity: m.Severity, Subject: m.Subject, Cause: m.Cause, CGroup: m.CGroup, Line: line.Text, Count: 1,
	}}
	if strings.HasPrefix(m.Subject, "dm-") {
		h.now.Disk = l.below(line.Boot, m.Subject)
	}
	l.events = append(l.events, h)
	l.latest[k] = h
	if len(l.events) > MaxEvents {
		old := l.events[0]
		l.events = slices.Delete(l.events, 0, 1)
		if l.latest[old.key] == old {
			delete(l.latest, old.key)
		}
	}
	return h
}

// Events returns the events, sorted by Ref. Those that did not change keep their pointers.
func (l *Log) Events() fleet.Facts {
	facts := make(fleet.Facts, len(l.events))
	for i, h := range l.events {
		if h.told == nil || *h.told != h.now {
			told := h.now
			h.told = &told
		}
		facts[i] = h.told
	}
	slices.SortFunc(facts, fleet.Compare)
	return facts
}

// Tail returns the span that was read and its last lines.
func (l *Log) Tail(reader string) *fleet.KernelLog {
	lines := slices.Concat(l.lines[l.next:], l.lines[:l.next])
	return &fleet.KernelLog{
		Source: l.source, Host: l.host, Reader: reader, From: l.from, Boots: slices.Clone(l.boots), Lines: lines, Dropped: l.dropped,
	}
}
