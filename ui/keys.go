package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// binding is one thing a key does. The help is made from these, so it cannot lie.
type binding struct {
	keys []string
	help string
	hint string                         // for the footer; "" for none
	why  func(*Model) (disabled string) // nil for keys that always work
	do   func(*Model) tea.Cmd
}

// show is how the help writes a binding's keys.
func (b binding) show(t *Theme) string {
	names := strings.Join(b.keys, " ")
	if t.ascii {
		return names
	}
	return strings.NewReplacer("pgup", "pgup", "pgdown", "pgdn", "up", "↑", "down", "↓", "left", "←", "right", "→", "shift+", "⇧").Replace(names)
}

func (b binding) disabled(m *Model) string {
	if b.why == nil {
		return ""
	}
	return b.why(m)
}

// bindings lists every key of the tables. Overlays have their own few.
func bindings() []binding {
	return []binding{
		{keys: []string{"?"}, help: "this help, with every key and why it may be disabled", hint: "help", do: func(m *Model) tea.Cmd { m.open(helpPage()); return nil }},
		{keys: []string{"enter"}, help: "deeper: the object's layer below, a finding's card; details where there is nothing below", hint: "deeper", why: needRow, do: (*Model).deeper},
		{keys: []string{"d"}, help: "details: everything known, for servers with nova's action history", hint: "details", why: needObject, do: (*Model).details},
		{keys: []string{"x"}, help: "chain: what it stands on, layer by layer, and what stands on it", hint: "chain", why: needObject, do: page(chainPage)},
		{keys: []string{"t"}, help: "timeline of its chain; in the timeline: of that row's chain, and again of everything", why: needTimed, do: (*Model).timeline},
		{keys: []string{"+", "="}, help: "in the timeline: less of the time, around the row, or until now from the first", why: needTimeline, do: zoomed(1)},
		{keys: []string{"-"}, help: "in the timeline: more of the time", why: needTimeline, do: zoomed(-1)},
		{keys: []string{"l"}, help: "the pod's log, as it grows; p shows that of the container before, tab the next container's", why: needPod, do: (*Model).logs},
		{keys: []string{"a"}, help: "watch a machine of :agents that is not connected over ssh, for this session", why: needKnown, do: (*Model).connect},
		{keys: []string{"m"}, help: "actions on the row, or on all marked rows", hint: "actions", why: needHands, do: (*Model).actions},
		{keys: []string{"A"}, help: "abort what runs on the row; what is left then is said", why: needRow, do: (*Model).abort},
		{keys: []string{"/"}, help: "filter: text, regex, !not, column:text; words must all match", hint: "filter", do: func(m *Model) tea.Cmd { m.prompt = filterPrompt(m); return nil }},
		{keys: []string{":"}, help: "command, completed with tab", hint: "command", do: func(m *Model) tea.Cmd { m.prompt = commandPrompt(); return nil }},
		{keys: []string{"tab"}, help: "next pane", do: func(m *Model) tea.Cmd { m.turn(1); return nil }},
		{keys: []string{"shift+tab"}, help: "pane before", do: func(m *Model) tea.Cmd { m.turn(-1); return nil }},
		{keys: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, help: "pane by its number", do: nil},
		{keys: []string{"z", "F"}, help: "full screen and back", hint: "full", do: func(m *Model) tea.Cmd { m.zoom = !m.zoom; return nil }},
		{keys: []string{"esc"}, help: "back; clears marks and a filter first; never quits", do: (*Model).escape},
		{keys: []string{"up", "k"}, help: "row up", do: func(m *Model) tea.Cmd { m.table().move(-1); return nil }},
		{keys: []string{"down", "j"}, help: "row down", do: func(m *Model) tea.Cmd { m.table().move(1); return nil }},
		{keys: []string{"pgup"}, help: "page up", do: func(m *Model) tea.Cmd { m.table().move(-m.rows()); return nil }},
		{keys: []string{"pgdown"}, help: "page down", do: func(m *Model) tea.Cmd { m.table().move(m.rows()); return nil }},
		{keys: []string{"g", "home"}, help: "first row", do: func(m *Model) tea.Cmd { m.table().place(0); return nil }},
		{keys: []string{"G", "end"}, help: "last row", do: func(m *Model) tea.Cmd { m.table().move(m.table().ord.size()); return nil }},
		{keys: []string{"space"}, help: "mark the row and go on", why: needRow, do: (*Model).mark},
		{keys: []string{"U"}, help: "unmark all", do: func(m *Model) tea.Cmd { clear(m.table().marks); return nil }},
		{keys: []string{"shift+right", ">"}, help: "sort by the next column", do: func(m *Model) tea.Cmd { m.table().sortNext(1); return nil }},
		{keys: []string{"shift+left", "<"}, help: "sort by the column before; before the first is worst first", do: func(m *Model) tea.Cmd { m.table().sortNext(-1); return nil }},
		{keys: []string{"O"}, help: "turn the order round", do: func(m *Model) tea.Cmd { m.table().sortBy(m.table().sort); return nil }},
		{keys: []string{"!"}, help: "only what is not fine, and back", do: func(m *Model) tea.Cmd { m.table().onlyFaults(); return nil }},
		{keys: []string{"s"}, help: "a shell on the row's machine, over ssh; the screen comes back when it ends", why: needShell, do: (*Model).shell},
		{keys: []string{"y"}, help: "the object as JSON; again as YAML; of Kubernetes the manifest", why: needObject, do: page(rawPage)},
		{keys: []string{"c"}, help: "copy the object's name or id to your own clipboard (OSC 52)", why: needRow, do: func(m *Model) tea.Cmd { return m.copy(copied(m.table().at)) }},
		{keys: []string{"f"}, help: "freeze the screen; data goes on coming in behind it", do: (*Model).freeze},
		{keys: []string{"ctrl+r"}, help: "look again now at the sources of this pane", do: (*Model).refresh},
		{keys: []string{"ctrl+l"}, help: "draw the screen anew", do: func(*Model) tea.Cmd { return tea.ClearScreen }},
		{keys: []string{"q"}, help: "quit, from the overview; else back", do: (*Model).leaveOrQuit},
		{keys: []string{"ctrl+c"}, help: "twice: quit from anywhere", do: nil},
		{keys: []string{"ctrl+z"}, help: "suspend; fg comes back", do: func(*Model) tea.Cmd { return tea.Suspend }},
	}
}

