package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/fleet"
)

// many is how many objects may be acted on with a plain yes; more want their number typed.
const many = 5

// confirm asks before anything is done: what, on which object, the command, what will happen, what speaks against it,
// how to undo it. Cancel has the focus.
type confirm struct {
	title string
	plans []actions.Plan
	yes   bool // the other button has the focus
	halt  bool // of several, the first that fails ends the rest
	typed string
	top   int
	room  int // lines of the body that fit
	lines int // lines of the body
}

func (d *confirm) allowed() (out []actions.Plan) {
	for _, p := range d.plans {
		if len(p.Refused) == 0 {
			out = append(out, p)
		}
	}
	return out
}

// ask is what must be typed, "" for a plain yes. Several objects that do not all stand on the screen want their number,
// whatever it is.
func (d *confirm) ask() string {
	run := d.allowed()
	switch {
	case len(run) > many, len(run) > 1 && d.lines > d.room:
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
	w = min(w, 96)
	body, _ := wrapAll(d.body(m), w-4)
	d.room, d.lines = max(1, h-4), len(body)
	d.top = max(0, min(d.top, d.lines-d.room))
	where := ""
	if d.lines > d.room {
		where = itoa(d.top+1) + "-" + itoa(min(d.lines, d.top+d.room)) + " of " + itoa(d.lines) + t.or(" ↑↓", " up/down")
	}
	shown := append(body[d.top:min(d.lines, d.top+d.room):d.lines], line{}, d.buttons(t))
	if len(d.plans) > 1 {
		shown[len(shown)-2] = d.halting()
	}
	foot := "esc cancels"
	if d.ask() == "" {
		foot += "  c copies the command"
	}
	return framedLines(t, d.heading(), where, foot, shown, w, len(shown)+2, nil)
}

func (d *confirm) heading() string {
	if len(d.plans) == 1 {
		return d.plans[0].Title
	}
	return fmt.Sprintf("%s: %d of %d", d.title, len(d.allowed()), len(d.plans))
}

func (d *confirm) body(m *Model) (body []line) {
	t := &m.o.Theme
	add := func(label string, style ink, text string) {
		body = append(body, line{cells: []cell{{fit(label, 9, false) + " ", dim}, {text, style}}})
	}
	then := func(p actions.Plan) {
		for _, s := range p.Effects {
			add("then", plain, s)
		}
	}
	single := len(d.plans) == 1
	for i, p := range d.plans {
		if !single {
			add(itoa(i+1), bold, p.Title)
		}
		add("command", accent, p.Line())
		// A command that is typed on a machine does not name it; the same device or service is on each of them.
		if p.Action != nil && !strings.Contains(p.Line(), system(p.Action.Target().Source)) {
			add("on", bold, system(p.Action.Target().Source))
		}
		if p.Now != "" {
			add("now", plain, p.Now)
		}
		for _, s := range p.Refused {
			add("refused", badInk, s)
		}
		if single {
			then(p)
		}
		for _, s := range p.Against {
			add("against", warnInk, t.glyph(fleet.StateWarn)+" "+s)
		}
	}
	first := d.plans[0]
	if run := d.allowed(); len(run) > 0 {
		first = run[0]
	}
	undo := first.NoUndo
	if first.Undo != nil {
		undo = first.Undo.Plan(m.screen.newest).Line()
	}
	if !single {
		then(first)
		undo += "; and so for each"
	}
	add("undo", dim, undo)
	return body
}

func (d *confirm) buttons(t *Theme) line {
	if len(d.allowed()) == 0 {
		return says(badInk, "all of it is refused: nothing can be done")
	}
	if ask := d.ask(); ask != "" {
		return line{cells: []cell{{"type ", plain}, {ask, bold}, {" and enter to do it: ", plain}, {d.typed, accent}, {t.or("▏", "_"), accent}}}
	}
	cancel, yes := cell{"[ Cancel ]", bold}, cell{"  Do it (y)  ", dim}
	if d.yes {
		cancel, yes = cell{"  Cancel  ", dim}, cell{"[ Do it (y) ]", bold}
	}
	return line{cells: []cell{{"          ", plain}, cancel, {"   ", plain}, yes}}
}

// halting is the line that says what a failure does to those behind it.
func (d *confirm) halting() line {
	if d.halt {
		return line{cells: []cell{{"one by one, each until seen; ", dim}, {"the first that fails ends it", bold}, {" (tab: go on)", dim}}}
	}
	return line{cells: []cell{{"one by one, each until seen; one that fails does not stop it (tab: stop)", dim}}}
}

func (d *confirm) key(m *Model, k string) tea.Cmd {
	switch k {
	case "esc":
		d.cancel(m)
		return nil
	case "up", "pgup":
		d.top--
		return nil
	case "down", "pgdown":
		d.top++
		return nil
	case "tab":
		if len(d.plans) > 1 {
			d.halt = !d.halt
			return nil
		}
	}
	if d.ask() != "" {
		return d.enter(m, k)
	}
	switch k {
	case "c":
		var all []string
		for _, p := range d.plans {
			all = append(all, p.Line())
		}
		return m.copy(strings.Join(all, "\n"))
	case "tab", "left", "right", "shift+tab":
		d.yes = !d.yes
	case "y":
		return d.agree(m)
	case "enter":
		if d.yes {
			return d.agree(m)
		}
		d.cancel(m)
	case "n", "q":
		d.cancel(m)
	}
	return nil
}

// enter takes a key of what must be typed.
func (d *confirm) enter(m *Model, k string) tea.Cmd {
	switch {
	case k == "enter":
		return d.agree(m)
	case k == "backspace":
		runes := []rune(d.typed)
		d.typed = string(runes[:max(0, len(runes)-1)])
	case k == "ctrl+u":
		d.typed = ""
	case k == "space":
		d.typed += " "
	case len([]rune(k)) == 1:
		d.typed += k
	}
	return nil
}

func (d *confirm) cancel(m *Model) {
	m.close()
	m.say(plain, "cancelled, nothing was done")
}

// agree has the runner approve each plan; only what it approves is run.
func (d *confirm) agree(m *Model) tea.Cmd {
	if why := m.mode().Closed; why != "" {
		m.say(badInk, "read-only: "+why)
		return nil
	}
	run := d.allowed()
	if len(run) == 0 {
		m.say(warnInk, "all of it is refused: nothing can be done")
		return nil
	}
	if ask := d.ask(); d.typed != ask {
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
	m.over = slices.DeleteFunc(m.over, func(o overlay) bool {
		_, page := o.(*pager)
		return !page
	})
	clear(m.table().marks)
	for _, p := range run {
		m.runs.now[p.Action.Target()] = actions.Progress{Action: p.Action.Name(), Target: p.Action.Target(), Title: p.Title, Phase: actions.Queued}
	}
	return m.start(approved, d.halt)
}
