package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// form asks for the values of an action before it is planned.
type form struct {
	offer  actions.Offer
	refs   []fleet.Ref
	fields []field
	cursor int
}

// field is one value being typed.
type field struct {
	param   actions.Param
	value   string
	some    []string // to choose from
	touched bool     // an offered value is edited; else the first key typed replaces it
}

func newForm(m *Model, o actions.Offer, refs []fleet.Ref) *form {
	f := &form{offer: o, refs: refs}
	for _, p := range o.Params {
		one := field{param: p}
		if p.Suggest != nil {
			if one.some = p.Suggest(m.screen.newest, refs[0]); len(one.some) > 0 {
				one.value = one.some[0]
			}
		}
		f.fields = append(f.fields, one)
	}
	return f
}

// plans are what the values as they are would do.
func (f *form) plans(m *Model) (plans []actions.Plan) {
	args := actions.Args{}
	for _, one := range f.fields {
		args[one.param.Name] = one.value
	}
	for _, r := range f.refs {
		plans = append(plans, m.planned(f.offer, r, args))
	}
	return plans
}

func (f *form) draw(m *Model, w, h int) []string {
	t := &m.o.Theme
	w = min(w, 96)
	label := 0
	for _, one := range f.fields {
		label = max(label, width(one.param.Name))
	}
	var body []line
	for i, one := range f.fields {
		mark, style, caret := "  ", plain, ""
		if i == f.cursor {
			mark, style, caret = t.or("› ", "> "), bold, t.or("▏", "_")
		}
		body = append(body, line{cells: []cell{
			{mark, accent}, {fit(one.param.Name, label, false) + "  ", style}, {one.value, accent}, {caret, accent},
		}})
	}
	body = append(body, f.help(t, label)...)
	body = append(body, line{})
	for i, p := range f.plans(m) {
		if len(f.refs) > 1 {
			body = append(body, says(bold, m.called(f.refs[i])))
		}
		if len(p.Command) > 0 {
			body = append(body, line{cells: []cell{{"command ", dim}, {p.Line(), accent}}})
		}
		for _, why := range p.Refused {
			body = append(body, line{cells: []cell{{"refused ", dim}, {why, badInk}}})
		}
		if len(body) > h {
			break
		}
	}
	title := f.offer.Title + ": " + m.called(f.refs[0])
	if o, ok := m.screen.scene.s.Get(f.refs[0]); ok {
		title = f.offer.Title + ": " + fleet.NameOf(o)
	}
	if len(f.refs) > 1 {
		title = fmt.Sprintf("%s: %d marked", f.offer.Title, len(f.refs))
	}
	body, _ = wrapAll(body, w-4)
	if room := max(1, h-2); len(body) > room {
		body = append(body[:room-1:room-1], says(dim, "more than fits here; enter shows all of it"))
	}
	return framedLines(t, title, "", f.foot(t), body, w, len(body)+2, nil)
}

// help says what the field that is being typed takes. That of the others is a key away: all of it does not fit 80x24.
func (f *form) help(t *Theme, label int) (out []line) {
	one := f.fields[f.cursor]
	indent := cell{strings.Repeat(" ", label+4), plain}
	out = append(out, line{cells: []cell{indent, {one.param.Help, dim}}})
	if len(one.some) > 1 {
		out = append(out, line{cells: []cell{indent, {t.or("←→", "left/right") + ": " + strings.Join(named(one.some), ", "), dim}}})
	}
	return out
}

func (f *form) foot(t *Theme) string {
	foot := "enter shows what it would do, esc back"
	if len(f.fields) > 1 {
		foot = t.or("↑↓", "up/down") + " field  " + foot
	}
	return foot
}

func (f *form) key(m *Model, k string) tea.Cmd {
	one := &f.fields[f.cursor]
	switch k {
	case "esc":
		m.close()
	case "up", "shift+tab":
		f.cursor = max(0, f.cursor-1)
	case "down", "tab":
		f.cursor = min(len(f.fields)-1, f.cursor+1)
	case "left":
		one.choose(-1)
	case "right":
		one.choose(1)
	case "backspace":
		runes := []rune(one.value)
		one.value, one.touched = string(runes[:max(0, len(runes)-1)]), true
	case "ctrl+u":
		one.value, one.touched = "", true
	case "end":
		one.touched = true
	case "space":
		one.write(" ")
	case "enter":
		plans := f.plans(m)
		if d := (&confirm{title: f.offer.Title, plans: plans}); len(d.allowed()) > 0 || len(plans) > 1 {
			m.open(d) // the form stays below it, for who wants to change a value
		} else {
			m.say(warnInk, "with these values it is refused: "+plans[0].Refused[0])
		}
	default:
		if len([]rune(k)) == 1 {
			one.write(k)
		}
	}
	return nil
}

// write adds what was typed or pasted; it replaces a value that was only offered.
func (f *field) write(text string) {
	if !f.touched {
		f.value, f.touched = "", true
	}
	f.value += text
}

// choose takes the next of the values to choose from.
func (f *field) choose(by int) {
	if n := len(f.some); n > 0 {
		f.value, f.touched = f.some[(slices.Index(f.some, f.value)+by+n)%n], false
	}
}

// named writes values with a word for the empty one.
func named(values []string) []string {
	if i := slices.Index(values, ""); i >= 0 {
		values = slices.Clone(values)
		values[i] = "nothing"
	}
	return values
}
