package ui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// menu offers the actions of a kind; a disabled one says why.
type menu struct {
	refs   []fleet.Ref
	cursor int
}

// choice is an action with what it would do to each of the objects.
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

// choices plans on the newest snapshot, also while an older one is frozen on the screen.
func (u *menu) choices(m *Model) (out []choice) {
	for _, o := range actions.Offers() {
		c := choice{offer: o}
		for _, r := range u.refs {
			if r.Kind != o.Kind {
				continue
			}
			p := o.New(r).Plan(m.screen.newest)
			if run, busy := m.runs.now[r]; busy {
				p.Refused = append(p.Refused, run.Title+" is still running")
			}
			c.plans = append(c.plans, p)
		}
		if len(c.plans) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func (u *menu) draw(m *Model, w, h int) []string {
	var body []line
	for i, c := range u.choices(m) {
		mark, style := "  ", plain
		if i == u.cursor {
			mark = m.o.Theme.or("› ", "> ")
		}
		if !c.can() {
			style = dim
		}
		body = append(body, line{cells: []cell{{mark + c.offer.Key + "  ", accent}, {c.offer.Title, style}}})
		if !c.can() {
			for _, why := range c.plans[0].Refused {
				body = append(body, line{cells: []cell{{"     ", plain}, {why, warnInk}}})
			}
		}
	}
	if len(body) == 0 {
		body = append(body, says(dim, "there is no action for a "+string(u.refs[0].Kind)))
	}
	title := "Actions on " + m.called(u.refs[0])
	if len(u.refs) > 1 {
		title = fmt.Sprintf("Actions on %d marked", len(u.refs))
	}
	w = min(w, 90)
	body, _ = wrapAll(body, w-4)
	return framedLines(&m.o.Theme, title, "", "enter or its key picks, esc back", body, w, min(h, len(body)+2), nil)
}

func (u *menu) key(m *Model, k string) tea.Cmd {
	choices := u.choices(m)
	pick := func(c choice) {
		if c.can() {
			m.close()
			m.open(&confirm{title: c.offer.Title, plans: c.plans})
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

// actions opens the menu of what can be done with the marked objects, or the one under the cursor.
func (m *Model) actions() tea.Cmd {
	if refs := m.table().selected(); len(refs) > 0 {
		m.open(&menu{refs: refs})
	}
	return nil
}
