package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// cardPage is a finding's card: verdict, evidence on one clock, what is missing, what to do.
func cardPage(key string) *pager {
	about, _ := diagnose.AboutOf(key)
	found := func(m *Model) *fleet.Finding {
		s := m.screen.scene.s
		for f := range s.FindingsOn(about) {
			if f.Key() == key {
				return f
			}
		}
		return nil
	}
	return &pager{
		pick:  true,
		about: about,
		title: func(*Model) string { return "Finding" },
		lines: func(m *Model, _ int) []line {
			if f := found(m); f != nil {
				return card(m, f)
			}
			return []line{says(okInk, "this finding has cleared")}
		},
		copies: func(m *Model) string {
			if f := found(m); f != nil {
				return runbook(m, f)
			}
			return ""
		},
		own: own{does: func(m *Model, k string) (tea.Cmd, bool) {
			if f := found(m); f != nil {
				for _, r := range remediesOf(m, f) {
					if r.key() == k {
						return r.do(m), true
					}
				}
			}
			return nil, false
		}},
	}
}

func card(m *Model, f *fleet.Finding) []line {
	c := &m.screen.scene
	style := c.t.state(f.Severity.State())
	out := []line{says(style, c.t.glyph(f.Severity.State())+" "+f.Says)}
	out = append(out, line{cells: []cell{{"about  ", dim}, {f.About.String(), accent}}, ref: f.About},
		says(dim, fmt.Sprintf("%s, confidence %s, since %s (%s), rule %s", f.Severity, f.Confidence, stamp(f.Since), age(f.Since, c.now()), f.Rule)))
	if len(f.Because) > 0 {
		out = append(out, line{}, says(bold, "Evidence, oldest first (UTC)"))
	}
	for _, e := range onOneClock(f.Because) {
		when := ""
		if !e.At.IsZero() {
			when = stamp(e.At) + "  "
		}
		out = append(out, line{cells: []cell{{"  " + when, dim}, {e.Says, plain}, {"   " + e.Where, dim}}, ref: e.Ref})
	}
	if len(f.Missing) > 0 {
		out = append(out, line{}, says(bold, "What could not be seen"))
		for _, s := range f.Missing {
			out = append(out, says(plain, "  "+s))
		}
	}
	out = append(out, remedyLines(m, f)...)
	var effects []line
	for _, e := range followers(c.s, f, false) {
		effects = append(effects, line{cells: []cell{{"  " + c.t.glyph(e.Severity.State()) + " ", c.t.state(e.Severity.State())}, {e.Says, plain}}, ref: e.About})
	}
	if len(effects) > 0 {
		if n := len(followers(c.s, f, true)) - len(effects); n > 0 {
			effects = append(effects, says(dim, "  and what follows from these: "+itoa(n)+" more"))
		}
		out = append(append(out, line{}, says(bold, "Explains")), effects...)
	}
	if r := c.rules[f.Rule]; r != nil {
		out = append(out, line{}, says(bold, "When this is wrong"), says(plain, "  "+r.Beware), says(dim, "  it rests on: "+r.Source))
	}
	return out
}

// onOneClock is evidence by its time, the oldest first; what has none comes last.
func onOneClock(because []fleet.Evidence) []fleet.Evidence {
	because = slices.Clone(because)
	slices.SortStableFunc(because, func(a, b fleet.Evidence) int {
		if a.At.IsZero() != b.At.IsZero() {
			return b.At.Compare(a.At)
		}
		return a.At.Compare(b.At)
	})
	return because
}

// followers are the findings that one explains and that are shown; with deep those that follow from these, too.
func followers(s *fleet.Snapshot, f *fleet.Finding, deep bool) (all []*fleet.Finding) {
	under := map[string][]*fleet.Finding{}
	for i := range s.Findings {
		if e := &s.Findings[i]; e.Shown && e.Under != "" {
			under[e.Under] = append(under[e.Under], e)
		}
	}
	seen := map[string]bool{}
	for todo := []string{f.Key()}; len(todo) > 0; todo = todo[1:] {
		for _, e := range under[todo[0]] {
			if key := e.Key(); !seen[key] {
				seen[key] = true
				all = append(all, e)
				if deep {
					todo = append(todo, key)
				}
			}
		}
	}
	return all
}

// remedy is one action that repairs a finding or what follows from it, on all objects that it is meant for.
type remedy struct {
	offer actions.Offer
	refs  []fleet.Ref
	more  int  // objects beyond the most that one key is for
	plain bool // it can be planned on these objects; else it is for others of the same machine
	bare  bool // another remedy of the card has its key
}

// remedyObjects is how many objects one remedy's key is for at the most.
const remedyObjects = 50

