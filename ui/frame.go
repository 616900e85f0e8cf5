package ui

import (
	"fmt"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"strata/internal/fleet"
)

// overviewWidth is from where on panes stand side by side; below it they are tabs.
const overviewWidth = 100

// overviewPanes is how many panes the largest overview has.
const overviewPanes = 6

// footerLines is how many lines of what was said are shown at the most.
const footerLines = 4

// box is where a pane is on the screen.
type box struct{ pane, x, y, w, h int }

// draw makes the whole screen.
func (m *Model) draw() string {
	w, h := m.screen.w, m.screen.h
	if w < 20 || h < 6 {
		return fit("strata: "+strconv.Itoa(w)+"x"+strconv.Itoa(h)+" is too small", w, false)
	}
	c := &m.screen.scene
	if m.screen.body == nil {
		m.screen.body = m.body(c, w, h-3)
	}
	lines := append([]string{m.header(c, w), m.root(c, w)}, m.screen.body...)
	foot := m.footer(c, w)
	lines = append(lines[:max(0, min(len(lines), h-len(foot)))], foot...)
	out := strings.Join(lines, "\n")
	if d, ok := m.dialog(); ok {
		out = m.compose(out, d, w, h)
	}
	if m.o.Theme.ascii {
		return onlyASCII(out)
	}
	return out
}

// body draws what stands between the header and the footer: a page, or the panes.
func (m *Model) body(c *scene, w, h int) (lines []string) {
	if page, ok := m.page(); ok {
		m.screen.boxes = nil
		return page.draw(m, w, h)
	}
	if w < overviewWidth {
		lines = append(lines, m.tabs(c, w))
		h--
	}
	m.screen.boxes, m.screen.top = m.arrange(w, h), 2+len(lines)
	return append(lines, m.grid(c, w, h)...)
}

// compose lays a dialog over the screen.
func (m *Model) compose(screen string, d overlay, w, h int) string {
	inner := d.draw(m, min(w-4, 96), h-4)
	if len(inner) == 0 {
		return screen
	}
	x, y := max(0, (w-lipgloss.Width(inner[0]))/2), max(1, (h-len(inner))/3)
	return lipgloss.NewCompositor(lipgloss.NewLayer(screen), lipgloss.NewLayer(strings.Join(inner, "\n")).X(x).Y(y).Z(1)).Render()
}

// arrange decides which panes are seen and where: one below tabs on small screens, four, or six.
func (m *Model) arrange(w, h int) []box {
	switch {
	case m.zoom || m.focus >= overviewPanes:
		return []box{{m.focus, 0, 0, w, h}}
	case w >= 170 && h >= 40:
		return m.columns(w, h, [][]int{{0, 1}, {2, 3}, {4, 5}})
	case w >= overviewWidth && h >= 20 && m.focus < 4:
		return m.columns(w, h, [][]int{{0, 1}, {2, 3}})
	}
	return []box{{m.focus, 0, 0, w, h}}
}

func (m *Model) columns(w, h int, cols [][]int) (boxes []box) {
	x := 0
	for i, col := range cols {
		cw := (w - x) / (len(cols) - i)
		upper := m.panes[col[0]].want(&m.screen.scene, cw)
		lower := m.panes[col[1]].want(&m.screen.scene, cw)
		// The pane that needs less gives the rest to the other, but neither gets less than a third.
		top := h / 2
		if upper < top {
			top = max(upper, h/3)
		} else if lower < h-top {
			top = h - max(lower, h/3)
		}
		boxes = append(boxes, box{col[0], x, 0, cw, top}, box{col[1], x, top, cw, h - top})
		x += cw
	}
	return boxes
}

// want is the height a table needs to show all its rows, or why there are none.
func (t *table) want(c *scene, w int) int {
	if t.ord.size() > 0 {
		return t.ord.size() + 3
	}
	n := 3
	for _, s := range t.nothing(c) {
		n += len(wrap(s, max(1, w-4)))
	}
	return n
}

// grid draws the panes side by side.
func (m *Model) grid(c *scene, w, h int) []string {
	visible := map[int]bool{}
	for _, b := range m.screen.boxes {
		visible[b.pane] = true
		m.panes[b.pane].follow(c)
	}
	m.screen.boxes = m.arrange(w, h) // once more, now that the rows are known
	for i, t := range m.panes {
		if !visible[i] {
			t.hide(c.now())
		}
	}
	lines := make([]strings.Builder, h)
	for _, b := range m.screen.boxes {
		for i, l := range m.framed(c, b, len(m.screen.boxes) > 1) {
			lines[b.y+i].WriteString(l)
		}
	}
	out := make([]string, h)
	for i := range lines {
		out[i] = lines[i].String()
	}
	return out
}