// key handles a key press.
func (m *Model) key(msg tea.KeyPressMsg) tea.Cmd {
	k := msg.String()
	armed := m.armed
	m.armed = ""
	if k == "ctrl+c" {
		if armed == k {
			return tea.Quit
		}
		m.armed = k
		m.say(warnInk, "ctrl-c once more quits"+m.unseen())
		return nil
	}
	if m.prompt != nil {
		return m.promptKey(msg)
	}
	if n := len(m.over); n > 0 {
		return m.over[n-1].key(m, k)
	}
	if len(k) == 1 && k[0] >= '1' && k[0] <= '9' {
		m.number(int(k[0] - '1'))
		m.look()
		return nil
	}
	for _, b := range bindings() {
		for _, name := range b.keys {
			if name != k || b.do == nil {
				continue
			}
			m.table().moved = true // from the first key on the cursor belongs to its row
			if why := b.disabled(m); why != "" {
				m.say(warnInk, b.show(&m.o.Theme)+": "+why)
				return nil
			}
			m.armed = armed
			cmd := b.do(m)
			m.look()
			return cmd
		}
	}
	return nil
}

func needRow(m *Model) string {
	if m.table().at == nil {
		return "there is no row to do that with"
	}
	return ""
}

// needObject: findings have one, what they are about; a source's scope has none.
func needObject(m *Model) string {
	if why := needRow(m); why != "" {
		return why
	}
	if _, ok := m.table().subject(); !ok {
		return "this row is no object; enter shows all of it"
	}
	return ""
}

func needHands(m *Model) string {
	if needKnown(m) == "" {
		return "" // to watch a machine needs none
	}
	if why := m.mode().Closed; why != "" {
		return "read-only: " + why
	}
	if len(m.table().marks) > 0 {
		return ""
	}
	return needObject(m)
}

// needTimed: in a timeline t always works; else a row is needed to show that of.
func needTimed(m *Model) string {
	if m.table().line != nil {
		return ""
	}
	return needObject(m)
}

// details opens all that is known of the object under the cursor, or of what tells of a moment.
func (m *Model) details() tea.Cmd {
	if o, ok := m.table().at.(*diagnose.Moment); ok {
		m.tells(o)
		return nil
	}
	return page(detailPage)(m)
}

// page opens a page about the object under the cursor.
func page(of func(fleet.Ref) *pager) func(*Model) tea.Cmd {
	return func(m *Model) tea.Cmd {
		if r, ok := m.table().subject(); ok {
			m.open(of(r))
		}
		return nil
	}
}

// copied is what "c" copies of a row.
func copied(o fleet.Object) string {
	switch o := o.(type) {
	case *fleet.Finding:
		return o.Says
	case scopeRow:
		return o.part.Err + "\n" + o.part.Fix
	case *fleet.Sensor:
		return fleet.NameOf(o)
	case *diagnose.Moment:
		return stamp(o.At) + " " + o.About().String() + " " + o.Says()
	}
	return o.Ref().Name
}

