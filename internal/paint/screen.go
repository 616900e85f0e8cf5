// Package paint puts frames on a terminal by writing only the cells that changed, at once. It stands beside Bubble Tea's
// own renderer, which sets and restores the terminal's modes: everything that writes to the terminal goes through a
// Screen. It decides nothing about what is drawn.
package paint

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// Screen is a terminal with what it shows. It is safe for concurrent use.
type Screen struct {
	mu      sync.Mutex
	out     io.Writer
	profile colorprofile.Profile
	frame   string   // the last frame asked for
	shown   []string // its lines as they are on the terminal; nil when that is not known
	inside  bool     // the alternate screen is on
	buf     bytes.Buffer
	style   string // of the text that is being written
}

// New returns a screen on a terminal that can show the colours of a profile.
func New(out io.Writer, profile colorprofile.Profile) *Screen {
	return &Screen{out: out, profile: profile}
}

// Write passes on what others write: modes, titles, the clipboard. Afterwards the frame is painted anew, because that
// may have changed anything on the screen. While the alternate screen is off nothing is painted.
func (s *Screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(b)
	if s.inside {
		// Entering twice would clear the screen for the moment until it is painted again.
		b = bytes.ReplaceAll(b, []byte(ansi.SetModeAltScreenSaveCursor), nil)
		b = bytes.ReplaceAll(b, []byte(ansi.EraseEntireScreen), nil)
	}
	if _, err := s.out.Write(b); err != nil {
		return 0, err
	}
	on, off := bytes.LastIndex(b, []byte(ansi.SetModeAltScreenSaveCursor)), bytes.LastIndex(b, []byte(ansi.ResetModeAltScreenSaveCursor))
	if on >= 0 || off >= 0 {
		s.inside = on > off
	}
	s.shown = nil
	if s.inside && s.frame != "" {
		return n, s.paint()
	}
	return n, nil
}

// Paint shows a frame of lines. The first one turns the alternate screen on.
func (s *Screen) Paint(frame string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if frame == s.frame && s.shown != nil {
		return nil
	}
	first := s.frame == ""
	s.frame = frame
	if first && !s.inside {
		s.inside = true
		if _, err := io.WriteString(s.out, ansi.SetModeAltScreenSaveCursor+ansi.HideCursor); err != nil {
			return err
		}
	}
	if !s.inside {
		return nil
	}
	return s.paint()
}

// Leave turns the alternate screen off if it is still on.
func (s *Screen) Leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside {
		s.inside = false
		_, _ = io.WriteString(s.out, ansi.ResetModeAltScreenSaveCursor+ansi.ShowCursor) // the last word: nobody is left to tell
	}
}

// paint writes what differs between the frame and what is shown, in one write.
func (s *Screen) paint() error {
	lines := strings.Split(s.frame, "\n")
	s.buf.Reset()
	if len(lines) != len(s.shown) || ansi.StringWidth(lines[0]) != ansi.StringWidth(s.shown[0]) {
		s.shown = nil // a terminal of another size may show anything
	}
	if s.shown == nil {
		s.move(0, 0)
		s.buf.WriteString(ansi.ResetStyle + ansi.EraseScreenBelow)
	}
	for y, line := range lines {
		switch {
		case s.shown == nil:
			s.line(y, "", line)
		case s.shown[y] != line:
			s.line(y, s.shown[y], line)
		}
	}
	s.dress("")
	s.shown = lines
	if s.buf.Len() == 0 {
		return nil
	}
	// Whoever else writes finds the cursor where it was left.
	_, err := io.WriteString(s.out, ansi.SaveCursor+s.convert(s.buf.String())+ansi.RestoreCursor)
	return err
}

// convert turns colours down to what the terminal has.
func (s *Screen) convert(text string) string {
	if s.profile == colorprofile.TrueColor {
		return text
	}
	var b bytes.Buffer
	w := colorprofile.Writer{Forward: &b, Profile: s.profile}
	_, _ = w.WriteString(text) // a buffer takes everything
	return b.String()
}

func (s *Screen) move(y, x int) {
	s.buf.WriteString("\x1b[" + strconv.Itoa(y+1) + ";" + strconv.Itoa(x+1) + "H")
}
