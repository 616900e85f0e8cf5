package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

func kernelView() *view {
	return &view{
		name: "kernel", title: "Kernel log", kinds: []fleet.Kind{fleet.KindKernel}, systems: hostSystems, empty: "no line of any kernel means trouble",
		why: kernelGaps,
		worst: func(o fleet.Object, _ fleet.State) sortKey {
			e := o.(*fleet.KernelEvent)
			return sortKey{num: -float64(e.Last.UnixMilli()), str: e.Host}
		},
		count: func(c *scene) string {
			n, bad := 0, 0
			for e := range fleet.All[*fleet.KernelEvent](c.s, fleet.KindKernel) {
				if n++; e.Severity >= fleet.Serious {
					bad++
				}
			}
			return fmt.Sprintf("%d %s, %d serious", n, plural("event", n), bad)
		},
		columns: []column{
			{title: "time", width: 20, cell: of(func(_ *scene, e *fleet.KernelEvent) cell { return cell{stamp(e.Last), dim} }), key: number(func(e *fleet.KernelEvent) float64 { return -float64(e.Last.UnixMilli()) })},
			{title: "host", width: 9, grow: 1, search: true, middle: true, cell: of(func(_ *scene, e *fleet.KernelEvent) cell { return cell{e.Host, plain} }), key: text(func(e *fleet.KernelEvent) string { return e.Host })},
			{title: "class", width: 10, search: true, cell: of(func(c *scene, e *fleet.KernelEvent) cell { return cell{e.Class, c.t.state(e.Severity.State())} }), key: text(func(e *fleet.KernelEvent) string { return e.Class })},
			{title: "subject", width: 12, grow: 1, search: true, middle: true, cell: of(func(_ *scene, e *fleet.KernelEvent) cell { return cell{e.Subject, bold} }), key: text(func(e *fleet.KernelEvent) string { return e.Subject })},
			{title: "times", width: 5, right: true, drop: 3, flash: true, cell: of(kernelTimes), key: number(func(e *fleet.KernelEvent) float64 { return -float64(e.Count) })},
			{title: "cause", width: 14, grow: 2, drop: 2, search: true, idle: true, cell: of(func(_ *scene, e *fleet.KernelEvent) cell { return cell{e.Cause, plain} })},
			{title: "line", width: 20, grow: 5, drop: 1, search: true, cell: of(func(_ *scene, e *fleet.KernelEvent) cell { return cell{e.Line, dim} })},
		},
	}
}

func kernelTimes(_ *scene, e *fleet.KernelEvent) cell {
	if e.Count <= 1 {
		return cell{}
	}
	return cell{strconv.Itoa(e.Count), plain}
}

// kernelGaps says whose log cannot be read.
func kernelGaps(c *scene) (says []string) {
	for l := range fleet.All[*fleet.KernelLog](c.s, fleet.KindKernelLog) {
		if l.Reader == "" && len(l.Missing) > 0 {
			says = append(says, l.Host+": "+clean(l.Missing[0]))
		}
	}
	return says
}

// dmesgView is the raw log of each host: enter follows it.
func dmesgView() *view {
	return &view{
		name: "dmesg", title: "Kernel logs", kinds: []fleet.Kind{fleet.KindKernelLog}, systems: hostSystems, empty: "no kernel log is read", why: kernelGaps,
		worst: func(o fleet.Object, _ fleet.State) sortKey { return sortKey{str: o.(*fleet.KernelLog).Host} },
		count: func(c *scene) string {
			return fmt.Sprintf("%d of %d followed", c.s.Tally(fleet.KindKernelLog)[fleet.StateOK], c.s.Tally(fleet.KindKernelLog).Total())
		},
		columns: []column{
			{title: "host", width: 12, grow: 1, search: true, cell: of(func(_ *scene, l *fleet.KernelLog) cell { return cell{l.Host, plain} }), key: text(func(l *fleet.KernelLog) string { return l.Host })},
			{title: "read with", width: 12, drop: 3, search: true, cell: of(func(_ *scene, l *fleet.KernelLog) cell { return cell{or(l.Reader, "nothing"), dim} })},
			{title: "since", width: 20, drop: 1, cell: of(func(_ *scene, l *fleet.KernelLog) cell { return cell{since(l), dim} })},
			{title: "boots", width: 5, right: true, drop: 2, cell: of(func(_ *scene, l *fleet.KernelLog) cell { return cell{strconv.Itoa(len(l.Boots)), dim} })},
			{title: "lost", width: 5, right: true, idle: true, drop: 4, cell: of(func(_ *scene, l *fleet.KernelLog) cell { return cell{positive(l.Dropped), warnInk} })},
			{title: "last line", width: 20, grow: 5, flash: true, cell: of(func(_ *scene, l *fleet.KernelLog) cell {
				if len(l.Lines) == 0 {
					return cell{strings.Join(l.Missing, "; "), warnInk}
				}
				return cell{l.Lines[len(l.Lines)-1].Text, dim}
			})},
		},
	}
}

