package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// timelineView shows what happened in all layers on one clock, the newest first.
func timelineView() *view {
	moment := of[*diagnose.Moment]
	return &view{
		name: "timeline", title: "Timeline", kinds: []fleet.Kind{diagnose.KindMoment}, empty: "nothing is known to have happened in this time",
		list: func(s *fleet.Snapshot) []fleet.Object { return new(timeline).rows(s) }, // a table keeps a timeline of its own
		columns: []column{
			{title: "local time", width: 14, cell: moment(func(c *scene, o *diagnose.Moment) cell { return cell{clock(o.At, c.now()), dim} }), key: number(func(o *diagnose.Moment) float64 { return -float64(o.At.UnixMilli()) })},
			{title: "utc", width: 9, idle: true, drop: 5, cell: moment(func(_ *scene, o *diagnose.Moment) cell { return cell{utc(o.At), dim} })},
			{title: "age", width: 6, right: true, drop: 3, cell: moment(func(c *scene, o *diagnose.Moment) cell { return cell{coarse(o.At, c.now()), dim} })},
			{title: "layer", width: 12, drop: 2, search: true, cell: moment(momentLayer), key: number(func(o *diagnose.Moment) float64 { return float64(diagnose.Depth(o.About().Kind)) })},
			{title: "object", width: 12, grow: 2, search: true, middle: true, cell: moment(momentObject), key: text(func(o *diagnose.Moment) string { return o.About().Name })},
			{title: "what happened", width: 34, grow: 7, search: true, cell: moment(func(c *scene, o *diagnose.Moment) cell {
				if s := o.Health().State; s != fleet.StateOK {
					return cell{o.Says(), c.t.state(s)}
				}
				return cell{o.Says(), plain}
			}), key: text(func(o *diagnose.Moment) string { return o.Health().Word })},
			{title: "from", width: 12, drop: 4, search: true, cell: moment(func(_ *scene, o *diagnose.Moment) cell { return cell{o.From(), dim} }), key: text((*diagnose.Moment).From)},
		},
	}
}

// clock is a time on the reader's own clock, to the second; of another year to the minute.
func clock(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	if at.Year() != now.Year() {
		return at.Format("06-01-02 15:04")
	}
	return at.Format("01-02 15:04:05")
}

// utc is the same time as the evidence has it; nothing where the reader's clock shows that.
func utc(at time.Time) string {
	if _, offset := at.Local().Zone(); offset == 0 {
		return ""
	}
	return at.UTC().Format("15:04:05Z")
}

// momentLayer is the kind of thing it happened to, with a block that is the lower the deeper that lies.
func momentLayer(c *scene, o *diagnose.Moment) cell {
	kind := o.About().Kind
	if kind == "" {
		return cell{c.t.or("· ", "- ") + "strata", dim}
	}
	depth := diagnose.Depth(kind)
	return cell{string([]rune(c.t.or("█▇▆▅▄▃▂▁", "76543210"))[depth]) + " " + string(kind), plain}
}

func momentObject(c *scene, o *diagnose.Moment) cell {
	r := o.About()
	if x, ok := c.s.Get(r); ok {
		return cell{fleet.NameOf(x), bold}
	}
	return cell{or(r.Name, "itself"), bold}
}

// spans are how much of the time a timeline can show; the last is all of it.
func spans() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{15 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day, 0}
}

// spanned is what a reader looks at of a timeline.
type spanned struct {
	about  fleet.Ref // the object whose chain it is of; none for everything
	in     int       // how many times it is zoomed in from all
	centre time.Time // the middle of what is shown; zero: it ends now
}

// size is how much time is shown; 0 is all.
func (w spanned) size() time.Duration {
	all := spans()
	return all[len(all)-1-w.in]
}

// timeline is the rows of a table of moments, made anew only when the snapshot or what is looked at changed.
type timeline struct {
	spanned
	told diagnose.Timeline
	seen *fleet.Snapshot // what the rows are of
	made spanned
	out  []fleet.Object
}

