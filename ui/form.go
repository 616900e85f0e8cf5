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
	param actions.Param
	value string
	some  []string // to choose from
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
		help := one.param.Help
		if len(one.some) > 1 && i == f.cursor {
			help += "; " + t.or("←→", "left/right") + ": " + strings.Join(named(one.some), ", ")
		}
		body = append(body, line{cells: []cell{{strings.Repeat(" ", label+4), plain}, {help, dim}}})
	}
	body = append(body, line{})
	for _, p := range f.plans(m) {
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
	if len(f.refs) > 1 {
		title = fmt.Sprintf("%s %d marked", f.offer.Title, len(f.refs))
	}
	body, _ = wrapAll(body, w-4)
	return framedLines(t, title, "", "enter shows what it would do, esc back", body, w, min(h, len(body)+2), nil)
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
		one.value = string(runes[:max(0, len(runes)-1)])
	case "ctrl+u":
		one.value = ""
	case "space":
		one.value += " "
	case "enter":
		plans := f.plans(m)
		if d := (&confirm{title: f.offer.Title, plans: plans}); len(d.allowed()) > 0 {
			m.open(d) // the form stays below it, for who wants to change a value
		}
	default:
		if len([]rune(k)) == 1 {
			one.value += k
		}
	}
	return nil
}

// choose takes the next of the values to choose from.
func (f *field) choose(by int) {
	if n := len(f.some); n > 0 {
		f.value = f.some[(slices.Index(f.some, f.value)+by+n)%n]
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
