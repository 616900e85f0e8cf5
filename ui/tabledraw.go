package ui

import (
	"slices"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// columns are those that have something to say: an idle one does not when all rows on the screen are empty in it.
func (t *table) columns(c *scene, h int) []column {
	cols := slices.Clone(t.view.columns)
	from, to := t.window(max(0, h-1))
	for i := range cols {
		if !cols[i].idle {
			continue
		}
		said := false
		for r := from; r < to && !said; r++ {
			said = cols[i].cell(c, t.ord.get(r).obj).text != ""
		}
		if !said {
			cols[i].width = 0
		}
	}
	return cols
}

// layout chooses the columns that fit into w cells and their widths; the glyph and marker take three more. Columns
// without a width are left out.
func layout(cols []column, w int) (which []int, widths []int) {
	w -= 3
	for i := range cols {
		if cols[i].width > 0 {
			which = append(which, i)
		}
	}
	need := func() (n int) {
		for _, i := range which {
			n += cols[i].width + 1
		}
		return n - 1
	}
	for len(which) > 1 && need() > w {
		drop := -1
		for at, i := range which {
			if cols[i].drop > 0 && (drop < 0 || cols[i].drop >= cols[which[drop]].drop) {
				drop = at
			}
		}
		if drop < 0 {
			drop = len(which) - 1
		}
		which = append(which[:drop:drop], which[drop+1:]...)
	}
	left, shares := w-need(), 0
	for _, i := range which {
		shares += cols[i].grow
	}
	for _, i := range which {
		extra := 0
		if shares > 0 && left > 0 {
			extra = left * cols[i].grow / shares
			left, shares = left-extra, shares-cols[i].grow
		}
		widths = append(widths, max(1, min(cols[i].width+extra, w)))
	}
	return which, widths
}

// old reports whether what is known of an object is not what is.
func (c *scene) old(r fleet.Ref) bool {
	return c.stale[scopeOf{r.Source, r.Kind}] || c.stale[scopeOf{r.Source, everything}]
}

// draw returns exactly h lines of w cells. fold says how many rows do not fit. A table without the focus shows its first
// rows, which are the worst.
func (t *table) draw(c *scene, w, h int, focused, header, fold bool) []string {
	lines := make([]string, 0, h)
	which, widths := layout(t.columns(c, h), w)
	if header && h > 2 {
		lines = append(lines, t.header(c.t, which, widths, w))
	}
	room := h - len(lines)
	if t.ord.size() == 0 {
		for _, says := range t.nothing(c) {
			for _, l := range wrap(says, max(1, w-2)) {
				lines = append(lines, (&pen{t: c.t}).put(dim, " "+fit(l, w-2, false)).to(w).String())
			}
		}
	} else {
		more := fold && t.ord.size() > room && room > 1
		if more {
			room--
		}
		from, to := t.window(room)
		if !focused {
			from, to = 0, min(room, t.ord.size())
		}
		for i := from; i < to; i++ {
			lines = append(lines, t.row(c, i, which, widths, w, focused))
		}
		if more {
			lines = append(lines, (&pen{t: c.t}).put(dim, fit("   "+t.rest(c, from, to), w, false)).String())
		}
	}
	for len(lines) < h {
		lines = append(lines, strings.Repeat(" ", w))
	}
	return lines[:h]
}

// rest says how many rows are not drawn, and that they are all fine where that is so.
func (t *table) rest(c *scene, from, to int) string {
	says := c.t.or("…", "...") + strconv.Itoa(t.ord.size()-(to-from)) + " more"
	if from > 0 {
		says += ", " + strconv.Itoa(from) + " of them above"
	}
	fine := t.ord.list == nil
	if worstFirst := t.sort < 0 && !t.ord.reverse; worstFirst && from == 0 {
		fine = fine && t.ord.get(to).obj.Health().State == fleet.StateOK
	} else {
		for i := 0; i < t.ord.size() && fine; i++ {
			fine = i >= from && i < to || i < few && t.ord.get(i).obj.Health().State == fleet.StateOK
		}
	}
	if fine {
		says += ", all fine"
	}
	return says
}

func (t *table) header(th *Theme, which, widths []int, w int) string {
	p := &pen{t: th}
	p.put(dim, "   ")
	for n, i := range which {
		col := &t.view.columns[i]
		title, style := strings.ToUpper(col.title), dim
		if i == t.sort {
			title, style = title+th.or(map[bool]string{false: "↑", true: "↓"}[t.ord.reverse], map[bool]string{false: "^", true: "v"}[t.ord.reverse]), accent
		}
		p.put(style, fit(title, widths[n], col.right)).put(plain, " ")
	}
	return cutTo(p, w)
}

// cutTo ends a line at w cells: one separator may stand over.
func cutTo(p *pen, w int) string {
	s := p.to(w).String()
	if p.n > w {
		s = strings.TrimSuffix(s, " ")
	}
	return s
}

func (t *table) row(c *scene, i int, which, widths []int, w int, focused bool) string {
	o := t.ord.get(i).obj
	ref := o.Ref()
	state := o.Health().State
	p := &pen{t: c.t}
	write := p.put
	if focused && i == t.cursor {
		write = p.mark
	}
	marker := " "
	if t.marks[ref] {
		marker = c.t.or("◆", "*")
	} else if i == t.cursor && focused {
		marker = c.t.or("›", ">")
	}
	stale := c.old(ref)
	glyph, ink := c.t.glyph(state), c.t.state(state)
	if stale {
		glyph, ink = c.t.stale(), dim
	}
	if glyphless(ref.Kind) {
		glyph = " "
	}
	write(accent, marker)
	write(ink, glyph)
	write(plain, " ")
	was, flashing := t.changed[ref]
	for n, k := range which {
		col := &t.view.columns[k]
		ce := col.cell(c, o)
		style := ce.ink
		if stale {
			style = dim
		}
		if flashing && col.flash && !stale && col.cell(c, was.old).text != ce.text {
			style = bright
		}
		text := clean(ce.text)
		if col.middle && ref.Kind != fleet.KindNode { // domain names differ at their beginnings
			text = fitMiddle(text, widths[n])
		}
		write(style, fit(text, widths[n], col.right))
		if n < len(which)-1 {
			write(plain, " ")
		}
	}
	if p.n < w {
		write(plain, strings.Repeat(" ", w-p.n))
	}
	return p.String()
}

// glyphless kinds have no state of their own.
func glyphless(k fleet.Kind) bool { return k == fleet.KindLease }

// nothing says why a table is empty: filtered, not configured, failing, waiting, or truly nothing there.
func (t *table) nothing(c *scene) (says []string) {
	if len(t.filter.words) > 0 {
		return []string{"nothing matches /" + clean(t.filter.text) + "  (esc clears)"}
	}
	answered := t.view.named || t.view.list != nil && len(c.s.Parts) > 0
	for i := range c.s.Parts {
		p := &c.s.Parts[i]
		if !t.view.covers(p) {
			continue
		}
		if p.Err == "" {
			answered = true
			continue
		}
		says = append(says, clean(p.Err))
		if p.Fix != "" {
			says = append(says, c.t.or("→ ", "> ")+clean(p.Fix))
		}
	}
	switch {
	case len(says) > 0:
		return says
	case answered:
		says = []string{t.view.empty}
		if t.view.why != nil {
			says = append(says, t.view.why(c)...)
		}
		return says
	}
	return []string{"waiting for the first answer" + c.t.or("…", "...")}
}

// covers reports whether a part holds what the view shows, or would if it could be read.
func (v *view) covers(p *fleet.Part) bool {
	for _, k := range v.kinds {
		if p.Kind == k {
			return true
		}
	}
	if p.Kind != "" {
		return false
	}
	for _, system := range v.systems {
		if p.Source == system || strings.HasPrefix(p.Source, system+"/") {
			return p.Scope == "" || v.scoped(p.Scope)
		}
	}
	return false
}

// scoped tells by its name whether a scope that never held anything is one of the view's.
func (v *view) scoped(scope string) bool {
	scope, _, _ = strings.Cut(scope, "/")
	for _, k := range v.kinds {
		if k.Scope() == scope {
			return true
		}
	}
	return false
}
