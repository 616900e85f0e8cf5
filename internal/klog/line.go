// Package klog understands the log of a Linux kernel: the lines as the journal and /dev/kmsg tell them, what class of
// trouble a line tells of, and which lines belong together. It is pure: it reads no file and no clock.
package klog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Line is one line of a kernel's log.
type Line struct {
	Boot     string        // boot id, 32 hex digits; "" where the reader does not tell
	At       time.Time     // on the wall clock; zero where the reader does not tell
	Mono     time.Duration // since the boot
	Priority int           // 0 is an emergency, 7 for debugging
	Seq      uint64        // of /dev/kmsg
	Text     string
	User     bool   // a program wrote it, not the kernel
	Cursor   string // of the journal
}

// MaxText is how much of a line is kept, in bytes.
const MaxText = 500

// journalField is a value as journalctl -o json writes it: a string, an array of bytes when it is not text, an array of
// values when the field was there several times, or null when it is too long.
type journalField string

func (f *journalField) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(f))
	}
	var all []json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil || len(all) == 0 {
		return err
	}
	if c := all[0][0]; c == '"' || c == '[' {
		return f.UnmarshalJSON(all[0])
	}
	bytes := make([]byte, 0, len(all))
	for _, raw := range all {
		n, err := strconv.ParseUint(string(raw), 10, 8)
		if err != nil {
			return fmt.Errorf("%q is no byte", raw)
		}
		bytes = append(bytes, byte(n))
	}
	*f = journalField(bytes)
	return nil
}

// ParseJournal reads a line of journalctl -o json.
func ParseJournal(b []byte) (Line, error) {
	var in struct {
		Message  journalField `json:"MESSAGE"`
		Priority journalField `json:"PRIORITY"`
		Facility journalField `json:"SYSLOG_FACILITY"`
		Boot     journalField `json:"_BOOT_ID"`
		Cursor   journalField `json:"__CURSOR"`
		Real     journalField `json:"__REALTIME_TIMESTAMP"`        // when journald took it in
		Mono     journalField `json:"__MONOTONIC_TIMESTAMP"`       // the same on the other clock
		Source   journalField `json:"_SOURCE_MONOTONIC_TIMESTAMP"` // when the kernel wrote it
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return Line{}, fmt.Errorf("reading a line of the journal: %w", err)
	}
	real, ok := micros(string(in.Real))
	if !ok {
		return Line{}, errors.New("reading a line of the journal: it has no time")
	}
	l := Line{Boot: string(in.Boot), At: time.UnixMicro(real), Priority: 6, Cursor: string(in.Cursor), Text: bounded(string(in.Message))}
	if p, err := strconv.Atoi(string(in.Priority)); err == nil && p >= 0 && p <= 7 {
		l.Priority = p
	}
	l.User = in.Facility != "" && in.Facility != "0"
	mono, ok := micros(string(in.Mono))
	source, told := micros(string(in.Source))
	switch {
	case told:
		// Lines of a boot are taken in all at once, later.
		if ok && source <= mono {
			l.At = l.At.Add(-time.Duration(mono-source) * time.Microsecond)
		}
		l.Mono = time.Duration(source) * time.Microsecond
	case ok:
		l.Mono = time.Duration(mono) * time.Microsecond
	}
	return l, nil
}

// micros reads microseconds that can be a time.
func micros(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n < 1<<53
}

// ParseKmsg reads a record of /dev/kmsg: "priority,number,microseconds,flags;text", then lines with a blank in front that
// say more about it.
func ParseKmsg(record string) (Line, error) {
	head, text, ok := strings.Cut(record, ";")
	fields := strings.Split(head, ",")
	if !ok || len(fields) < 4 {
		return Line{}, errors.New("reading a record of the kernel's log: no semicolon after four fields")
	}
	priority, err1 := strconv.ParseUint(fields[0], 10, 16)
	seq, err2 := strconv.ParseUint(fields[1], 10, 64)
	mono, fine := micros(fields[2])
	if err := errors.Join(err1, err2); err != nil || !fine {
		return Line{}, fmt.Errorf("reading a record of the kernel's log: %q: no numbers", head)
	}
	text, _, _ = strings.Cut(text, "\n")
	return Line{
		Priority: int(priority & 7), User: priority>>3 != 0, Seq: seq, Mono: time.Duration(mono) * time.Microsecond,
		Text: bounded(unescaped(text)),
	}, nil
}

// unescaped takes back the \xNN that the kernel writes for a byte that is no text.
func unescaped(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if strings.HasPrefix(s[i:], `\x`) && len(s) >= i+4 {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// bounded is what is kept of a text.
func bounded(s string) string {
	s = strings.TrimRight(s, "\n")
	if len(s) > MaxText {
		s = s[:MaxText]
		for len(s) > 0 && len(s) > MaxText-utf8.UTFMax && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
