package prometheus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// longestLabel is how much of a label's value is kept, in bytes. Nothing that names a machine or a device is longer.
const longestLabel = 512

// scanner walks through the JSON of an answer where it lies, without making a value of each part: one answer of a large
// fleet has a hundred thousand samples with a dozen labels each, of which three are wanted.
type scanner struct {
	text []byte
	at   int
}

var errCut = errors.New("the answer ends before it is whole")

func (s *scanner) wrong(wanted string) error {
	if s.at >= len(s.text) {
		return errCut
	}
	return fmt.Errorf("the answer is not that of Prometheus: %s is missing at byte %d", wanted, s.at)
}

// peek is the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) error {
	if s.peek() != c {
		return s.wrong(strconv.QuoteRune(rune(c)))
	}
	s.at++
	return nil
}

// string reads a string. What it returns may lie in the answer: it is good until the next answer.
func (s *scanner) string() ([]byte, error) {
	if err := s.take('"'); err != nil {
		return nil, err
	}
	from := s.at
	for ; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '"':
			s.at++
			return s.text[from : s.at-1], nil
		case '\\':
			return s.escaped(from)
		}
	}
	return nil, errCut
}

// escaped reads a string that has a backslash in it, from its first byte on.
func (s *scanner) escaped(from int) ([]byte, error) {
	for ; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			var text string
			if err := json.Unmarshal(s.text[from-1:s.at], &text); err != nil {
				return nil, fmt.Errorf("reading a string of the answer: %w", err)
			}
			return []byte(text), nil
		}
	}
	return nil, errCut
}

// object reads an object and calls field for each, which must read its value.
func (s *scanner) object(field func(name []byte) error) error {
	return s.series('{', '}', func() error {
		name, err := s.string()
		if err == nil {
			err = s.take(':')
		}
		if err != nil {
			return err
		}
		return field(name)
	})
}

// list reads a list and calls element for each, which must read it.
func (s *scanner) list(element func() error) error { return s.series('[', ']', element) }

func (s *scanner) series(open, end byte, one func() error) error {
	if err := s.take(open); err != nil {
		return err
	}
	if s.peek() == end {
		s.at++
		return nil
	}
	for {
		if err := one(); err != nil {
			return err
		}
		if s.peek() != ',' {
			return s.take(end)
		}
		s.at++
	}
}

// deepest is how many values may lie in each other in what is skipped.
const deepest = 64

func (s *scanner) skip() error { return s.skipAt(0) }

func (s *scanner) skipAt(depth int) error {
	if depth > deepest {
		return errors.New("the answer is nested too deep")
	}
	switch s.peek() {
	case '{':
		return s.object(func([]byte) error { return s.skipAt(depth + 1) })
	case '[':
		return s.list(func() error { return s.skipAt(depth + 1) })
	case '"':
		_, err := s.string()
		return err
	}
	if len(s.bare()) == 0 {
		return s.wrong("a value")
	}
	return nil
}

// bare reads a number, true, false or null.
func (s *scanner) bare() []byte {
	s.peek()
	from := s.at
	for s.at < len(s.text) && !bytes.ContainsRune([]byte(",]} \n\t\r:\"[{"), rune(s.text[s.at])) {
		s.at++
	}
	return s.text[from:s.at]
}

// sample reads one element of a vector: {"metric": {...}, "value": [time, "number"]}. label is called for each label. ok is
// false for what is no number or not finite, which is no value.
func (s *scanner) sample(label func(name, value []byte)) (v float64, ok bool, err error) {
	err = s.object(func(name []byte) error {
		switch string(name) {
		case "metric":
			return s.object(func(name []byte) error {
				value, err := s.string()
				if err == nil {
					label(name, value)
				}
				return err
			})
		case "value":
			return s.list(func() error {
				if s.peek() != '"' {
					return s.skip()
				}
				text, err := s.string()
				if err != nil {
					return err
				}
				v, err = strconv.ParseFloat(string(text), 64)
				ok = err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
				return nil
			})
		}
		return s.skip()
	})
	return v, ok, err
}

// vector reads the answer to an instant query and calls each for every sample, with the values of the labels that are
// asked for, "" for one that is not there. They are good until each returns.
func vector(text []byte, labels []string, each func(values [][]byte, v float64)) error {
	s := &scanner{text: text}
	values := make([][]byte, len(labels))
	status, kind, said, got := "", "", "", false
	err := s.object(func(name []byte) error {
		switch string(name) {
		case "status", "error":
			text, err := s.string()
			if string(name) == "status" {
				status = string(text)
			} else {
				said = string(text)
			}
			return err
		case "data":
			return s.object(func(name []byte) error {
				switch string(name) {
				case "resultType":
					text, err := s.string()
					kind = string(text)
					return err
				case "result":
					if kind != "" && kind != "vector" {
						return fmt.Errorf("the answer is a %s, not a vector", clip(kind))
					}
					got = true
					return s.list(func() error { return s.row(labels, values, each) })
				}
				return s.skip()
			})
		}
		return s.skip()
	})
	switch {
	case err != nil:
		return err
	case status != "success" && said != "":
		return fmt.Errorf("it says: %s", clip(said))
	case status != "success", !got:
		return errors.New("the answer is not that of Prometheus: it has no result")
	}
	return nil
}

func (s *scanner) row(labels []string, values [][]byte, each func([][]byte, float64)) error {
	clear(values)
	v, ok, err := s.sample(func(name, value []byte) {
		for i, l := range labels {
			if string(name) == l {
				values[i] = value
			}
		}
	})
	if err == nil && ok {
		for i := range values {
			values[i] = cut(values[i])
		}
		each(values, v)
	}
	return err
}

// cut ends a label's value at a letter.
func cut(b []byte) []byte {
	if len(b) <= longestLabel {
		return b
	}
	n := longestLabel
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

func clip(text string) string { return string(cut([]byte(text))) }
