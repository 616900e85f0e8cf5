package ui

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// menu offers the actions of a kind; a disabled one says why.
type menu struct {
	refs   []fleet.Ref
	cursor int
}

// choice is an action with what it would do to each of the objects, or something that is no action and is done at once.
type choice struct {
	offer actions.Offer
	plans []actions.Plan
	do    func(*Model) tea.Cmd
}

// can reports whether at least one of the plans may run.
func (c choice) can() bool {
	if c.do != nil {
		return true
	}
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
		if o.Key == "" {
			continue
		}
		c := choice{offer: o}
		for _, r := range u.refs {
			if r.Kind == o.Kind {
				c.plans = append(c.plans, m.planned(o, r, nil))
			}
		}
		if len(c.plans) > 0 {
			out = append(out, c)
		}
	}
	if needKnown(m) == "" {
		out = append(out, choice{offer: actions.Offer{Key: "a", Title: "watch it over ssh, for this session"}, do: (*Model).connect})
	}
	return append(out, m.undos(u.refs)...)
}

// planned is an offer's plan for a target, refused when its values are no good or something runs there.
func (m *Model) planned(o actions.Offer, r fleet.Ref, args actions.Args) actions.Plan {
	act, err := o.Make(m.screen.newest, r, args)
	if err != nil {
		return actions.Plan{Title: o.Title + " " + m.called(r), Refused: []string{err.Error()}}
	}
	return m.unlessBusy(act.Plan(m.screen.newest), r)
}

func (m *Model) unlessBusy(p actions.Plan, r fleet.Ref) actions.Plan {
	if run, busy := m.runs.now[r]; busy {
		p.Refused = append(p.Refused, run.Title+" is still running")
	}
	return p
}

// undos offers to take back the last thing that was done to each object, or what a line of the audit log tells of.
func (m *Model) undos(refs []fleet.Ref) []choice {
	c := choice{offer: actions.Offer{Key: "z", Title: "undo"}}
	for _, r := range refs {
		d, ok := m.lastDeed(r)
		if !ok {
			continue
		}
		c.offer.Title = "undo: " + d.Title
		p := actions.Plan{Title: c.offer.Title}
		if d.Undo == nil {
			p.Refused = []string{"there is no undo for it"}
		} else if act, err := actions.Decode(*d.Undo); err != nil {
			p.Refused = []string{err.Error()}
		} else {
			p = m.unlessBusy(act.Plan(m.screen.newest), act.Target())
		}
		c.plans = append(c.plans, p)
	}
	if len(c.plans) > 1 {
		c.offer.Title = "undo what was done last to each"
	}
	if len(c.plans) == 0 {
		return nil
	}
	return []choice{c}
}

// lastDeed is the deed that a line of the audit log tells of; of any other object the last that can be taken back.
func (m *Model) lastDeed(r fleet.Ref) (last *fleet.Deed, ok bool) {
	if r.Kind == fleet.KindDeed {
		return fleet.Find[*fleet.Deed](m.screen.newest, r)
	}
	for d := range fleet.All[*fleet.Deed](m.screen.newest, fleet.KindDeed) {
		if d.Target == r && d.Phase == string(actions.Begun) && d.Undo != nil {
			last = d
		}
	}
	return last, last != nil
}

func (u *menu) draw(m *Model, w, h int) []string {
	choices := u.choices(m)
	u.cursor = max(0, min(u.cursor, len(choices)-1))
	var body []line
	for i, c := range choices {
		mark, style := "  ", plain
		if i == u.cursor {
			mark = m.o.Theme.or("› ", "> ")
		}
		row := line{cells: []cell{{mark + c.offer.Key + "  ", accent}}}
		if !c.can() && len(c.offer.Params) == 0 {
			style = dim
		}
		row.cells = append(row.cells, cell{c.offer.Title, style})
		if style == dim && i != u.cursor {
			row.cells = append(row.cells, cell{"  " + fit(clean(c.plans[0].Refused[0]), max(0, min(w, 90)-14-width(c.offer.Title)), false), faint})
		}
		body = append(body, row)
		if i == u.cursor && style == dim {
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
	body, from := wrapAll(body, w-4)
	where := slices.Index(from, min(u.cursor, len(from)-1))
	top := max(0, min(where-(h-2)/2, len(body)-(h-2)))
	return framedLines(&m.o.Theme, title, "", "enter or its key picks, esc back", body[top:], w, min(h, len(body)+2), nil)
}

func (u *menu) key(m *Model, k string) tea.Cmd {
	choices := u.choices(m)
	var done tea.Cmd
	pick := func(c choice) {
		switch {
		case c.do != nil:
			m.close()
			done = c.do(m)
		case len(c.offer.Params) > 0:
			m.open(newForm(m, c.offer, u.of(c.offer.Kind)))
		case c.can():
			m.open(&confirm{title: c.offer.Title, plans: c.plans})
		}
	}
	switch k {
	case "esc", "q":
		m.close()
	case "up":
		u.cursor = max(0, u.cursor-1)
	case "down":
		u.cursor = max(0, min(len(choices)-1, u.cursor+1))
	case "enter":
		if u.cursor < len(choices) {
			pick(choices[u.cursor])
		}
	case ":", "/": // who types a command has forgotten the menu; its letters must not pick anything
		m.close()
		if k == ":" {
			m.prompt = commandPrompt()
		} else if len(m.over) == 0 {
			m.prompt = filterPrompt(m)
		}
	case "?":
		m.open(helpPage())
	default:
		for i, c := range choices {
			if c.offer.Key == k {
				u.cursor = i
				pick(c)
				return done
			}
		}
		m.say(warnInk, "no action here has the key "+k)
	}
	return done
}

// of returns the objects of a kind.
func (u *menu) of(kind fleet.Kind) (refs []fleet.Ref) {
	for _, r := range u.refs {
		if r.Kind == kind {
			refs = append(refs, r)
		}
	}
	return refs
}

// actions opens the menu of what can be done with the marked objects, or the one under the cursor.
func (m *Model) actions() tea.Cmd {
	if refs := m.table().selected(); len(refs) > 0 {
		m.open(&menu{refs: refs})
	}
	return nil
}
