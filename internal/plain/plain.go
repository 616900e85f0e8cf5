// Package plain makes text from the world fit for a terminal. Names, messages and logs are written by others: raw, they
// could move the cursor, set the clipboard, or make a reader see something else than what is there.
package plain

import (
	"strings"
	"unicode"
)

// Text makes one line of s: breaks and tabs become blanks, and each rune that a terminal would obey instead of show
// becomes a "·", as does what is no UTF-8. Text that needs nothing of this is returned as it is.
func Text(s string) string {
	if ascii(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case Obeyed(r) || r == unicode.ReplacementChar:
			return '·'
		}
		return r
	}, s)
}

// Lines is Text for each line of s; the breaks between them stay.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Text(strings.TrimSuffix(l, "\r"))
	}
	return strings.Join(lines, "\n")
}

// Obeyed reports whether a terminal, or whoever lays out the text, acts on r instead of showing it: control characters
// (C0, DEL and C1) and format characters, which turn the direction of text or are not seen at all.
func Obeyed(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// ascii reports whether s is printable ASCII, as nearly all text is.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
