package ui

import (
	"maps"
	"slices"
	"time"

	"strata/actions"
	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// scene is what panes draw from: a snapshot and what is going on. Drawing changes none of it.
type scene struct {
	s       *fleet.Snapshot
	t       *Theme
	running map[fleet.Ref]actions.Progress
	stale   map[scopeOf]bool
	causes  *diagnose.Causes // nil where nobody looks at rows
	rules   map[string]*diagnose.Rule
}

// scopeOf is the grain at which rows go stale together.
type scopeOf struct {
	source string
	kind   fleet.Kind
}

// everything stands for all kinds of a source that broke down.
const everything fleet.Kind = "*"

func (c *scene) now() time.Time { return c.s.At }

// cell is a piece of a row: cleaned text and what it is for.
type cell struct {
	text string
	ink  ink
}

// column is one column of a table.
type column struct {
	title  string
	width  int // least width
	grow   int // share of what is left over
	right  bool
	drop   int  // the highest goes first when space is short; 0 stays
	search bool // a plain filter looks here
	flash  bool // a changed cell is bright for two seconds
	middle bool // cut in the middle: names differ at their ends
	idle   bool // left out while no row on the screen has anything in it
	cell   func(*scene, fleet.Object) cell
	key    func(fleet.Object) sortKey // nil sorts by nothing
}

// view describes one table: what it shows and how. Views are literals; what a user changes lives in table.
type view struct {
	name    string // its word on the command line
	title   string
	kinds   []fleet.Kind
	columns []column
	// worst sorts by trouble; it must depend on the object and its own state alone, better on the state alone.
	worst func(fleet.Object, fleet.State) sortKey
	// list, when set, gives the rows in their order instead of kinds and worst.
	list func(*fleet.Snapshot) []fleet.Object
	// count is what the title says on the right.
	count func(*scene) string
	// systems are the prefixes of the sources it shows, for its bottom border and for saying what is not configured.
	systems []string
	empty   string                // when all is well and there is nothing
	why     func(*scene) []string // why there may be nothing, where somebody knows
	named   bool                  // it shows only what the settings name: until something tells of it, nothing may
}

// keepHidden is how long a table that is not on the screen can come back at once.
const keepHidden = 30 * time.Second

// flashFor is how long a changed cell is bright.
const flashFor = 2 * time.Second

// table is a view with what its user did to it: cursor, marks, sort, filter.
type table struct {
	view    *view
	ord     order
	sort    int // column index, -1 for worst first
	filter  filter
	faults  bool // only what is not fine
	marks   map[fleet.Ref]bool
	cursor  int
	moved   bool         // the reader put the cursor where it is; else it stays on the worst row
	at      fleet.Object // the object under the cursor
	top     int
	head    int // lines drawn above its header
	changed map[fleet.Ref]change
	c       *scene    // for the filter, whose columns need one
	line    *timeline // of a table of moments
}

// change is an object as it was before it changed, and when that was.
type change struct {
	old fleet.Object
	at  time.Time
}

func newTable(v *view, scratch *[]row) *table {
	t := &table{view: v, sort: -1, marks: map[fleet.Ref]bool{}, changed: map[fleet.Ref]change{}}
	t.ord.kinds, t.ord.list, t.ord.scratch = v.kinds, v.list, scratch
	if t.shows(diagnose.KindMoment) {
		t.line = new(timeline)
		t.ord.list = t.line.rows
	}
	t.reorder()
	return t
}

func (t *table) reorder() {
	t.ord.key = t.view.worst
	if t.sort < 0 {
		t.ord.seen = nil // states stand in the snapshot
		return
	}
	key := t.view.columns[t.sort].key
	t.ord.key = func(o fleet.Object, _ fleet.State) sortKey { return key(o) }
	if t.ord.list == nil {
		t.ord.resort()
	} else {
		t.ord.seen = nil
	}
}

// sortBy sorts by a column, or worst first for -1; the same column again turns it round.
func (t *table) sortBy(col int) {
	if col == t.sort {
		t.ord.turn()
		t.place(t.cursor)
		return
	}
	t.sort, t.ord.reverse = col, false
	t.reorder()
}

// sortNext moves the sort to the next column that can be sorted by, through worst first.
func (t *table) sortNext(step int) {
	n := len(t.view.columns) + 1
	for i := (t.sort + 1 + step + n) % n; ; i = (i + step + n) % n {
		if i == 0 || t.view.columns[i-1].key != nil {
			t.sort, t.ord.reverse = i-1, false
			t.reorder()
			return
		}
	}
}

func (t *table) setFilter(f filter) {
	before := t.filter
	t.filter = f
	switch {
	case len(f.words) == 0 && !t.faults:
		t.ord.keep = nil
		t.ord.sift()
	case t.ord.keep != nil && f.stricter(before):
		t.ord.narrow()
	default:
		t.ord.keep = func(r *row) bool { return t.filter.match(t.view.columns, t.c, r) && (!t.faults || faulty(r.obj)) }
		t.ord.sift()
	}
}

// onlyFaults leaves out what is fine, or takes it in again.
func (t *table) onlyFaults() {
	t.faults = !t.faults
	t.ord.keep = nil
	t.setFilter(t.filter)
}

func faulty(o fleet.Object) bool {
	s := o.Health().State
	return s == fleet.StateBad || s == fleet.StateWarn
}

// indexed is what plain filters look through, made beside everything else for rows as they were.
type indexed struct {
	t       *table
	objects []fleet.Object
	hays    []string
}

// unindexed reports whether there are so many rows without hay that a filter would be slow.
func (t *table) unindexed() bool {
	return t.ord.bare > few && t.ord.list == nil
}

// index returns what makes the hay of all rows.
func (t *table) index() func() indexed {
	objects := make([]fleet.Object, len(t.ord.all))
	for i := range t.ord.all {
		objects[i] = t.ord.all[i].obj
	}
	c := &scene{s: t.c.s, t: t.c.t} // what runs is no text to look for
	return func() indexed { return indexed{t, objects, hays(t.view, c, objects)} }
}

// take gives the hay to the rows that are still in the order they were in.
func (x indexed) take() {
	rows := x.t.ord.all
	j := 0
	for i := range rows {
		for ahead := j; ahead < min(j+64, len(x.objects)); ahead++ {
			if x.objects[ahead] == rows[i].obj {
				rows[i].hay, j = x.hays[ahead], ahead+1
				break
			}
		}
	}
	x.t.ord.bare = 0
	for i := range rows {
		if rows[i].hay == "" {
			x.t.ord.bare++
		}
	}
	view, c := x.t.view, &scene{s: x.t.c.s, t: x.t.c.t}
	x.t.ord.hay = func(o fleet.Object) string { return string(appendHay(nil, view, c, o)) }
	x.t.ord.sift()
}

// follow brings the table up to a scene's snapshot; the cursor stays on its object, or where it was if that is gone.
func (t *table) follow(c *scene) {
	t.c = c
	now := c.now()
	t.ord.follow(c.s, func(old, next fleet.Object) {
		if old != nil && next != nil && len(t.changed) < 500 {
			t.changed[next.Ref()] = change{old, now}
		}
	})
	if t.filter.volatile(t.view.columns) || t.faults {
		t.ord.sift()
	}
	maps.DeleteFunc(t.changed, func(_ fleet.Ref, ch change) bool { return now.Sub(ch.at) >= flashFor })
	if t.at != nil && t.moved && (t.cursor >= t.ord.size() || t.ord.get(t.cursor).obj != t.at) {
		now, ok := c.s.Get(t.at.Ref())
		if !ok {
			now = t.at
		}
		if i, found := t.ord.find(now); found {
			t.cursor = i
		}
	}
	t.place(t.cursor)
}

// hide forgets the rows of a table that has not been on the screen for a while, so that it does not keep an old snapshot;
// cursor, marks, sort and filter stay.
func (t *table) hide(now time.Time) {
	if t.ord.seen != nil && now.Sub(t.ord.seen.At) > keepHidden {
		t.ord.release()
		if t.line != nil {
			t.line.forget()
		}
	}
}

// place puts the cursor on a row.
func (t *table) place(i int) {
	t.cursor = max(0, min(i, t.ord.size()-1))
	t.at = nil
	if t.ord.size() > 0 {
		t.at = t.ord.get(t.cursor).obj
	}
}

// move moves the cursor by rows.
func (t *table) move(by int) {
	t.moved = true
	t.place(t.cursor + by)
}

// to puts the cursor on an object if it is there.
func (t *table) to(o fleet.Object) bool {
	i, ok := t.ord.find(o)
	if ok {
		t.moved = true
		t.place(i)
	}
	return ok
}

// selected returns all marked objects that are still there, a filter may hide them or not, else the one under the cursor.
func (t *table) selected() (refs []fleet.Ref) {
	for r := range t.marks {
		if _, ok := t.c.s.Get(r); ok {
			refs = append(refs, r)
		} else if about, ok := t.listed(r); ok {
			refs = append(refs, about)
		} else {
			delete(t.marks, r)
		}
	}
	slices.SortFunc(refs, fleet.Ref.Compare)
	refs = slices.Compact(refs)
	if r, ok := t.subject(); ok && len(refs) == 0 {
		refs = append(refs, r)
	}
	return refs
}

// listed is the object that a row is about that is itself none of the snapshot's.
func (t *table) listed(r fleet.Ref) (about fleet.Ref, ok bool) {
	if t.ord.list == nil {
		return fleet.Ref{}, false
	}
	for i := range t.ord.all {
		if o := t.ord.all[i].obj; o.Ref() == r {
			return subject(o)
		}
	}
	return fleet.Ref{}, false
}

// subject is the object that the row under the cursor is about.
func (t *table) subject() (fleet.Ref, bool) { return subject(t.at) }

// subject is the object that a row is about: of a finding what it was found on, of a moment what it happened to.
func subject(row fleet.Object) (fleet.Ref, bool) {
	switch o := row.(type) {
	case nil, scopeRow:
		return fleet.Ref{}, false
	case *fleet.Finding:
		return o.About, true
	case *diagnose.Moment:
		return o.About(), o.About() != fleet.Ref{}
	default:
		return o.Ref(), true
	}
}

// window keeps the cursor in h rows and returns the range of rows to draw.
func (t *table) window(h int) (from, to int) {
	h = max(h, 0)
	t.top = max(0, min(t.top, t.ord.size()-h))
	if t.cursor < t.top {
		t.top = t.cursor
	}
	if h > 0 && t.cursor >= t.top+h {
		t.top = t.cursor - h + 1
	}
	return t.top, min(t.top+h, t.ord.size())
}

// shows reports whether objects of a kind have rows here.
func (t *table) shows(k fleet.Kind) bool { return slices.Contains(t.view.kinds, k) }
