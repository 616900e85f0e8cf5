package ui

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"strata/actions"
	"strata/internal/fleet"
)

func itoa(n int) string { return strconv.Itoa(n) }

// helpPage lists the live keys, and for a disabled one why it is so.
func helpPage() *pager {
	return &pager{
		title: func(*Model) string { return "Keys" },
		lines: func(m *Model, w int) []line {
			var out []line
			for _, b := range bindings() {
				l := line{cells: []cell{{fit(b.show(&m.o.Theme), 18, false) + " ", accent}, {b.help, plain}}}
				if why := b.disabled(m); why != "" {
					l = line{cells: []cell{{fit(b.show(&m.o.Theme), 18, false) + " ", dim}, {b.help + "  ", dim}, {"disabled: " + why, warnInk}}}
				}
				out = append(out, l)
			}
			out = append(out, line{}, says(bold, "Actions (m)"))
			for _, o := range actions.Offers() {
				if o.Key == "" {
					continue
				}
				out = append(out, line{cells: []cell{{fit("m "+o.Key, 18, false) + " ", accent}, {o.Title + " (on a " + string(o.Kind) + ")", plain}}})
			}
			out = append(out, line{}, says(bold, "Panes (:name)"))
			for i, v := range views() {
				key := ":" + v.name
				if i < 9 {
					key = itoa(i+1) + " " + key
				}
				out = append(out, line{cells: []cell{{fit(key, 18, false) + " ", accent}, {v.title, plain}}})
			}
			t := &m.o.Theme
			out = append(out, line{}, says(bold, "Signs"),
				line{cells: []cell{{t.glyph(fleet.StateBad), badInk}, {" bad  ", plain}, {t.glyph(fleet.StateWarn), warnInk}, {" worth a look  ", plain}, {t.glyph(fleet.StateOK), okInk}, {" fine  ", plain}, {t.glyph(fleet.StateUnknown), dim}, {" not known  ", plain}, {t.stale(), dim}, {" stale", plain}}},
				says(dim, "strata "+m.o.Version))
			return out
		},
	}
}

// rawPage shows an object as strata holds it, as JSON or YAML. Of Kubernetes it shows the manifest once that was read.
func rawPage(r fleet.Ref) *pager {
	of := strings.HasPrefix(r.Source, "kube/")
	asYAML := of
	p := &pager{
		title: func(m *Model) string {
			title := map[bool]string{false: "JSON", true: "YAML"}[asYAML] + " of " + clean(r.String())
			if of && manifestOf(m, r) == nil {
				title += ", as strata knows it"
			}
			return title
		},
		flip: func() { asYAML = !asYAML },
	}
	if of {
		p.reads = r
	}
	source := func(m *Model) string { return raw(m, r, asYAML) }
	p.copies = source
	p.lines = func(m *Model, _ int) (out []line) {
		for l := range strings.Lines(source(m)) {
			out = append(out, says(plain, strings.TrimRight(l, "\n")))
		}
		for x := range fleet.All[*fleet.Manifest](m.screen.scene.s, fleet.KindManifest) {
			if x.About == r && x.Error != "" {
				out = append([]line{says(warnInk, x.Error), {}}, out...)
			}
		}
		return out
	}
	return p
}

// manifestOf returns an object's manifest if it was read.
func manifestOf(m *Model, r fleet.Ref) *fleet.Manifest {
	for x := range fleet.All[*fleet.Manifest](m.screen.scene.s, fleet.KindManifest) {
		if x.About == r && x.Text != "" {
			return x
		}
	}
	return nil
}

// raw is an object as text.
func raw(m *Model, r fleet.Ref, asYAML bool) string {
	var b []byte
	var err error
	if x := manifestOf(m, r); x != nil {
		var room bytes.Buffer
		err = json.Indent(&room, []byte(x.Text), "", "  ")
		b = room.Bytes()
	} else if o, ok := m.screen.scene.s.Get(r); ok {
		b, err = json.MarshalIndent(o, "", "  ")
	} else {
		return "it is gone"
	}
	if err == nil && asYAML {
		b, err = yaml.JSONToYAML(b)
	}
	if err != nil {
		return "writing it out: " + err.Error()
	}
	return string(b)
}

// called is what an operator calls an object.
func (m *Model) called(r fleet.Ref) string {
	if o, ok := m.screen.scene.s.Get(r); ok {
		return clean(string(r.Kind) + " " + fleet.NameOf(o))
	}
	return clean(r.String())
}

// scopePage is all there is to say of a scope: how it is, its error, what to do.
func scopePage(source, scope string) *pager {
	part := func(m *Model) (*fleet.Part, bool) { return m.screen.scene.s.Part(source, scope) }
	return &pager{
		title: func(*Model) string { return "Source " + source + ", scope " + or(scope, "(all of it)") },
		lines: func(m *Model, _ int) []line {
			p, ok := part(m)
			if !ok {
				return []line{says(warnInk, "it is gone")}
			}
			c := &m.screen.scene
			h := scopeRow{p}.Health()
			out := []line{says(c.t.state(h.State), c.t.glyph(h.State)+" "+h.Word), says(dim, itoa(len(p.Facts))+" objects, seen "+age(p.At, c.now())+" ago, at "+stamp(p.At))}
			if p.Err != "" {
				out = append(out, line{}, says(bold, "Since "+stamp(p.ErrAt)), says(badInk, p.Err))
			}
			if p.Fix != "" {
				out = append(out, line{}, says(bold, "What to do"), says(plain, p.Fix))
			}
			return out
		},
		copies: func(m *Model) string {
			if p, ok := part(m); ok {
				return p.Fix
			}
			return ""
		},
	}
}
