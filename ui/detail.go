package ui

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"strata/internal/fleet"
)

// detailPage shows everything known of an object: what is found about it, its history, its events, all of its fields.
func detailPage(r fleet.Ref) *pager {
	p := &pager{
		about: r,
		title: func(m *Model) string { return m.called(r) },
		lines: func(m *Model, w int) []line {
			c := &m.screen.scene
			o, ok := c.s.Get(r)
			if !ok {
				return []line{says(warnInk, "it is gone"), says(dim, clean(r.String())+" is in no observation any more")}
			}
			h := o.Health()
			out := []line{{cells: []cell{{c.t.glyph(h.State) + " " + h.Word, c.t.state(h.State)}, {"   seen " + age(c.s.SeenAt(r), c.now()) + " ago by " + r.Source, dim}}}}
			out = append(out, foundOn(c, r)...)
			if s, ok := o.(*fleet.Server); ok {
				out = append(append(out, serverStrip(c, s, w)...), history(s)...)
			}
			out = append(out, describe(m, o)...)
			out = append(out, eventsOn(c, r)...)
			return append(append(out, line{}, says(bold, "Fields")), fields(o)...)
		},
		copies: func(*Model) string { return r.Name },
	}
	if r.Kind == fleet.KindPod {
		p.reads = r
	}
	return p
}

func foundOn(c *scene, r fleet.Ref) (out []line) {
	for f := range c.s.FindingsOn(r) {
		if f.Shown {
			style := c.t.state(f.Severity.State())
			out = append(out, line{cells: []cell{{c.t.glyph(f.Severity.State()) + " ", style}, {f.Says, style}, {"  " + f.Rule, dim}}})
		}
	}
	return out
}

// history is Nova's action list with who did each.
func history(s *fleet.Server) []line {
	out := []line{{}, says(bold, "What nova did with it, newest first (UTC)")}
	if s.ActionsErr != "" {
		out = append(out, says(warnInk, "  "+s.ActionsErr))
	}
	if s.Actions == nil && s.ActionsErr == "" {
		return append(out, says(dim, "  not fetched yet"))
	}
	for _, a := range s.Actions {
		who, style := "by nova itself", warnInk
		if !a.ByNova() {
			who, style = "by "+a.Who(), plain
		}
		cells := []cell{{"  " + stamp(a.Start) + "  ", dim}, {fit(a.Action, 12, false), plain}, {fit(who, 40, false), style}, {" " + a.Message, badInk}}
		for _, e := range a.Events {
			if e.Result == "Error" {
				cells = append(cells, cell{" " + e.Event + " " + e.Result + " " + e.Details, badInk})
			}
		}
		out = append(out, line{cells: append(cells, cell{"  " + a.Request, dim})})
	}
	return out
}

func eventsOn(c *scene, r fleet.Ref) (out []line) {
	for e := range fleet.All[*fleet.Event](c.s, fleet.KindEvent) {
		if e.About.Source == r.Source && e.About.Kind == r.Kind && e.About.Name == r.Name {
			out = append(out, line{cells: []cell{{"  " + coarse(e.Last, c.now()) + " ago  ", dim}, {e.Reason + "  ", warnInk}, {e.Message, plain}}})
		}
	}
	if len(out) > 0 {
		out = append([]line{{}, says(bold, "Warning events")}, out...)
	}
	return out
}

// fields lists every field an object has, by the names of the JSON schema.
func fields(o fleet.Object) (out []line) {
	b, err := json.Marshal(o)
	var tree map[string]any
	if err == nil {
		err = json.Unmarshal(b, &tree)
	}
	if err != nil {
		return []line{says(badInk, "writing it out: "+err.Error())}
	}
	delete(tree, "actions") // they stand above
	var walk func(indent string, v map[string]any)
	walk = func(indent string, v map[string]any) {
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Slice(keys, func(i, j int) bool {
			a, b := isTree(v[keys[i]]), isTree(v[keys[j]])
			if a != b {
				return b
			}
			return keys[i] < keys[j]
		})
		for _, k := range keys {
			switch x := v[k].(type) {
			case map[string]any:
				out = append(out, says(dim, indent+k))
				walk(indent+"  ", x)
			case []any:
				out = append(out, list(indent, k, x)...)
			case nil:
				out = append(out, line{cells: []cell{{indent + fit(k, 22, false) + " ", dim}, {"not told", dim}}})
			default:
				out = append(out, line{cells: []cell{{indent + fit(k, 22, false) + " ", dim}, {scalar(x), plain}}})
			}
		}
	}
	walk("  ", tree)
	return out
}

func list(indent, k string, x []any) (out []line) {
	flat := make([]string, 0, len(x))
	for _, e := range x {
		if isTree(e) {
			flat = nil
			break
		}
		flat = append(flat, scalar(e))
	}
	if flat != nil {
		return []line{{cells: []cell{{indent + fit(k, 22, false) + " ", dim}, {strings.Join(flat, ", "), plain}}}}
	}
	out = append(out, says(dim, indent+k))
	for _, e := range x {
		b, _ := json.Marshal(e) // it was just unmarshalled
		out = append(out, says(plain, indent+"  "+string(b)))
	}
	return out
}

func isTree(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func scalar(v any) string {
	f, ok := v.(float64)
	switch {
	case !ok:
		return fmt.Sprint(v)
	case f == float64(int64(f)):
		return fmt.Sprintf("%d", int64(f))
	case f > -1 && f < 1:
		return fmt.Sprintf("%.3g", f)
	}
	return fmt.Sprintf("%.2f", f) // "y" has all of its digits
}
