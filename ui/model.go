// Package ui is the cockpit's screen: one Bubble Tea model over snapshots. It owns cursors, filters and sorts, and nothing
// else; it can do no I/O, because it imports nothing that does.
package ui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// Options are what the program gives the screen.
type Options struct {
	Store  *fleet.Store
	Theme  Theme
	Title  string // the clouds and clusters in view
	Runner *actions.Runner
	// ReadOnly says why there is no Runner; "" when there is.
	ReadOnly string
	// Look and Refresh carry the reader's wishes to the sources.
	Look    func(fleet.Ref)
	Refresh func(source string)
	// Shell makes a shell on the machine of that name; an error says why there is none.
	Shell func(machine string) (tea.ExecCommand, error)
	// Connect starts an agent that only reads on a machine over ssh, for this session, and says so; an error says why not.
	Connect func(name, destination string) (says string, err error)
	// Follow wishes for the log of a pod's container ("" is the usual one), Read for an object's manifest; zero Refs for none.
	Follow  func(pod fleet.Ref, container string, previous bool)
	Read    func(fleet.Ref)
	Version string
	Mouse   bool
}

// Model is the one tea.Model.
type Model struct {
	o      Options
	ctx    context.Context
	screen screen
	panes  []*table
	focus  int
	zoom   bool
	back   []place
	over   []overlay
	prompt *prompt
	status said
	runs   runs
	armed  string      // the key that quits when it is pressed once more
	said   []string    // commands, newest last
	hints  [][2]string // keys and words of the footer
	making bool        // an index for filters is being made
}

// screen is what is drawn and from what.
type screen struct {
	scene  scene
	newest *fleet.Snapshot
	frozen bool
	w, h   int
	boxes  []box // where the panes are, for the mouse
	top    int   // lines above the panes
	cached string
	dirty  bool
	pause  time.Duration // before the next snapshot is taken
	wished wished
	rules  map[string]*diagnose.Rule
	body   []string // the lines between header and footer, while only the clock moves
}

// place is where the reader was, for going back.
type place struct {
	focus  int
	zoom   bool
	at     fleet.Ref
	filter filter
	span   spanned // of the timeline
}

// said is the last thing the cockpit told its reader.
type said struct {
	text string
	ink  ink
	till time.Time
}

// snapshotMsg brings a snapshot; busy tells that it was there already.
type snapshotMsg struct {
	s    *fleet.Snapshot
	busy bool
}

// redrawEvery is the least time between two snapshots on the screen; keys are drawn at once. While every look finds
// something new the pauses grow to seldom: a slow link has better to do than to carry what nobody can read.
const (
	redrawEvery = 150 * time.Millisecond
	seldom      = 600 * time.Millisecond
)

// New returns the model. Data is awaited until ctx ends.
func New(ctx context.Context, o Options) *Model {
	m := &Model{o: o, ctx: ctx, runs: newRuns()}
	scratch := new([]row)
	for _, v := range views() {
		m.panes = append(m.panes, newTable(v, scratch))
	}
	for _, b := range bindings() {
		if b.hint != "" {
			m.hints = append(m.hints, [2]string{b.show(&m.o.Theme), b.hint})
		}
	}
	m.screen.rules = map[string]*diagnose.Rule{}
	for _, r := range diagnose.Rules() {
		m.screen.rules[r.ID] = &r
	}
	m.screen.w, m.screen.h, m.screen.dirty = 80, 24, true
	m.show(o.Store.Snapshot())
	return m
}

// Init starts waiting for data and for what running actions have to say.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(m.await(), m.runs.await(m.ctx))
}

// await waits for a snapshot newer than the last one.
func (m *Model) await() tea.Cmd {
	after, pause, ctx, store := m.screen.newest.Seq, m.screen.pause, m.ctx, m.o.Store
	return func() tea.Msg {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		busy := store.Snapshot().Seq > after
		s, err := store.Next(ctx, after)
		if err != nil {
			return nil
		}
		return snapshotMsg{s, busy}
	}
}

// Update is Bubble Tea's.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	defer m.wish()
	m.screen.dirty = true
	if _, isData := msg.(snapshotMsg); !isData {
		m.screen.body = nil
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.screen.w, m.screen.h = msg.Width, msg.Height
	case snapshotMsg:
		m.screen.newest = msg.s
		m.expire(msg.s.At)
		if !m.screen.frozen {
			m.show(msg.s)
		}
		if msg.busy {
			m.screen.pause = min(2*m.screen.pause, seldom)
		} else {
			m.screen.pause = redrawEvery
		}
		return m, tea.Batch(m.await(), m.index())
	case indexed:
		m.making = false
		msg.take()
	case progressMsg:
		m.progress(actions.Progress(msg))
		return m, m.runs.await(m.ctx)
	case shellMsg:
		if msg.err != nil {
			m.say(badInk, "the shell: "+msg.err.Error())
		}
		return m, tea.ClearScreen
	case tea.KeyPressMsg:
		return m, tea.Batch(m.key(msg), m.index())
	case tea.PasteMsg:
		if m.prompt != nil {
			m.typed(m.prompt.line + clean(strings.TrimSpace(msg.Content)))
		} else if d, ok := m.dialog(); ok {
			if f, ok := d.(*form); ok {
				f.fields[f.cursor].write(clean(strings.TrimSpace(msg.Content)))
			}
		}
	case tea.MouseMsg:
		m.mouse(msg)
	default:
		m.screen.dirty = false
	}
	return m, nil
}

