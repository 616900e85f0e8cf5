package ui

import (
	"strings"
	"time"

	"strata/actions"
)

// mode is whether the cockpit may act at the moment. A Runner may be closed for a while; without one it never acts.
func (m *Model) mode() actions.Mode {
	if m.o.Runner == nil {
		return actions.Mode{Closed: or(m.o.ReadOnly, "there is nothing to act with")}
	}
	return m.o.Runner.Mode(m.screen.newest.At)
}

// putMode writes the mode into the header: in words, and for how long.
func (m *Model) putMode(p *pen) {
	mode := m.mode()
	if mode.Closed != "" {
		p.put(readInk, " READ-ONLY ")
		return
	}
	says := " WRITE "
	if !mode.Until.IsZero() {
		says += countdown(mode.Until.Sub(m.screen.newest.At)) + " "
	}
	p.put(writeInk, says)
}

// countdown is what is left of a time, to the second.
func countdown(d time.Duration) string {
	s := int(max(0, d).Round(time.Second).Seconds())
	return itoa(s/60) + ":" + string(rune('0'+s%60/10)) + string(rune('0'+s%10))
}

// write opens the cockpit for writing: ":write 10m REASON".
func (m *Model) write(rest string) {
	if m.o.Runner == nil {
		m.say(warnInk, "this cockpit has no hands: "+m.mode().Closed)
		return
	}
	span, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
	d, err := time.ParseDuration(span)
	if reason = strings.TrimSpace(reason); err != nil || d <= 0 || reason == "" {
		m.say(warnInk, "say for how long and why: :write 10m REASON")
		return
	}
	if err := m.o.Runner.Open(d, clean(reason)); err != nil {
		m.say(badInk, err.Error())
		return
	}
	m.say(plain, "open for writing for "+countdown(d))
}

func (m *Model) closeWriting() {
	if m.o.Runner != nil {
		m.o.Runner.Close("left writing with :ro; :write 10m REASON gives it back")
		m.say(plain, "closed for writing; :write 10m REASON opens it")
	}
}