// unseen says that actions are running, for who is about to leave.
func (m *Model) unseen() string {
	if n := len(m.runs.now); n > 0 {
		return "; " + itoa(n) + " actions are not seen to work yet"
	}
	return ""
}

// number goes to a pane: focus when it is on the screen, the whole screen when it is not.
func (m *Model) number(i int) {
	if i >= len(m.panes) {
		return
	}
	if m.zoom || i >= overviewPanes {
		m.visit(i)
		return
	}
	m.focus = i
}

// turn moves the focus through the panes of the overview.
func (m *Model) turn(by int) {
	n := overviewPanes
	if len(m.screen.boxes) > 1 {
		n = len(m.screen.boxes)
	}
	m.focus = (m.focus%n + by + n) % n
}

func (m *Model) rows() int {
	for _, b := range m.screen.boxes {
		if b.pane == m.focus {
			return max(1, b.h-4-m.panes[b.pane].head)
		}
	}
	return 1
}

// deeper goes one layer down, or shows what there is to know.
func (m *Model) deeper() tea.Cmd {
	at := m.table().at
	switch o := at.(type) {
	case *fleet.Finding:
		m.open(cardPage(o.Key()))
		return nil
	case scopeRow:
		m.open(scopePage(o.part.Source, o.part.Scope))
		return nil
	case *fleet.KernelLog:
		m.open(dmesgPage(o.Ref()))
		return nil
	case *fleet.KernelEvent:
		m.open(kernelPage(o.Ref()))
		return nil
	case *diagnose.Moment:
		for _, r := range []fleet.Ref{o.About(), o.Machine(), o.Of.Ref()} {
			if m.jump(r) {
				return nil
			}
		}
		m.tells(o)
		return nil
	}
	for _, r := range under(&m.screen.scene, at) {
		if m.jump(r) {
			return nil
		}
	}
	m.open(detailPage(at.Ref()))
	return nil
}

func (m *Model) mark() tea.Cmd {
	t := m.table()
	if r := t.at.Ref(); t.marks[r] {
		delete(t.marks, r)
	} else {
		t.marks[r] = true
	}
	t.move(1)
	return nil
}

func (m *Model) escape() tea.Cmd {
	t := m.table()
	m.status = said{}
	switch {
	case len(t.marks) > 0:
		clear(t.marks)
	case len(t.filter.words) > 0:
		t.setFilter(filter{})
	case t.faults:
		t.onlyFaults()
	default:
		m.leave()
	}
	return nil
}

func (m *Model) leaveOrQuit() tea.Cmd {
	if m.leave() {
		return nil
	}
	if says := m.unseen(); says != "" && m.armed != "q" {
		m.armed = "q"
		m.say(warnInk, "q once more quits"+says)
		return nil
	}
	return tea.Quit
}

func (m *Model) copy(s string) tea.Cmd {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	m.say(plain, "copied "+s)
	return tea.SetClipboard(strings.Join(lines, "\n"))
}

func (m *Model) freeze() tea.Cmd {
	m.screen.frozen = !m.screen.frozen
	if !m.screen.frozen {
		m.show(m.screen.newest)
	}
	return nil
}

func (m *Model) refresh() tea.Cmd {
	asked := map[string]bool{}
	for i := range m.screen.scene.s.Parts {
		p := &m.screen.scene.s.Parts[i]
		if (m.table().view.covers(p) || m.table().line != nil) && !asked[p.Source] && m.o.Refresh != nil {
			asked[p.Source] = true
			m.o.Refresh(p.Source)
		}
	}
	m.say(plain, "looking again")
	return nil
}

// mouse focuses, selects and scrolls.
func (m *Model) mouse(msg tea.MouseMsg) {
	at := msg.Mouse()
	if m.prompt != nil {
		return // what is being typed belongs to its pane
	}
	if n := len(m.over); n > 0 {
		if p, ok := m.over[n-1].(*pager); ok {
			p.wheel(at.Button)
		}
		return
	}
	for _, b := range m.screen.boxes {
		y := at.Y - m.screen.top - b.y
		if at.X < b.x || at.X >= b.x+b.w || y < 0 || y >= b.h {
			continue
		}
		t := m.panes[b.pane]
		switch at.Button {
		case tea.MouseWheelUp:
			t.move(-3)
		case tea.MouseWheelDown:
			t.move(3)
		case tea.MouseLeft:
			if _, released := msg.(tea.MouseReleaseMsg); released {
				return
			}
			m.focus = b.pane
			if y -= t.head; y >= 2 && y < b.h-1-t.head && t.top+y-2 < t.ord.size() {
				t.move(t.top + y - 2 - t.cursor)
			}
			m.look()
		}
	}
}
