package ui

import (
	"cmp"
	"slices"
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

// Of what stands on one thing a chain shows at the most so many, and at the most so many in all.
const (
	onOneShown = 12
	onAllShown = 200
)

// chainPage shows an object through the strata: what it stands on, and what stands on it.
func chainPage(r fleet.Ref) *pager {
	var seen *fleet.Snapshot // the one that over is of: finding it looks through all pods
	var over map[fleet.Ref][]fleet.Link
	return &pager{
		pick:  true,
		about: r,
		title: func(m *Model) string { return "Chain of " + m.called(r) },
		lines: func(m *Model, _ int) []line {
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
				out = append(out, line{}, says(bold, "The cause lies elsewhere"))
				for _, s := range diagnose.Chain(c.s, sick.About) {
					out = append(out, link(c, s, sick))
				}
			}
			if seen != c.s {
				seen, over = c.s, diagnose.Over(c.s, r)
			}
			return append(out, onTop(c, r, over, sick)...)
		},
	}
}

// onTop is what stands on an object, layer upon layer: each thing above what it stands on, further in.
func onTop(c *scene, r fleet.Ref, over map[fleet.Ref][]fleet.Link, sick *fleet.Finding) []line {
	if len(over) == 0 {
		return nil
	}
	all := 0
	for _, links := range over {
		all += len(links)
	}
	out := []line{{}, says(bold, "On top of it: "+itoa(all))}
	var walk func(fleet.Ref, int)
	walk = func(r fleet.Ref, depth int) {
		links := worstFirst(c.s, over, over[r])
		for i, l := range links {
			if i == onOneShown || len(out) > onAllShown {
				out = append(out, says(dim, strings.Repeat("  ", depth)+c.t.or("…", "...")+itoa(len(links)-i)+" more"))
				return
			}
			out = append(out, link(c, diagnose.Step{Ref: l.From, Depth: depth, How: l.How, Sure: l.Sure}, sick))
			walk(l.From, depth+1)
		}
	}
	walk(r, 1)
	return out
}

// worstFirst orders what stands on one thing: what others stand on comes first, then the worse, then what is nearer to the users.
func worstFirst(s *fleet.Snapshot, over map[fleet.Ref][]fleet.Link, links []fleet.Link) []fleet.Link {
	state := func(l fleet.Link) (state fleet.State) {
		if o, ok := s.Get(l.From); ok {
			state = o.Health().State
		}
		return state
	}
	carries := func(l fleet.Link) int { return min(len(over[l.From]), 1) }
	slices.SortStableFunc(links, func(a, b fleet.Link) int {
		return cmp.Or(
			cmp.Compare(carries(b), carries(a)),
			cmp.Compare(state(b), state(a)),
			cmp.Compare(diagnose.Depth(a.From.Kind), diagnose.Depth(b.From.Kind)),
			a.From.Compare(b.From),
		)
	})
	return links
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
