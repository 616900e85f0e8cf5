package ui

import (
	"strings"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// stripSpan is how much of the past a server's strip shows.
const stripSpan = 7 * 24 * time.Hour

// stripsShown is how many strips stand above a timeline at the most.
const stripsShown = 4

// strip draws when a server was on and off in the last seven days in w cells, with the dates at its ends. ok is false when
// its actions were not fetched, so that nothing is known.
func strip(c *scene, s *fleet.Server, w int) (cells []cell, ok bool) {
	now := c.now()
	from, to := now.Add(-stripSpan).Local().Format("01-02 "), now.Local().Format(" 01-02")
	spans := diagnose.PowerOf(s, now.Add(-stripSpan), now, max(7, w-len(from)-len(to)))
	if spans == nil {
		return nil, false
	}
	cells = append(cells, cell{from, dim})
	for i := 0; i < len(spans); {
		n := 1
		for i+n < len(spans) && spans[i+n] == spans[i] {
			n++
		}
		block, style := power(c.t, spans[i])
		cells = append(cells, cell{strings.Repeat(block, n), style})
		i += n
	}
	return append(cells, cell{to, dim}), true
}

// power is how a span in which a server was on, off or both is drawn.
func power(t *Theme, p diagnose.Power) (string, ink) {
	switch p {
	case diagnose.PowerUp:
		return t.or("█", "#"), okInk
	case diagnose.PowerOff:
		return t.or("▁", "_"), badInk
	case diagnose.PowerBoth:
		return t.or("▄", "+"), warnInk
	case diagnose.PowerNone:
		return " ", plain
	}
	return t.or("·", "?"), dim
}

// stripLegend says what the blocks of a strip are.
func stripLegend(t *Theme) line {
	l := line{cells: []cell{{"  ", plain}}}
	for _, p := range []struct {
		power diagnose.Power
		word  string
	}{{diagnose.PowerUp, "on"}, {diagnose.PowerOff, "off"}, {diagnose.PowerBoth, "both, or a reboot"}, {diagnose.PowerUnknown, "not known"}} {
		block, style := power(t, p.power)
		l.cells = append(l.cells, cell{block, style}, cell{" " + p.word + "   ", dim})
	}
	return l
}

// serverStrip is the strip of a server among its details.
func serverStrip(c *scene, s *fleet.Server, w int) []line {
	out := []line{{}, says(bold, "On and off in the last 7 days, by nova's actions")}
	cells, ok := strip(c, s, min(w-2, 100))
	if !ok {
		return append(out, says(dim, "  not known: nova's actions were not fetched yet"))
	}
	return append(out, line{cells: append([]cell{{"  ", plain}}, cells...)}, stripLegend(c.t))
}

// strips are the strips of the servers in a timeline's chain, where there is room for them.
func (t *table) strips(c *scene, w, h int) (lines []string) {
	if t.line == nil || t.line.about == (fleet.Ref{}) || h < 16 || w < 60 {
		return nil
	}
	put := func(cells []cell) {
		p := &pen{t: c.t}
		for _, x := range cells {
			p.put(x.ink, x.text)
		}
		lines = append(lines, cutTo(p, w))
	}
	names := 20
	for _, s := range t.line.servers(c.s) {
		name := cell{" " + fitMiddle(clean(s.Name), names) + "  ", bold}
		cells, ok := strip(c, s, min(w-names-4, 120))
		if !ok {
			cells = []cell{{"not known: nova's actions were not fetched", dim}}
		}
		put(append([]cell{name}, cells...))
	}
	if len(lines) > 0 {
		put(append([]cell{{fit("", names+1, false), plain}}, stripLegend(c.t).cells...))
	}
	return lines
}

// servers are those in the chain: the object itself, those it stands on, those that stand on it.
func (l *timeline) servers(s *fleet.Snapshot) (all []*fleet.Server) {
	add := func(r fleet.Ref) {
		if x, ok := fleet.Find[*fleet.Server](s, r); ok && len(all) < stripsShown {
			all = append(all, x)
		}
	}
	for _, step := range diagnose.Chain(s, l.about) {
		add(step.Ref)
	}
	for link := range s.Down(l.about) {
		add(link.From)
	}
	return all
}
