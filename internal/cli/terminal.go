package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/term"

	"strata/internal/fleet"
	"strata/internal/paint"
)

// terminal is the terminal the cockpit is shown on, with the state in which it was found.
type terminal struct {
	stdin, stdout *os.File
	found         *term.State
	last          []func()
}

// atLast has something done before the guard ends the process, which no deferred call would see. Call it before the
// cockpit is shown. What it does must be safe beside everything else, and is given lastWait.
func (t *terminal) atLast(do func()) { t.last = append(t.last, do) }

// terminal returns the terminal, or an error that says what to use instead where there is none.
func (p *program) terminal() (*terminal, error) {
	refuse := func(why string) error {
		return &exit{exitUsage, &fleet.Trouble{Doing: "the cockpit cannot be shown: " + why, Fix: "use `strata snapshot`"}}
	}
	stdin, in := p.stdin.(*os.File)
	stdout, out := p.stdout.(*os.File)
	name := p.getenv("TERM")
	switch {
	case !in || !term.IsTerminal(stdin.Fd()):
		return nil, refuse("standard input is no terminal")
	case !out || !term.IsTerminal(stdout.Fd()):
		return nil, refuse("standard output is no terminal")
	case name == "" || name == "dumb":
		return nil, refuse(fmt.Sprintf("TERM is %q", name))
	}
	found, err := term.GetState(stdin.Fd())
	if err != nil {
		return nil, refuse("the state of the terminal cannot be read: " + err.Error())
	}
	return &terminal{stdin: stdin, stdout: stdout, found: found}, nil
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(f.Fd())
}

// onlyASCII reports whether the terminal or the locale has no UTF-8.
func (p *program) onlyASCII() bool {
	if p.getenv("TERM") == "linux" {
		return true // the console's font lacks most of what is drawn
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(p.getenv(name)); v != "" {
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return true
}

// gone ends the cockpit from outside: a signal, or a terminal that is not there any more.
type gone struct {
	why  string
	code int // 128 + the signal, as a shell reports it
}

func (g *gone) Error() string { return g.why }

// line is one direction of the terminal. Of a terminal that is gone (an SSH connection that died) every read and write
// fails for ever; the first failure ends the program, where Bubble Tea would go on unheard.
type line struct {
	file *os.File
	lost func(error)
}

func (t *terminal) in(cancel context.CancelCauseFunc) *line { return newLine(t.stdin, cancel) }

// canvas is the terminal's output. What Bubble Tea writes goes through the screen that paints the frames.
type canvas struct {
	*line
	screen *paint.Screen
}

func (t *terminal) out(cancel context.CancelCauseFunc, profile colorprofile.Profile) *canvas {
	l := newLine(t.stdout, cancel)
	return &canvas{l, paint.New(l, profile)}
}

func (c *canvas) Write(b []byte) (int, error) { return c.screen.Write(b) }

func newLine(f *os.File, cancel context.CancelCauseFunc) *line {
	return &line{f, func(err error) {
		cancel(&gone{"the terminal is gone: " + err.Error(), 128 + int(syscall.SIGHUP)})
	}}
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.file.Read(b)
	if err != nil {
		l.lost(err)
	}
	return n, err
}

func (l *line) Write(b []byte) (int, error) {
	n, err := l.file.Write(b)
	if err != nil {
		l.lost(err)
	}
	return n, err
}

// Close leaves the file open: it is not ours.
func (l *line) Close() error { return nil }

// Name makes it a file to the reader of keys, which gives up a read that waits only of a file: else a shell in the screen's
// place would lose the first line that is typed into it.
func (l *line) Name() string { return l.file.Name() }

// Fd lets Bubble Tea see that it is a terminal.
func (l *line) Fd() uintptr { return l.file.Fd() }

// lastWait is how long the program may take to leave once it is told to. A terminal that takes no bytes any more would
// block it for ever.
const lastWait = time.Second

// guard ends ctx on signals, and the process when the program does not follow. release gives standard error back. The
// returned function ends the guarding.
func (t *terminal) guard(ctx context.Context, cancel context.CancelCauseFunc, release func()) (ended func()) {
	over := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		defer signal.Stop(signals)
		select {
		case <-over:
			return
		case <-ctx.Done():
		case s := <-signals:
			number, _ := s.(syscall.Signal)
			cancel(&gone{"ended by signal: " + s.String(), 128 + int(number)})
		}
		select {
		case <-over:
		case <-time.After(lastWait):
			t.restore()
			release()
			// Whatever holds the terminal would never return.
			code := exitFailed
			var gone *gone
			if errors.As(context.Cause(ctx), &gone) {
				code = gone.code
			}
			t.doLast()
			os.Exit(code)
		}
	}()
	return sync.OnceFunc(func() { close(over) })
}

// doLast does what was asked to be done at last, as far as lastWait allows.
func (t *terminal) doLast() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, do := range t.last {
			do()
		}
	}()
	select {
	case <-done:
	case <-time.After(lastWait):
	}
}

// restore sets the modes of the terminal as they were found. It writes nothing and so cannot block.
func (t *terminal) restore() { _ = term.Restore(t.stdin.Fd(), t.found) }
