package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"strata/internal/fleet"
)

// Recorder writes what was seen as the lines that agents speak: a Hello, then for each snapshot what changed in it and a
// Beat with its time.
type Recorder struct {
	to     io.Writer
	sender Sender
	last   time.Time
}

// quietFor is how often a recording tells the time while nothing changes: holds run on.
const quietFor = 10 * time.Second

// NewRecorder begins a recording.
func NewRecorder(to io.Writer, hello Hello) (*Recorder, error) {
	r := &Recorder{to: to}
	hello.Protocol = Protocol
	return r, r.write([]Line{{Hello: &hello}})
}

// Take writes what a snapshot has that the last one had not.
func (r *Recorder) Take(s *fleet.Snapshot) error {
	lines, err := r.sender.Next(s)
	if err != nil || len(lines) == 0 && s.At.Sub(r.last) < quietFor {
		return err
	}
	r.last = s.At
	return r.write(append(lines, Line{Beat: &Beat{Now: s.At}}))
}

func (r *Recorder) write(lines []Line) error {
	var all bytes.Buffer
	for _, l := range lines {
		b, err := EncodeLine(l)
		if err != nil {
			return err
		}
		all.Write(Printable(b))
	}
	if _, err := r.to.Write(all.Bytes()); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	return nil
}

// ErrNoRecording says that a file was not written by a Recorder.
var ErrNoRecording = errors.New("this is no recording of strata")

// Play reads a recording and calls step for each snapshot in it, until that returns false. Lines that cannot be read are
// left out and told at the end; a last line that is torn is none.
func Play(from io.Reader, step func(at time.Time, seen []fleet.Observation) bool) error {
	in := bufio.NewReaderSize(from, 1<<20)
	var receiver Receiver
	var seen []fleet.Observation
	var unread error
	bad := 0
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && n == 1:
			return ErrNoRecording
		case errors.Is(err, io.EOF) && bad > 1:
			return fmt.Errorf("%w (and %d more)", unread, bad-1)
		case errors.Is(err, io.EOF):
			return unread
		case err != nil:
			return fmt.Errorf("reading a recording: %w", err)
		}
		l, err := DecodeLine(text)
		switch {
		case n == 1 && (err != nil || l.Hello == nil):
			return ErrNoRecording
		case n == 1 && l.Hello.Protocol != Protocol:
			return fmt.Errorf("the recording is of protocol %d, this strata reads %d", l.Hello.Protocol, Protocol)
		case err != nil:
			if bad++; unread == nil {
				unread = fmt.Errorf("line %d: %w", n, err)
			}
		case l.Scope != nil:
			if o, ok := receiver.Take(l.Scope, 0); ok {
				seen = append(seen, o)
			}
		case l.Beat != nil:
			if !step(l.Beat.Now, seen) {
				return unread
			}
			seen = nil
		}
	}
}
