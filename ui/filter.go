package ui

import (
	"fmt"
	"regexp"
	"strings"

	"strata/internal/fleet"
)

// filter is what was typed after "/": words that must all match. A word is text or, when it has a character that means
// something there, a regular expression; "!" before it turns it round, "col:" asks one column only.
type filter struct {
	text  string
	words []word
	err   error
}

type word struct {
	not    bool
	column string
	plain  string // lower case
	re     *regexp.Regexp
}

func parseFilter(text string) filter {
	f := filter{text: text}
	for _, w := range strings.Fields(text) {
		parsed, err := parseWord(w)
		if err != nil && f.err == nil {
			f.err = err
		}
		if parsed.plain != "" || parsed.re != nil {
			f.words = append(f.words, parsed)
		}
	}
	return f
}

func parseWord(s string) (w word, err error) {
	s, w.not = strings.CutPrefix(s, "!")
	if col, rest, ok := strings.Cut(s, ":"); ok && isName(col) {
		w.column, s = strings.ToLower(col), rest
	}
	if !strings.ContainsAny(s, `^$*+?()[]{}|\`) {
		w.plain = lower(s)
		return w, nil
	}
	w.re, err = regexp.Compile("(?i)" + s)
	if err != nil {
		// Half-typed expressions are looked for as they stand.
		w.plain = lower(s)
		return w, fmt.Errorf("filter %q is no regular expression: looking for it as text", s)
	}
	return w, nil
}

func isName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != ""
}

// stricter reports whether everything f keeps, before kept too.
func (f filter) stricter(before filter) bool {
	if len(before.words) == 0 {
		return true
	}
	if len(f.words) != len(before.words) || !strings.HasPrefix(f.text, before.text) {
		return false
	}
	for i, w := range f.words {
		b := before.words[i]
		if w.not || w.re != nil || b.re != nil || w.not != b.not || w.column != b.column {
			return false
		}
	}
	return true
}

// volatile reports whether the filter looks at columns that may change while the object does not: ages, causes.
func (f filter) volatile(cols []column) bool {
	for _, w := range f.words {
		for i := range cols {
			if w.column != "" && !cols[i].search && strings.HasPrefix(strings.ToLower(cols[i].title), w.column) {
				return true
			}
		}
	}
	return false
}

// match tells whether a row passes. Plain words are looked for in its hay when there is one; else the columns are asked for
// their text.
func (f filter) match(cols []column, c *scene, r *row) bool {
	for i := range f.words {
		w := &f.words[i]
		var hit bool
		if r.hay != "" && w.re == nil && w.column == "" {
			hit = strings.Contains(r.hay, w.plain)
		} else {
			hit = w.any(cols, c, r.obj)
		}
		if hit == w.not {
			return false
		}
	}
	return true
}

func (w *word) any(cols []column, c *scene, o fleet.Object) bool {
	for i := range cols {
		col := &cols[i]
		if w.column != "" && !strings.HasPrefix(strings.ToLower(col.title), w.column) || w.column == "" && !col.search {
			continue
		}
		if w.hit(col.cell(c, o).text) {
			return true
		}
	}
	return false
}

func (w *word) hit(s string) bool {
	if w.re != nil {
		return w.re.MatchString(s)
	}
	return containsFold(s, w.plain)
}

// containsFold looks for lower-case text in s without regard to ASCII case, and without allocating.
func containsFold(s, lower string) bool {
	if lower == "" {
		return true
	}
	last := len(s) - len(lower)
	for i := 0; i <= last; i++ {
		next := indexFold(s[i:last+1], lower[0])
		if next < 0 {
			return false
		}
		i += next
		j := 1
		for j < len(lower) && lowerASCII(s[i+j]) == lower[j] {
			j++
		}
		if j == len(lower) {
			return true
		}
	}
	return false
}

// indexFold finds a lower-case byte, or its upper case.
func indexFold(s string, lower byte) int {
	i := strings.IndexByte(s, lower)
	if lower < 'a' || lower > 'z' {
		return i
	}
	if i >= 0 {
		s = s[:i]
	}
	if upper := strings.IndexByte(s, lower-('a'-'A')); upper >= 0 {
		return upper
	}
	return i
}

// lower is lower case in ASCII only, as the texts are that it is compared with.
func lower(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lowerASCII(b[i])
	}
	return string(b)
}

func lowerASCII(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
