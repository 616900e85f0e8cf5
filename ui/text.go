package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	texts "strata/internal/plain"
)

// clean makes text from the world fit for the screen.
func clean(s string) string { return texts.Text(s) }

func plainASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// width is how many cells cleaned text takes.
func width(s string) int {
	if plainASCII(s) {
		return len(s)
	}
	return ansi.StringWidth(s)
}

// fit cuts or pads cleaned text to exactly w cells.
func fit(s string, w int, right bool) string {
	if w <= 0 {
		return ""
	}
	n := width(s)
	switch {
	case n > w && w == 1:
		return "…"
	case n > w:
		s = ansi.Truncate(s, w, "…")
		n = width(s)
	}
	if n == w {
		return s
	}
	pad := strings.Repeat(" ", w-n)
	if right {
		return pad + s
	}
	return s + pad
}

// fitMiddle is fit, cutting out of the middle.
func fitMiddle(s string, w int) string {
	if n := width(s); n > w && w >= 8 {
		tail := min(w/2-1, 9)
		return fit(ansi.Truncate(s, w-tail, "…")+ansi.TruncateLeft(s, n-tail, ""), w, false)
	}
	return fit(s, w, false)
}

// onlyASCII replaces what a terminal without UTF-8 cannot show, cell by cell.
func onlyASCII(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r == '…':
			b.WriteByte('~')
		case r == '—':
			b.WriteByte('-')
		case r == '·':
			b.WriteByte('.')
		default:
			b.WriteString(strings.Repeat("?", ansi.StringWidth(string(r))))
		}
	}
	return b.String()
}

// wrap breaks cleaned text into lines of at most w cells.
func wrap(s string, w int) []string {
	if w < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(s, w, " "), "\n")
}

// age is a duration as an operator says it: 8s, 3m, 2h5m, 12d. Times that are not known have none.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return span(now.Sub(t))
}

func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	case d < 10*24*time.Hour:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}

// coarse is an age that changes seldom, so that a quiet screen stays quiet.
func coarse(t, now time.Time) string {
	if t.IsZero() {
		return "—"
	}
	d := now.Sub(t)
	switch {
	case d < steady:
		return "<10s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds())/10*10)
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return span(d)
}

// bytesOf is a size with a binary unit: 15.3G.
func bytesOf(n float64) string {
	const units = "BKMGTPE"
	i := 0
	for n >= 1000 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if i == 0 || n >= 100 {
		return fmt.Sprintf("%.0f%c", n, units[i])
	}
	return fmt.Sprintf("%.1f%c", n, units[i])
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "—"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
