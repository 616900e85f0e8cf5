package ui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"strata/internal/fleet"
)

// ink is what a piece of text is for; the theme says how that looks.
type ink uint8

const (
	plain ink = iota
	dim
	faint // borders
	accent
	bold
	okInk
	warnInk
	badInk
	bright // a cell that just changed
	writeInk
	readInk
	inks
)

// Theme is how the screen looks. State is never colour alone: a glyph and a word stand beside it.
type Theme struct {
	sgr   [inks]string
	ascii bool
}

// NewTheme returns the theme. ascii draws with ASCII characters only, for terminals and fonts that have no others; basic
// keeps to the sixteen colours that every terminal has. The colours are readable on dark and on light ground. Those that
// the terminal has not are left out on the way to it, as all are under NO_COLOR.
func NewTheme(ascii, basic bool) Theme {
	color := func(rich, poor string) lipgloss.Style {
		if basic {
			return lipgloss.NewStyle().Foreground(lipgloss.Color(poor))
		}
		return lipgloss.NewStyle().Foreground(lipgloss.Color(rich))
	}
	// White, the grey of the sixteen, cannot be read on white ground; half as bright as the text can be on any.
	subdued := lipgloss.NewStyle().Faint(true)
	if !basic {
		subdued = color("245", "")
	}
	styles := [inks]lipgloss.Style{
		dim: subdued, faint: color("240", "8"), accent: color("75", "6").Bold(true), bold: lipgloss.NewStyle().Bold(true),
		okInk: color("71", "2"), warnInk: color("178", "3"), badInk: color("203", "1").Bold(true), bright: lipgloss.NewStyle().Bold(true).Underline(true),
		writeInk: color("231", "7").Bold(true).Background(lipgloss.Color("1")),
		readInk:  color("108", "2"),
	}
	t := Theme{ascii: ascii}
	for i, s := range styles {
		t.sgr[i], _, _ = strings.Cut(s.Render("x"), "x")
	}
	return t
}

func (t *Theme) state(s fleet.State) ink {
	return [...]ink{fleet.StateUnknown: dim, fleet.StateOK: okInk, fleet.StateWarn: warnInk, fleet.StateBad: badInk}[s]
}

func (t *Theme) glyph(s fleet.State) string {
	if t.ascii {
		return [...]string{"?", ".", "!", "x"}[s]
	}
	return [...]string{"○", "●", "▲", "✖"}[s]
}

func (t *Theme) stale() string { return t.or("◌", "~") }

// or picks between a character and its ASCII stand-in.
func (t *Theme) or(unicode, ascii string) string {
	if t.ascii {
		return ascii
	}
	return unicode
}

// pen writes styled text of a known width.
type pen struct {
	t *Theme
	b strings.Builder
	n int // cells written
}

func (p *pen) put(i ink, s string) *pen {
	return p.write(p.t.sgr[i], s)
}

// mark writes in reverse video, which every terminal can do, and in one colour, so that a row stays a row.
func (p *pen) mark(_ ink, s string) *pen { return p.write("\x1b[7m", s) }

func (p *pen) write(sgr, s string) *pen {
	if s == "" {
		return p
	}
	p.n += width(s)
	if sgr == "" {
		p.b.WriteString(s)
		return p
	}
	p.b.WriteString(sgr)
	p.b.WriteString(s)
	p.b.WriteString("\x1b[m")
	return p
}

// to pads to w cells.
func (p *pen) to(w int) *pen {
	if p.n < w {
		p.b.WriteString(strings.Repeat(" ", w-p.n))
		p.n = w
	}
	return p
}

func (p *pen) String() string { return p.b.String() }

// spark draws values as a row of w blocks between lo and hi, newest at the right.
func (t *Theme) spark(values []float64, w int, lo, hi float64) string {
	blocks := []rune(t.or("▁▂▃▄▅▆▇█", "_.-=+*#@"))
	if len(values) > w {
		values = values[len(values)-w:]
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", w-len(values)))
	for _, v := range values {
		i := 0
		if hi > lo {
			i = int((v - lo) / (hi - lo) * float64(len(blocks)))
		}
		b.WriteRune(blocks[min(max(i, 0), len(blocks)-1)])
	}
	return b.String()
}

// bar draws how much of something is done, 0 to 1, with its percentage.
func (t *Theme) bar(share float64, w int) string {
	return t.gauge(share, w) + fmt.Sprintf(" %3.0f %%", max(0, min(1, share))*100)
}

// gauge draws a share, 0 to 1.
func (t *Theme) gauge(share float64, w int) string {
	full := int(max(0, min(1, share))*float64(w) + 0.5)
	return t.or("▕", "[") + strings.Repeat(t.or("█", "#"), full) + strings.Repeat(t.or("░", "."), w-full) + t.or("▏", "]")
}