// remediesOf are the remedies of a finding and of what follows from it, each action once and each key once.
func remediesOf(m *Model, f *fleet.Finding) (all []remedy) {
	for _, x := range append([]*fleet.Finding{f}, followers(m.screen.scene.s, f, true)...) {
		for _, name := range x.Remedies {
			offer, ok := actions.Find(name)
			if !ok {
				continue
			}
			on := actions.TargetOf(m.screen.scene.s, x, offer)
			i := slices.IndexFunc(all, func(o remedy) bool { return o.offer.Name == name && o.plain == (on.Kind == offer.Kind) })
			if i < 0 {
				i = len(all)
				taken := func(o remedy) bool { return o.offer.Key == offer.Key }
				all = append(all, remedy{offer: offer, plain: on.Kind == offer.Kind, bare: slices.ContainsFunc(all, taken)})
			}
			switch r := &all[i]; {
			case slices.Contains(r.refs, on):
			case len(r.refs) >= remedyObjects:
				r.more++
			default:
				r.refs = append(r.refs, on)
			}
		}
	}
	return all
}

// command is what a person would type for one of its objects, "" where that cannot be told.
func (r remedy) command(m *Model, ref fleet.Ref) string {
	return actions.RepairOf(m.screen.newest, r.offer.Name, ref).Line()
}

// key is the one that picks a remedy on its card; "" when it means something else on every page.
func (r remedy) key() string {
	if r.bare || strings.Contains("?:123456789cdfgGjklmqtxy", r.offer.Key) {
		return ""
	}
	return r.offer.Key
}

// why says why a remedy cannot be done now, "" when it can.
func (r remedy) why(m *Model) string {
	if why := m.mode().Closed; why != "" {
		return "read-only: " + why
	}
	if !r.plain || len(r.offer.Params) > 0 {
		return "" // the pane, or the form, tells
	}
	says := ""
	for _, ref := range r.refs {
		p := m.planned(r.offer, ref, nil)
		if len(p.Refused) == 0 {
			return ""
		}
		says = p.Refused[0]
	}
	return says
}

// do opens the dialog of a remedy: its form, or what it would do, for a yes.
func (r remedy) do(m *Model) tea.Cmd {
	why := r.why(m)
	switch {
	case why != "":
		m.say(warnInk, why)
	case !r.plain:
		m.choose(r)
	case len(r.offer.Params) > 0:
		m.open(newForm(m, r.offer, r.refs))
	default:
		d := &confirm{title: r.offer.Title}
		for _, ref := range r.refs {
			d.plans = append(d.plans, m.planned(r.offer, ref, nil))
		}
		m.open(d)
	}
	return nil
}

// choose goes to the things of the finding's machine that a remedy is for: only a person knows which of them.
func (m *Model) choose(r remedy) {
	for i, t := range m.panes {
		if t.shows(r.offer.Kind) {
			m.over = nil
			m.visit(i)
			m.table().setFilter(parseFilter(system(r.refs[0].Source)))
			m.say(plain, "pick one, then m "+r.offer.Key+": "+r.offer.Title)
			return
		}
	}
}

// remedyCommands is how many commands of one remedy its card shows.
const remedyCommands = 4

// remedyLines are the remedies with their keys; enter picks one, too. Where nothing may be done here the commands are for
// somebody who may.
func remedyLines(m *Model, f *fleet.Finding) (out []line) {
	all := remediesOf(m, f)
	if len(all) == 0 {
		return nil
	}
	head := line{cells: []cell{{"Remedies", bold}}}
	if why := m.mode().Closed; why != "" {
		head.cells = append(head.cells, cell{"  read-only: " + why + "; c copies the commands, for somebody who may", dim})
	}
	out = append(out, line{}, head)
	for _, r := range all {
		key, style, why := or(r.key(), "enter"), plain, r.why(m)
		if why != "" {
			style = dim
		}
		var names []string
		for _, ref := range r.refs {
			name := ref.Name
			if o, ok := m.screen.scene.s.Get(ref); ok {
				name = fleet.NameOf(o)
			}
			names = append(names, name)
		}
		l := line{do: r.do, cells: []cell{{"  " + fit(key, 6, false), accent}, {r.offer.Title, style}}}
		if r.more > 0 {
			names = append(names, fmt.Sprintf("and not %d more", r.more))
		}
		if r.plain {
			l.cells = append(l.cells, cell{": " + strings.Join(names, ", "), style})
		} else {
			l.cells = append(l.cells, cell{": pick a " + string(r.offer.Kind) + " of " + system(r.refs[0].Source), style})
		}
		if why != "" && m.mode().Closed == "" {
			l.cells = append(l.cells, cell{"  not now: " + why, warnInk})
		}
		out = append(out, l)
		for i, ref := range r.refs {
			if i == remedyCommands {
				out = append(out, says(dim, fmt.Sprintf("        %s%d more", m.o.Theme.or("…", "..."), len(r.refs)-i)))
				break
			}
			if r.plain {
				out = append(out, says(dim, "        "+r.command(m, ref)))
			}
		}
	}
	return out
}

// runbook is what an operator without the right to do it hands to somebody who has it.
func runbook(m *Model, f *fleet.Finding) string {
	out := []string{"# " + clean(f.Says)} // a line that breaks would end the comment
	for _, r := range remediesOf(m, f) {
		for _, ref := range r.refs {
			out = append(out, clean(r.command(m, ref)+"  # "+r.offer.Title))
		}
	}
	for _, s := range f.Missing {
		out = append(out, "# not seen: "+clean(s))
	}
	return strings.Join(out, "\n")
}