// framed draws a pane with its border: its name and count above, where its data is from below.
func (m *Model) framed(c *scene, b box, many bool) []string {
	t := m.panes[b.pane]
	focused := b.pane == m.focus
	if b.h < 3 || b.w < 6 {
		return t.draw(c, b.w, b.h, focused, false, true)
	}
	edge := faint
	if focused {
		edge = accent
	}
	name := t.view.title
	if b.pane < 9 {
		name = strconv.Itoa(b.pane+1) + " " + name
	}
	if focused && many {
		name = c.t.or("▸ ", "> ") + name
	}
	if t.line != nil {
		name += t.line.title(c)
	}
	if len(t.filter.words) > 0 {
		name += " /" + clean(t.filter.text) + " (" + strconv.Itoa(t.ord.size()) + ")"
	}
	if n := len(t.marks); n > 0 {
		name += " [" + strconv.Itoa(n) + " marked]"
	}
	corners := [4]string{c.t.or("╭", "+"), c.t.or("╮", "+"), c.t.or("╰", "+"), c.t.or("╯", "+")}
	says, ink := t.origin(c)
	lines := []string{rule(c.t, b.w, edge, corners[0], corners[1], name, edge, t.count(c), dim)}
	side := (&pen{t: c.t}).put(edge, c.t.or("│", "|")).String()
	above := t.strips(c, b.w-2, b.h-2)
	t.head = len(above)
	for _, l := range append(above, t.draw(c, b.w-2, b.h-2-len(above), focused, true, many)...) {
		lines = append(lines, side+l+side)
	}
	return append(lines, rule(c.t, b.w, edge, corners[2], corners[3], "", plain, says, ink))
}

// count is the one figure that matters. Of what was never seen there is none.
func (t *table) count(c *scene) string {
	seen := t.view.list != nil
	for i := range c.s.Parts {
		p := &c.s.Parts[i]
		seen = seen || t.view.covers(p) && !p.At.IsZero()
	}
	if t.line != nil {
		return t.line.count()
	}
	if t.view.count == nil || !seen {
		return ""
	}
	return t.view.count(c)
}

// rule draws a border line with text at its left and right.
func rule(th *Theme, w int, edge ink, left, right, name string, nameInk ink, says string, saysInk ink) string {
	p := &pen{t: th}
	p.put(edge, left)
	room := w - 2
	if name != "" && room > 4 {
		name = fit(name, min(width(name), room-3), false)
		p.put(edge, th.or("─", "-")).put(nameInk, name)
		p.put(plain, " ")
	}
	says = clean(says)
	if n := width(says); says != "" && w-p.n-n >= 5 {
		p.put(edge, strings.Repeat(th.or("─", "-"), w-p.n-n-4)).put(plain, " ").put(saysInk, says).put(plain, " ").put(edge, th.or("─", "-"))
	} else if says != "" && w-p.n >= 12 {
		p.put(edge, th.or("─", "-")).put(plain, " ").put(saysInk, fit(says, w-p.n-3, false)).put(plain, " ")
	}
	p.put(edge, strings.Repeat(th.or("─", "-"), max(0, w-1-p.n)))
	return p.put(edge, right).String()
}

// origin says where a pane's data is from and how old it is, for each source the worst of its scopes.
func (t *table) origin(c *scene) (string, ink) {
	worst := map[string]*fleet.Part{} // the scope of each source that is worst off
	var order []string
	for i := range c.s.Parts {
		p := &c.s.Parts[i]
		if !t.view.covers(p) || p.Unconfigured {
			continue
		}
		was := worst[p.Source]
		if was == nil {
			order = append(order, p.Source)
		}
		if was == nil || was.Err == "" && (p.Err != "" || p.Stale(c.now())) {
			worst[p.Source] = p
		}
	}
	var says []string
	style := dim
	for _, source := range order {
		switch p := worst[source]; {
		case p.Partial:
			style = warnInk
			says = append(says, system(source)+" seen in part (:sources)")
		case p.Err != "":
			style = badInk
			says = append(says, fmt.Sprintf("%s %s failing for %s", c.t.stale(), system(source), coarse(p.ErrAt, c.now())))
		case p.Stale(c.now()):
			style = warnInk
			says = append(says, fmt.Sprintf("%s %s %s old", c.t.stale(), system(source), coarse(p.At, c.now())))
		default:
			says = append(says, system(source))
		}
	}
	if len(says) > 3 {
		says = append(says[:3], fmt.Sprintf("+%d", len(says)-3))
	}
	return strings.Join(says, ", "), style
}

// footer is the last line: what is being typed, what was said, or the keys that matter here. What was said may take a
// few lines more, which lie over the body: the outcome of an action stands nowhere else at that moment.
func (m *Model) footer(c *scene, w int) (lines []string) {
	p := &pen{t: c.t}
	switch {
	case m.prompt != nil:
		return []string{m.prompt.draw(m, w)}
	case m.status.text != "":
		for _, l := range wrap(m.status.text, w-2) {
			lines = append(lines, (&pen{t: c.t}).put(m.status.ink, " "+l).to(w).String())
		}
		return lines[:min(len(lines), footerLines)]
	case len(m.over) > 0: // their keys stand in their border
	default:
		hints := m.hints
		if m.table().line != nil {
			hints = append([][2]string{{"+ -", "less or more time"}, {"t", "this chain, or all"}}, hints...)
		}
		for _, b := range hints {
			if b[0] == "m" && m.mode().Closed != "" {
				continue
			}
			if p.n+width(b[0])+len(b[1])+3 > w {
				break
			}
			p.put(plain, " ").put(accent, b[0]).put(dim, " "+b[1]+" ")
		}
	}
	return []string{p.to(w).String()}
}
