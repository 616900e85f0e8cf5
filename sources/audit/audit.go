// Package audit watches strata's own audit log, so that what was done stands beside what is seen. It only reads; the
// log is written by package actions.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
)

// Name and Scope are those of the one scope of this source.
const (
	Name  = "audit"
	Scope = "deeds"
)

// most is how many lines are kept: the last ones.
const most = 1000

// New returns the source of the log at path. It looks once each time every is over; zero is a second. A log that is not
// there is an empty one.
func New(path string, every time.Duration) sources.Source {
	if every == 0 {
		every = time.Second
	}
	log := &log{path: path}
	return sources.Poll(Name, Scope, every, log.look)
}

// log is what was read so far. The file only grows, so that a look reads only what is new.
type log struct {
	path string

	seen  os.FileInfo // at the last look; nil when there was no file
	after int64       // offset behind the last whole line
	lines int         // whole lines before it
	facts fleet.Facts // of whole lines
	all   fleet.Facts // and of an unfinished one
}

func (l *log) look(context.Context) (fleet.Facts, error) {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		*l = log{path: l.path}
		return fleet.Facts{}, nil
	}
	if err != nil {
		return nil, l.trouble(err)
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return nil, l.trouble(err)
	}
	if !now.Mode().IsRegular() {
		return nil, l.trouble(fmt.Errorf("it is no file but %s", now.Mode().Type()))
	}
	if l.seen != nil && os.SameFile(l.seen, now) && l.seen.Size() == now.Size() && l.seen.ModTime().Equal(now.ModTime()) {
		return l.all, nil
	}
	if l.seen == nil || !os.SameFile(l.seen, now) || now.Size() < l.after {
		*l = log{path: l.path}
	}
	fresh, err := readLines(f, l.after)
	if err != nil {
		return nil, l.trouble(err)
	}
	l.take(fresh)
	l.seen = now
	return l.all, nil
}

func (l *log) trouble(err error) error {
	return &fleet.Trouble{
		Doing: "reading the audit log " + l.path, Cause: err,
		Fix: "make it a file that you can read: " + sh.Quote("ls", "-l", l.path),
	}
}

// take adds what was read to the facts. Facts that were handed out are never written to again.
func (l *log) take(fresh tail) {
	kept := l.facts[max(0, min(len(l.facts), len(l.facts)+len(fresh.last)-most)):]
	l.facts = slices.Clone(kept)
	first := l.lines + fresh.whole - len(fresh.last)
	for i, line := range fresh.last {
		if len(bytes.TrimSpace(line)) > 0 {
			l.facts = append(l.facts, deed(line, first+i+1))
		}
	}
	l.lines += fresh.whole
	l.after += fresh.bytes
	l.all = l.facts
	if len(fresh.rest) > 0 {
		torn := bad(fresh.rest, l.lines+1, "the line is not finished: strata or the machine went down while it was written")
		l.all = append(slices.Clip(l.facts), torn)
	}
}

// deed reads one line. One that cannot be read is a row too: a gap in an audit log must be seen.
func deed(line []byte, number int) *fleet.Deed {
	var d fleet.Deed
	if err := json.Unmarshal(line, &d); err != nil {
		return bad(line, number, "the line cannot be read: "+err.Error())
	}
	if d.Phase == "" {
		return bad(line, number, "the line cannot be read: it has no phase")
	}
	d.Source, d.Line = Name, number
	return &d
}

func bad(line []byte, number int, why string) *fleet.Deed {
	const show = 200
	text := strings.ToValidUTF8(string(line[:min(len(line), show)]), "?")
	return &fleet.Deed{Source: Name, Line: number, Phase: "unreadable", Title: text, Error: why}
}