func (l *timeline) rows(s *fleet.Snapshot) []fleet.Object {
	if l.seen != nil && l.made == l.spanned && (l.seen == s || s.Same(l.seen) && s.At.Sub(l.seen.At) < steady) {
		return l.out
	}
	span := diagnose.Span{About: l.about}
	if size := l.size(); size > 0 {
		span.From = s.At.Add(-size)
		if !l.centre.IsZero() {
			span.From, span.To = l.centre.Add(-size/2), l.centre.Add(size/2)
		}
	}
	moments := l.told.Of(s, span)
	l.out = make([]fleet.Object, len(moments))
	for i := range moments {
		l.out[i] = &moments[i]
	}
	l.seen, l.made = s, l.spanned
	return l.out
}

// forget lets go of the snapshot.
func (l *timeline) forget() { l.told, l.seen, l.out = diagnose.Timeline{}, nil, nil }

// title says whose timeline it is.
func (l *timeline) title(c *scene) string {
	if l.about == (fleet.Ref{}) {
		return " of everything"
	}
	name := l.about.Name
	if o, ok := c.s.Get(l.about); ok {
		name = fleet.NameOf(o)
	}
	return clean(" of " + string(l.about.Kind) + " " + name + " and its chain")
}

// count says which part of the time is shown.
func (l *timeline) count() string {
	n := itoa(len(l.out))
	if len(l.out) == diagnose.MostMoments {
		n = "newest " + n
	}
	size := l.size()
	switch {
	case size == 0:
		return n + " in all"
	case l.centre.IsZero():
		return n + " in " + length(size)
	}
	return n + " in " + length(size) + " around " + l.centre.Local().Format("15:04")
}

// length is a span as people say it.
func length(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return itoa(int(d.Hours())/24) + " days"
	case d >= time.Hour:
		return itoa(int(d.Hours())) + " h"
	}
	return itoa(int(d.Minutes())) + " min"
}

// look shows another part of the time, or another chain; the cursor stays on its moment, if that is there still.
func (t *table) look(c *scene, w spanned) {
	t.line.spanned = w
	t.ord.seen = nil
	t.follow(c)
}

// needTimeline: only a timeline can be zoomed.
func needTimeline(m *Model) string {
	if m.table().line == nil {
		return "only the timeline can be zoomed  (:timeline, or t on a row)"
	}
	return ""
}

// zoomed shows less of the time (1) or more (-1): around the moment under the cursor, or until now from the newest one.
func zoomed(by int) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd {
		t := m.table()
		w := t.line.spanned
		w.in = max(0, min(w.in+by, len(spans())-1))
		switch o, ok := t.at.(*diagnose.Moment); {
		case w.in == 0:
			w.centre = time.Time{}
		case ok && (t.cursor > 0 || !w.centre.IsZero()):
			w.centre = o.At
		}
		t.look(&m.screen.scene, w)
		return nil
	}
}

// timeline opens the timeline of the chain of the object under the cursor; in a timeline of it, that of everything.
func (m *Model) timeline() tea.Cmd {
	r, ok := m.table().subject()
	if l := m.table().line; l != nil && (!ok || l.about == r) {
		r = fleet.Ref{}
	}
	m.timelineOf(r)
	return nil
}

// timelineOf opens the timeline of an object's chain, of everything for none.
func (m *Model) timelineOf(r fleet.Ref) {
	i, ok := m.pane("timeline")
	if !ok {
		return
	}
	m.over = nil
	m.visit(i)
	t := m.table()
	was := t.at
	t.setFilter(filter{})
	t.moved = false
	t.look(&m.screen.scene, spanned{about: r, in: t.line.in})
	if was != nil && m.back[len(m.back)-1].focus == i { // the moment that the reader came from
		t.to(was)
	}
}

// tells opens the page of what tells of a moment.
func (m *Model) tells(o *diagnose.Moment) {
	switch of := o.Of.(type) {
	case *fleet.Finding:
		m.open(cardPage(of.Key()))
	case *fleet.KernelEvent:
		m.open(kernelPage(of.Ref()))
	default:
		m.open(detailPage(of.Ref()))
	}
}
