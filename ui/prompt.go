package ui

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
)

// prompt is the line being typed at the bottom.
type prompt struct {
	sign   string // "/" or ":"
	line   string
	before filter // what esc gives back
	past   int    // how many commands back the line is from
	filter bool
}

func filterPrompt(m *Model) *prompt {
	f := m.table().filter
	return &prompt{sign: "/", line: f.text, before: f, filter: true}
}

func commandPrompt() *prompt { return &prompt{sign: ":"} }

func (p *prompt) draw(m *Model, w int) string {
	t := &m.o.Theme
	out := (&pen{t: t}).put(accent, p.sign)
	room := max(1, w-3)
	line := p.line
	if width(line) > room {
		runes := []rune(line)
		line = string(runes[max(0, len(runes)-room):])
	}
	out.put(bold, line).mark(plain, " ")
	if p.filter {
		if err := m.table().filter.err; err != nil {
			out.put(warnInk, "  "+clean(err.Error()))
		} else {
			out.put(dim, "  "+strconv.Itoa(m.table().ord.size())+" rows; enter keeps, esc drops")
		}
	} else if offers := complete(p.line); len(offers) > 0 {
		out.put(dim, "  "+fit(strings.Join(offers, " "), min(width(strings.Join(offers, " ")), max(1, w-out.n-2)), false))
	}
	return cutTo(out, w)
}

func (m *Model) promptKey(msg tea.KeyPressMsg) tea.Cmd {
	p := m.prompt
	switch k := msg.String(); k {
	case "esc":
		if p.filter {
			m.table().setFilter(p.before)
		}
		m.prompt = nil
	case "enter":
		m.prompt = nil
		if !p.filter {
			return m.command(p.line)
		}
	case "backspace":
		if p.line == "" {
			m.prompt = nil
			return nil
		}
		runes := []rune(p.line)
		m.typed(string(runes[:len(runes)-1]))
	case "ctrl+u":
		m.typed("")
	case "ctrl+w":
		m.typed(p.line[:strings.LastIndexByte(strings.TrimRight(p.line, " "), ' ')+1])
	case "up", "down":
		m.recall(map[string]int{"up": 1, "down": -1}[k])
	case "tab":
		if offers := complete(p.line); !p.filter && len(offers) > 0 {
			words := strings.Fields(p.line)
			if len(words) > 0 && !strings.HasSuffix(p.line, " ") {
				words = words[:len(words)-1]
			}
			m.typed(strings.Join(append(words, offers[0]), " "))
		}
	default:
		if msg.Text != "" && !strings.ContainsFunc(msg.Text, unicode.IsControl) {
			m.typed(p.line + msg.Text)
		}
	}
	return nil
}

// recall brings back a command typed before.
func (m *Model) recall(by int) {
	p := m.prompt
	if p.filter || len(m.said) == 0 {
		return
	}
	p.past = max(0, min(p.past+by, len(m.said)))
	p.line = ""
	if p.past > 0 {
		p.line = m.said[len(m.said)-p.past]
	}
}

// typed takes a new line; a filter is applied as it is typed.
func (m *Model) typed(line string) {
	m.prompt.line = line
	if m.prompt.filter {
		t := m.table()
		t.follow(&m.screen.scene)
		t.setFilter(parseFilter(line))
		t.follow(&m.screen.scene)
	}
}

// complete offers what the last word can become.
func complete(line string) []string {
	words := strings.Fields(line)
	last := ""
	if len(words) > 0 && !strings.HasSuffix(line, " ") {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	var from []string
	switch {
	case len(words) == 0:
		from = commandNames()
	case words[0] == "sort":
		from = []string{"worst"}
		for _, v := range views() {
			for _, c := range v.columns {
				if name := strings.ReplaceAll(c.title, " ", "-"); c.key != nil && !slices.Contains(from, name) {
					from = append(from, name)
				}
			}
		}
	}
	var out []string
	for _, name := range from {
		if strings.HasPrefix(name, last) && name != last {
			out = append(out, name)
		}
	}
	return out
}

func commandNames() (names []string) {
	for _, v := range views() {
		names = append(names, v.name)
	}
	return append(names, "at", "sort", "filter", "freeze", "overview", "refresh", "help", "ro", "write", "connect", "q")
}

// command does what was typed after ":".
func (m *Model) command(line string) tea.Cmd {
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	m.said = append(m.said, line)
	if words[0] == "at" {
		m.toTime(strings.Join(words[1:], " "))
		return nil
	}
	m.over = nil
	name, rest := strings.ToLower(words[0]), strings.Join(words[1:], " ")
	if all := commandNames(); !slices.Contains(all, name) {
		switch offers := complete(name); len(offers) {
		case 0:
		case 1:
			name = offers[0]
		default:
			m.say(warnInk, ":"+name+" may be "+strings.Join(offers, ", "))
			return nil
		}
	}
	if i, ok := m.pane(name); ok {
		m.visit(i)
		if t := m.table(); t.line != nil {
			t.look(&m.screen.scene, spanned{in: t.line.in})
		}
		m.table().setFilter(parseFilter(rest))
		m.look()
		return nil
	}
	switch name {
	case "sort":
		m.sortNamed(rest)
	case "filter":
		m.table().setFilter(parseFilter(rest))
	case "freeze":
		return m.freeze()
	case "overview":
		m.focus, m.zoom, m.back = 0, false, nil
	case "refresh":
		return m.refresh()
	case "help":
		m.open(helpPage())
	case "ro":
		m.closeWriting()
	case "write":
		m.write(rest)
	case "connect":
		m.connectTo(rest)
	case "q", "quit":
		return tea.Quit
	default:
		m.say(warnInk, "no command "+words[0]+"  (: and tab shows them)")
	}
	return nil
}

func (m *Model) sortNamed(name string) {
	t := m.table()
	name, desc := strings.CutSuffix(strings.ToLower(name), " desc")
	name = strings.ReplaceAll(name, " ", "-")
	if name == "" || name == "worst" {
		t.sort, t.ord.reverse = -1, desc
		t.reorder()
		return
	}
	for i := range t.view.columns {
		if strings.ReplaceAll(t.view.columns[i].title, " ", "-") == name && t.view.columns[i].key != nil {
			t.sort, t.ord.reverse = i, desc
			t.reorder()
			return
		}
	}
	m.say(warnInk, "this table cannot be sorted by "+name)
}
