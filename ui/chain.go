package ui

import (
	"strings"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// under returns what an object stands on, strongest link first.
func under(c *scene, o fleet.Object) (refs []fleet.Ref) {
	if p, ok := o.(*fleet.Pod); ok { // there are many, and this is on the way to each frame
		if p.Node == "" {
			return nil
		}
		return []fleet.Ref{{Kind: fleet.KindNode, Source: p.Source, Name: p.Node}}
	}
	if _, ok := o.(*fleet.Finding); ok {
		return nil
	}
	for _, l := range diagnose.Up(c.s, o.Ref()) {
		refs = append(refs, l.To)
	}
	return refs
}

// aboveShown is how many of the things on top of an object its chain lists.
const aboveShown = 12

// chainPage shows an object through the strata: what it stands on, and what stands on it.
func chainPage(r fleet.Ref) *pager {
	return &pager{
		pick:  true,
		about: r,
		title: func(m *Model) string { return "Chain of " + m.called(r) },
		lines: func(m *Model, w int) []line {
			c := &m.screen.scene
			var out []line
			var sick *fleet.Finding
			if o, ok := c.s.Get(r); ok {
				sick, _ = c.cause(o)
			}
			inside := sick == nil
			for _, s := range diagnose.Chain(c.s, r) {
				out = append(out, link(c, s, sick))
				inside = inside || s.Ref == sick.About
			}
			if !inside {
				out = append(out, line{}, says(bold, "The cause lies elsewhere"), link(c, diagnose.Step{Ref: sick.About}, sick))
			}
			above := diagnose.Above(c.s, r)
			if len(above) == 0 {
				return out
			}
			out = append(out, line{}, says(bold, "On top of it: "+itoa(len(above))))
			for i, l := range above {
				if i == aboveShown {
					out = append(out, says(dim, "  "+c.t.or("…", "...")+itoa(len(above)-i)+" more"))
					break
				}
				out = append(out, link(c, diagnose.Step{Ref: l.From, Depth: 1, How: l.How, Sure: l.Sure}, sick))
			}
			return out
		},
	}
}

// link is a line of a chain: the object, its state, what ties it to the one above, what is found about it. The one that the
// cause sits on is marked.
func link(c *scene, s diagnose.Step, sick *fleet.Finding) line {
	cause := sick != nil && s.Ref == sick.About
	mark, style := "  ", plain
	if cause {
		mark, style = c.t.or("▶ ", "> "), c.t.state(sick.Severity.State())
	}
	indent := strings.Repeat("  ", max(0, s.Depth-1))
	if s.Depth > 0 {
		indent += c.t.or("└ ", "` ")
	}
	name, h := s.Ref.Name, fleet.Health{Word: "not seen"}
	if o, ok := c.s.Get(s.Ref); ok {
		name, h = fleet.NameOf(o), o.Health()
	}
	l := line{ref: s.Ref, cells: []cell{
		{mark + fit(indent+clean(name), 34, false) + " ", style},
		{fit(string(s.Ref.Kind), 11, false), dim},
		{c.t.glyph(h.State) + " " + fit(clean(h.Word), 24, false) + " ", c.t.state(h.State)},
	}}
	if s.How != "" {
		l.cells = append(l.cells, cell{"by " + s.How + " ", dim})
	}
	if cause {
		l.cells = append(l.cells, cell{c.t.or("← ", "< ") + "the cause: ", bold}, cell{sick.Says, c.t.state(sick.Severity.State())})
		return l
	}
	for f := range c.s.FindingsOn(s.Ref) {
		if f.Shown && f.Severity > fleet.Info {
			l.cells = append(l.cells, cell{c.t.or("← ", "< ") + f.Says, c.t.state(f.Severity.State())})
			break
		}
	}
	return l
}
