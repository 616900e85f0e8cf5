package plain

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTextIsOneLineThatATerminalOnlyShows(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"":                             "",
		"k8s-worker-1":                 "k8s-worker-1",
		"größer 日本 …":                  "größer 日本 …",
		"a\x1b]0;x\x07\nb\tc\u202ed":   "a·]0;x· b c·d",
		"\r\n":                         "  ",
		"\u2028\u2029":                 "  ",
		"\x9b31m \u009b31m":            "·31m ·31m", // C1 as a byte, which is no UTF-8, and as a rune
		"\x7f\x00":                     "··",
		"\u200b\ufeff\u2066\U000e0041": "····",
		"\ufffd":                       "·",
	} {
		if got := Text(from); got != want {
			t.Errorf("%q became %q, want %q", from, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"plain", "a\x1b[31mb", "\x9b", "\u009b", "\u202e", "日本", "\xff\xfe", "a\nb", "\U000e0041"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
		}) {
			t.Errorf("%q became %q", s, got)
		}
		if again := Text(got); again != got {
			t.Errorf("%q became %q, and that %q", s, got, again)
		}
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(s) {
			t.Errorf("%q became %q, which has another length", s, got)
		}
	})
}
