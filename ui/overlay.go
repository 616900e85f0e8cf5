package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/internal/fleet"
)

// overlay is something laid over the panes: a page or a dialog. It returns lines of equal width.
type overlay interface {
	draw(m *Model, w, h int) []string
	key(m *Model, k string) tea.Cmd
}

func (m *Model) open(o overlay) { m.over = append(m.over, o) }

func (m *Model) close() {
	if n := len(m.over); n > 0 {
		m.over = m.over[:n-1]
	}
}

// page returns the page on the screen, which may have a dialog over it.
func (m *Model) page() (overlay, bool) {
	for i := len(m.over) - 1; i >= 0; i-- {
		if _, ok := m.over[i].(*pager); ok {
			return m.over[i], true
		}
	}
	return nil, false
}

func (m *Model) dialog() (overlay, bool) {
	if n := len(m.over); n > 0 {
		if _, page := m.over[n-1].(*pager); !page {
			return m.over[n-1], true
		}
	}
	return nil, false
}

// line is a line of a page. One with a ref can be gone to.
type line struct {
	cells []cell
	ref   fleet.Ref
}

func says(i ink, text string) line { return line{cells: []cell{{text, i}}} }

// pager shows lines that are made anew from each snapshot.
type pager struct {
	title   func(m *Model) string
	lines   func(m *Model, w int) []line
	copies  func(m *Model) string // what "c" copies
	flip    func()                // what "y" does
	top     int
	cursor  int
	pick    bool // lines are picked with the cursor
	height  int
	total   int
	targets []fleet.Ref
}

func (p *pager) draw(m *Model, w, h int) []string {
	t := &m.o.Theme
	inner := w - 4
	lines := p.lines(m, inner)
	p.total, p.height = len(lines), max(1, h-2)
	p.targets = p.targets[:0]
	for _, l := range lines {
		p.targets = append(p.targets, l.ref)
	}
	p.cursor = max(0, min(p.cursor, p.total-1))
	if p.pick {
		p.top = min(p.top, p.cursor)
		p.top = max(p.top, p.cursor-p.height+1)
	}
	p.top = max(0, min(p.top, p.total-p.height))
	bar := (&pen{t: t}).put(accent, t.or("│", "|")).String()
	foot := "esc back  ↑↓ scroll"
	if p.copies != nil {
		foot += "  c copy"
	}
	if p.pick {
		foot += "  enter go there"
	}
	if t.ascii {
		foot = strings.ReplaceAll(foot, "↑↓", "up/down")
	}
	out := []string{rule(t, w, accent, t.or("╭", "+"), t.or("╮", "+"), p.title(m), accent, p.where(), dim)}
	for i := p.top; i < p.top+p.height; i++ {
		row := &pen{t: t}
		row.put(plain, " ")
		if i < len(lines) {
			for _, c := range lines[i].cells {
				room := inner - (row.n - 1)
				s := clean(c.text)
				if width(s) > room {
					s = fit(s, room, false)
				}
				if p.pick && i == p.cursor {
					row.mark(c.ink, s)
				} else {
					row.put(c.ink, s)
				}
			}
		}
		out = append(out, bar+row.to(w-2).String()+bar)
	}
	return append(out, rule(t, w, accent, t.or("╰", "+"), t.or("╯", "+"), "", plain, foot, dim))
}

func (p *pager) where() string {
	if p.total <= p.height {
		return ""
	}
	return itoa(p.top+1) + "-" + itoa(min(p.total, p.top+p.height)) + " of " + itoa(p.total)
}

func (p *pager) scroll(by int) {
	if p.pick {
		p.cursor = max(0, min(p.cursor+by, p.total-1))
		return
	}
	p.top = max(0, min(p.top+by, p.total-p.height))
}

func (p *pager) wheel(b tea.MouseButton) {
	switch b {
	case tea.MouseWheelUp:
		p.scroll(-3)
	case tea.MouseWheelDown:
		p.scroll(3)
	}
}

func (p *pager) key(m *Model, k string) tea.Cmd {
	switch k {
	case "esc", "q":
		m.close()
	case "up", "k":
		p.scroll(-1)
	case "down", "j":
		p.scroll(1)
	case "pgup":
		p.scroll(-p.height)
	case "pgdown", "space":
		p.scroll(p.height)
	case "g", "home":
		p.scroll(-p.total)
	case "G", "end":
		p.scroll(p.total)
	case "c":
		if p.copies != nil {
			return m.copy(p.copies(m))
		}
	case "y":
		if p.flip != nil {
			p.flip()
		}
	case "enter":
		if p.pick && p.cursor < len(p.targets) && p.targets[p.cursor] != (fleet.Ref{}) {
			if m.jump(p.targets[p.cursor]) {
				m.over = nil
				m.look()
			}
		}
	}
	return nil
}
