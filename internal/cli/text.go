package cli

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// clean makes one line of text from the world, without control, escape and direction characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return '·'
		}
		return r
	}, s)
}

// pad fills text up to w cells. What is wider stays whole: a table that is read by programs must not lose text.
func pad(s string, w int, right bool) string {
	room := w - ansi.StringWidth(s)
	if room <= 0 {
		return s
	}
	if right {
		return strings.Repeat(" ", room) + s
	}
	return s + strings.Repeat(" ", room)
}
