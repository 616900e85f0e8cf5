package paint

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// cell is a character as it stands on the terminal. A wide one is followed by an empty cell.
type cell struct{ style, text string }

// split takes a line of text and SGR sequences apart. Other sequences are dropped: a frame has no use for them.
func split(line string) []cell {
	cells := make([]cell, 0, len(line))
	style, state := "", byte(0)
	for len(line) > 0 {
		seq, width, n, next := ansi.DecodeSequence(line, state, nil)
		state, line = next, line[n:]
		switch {
		case width > 0:
			cells = append(cells, cell{style, seq})
			for range width - 1 {
				cells = append(cells, cell{style, ""})
			}
		case seq == "\x1b[m" || seq == "\x1b[0m":
			style = ""
		case strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m"):
			style += seq
		}
	}
	return cells
}

// gap is how many equal cells between two changes are cheaper to write again than to jump over.
const gap = 8

// line writes the runs of cells in which a line differs from what is there.
func (s *Screen) line(y int, old, next string) {
	was, now := split(old), split(next)
	for x := 0; x < len(now); {
		if x < len(was) && was[x] == now[x] {
			x++
			continue
		}
		end, same := x+1, 0
		for i := end; i < len(now) && same <= gap; i++ {
			if i < len(was) && was[i] == now[i] {
				same++
			} else {
				end, same = i+1, 0
			}
		}
		s.run(y, x, now, end)
		x = end
	}
	if len(now) < len(was) {
		s.move(y, len(now))
		s.dress("")
		s.buf.WriteString(ansi.EraseLineRight)
	}
}

// run writes the cells from x to end, whole characters only.
func (s *Screen) run(y, x int, cells []cell, end int) {
	for x > 0 && cells[x].text == "" {
		x--
	}
	for end < len(cells) && cells[end].text == "" {
		end++
	}
	s.move(y, x)
	for _, c := range cells[x:end] {
		s.dress(c.style)
		s.buf.WriteString(c.text)
	}
}

// dress has what is written next look like that.
func (s *Screen) dress(style string) {
	if style == s.style {
		return
	}
	if s.style != "" {
		s.buf.WriteString(ansi.ResetStyle)
	}
	s.buf.WriteString(style)
	s.style = style
}
