package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// actions opens the menu of what can be done with the marked rows, or the one under the cursor.
func (m *Model) actions() tea.Cmd {
	m.open(&menu{refs: m.table().selected()})
	return nil
}

// menu offers the actions of a kind; a disabled one says why.
type menu struct {
	refs   []fleet.Ref
	cursor int
}

type choice struct {
	offer actions.Offer
	plans []actions.Plan
}

// can reports whether at least one of the plans may run.
func (c choice) can() bool {
	for _, p := range c.plans {
		if len(p.Refused) == 0 {
			return true
		}
	}
	return false
}

func (u *menu) choices(s *fleet.Snapshot) (out []choice) {
	for _, o := range actions.Offers() {
		c := choice{offer: o}
		for _, r := range u.refs {
			if r.Kind == o.Kind {
				c.plans = append(c.plans, o.New(r).Plan(s))
			}
		}
		if len(c.plans) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func (u *menu) draw(m *Model, w, h int) []string {
	var body []line
	for i, c := range u.choices(m.screen.newest) {
		mark := "  "
		if i == u.cursor {
			mark = m.o.Theme.or("› ", "> ")
		}
		style := plain
		if !c.can() {
			style = dim
		}
		l := line{cells: []cell{{mark + c.offer.Key + "  ", accent}, {c.offer.Title, style}}}
		if !c.can() {
			l.cells = append(l.cells, cell{"  " + strings.Join(c.plans[0].Refused, "; "), warnInk})
		}
		body = append(body, l)
	}
	if len(body) == 0 {
		body = append(body, says(dim, "there is no action for a "+string(u.refs[0].Kind)))
	}
	title := "Actions on "
	if o, ok := m.screen.newest.Get(u.refs[0]); ok && len(u.refs) == 1 {
		title += nameOf(o)
	} else {
		title += fmt.Sprintf("%d marked", len(u.refs))
	}
	return boxed(&m.o.Theme, title, body, "enter or its key picks, esc back", min(w, 90), h)
}

func (u *menu) key(m *Model, k string) tea.Cmd {
	choices := u.choices(m.screen.newest)
	pick := func(c choice) {
		if c.can() {
			m.close()
			m.open(&confirm{name: c.offer.Name, plans: c.plans})
		} else {
			m.say(warnInk, c.offer.Title+": "+strings.Join(c.plans[0].Refused, "; "))
		}
	}
	switch k {
	case "esc", "q", "m":
		m.close()
	case "up", "k":
		u.cursor = max(0, u.cursor-1)
	case "down", "j":
		u.cursor = max(0, min(len(choices)-1, u.cursor+1))
	case "enter":
		if u.cursor < len(choices) {
			pick(choices[u.cursor])
		}
	default:
		for _, c := range choices {
			if c.offer.Key == k {
				pick(c)
			}
		}
	}
	return nil
}

// many is how many objects may be acted on with a plain yes; more need their number typed.
const many = 5

// confirm asks before anything is done: what, on which object, the command, what will happen, what speaks against it,
// how to undo it. Cancel has the focus.
type confirm struct {
	name  string
	plans []actions.Plan
	yes   bool // the other button has the focus
	typed string
}

func (d *confirm) allowed() (out []actions.Plan) {
	for _, p := range d.plans {
		if len(p.Refused) == 0 {
			out = append(out, p)
		}
	}
	return out
}

// ask is what must be typed, "" for a plain yes.
func (d *confirm) ask() string {
	run := d.allowed()
	switch {
	case len(run) > many:
		return itoa(len(run))
	case len(run) == 1:
		return run[0].Ask
	}
	for _, p := range run {
		if p.Ask != "" {
			return itoa(len(run))
		}
	}
	return ""
}

func (d *confirm) draw(m *Model, w, h int) []string {
	t := &m.o.Theme
	inner := min(w, 96) - 4
	var body []line
	add := func(label string, style ink, text string) {
		for i, l := range wrap(clean(text), max(10, inner-10)) {
			if i > 0 {
				label = ""
			}
			body = append(body, line{cells: []cell{{fit(label, 9, false) + " ", dim}, {l, style}}})
		}
	}
	single := len(d.plans) == 1
	for i, p := range d.plans {
		if !single {
			if len(body) > h-12 {
				add("", dim, fmt.Sprintf("and %d more", len(d.plans)-i))
				break
			}
			add(itoa(i+1), bold, p.Title)
		}
		add("command", accent, strings.Join(p.Command, " "))
		if p.Now != "" {
			add("now", plain, p.Now)
		}
		for _, s := range p.Refused {
			add("refused", badInk, s)
		}
		if single {
			for _, s := range p.Effects {
				add("then", plain, s)
			}
		}
		for _, s := range p.Against {
			add("against", warnInk, t.glyph(fleet.StateWarn)+" "+s)
		}
		if single && p.Undo == nil {
			add("undo", dim, p.NoUndo)
		}
	}
	body = append(body, line{}, d.buttons(t))
	title := d.name
	if single {
		title = d.plans[0].Title
	}
	return boxed(t, title, body, "esc cancels  c copies the command", min(w, 96), h)
}

func (d *confirm) buttons(t *Theme) line {
	if ask := d.ask(); ask != "" {
		return line{cells: []cell{{"type ", plain}, {ask, bold}, {" and enter to do it: ", plain}, {d.typed, accent}, {t.or("▏", "_"), accent}}}
	}
	cancel, yes := cell{"[ Cancel ]", bold}, cell{"  Do it (y)  ", dim}
	if d.yes {
		cancel, yes = cell{"  Cancel  ", dim}, cell{"[ Do it (y) ]", bold}
	}
	return line{cells: []cell{{"          ", plain}, cancel, {"   ", plain}, yes}}
}

func (d *confirm) key(m *Model, k string) tea.Cmd {
	ask := d.ask()
	switch {
	case k == "esc":
		m.close()
		m.say(plain, "cancelled, nothing was done")
	case ask != "" && k == "backspace" && d.typed != "":
		d.typed = d.typed[:len(d.typed)-1]
	case ask != "" && k == "enter":
		return d.agree(m)
	case ask != "":
		if k == "space" {
			k = " "
		}
		if len(k) == 1 {
			d.typed += k
		}
	case k == "c":
		var all []string
		for _, p := range d.plans {
			all = append(all, strings.Join(p.Command, " "))
		}
		return m.copy(strings.Join(all, "\n"))
	case k == "tab", k == "left", k == "right", k == "shift+tab":
		d.yes = !d.yes
	case k == "y":
		return d.agree(m)
	case k == "enter" && d.yes:
		return d.agree(m)
	case k == "enter", k == "n", k == "q":
		m.close()
		m.say(plain, "cancelled, nothing was done")
	}
	return nil
}

// agree has the runner approve each plan; only what it approves is run.
func (d *confirm) agree(m *Model) tea.Cmd {
	if m.o.Runner == nil {
		m.say(badInk, "read-only: "+m.o.ReadOnly)
		return nil
	}
	run := d.allowed()
	if ask := d.ask(); len(run) > 1 && d.typed != ask {
		m.say(warnInk, "type "+ask+" to agree")
		return nil
	}
	var approved []actions.Approved
	for _, p := range run {
		typed := d.typed
		if len(run) > 1 {
			typed = p.Ask
		}
		ok, err := m.o.Runner.Approve(p, typed)
		if err != nil {
			m.say(warnInk, err.Error())
			return nil
		}
		approved = append(approved, ok)
	}
	m.close()
	clear(m.table().marks)
	return m.start(approved)
}

// boxed draws a dialog of exactly w cells around its lines.
func boxed(t *Theme, title string, body []line, foot string, w, h int) []string {
	out := []string{rule(t, w, accent, t.or("╭", "+"), t.or("╮", "+"), clean(title), accent, "", dim)}
	bar := (&pen{t: t}).put(accent, t.or("│", "|")).String()
	for i, l := range body {
		if i >= h-2 && i < len(body)-1 {
			continue // the last line, with the buttons, always stays
		}
		row := (&pen{t: t}).put(plain, " ")
		for _, c := range l.cells {
			s := clean(c.text)
			if room := w - 3 - row.n; width(s) > room {
				s = fit(s, max(0, room), false)
			}
			row.put(c.ink, s)
		}
		out = append(out, bar+row.to(w-2).String()+bar)
	}
	return append(out, rule(t, w, accent, t.or("╰", "+"), t.or("╯", "+"), "", plain, foot, dim))
}
