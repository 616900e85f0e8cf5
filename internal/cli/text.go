package cli

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

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
