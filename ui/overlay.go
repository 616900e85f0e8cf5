package ui

import (
	"slices"
	"strings"
	"time"

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
func (m *Model) page() (*pager, bool) {
	for i := len(m.over) - 1; i >= 0; i-- {
		if p, ok := m.over[i].(*pager); ok {
			return p, true
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

// pager shows lines that are made anew from each snapshot.
type pager struct {
	title   func(m *Model) string
	lines   func(m *Model, w int) []line
	copies  func(m *Model) string // what "c" copies
	flip    func()                // what "y" does
	about   fleet.Ref             // whose page it is, if it is an object's
	pick    bool                  // lines are picked with the cursor
	tail    bool                  // the end is shown, until somebody scrolls up
	follows *follow               // the log it wants read
	reads   fleet.Ref             // the object whose manifest it wants read
	own
	top    int
	cursor int // the line picked, before wrapping
	height int
	picks  []line // before wrapping
	from   []int  // which line each drawn one came from
}

// own is what a page has of keys of its own.
type own struct {
	keys func(m *Model, k string) bool            // reports whether the key was one of them
	does func(m *Model, k string) (tea.Cmd, bool) // the same of a page on which keys begin something
	hint string                                   // for the footer
	seek func(m *Model, at time.Time) string      // goes to a time and says where it is
}

func (p *pager) draw(m *Model, w, h int) []string {
	t := &m.o.Theme
	lines := p.lines(m, w-4)
	p.picks = append(p.picks[:0], lines...)
	p.cursor = max(0, min(p.cursor, len(lines)-1))
	lines, p.from = wrapAll(lines, w-4)
	p.height = max(1, h-2)
	if p.pick {
		first := slices.Index(p.from, p.cursor)
		p.top = max(min(p.top, first), first-p.height+1)
	}
	if p.tail {
		p.top = len(lines)
	}
	p.top = max(0, min(p.top, len(lines)-p.height))
	shown := lines[min(p.top, len(lines)):]
	where := ""
	if len(lines) > p.height {
		where = itoa(p.top+1) + "-" + itoa(min(len(lines), p.top+p.height)) + " of " + itoa(len(lines))
	}
	return framedLines(t, p.title(m), where, p.foot(t), shown, w, h, func(i int) bool {
		return p.pick && p.from[p.top+i] == p.cursor
	})
}

func (p *pager) foot(t *Theme) string {
	foot := "esc back"
	if !p.pick {
		foot += "  " + t.or("↑↓", "up/down") + " scroll"
	}
	if p.copies != nil {
		foot += "  c copy"
	}
	if p.pick {
		foot += "  enter go"
	}
	if p.hint != "" {
		foot += "  " + p.hint
	}
	if p.flip != nil {
		foot += "  y JSON or YAML"
	} else if p.about != (fleet.Ref{}) {
		foot += "  d details  x chain  t time  y raw  m actions"
	}
	return foot
}

func (p *pager) scroll(by int) {
	if p.pick {
		p.cursor = max(0, min(p.cursor+by, len(p.picks)-1))
		return
	}
	last := max(0, len(p.from)-p.height)
	p.top = max(0, min(p.top+by, last))
	if p.follows != nil {
		p.tail = p.top == last
	}
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
	if p.keys != nil && p.keys(m, k) {
		p.tail = p.follows != nil
		return nil
	}
	if p.does != nil {
		if cmd, own := p.does(m, k); own {
			return cmd
		}
	}
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
		p.scroll(-len(p.from))
	case "G", "end":
		p.scroll(len(p.from))
	case "c":
		if p.copies != nil {
			return m.copy(p.copies(m))
		}
	case "enter":
		if p.pick && p.cursor < len(p.picks) {
			return m.picked(p.picks[p.cursor])
		}
	case "y":
		if p.flip != nil {
			p.flip()
			return nil
		}
		return p.other(m, k)
	default:
		return p.other(m, k)
	}
	return nil
}

// picked does what a line is for: its own doing, or to go to its object; where no pane has that, to show what is known of it.
func (m *Model) picked(l line) tea.Cmd {
	switch {
	case l.do != nil:
		return l.do(m)
	case l.ref == (fleet.Ref{}):
	case m.jump(l.ref):
		m.over = nil
		m.look()
	default:
		if _, ok := m.screen.scene.s.Get(l.ref); ok {
			m.open(detailPage(l.ref))
		} else {
			m.say(warnInk, "nothing watches "+clean(l.ref.String())+" here: it is only known by name")
		}
	}
	return nil
}

// other does what the tables' keys do, with the page's object.
func (p *pager) other(m *Model, k string) tea.Cmd {
	if strings.Contains("123456789", k) {
		m.over = nil
		m.number(int(k[0] - '1'))
		return nil
	}
	switch k {
	case "?":
		m.open(helpPage())
	case ":":
		m.prompt = commandPrompt()
	case "f":
		return m.freeze()
	case "ctrl+l":
		return tea.ClearScreen
	}
	if p.about == (fleet.Ref{}) {
		return nil
	}
	switch k {
	case "d":
		m.open(detailPage(p.about))
	case "x":
		m.open(chainPage(p.about))
	case "t":
		m.timelineOf(p.about)
	case "l":
		if p.about.Kind == fleet.KindPod {
			m.open(logPage(p.about))
		}
	case "y":
		m.open(rawPage(p.about))
	case "m":
		if why := m.mode().Closed; why != "" {
			m.say(warnInk, "m: read-only: "+why)
			return nil
		}
		m.open(&menu{refs: []fleet.Ref{p.about}})
	}
	return nil
}