// index makes what filters look through for a large table on the screen, beside everything else.
func (m *Model) index() tea.Cmd {
	for _, b := range m.screen.boxes {
		if t := m.panes[b.pane]; !m.making && t.unindexed() {
			m.making = true
			work := t.index()
			return func() tea.Msg { return work() }
		}
	}
	return nil
}

// show draws from a snapshot from now on.
func (m *Model) show(s *fleet.Snapshot) {
	if !m.quiet(s) {
		m.screen.body = nil
	}
	m.screen.newest = s
	stale := map[scopeOf]bool{}
	for i := range s.Parts {
		switch p := &s.Parts[i]; {
		case p.Scope == "" && p.Err != "" && !p.Unconfigured:
			stale[scopeOf{p.Source, everything}] = true // the source itself broke down
		case p.Stale(s.At):
			stale[scopeOf{p.Source, p.Kind}] = true
		}
	}
	causes := m.screen.scene.causes
	if causes == nil || !s.Same(m.screen.scene.s) {
		causes = diagnose.NewCauses(s)
	}
	m.screen.scene = scene{s: s, t: &m.o.Theme, running: m.runs.now, stale: stale, causes: causes, rules: m.screen.rules}
	m.expire(s.At)
}

// expire takes back what was said a while ago.
func (m *Model) expire(now time.Time) {
	if now.After(m.status.till) {
		m.status = said{}
	}
}

// steady is how long the ages on a quiet screen stand still.
const steady = 10 * time.Second

// quiet reports whether a snapshot changes nothing on the screen but the clock.
func (m *Model) quiet(s *fleet.Snapshot) bool {
	before := m.screen.scene.s
	if before == nil || len(m.over) > 0 || !s.Same(before) || !s.At.Truncate(steady).Equal(before.At.Truncate(steady)) {
		return false
	}
	for _, b := range m.screen.boxes {
		if len(m.panes[b.pane].changed) > 0 {
			return false // cells that are bright must become plain again
		}
	}
	return true
}

// View is Bubble Tea's. The same screen is never made twice.
func (m *Model) View() tea.View {
	if m.screen.dirty {
		m.screen.cached, m.screen.dirty = m.draw(), false
	}
	v := tea.NewView(m.screen.cached)
	v.AltScreen = true
	v.WindowTitle = "strata " + m.o.Title
	if m.o.Mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

// table returns the focused table.
func (m *Model) table() *table { return m.panes[m.focus] }

// say tells the reader something for a while.
func (m *Model) say(i ink, text string) {
	m.status = said{clean(text), i, m.screen.newest.At.Add(8 * time.Second)}
}

// look tells the sources what is being looked at, so that they know it deeper.
func (m *Model) look() {
	t := m.table()
	if t.at == nil && t.line == nil || m.o.Look == nil {
		return
	}
	r, ok := t.subject()
	switch {
	case t.line != nil && t.line.about != (fleet.Ref{}):
		m.o.Look(t.line.about)
	case ok:
		m.o.Look(r)
	case t.at != nil:
		m.o.Look(t.at.Ref())
	}
}

// visit goes to a pane and makes it as large as the screen, remembering where the reader was.
func (m *Model) visit(focus int) {
	here := place{focus: m.focus, zoom: m.zoom, filter: m.table().filter}
	if at := m.table().at; at != nil {
		here.at = at.Ref()
	}
	if l := m.table().line; l != nil {
		here.span = l.spanned
	}
	if n := len(m.back); n == 0 || m.back[n-1].focus != here.focus || m.back[n-1].zoom != here.zoom || m.back[n-1].at != here.at {
		m.back = append(m.back, here)
	}
	m.focus, m.zoom = focus, true
}

// leave goes back to where the reader was before, and to the overview from there.
func (m *Model) leave() bool {
	if n := len(m.back); n > 0 {
		p := m.back[n-1]
		m.focus, m.zoom, m.back = p.focus, p.zoom, m.back[:n-1]
		t := m.table()
		if t.line != nil {
			t.look(&m.screen.scene, p.span)
		}
		t.follow(&m.screen.scene)
		if t.filter.text != p.filter.text {
			t.setFilter(p.filter)
		}
		if o, ok := m.screen.scene.s.Get(p.at); ok {
			t.to(o)
		}
		return true
	}
	if m.zoom || m.focus >= overviewPanes {
		m.zoom, m.focus = false, min(m.focus, overviewPanes-1)
		return true
	}
	return false
}

// jump goes to an object, in the pane that shows its kind.
func (m *Model) jump(r fleet.Ref) bool {
	o, ok := m.screen.scene.s.Get(r)
	if !ok {
		return false
	}
	for _, i := range []int{m.focus, 9, 10} {
		if m.jumpTo(i, o) {
			return true
		}
	}
	for i := range m.panes {
		if m.jumpTo(i, o) {
			return true
		}
	}
	return false
}

func (m *Model) jumpTo(i int, o fleet.Object) bool {
	t := m.panes[i]
	if !t.shows(kindOf(o)) {
		return false
	}
	m.visit(i) // before the filter and the cursor there are changed, so that they can come back
	t.setFilter(filter{})
	t.follow(&m.screen.scene)
	return t.to(o)
}

func (m *Model) pane(name string) (int, bool) {
	for i, t := range m.panes {
		if t.view.name == name {
			return i, true
		}
	}
	return 0, false
}
