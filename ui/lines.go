package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"strata/internal/fleet"
)

// line is a line of a page or dialog. One with a ref can be gone to, one with a do picked.
type line struct {
	cells []cell
	ref   fleet.Ref
	do    func(*Model) tea.Cmd
}

func says(i ink, text string) line { return line{cells: []cell{{text, i}}} }

// wrapped breaks a line at spaces into lines of at most w cells; what follows the first is indented a little further.
// Words longer than a line, such as ids, are broken only where they must be.
func (l line) wrapped(w int) []line {
	total := 0
	for i := range l.cells {
		l.cells[i].text = clean(l.cells[i].text)
		total += width(l.cells[i].text)
	}
	if total <= w || w < 8 {
		return []line{l}
	}
	indent := hanging(l.cells, w)
	out := []line{{ref: l.ref}}
	used := 0
	next := func() {
		out = append(out, line{ref: l.ref, cells: []cell{{strings.Repeat(" ", indent), plain}}})
		used = indent
	}
	add := func(i ink, s string) {
		last := &out[len(out)-1]
		last.cells = append(last.cells, cell{s, i})
		used += width(s)
	}
	for _, c := range l.cells {
		for rest := c.text; rest != ""; {
			word := rest
			if i := strings.IndexByte(strings.TrimLeft(rest, " "), ' '); i >= 0 {
				word = rest[:len(rest)-len(strings.TrimLeft(rest, " "))+i]
			}
			rest = rest[len(word):]
			if used+width(word) > w && used > indent {
				next()
				word = strings.TrimLeft(word, " ")
			}
			for width(word) > w-used {
				head := fitPlain(word, w-used)
				add(c.ink, head)
				word = word[len(head):]
				next()
			}
			add(c.ink, word)
		}
	}
	return out
}

// hanging is where the text of a line begins: behind its first cell when that is a label.
func hanging(cells []cell, w int) int {
	first := cells[0].text
	indent := len(first) - len(strings.TrimLeft(first, " ")) + 2
	if len(cells) > 1 && strings.HasSuffix(first, " ") && width(first) <= w/2 {
		indent = width(first)
	}
	return min(indent, w/2)
}

// fitPlain returns the first characters of a text that fit into w cells, one at the least.
func fitPlain(s string, w int) string {
	end, n := 0, 0
	for i, r := range s {
		rw := width(string(r))
		if n+rw > w && i > 0 {
			break
		}
		n += rw
		end = i + len(string(r))
	}
	return s[:end]
}

// wrapAll wraps lines, and says for each that comes out which one it came from.
func wrapAll(lines []line, w int) (out []line, from []int) {
	for i, l := range lines {
		for _, part := range l.wrapped(w) {
			out, from = append(out, part), append(from, i)
		}
	}
	return out, from
}

// framedLines draws lines into a box of w by h cells, from the line top on; marked ones are in reverse video.
func framedLines(t *Theme, title, where, foot string, lines []line, w, h int, marked func(i int) bool) []string {
	out := []string{rule(t, w, accent, t.or("╭", "+"), t.or("╮", "+"), clean(title), accent, where, dim)}
	bar := (&pen{t: t}).put(accent, t.or("│", "|")).String()
	for i := range h - 2 {
		row := (&pen{t: t}).put(plain, " ")
		if i < len(lines) {
			for _, c := range lines[i].cells {
				s := clean(c.text)
				if room := w - 3 - row.n; width(s) > room {
					s = fit(s, max(0, room), false)
				}
				if marked != nil && marked(i) {
					row.mark(c.ink, s)
				} else {
					row.put(c.ink, s)
				}
			}
		}
		out = append(out, bar+row.to(w-2).String()+bar)
	}
	return append(out, rule(t, w, accent, t.or("╰", "+"), t.or("╯", "+"), "", plain, foot, dim))
}