// since is from when on a log was read.
func since(l *fleet.KernelLog) string {
	if l.From.IsZero() {
		return "no line yet"
	}
	return stamp(l.From)
}

// dmesgPage shows the last lines of a host's kernel log, newest first, as they come.
func dmesgPage(r fleet.Ref) *pager {
	var p *pager
	p = &pager{
		about: r,
		title: func(*Model) string { return clean("Kernel log of " + r.Name + ", newest first") },
		own: own{hint: ":at TIME", seek: func(m *Model, at time.Time) string {
			l, ok := fleet.Find[*fleet.KernelLog](m.screen.scene.s, r)
			if !ok {
				return "it is gone"
			}
			return seekLine(l, p, at)
		}},
		lines: func(m *Model, _ int) (out []line) {
			l, ok := fleet.Find[*fleet.KernelLog](m.screen.scene.s, r)
			if !ok {
				return []line{says(warnInk, "it is gone")}
			}
			for _, why := range l.Missing {
				out = append(out, says(warnInk, clean(why)))
			}
			for _, at := range slices.Backward(l.Lines) {
				out = append(out, kernelLine(at, ""))
			}
			return append(out, line{}, says(dim, "read since "+since(l)))
		},
	}
	return p
}

// kernelLine draws a line of a log by its priority; marked is the one that is asked about.
func kernelLine(l fleet.KernelLine, marked string) line {
	style := plain
	switch {
	case l.Text == marked:
		style = bold
	case l.Priority <= 3:
		style = badInk
	case l.Priority == 4:
		style = warnInk
	case l.Priority > 5:
		style = dim
	}
	return line{cells: []cell{{stamp(l.At) + "  ", dim}, {clean(l.Text), style}}}
}

// kernelPage shows the lines around an event, and the span that was read.
func kernelPage(r fleet.Ref) *pager {
	event := func(m *Model) (*fleet.KernelEvent, bool) { return fleet.Find[*fleet.KernelEvent](m.screen.scene.s, r) }
	return &pager{
		about: r,
		title: func(m *Model) string {
			if e, ok := event(m); ok {
				return clean("Kernel log of " + e.Host + " around " + stamp(e.At))
			}
			return "Kernel log"
		},
		lines: func(m *Model, _ int) []line {
			e, ok := event(m)
			if !ok {
				return []line{says(warnInk, "it is gone: the newest 500 events are kept")}
			}
			return kernelAround(&m.screen.scene, e)
		},
		copies: func(m *Model) string {
			if e, ok := event(m); ok {
				return kernelCommand(e)
			}
			return ""
		},
	}
}

// kernelCommand shows the same lines on the machine itself.
func kernelCommand(e *fleet.KernelEvent) string {
	const before, after = -time.Minute, 2 * time.Minute
	at := func(t time.Time) string { return "@" + strconv.FormatInt(t.Unix(), 10) }
	return "journalctl -k -b " + e.Boot + " --since=" + at(e.At.Add(before)) + " --until=" + at(e.Last.Add(after))
}

// kernelAround draws an event and, of the lines that are kept, those of a minute before and two after it.
func kernelAround(c *scene, e *fleet.KernelEvent) []line {
	ink := c.t.state(e.Severity.State())
	head := fmt.Sprintf("%s  %s  %s", e.Class, e.Severity, e.Subject)
	out := []line{says(ink, clean(head)), says(dim, fmt.Sprintf("%.3f s after the boot %.8s began", e.Mono, e.Boot))}
	for _, l := range []struct{ what, text string }{{"cause  ", e.Cause}, {"cgroup ", e.CGroup}} {
		if l.text != "" {
			out = append(out, line{cells: []cell{{l.what, dim}, {clean(l.text), plain}}})
		}
	}
	if e.Count > 1 {
		out = append(out, says(plain, fmt.Sprintf("%d times until %s", e.Count, stamp(e.Last))))
	}
	log, ok := fleet.Find[*fleet.KernelLog](c.s, fleet.Ref{Kind: fleet.KindKernelLog, Source: e.Source, Name: e.Host})
	if !ok {
		return append(out, line{}, says(plain, clean(e.Line)))
	}
	out = append(out, line{}, says(bold, "Lines, by "+or(log.Reader, "nothing any more")+", read since "+since(log)))
	found := 0
	from, to := e.At.Add(-time.Minute), e.Last.Add(2*time.Minute)
	for _, l := range log.Lines {
		if l.At.Before(from) || l.At.After(to) {
			continue
		}
		found++
		out = append(out, kernelLine(l, e.Line))
	}
	if found == 0 {
		out = append(out, line{cells: []cell{{stamp(e.At) + "  ", dim}, {clean(e.Line), ink}}}, says(dim, "the lines around it are not kept any more; c copies the command that shows them there"))
	}
	if log.Dropped > 0 {
		out = append(out, says(warnInk, fmt.Sprintf("%d lines were lost before they could be read", log.Dropped)))
	}
	for _, m := range log.Missing {
		out = append(out, says(dim, clean(m)))
	}
	return out
}
