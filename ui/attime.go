package ui

import (
	"fmt"
	"strings"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// readTime reads a time as it is on the screen, in UTC: "07:18", "07:18:02", with a date before it, or "10m" for so long ago.
// A time of day is the last one that has passed.
func readTime(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "Z")
	now = now.UTC()
	if d, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-d), nil
	}
	for _, form := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(form, text); err == nil {
			at = time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
			if at.After(now) {
				at = at.AddDate(0, 0, -1)
			}
			return at, nil
		}
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: 07:18, 07:18:02, 2006-01-02 07:18 or 10m, in UTC", text)
}

// toTime goes to a time: in a log that is open, in the timeline, else among the events of the kernels.
func (m *Model) toTime(text string) {
	at, err := readTime(text, m.screen.scene.now())
	if err != nil {
		m.say(warnInk, clean(err.Error()))
		return
	}
	if p, ok := m.page(); ok && p.seek != nil {
		m.say(plain, p.seek(m, at))
		return
	}
	m.over = nil
	if i, ok := m.pane("kernel"); ok && m.table().line == nil && (m.focus != i || !m.zoom) {
		m.visit(i)
	}
	t := m.table()
	t.follow(&m.screen.scene)
	best, off := -1, time.Duration(0)
	for i := range t.ord.size() {
		var when time.Time
		switch o := t.ord.get(i).obj.(type) {
		case *fleet.KernelEvent:
			when = o.Last
		case *diagnose.Moment:
			when = o.At
		default:
			continue
		}
		if d := when.Sub(at).Abs(); best < 0 || d < off {
			best, off = i, d
		}
	}
	if best < 0 {
		m.say(warnInk, "there is no event to go to")
		return
	}
	t.moved = true
	t.place(best)
	what := "event"
	if t.line != nil {
		what = "moment"
	}
	m.say(plain, "the "+what+" nearest to "+stamp(at))
	m.look()
}

// seekLine scrolls the log of a kernel, newest first, to the last line written by then.
func seekLine(l *fleet.KernelLog, p *pager, at time.Time) string {
	first := len(l.Missing)
	for i := range l.Lines {
		line := l.Lines[len(l.Lines)-1-i]
		if line.At.After(at) {
			continue
		}
		for drawn, from := range p.from {
			if from == first+i {
				p.top = drawn
				break
			}
		}
		return "at " + stamp(line.At)
	}
	p.scroll(len(p.from))
	return fmt.Sprintf("lines before that are not kept: journalctl -k --until=@%d -n 100 on %s", at.Unix(), clean(l.Host))
}
