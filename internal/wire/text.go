package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"strata/internal/plain"
)

// Printable writes the runes of JSON that a terminal would obey as \u escapes: DEL, C1 and format characters, which JSON
// may hold as they are. It reads back as the same values.
func Printable(text []byte) []byte {
	var out []byte
	done := 0
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(text[i:])
		}
		// Below DEL there are only the breaks and tabs between values: inside of strings JSON escapes them itself.
		if r >= 0x7f && plain.Obeyed(r) {
			out = append(out, text[done:i]...)
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			done = i + n
		}
		i += n
	}
	if out == nil {
		return text
	}
	return append(out, text[done:]...)
}

// YAML writes a JSON value as YAML, in the same order and with the same values. A string that is more than one plain
// word is in double quotes, and what a terminal would obey is escaped.
func YAML(text []byte) ([]byte, error) {
	y := yamlWriter{from: json.NewDecoder(bytes.NewReader(text))}
	y.from.UseNumber() // numbers stay as they are written
	if err := y.value(0, false); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	if _, err := y.from.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("writing YAML: there is more than one JSON value")
	}
	return y.out, nil
}

// yamlWriter turns the tokens of a JSON value into YAML.
type yamlWriter struct {
	from *json.Decoder
	out  []byte
}

// value writes the next value. Members of a list or an object are on lines of their own, indented by depth; hung is for
// those of a list's entry, whose first line has the dash.
func (y *yamlWriter) value(depth int, hung bool) error {
	t, err := y.from.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return y.members(t, depth, hung)
	case string:
		y.out = appendWord(y.out, t)
	case json.Number:
		y.out = append(y.out, t...)
	case bool:
		y.out = fmt.Append(y.out, t)
	case nil:
		y.out = append(y.out, "null"...)
	}
	y.out = append(y.out, '\n')
	return nil
}

func (y *yamlWriter) members(open json.Delim, depth int, hung bool) error {
	if !y.from.More() {
		end, err := y.from.Token()
		y.out = fmt.Appendf(y.out, "%s%s\n", open, end)
		return err
	}
	if !hung && depth > 0 {
		y.out = append(bytes.TrimRight(y.out, " "), '\n')
	}
	for first := true; y.from.More(); first = false {
		if !first || !hung {
			y.out = append(y.out, strings.Repeat("  ", depth)...)
		}
		if open == '[' {
			y.out = append(y.out, "- "...)
			if err := y.value(depth+1, true); err != nil {
				return err
			}
			continue
		}
		name, err := y.from.Token()
		if err != nil {
			return err
		}
		y.out = append(appendWord(y.out, fmt.Sprint(name)), ": "...)
		if err := y.value(depth+1, false); err != nil {
			return err
		}
	}
	_, err := y.from.Token()
	return err
}

// appendWord writes a string: as it is when no reader of any version of YAML takes it for something else.
func appendWord(out []byte, s string) []byte {
	if word(s) {
		return append(out, s...)
	}
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r > 0xffff && plain.Obeyed(r):
			out = fmt.Appendf(out, `\U%08x`, r)
		case plain.Obeyed(r) || r == '\u2028' || r == '\u2029' || r == 0xfffe || r == 0xffff:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

// word reports whether s is one word that means itself.
func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		digit := '0' <= c && c <= '9'
		if !letter && (i == 0 || !digit && !strings.ContainsRune("-_./", rune(c))) {
			return false
		}
	}
	other := []string{"", "y", "n", "yes", "no", "on", "off", "true", "false", "null"}
	return !slices.Contains(other, strings.ToLower(s))
}
