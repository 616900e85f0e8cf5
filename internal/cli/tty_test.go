package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"strata/internal/fleet"
)

type (
	snapshot = fleet.Snapshot
	change   = fleet.Change
	link     = fleet.Link
	finding  = fleet.Finding
)

// session is strata on a pseudo terminal, in a home of its own.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	slave  string
	home   string
	stderr *bytes.Buffer // apart from the screen
	exited chan error

	mu    sync.Mutex
	raw   bytes.Buffer
	term  vt10x.Terminal
	drawn chan struct{} // has room for one: something was drawn since the last look
	all   chan struct{} // closed when everything that was drawn has been read
}

type sessionOptions struct {
	name     string   // of the program, "strata"
	env      []string // added
	deaf     bool     // nobody reads the screen
	home     string   // a new one when ""
	orphaned bool     // the terminal is not the session's: closing it sends no signal
}

func open(t *testing.T, o sessionOptions, args ...string) *session {
	t.Helper()
	if o.name == "" {
		o.name = "strata"
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if o.home == "" {
		o.home = t.TempDir()
	}
	s := &session{t: t, home: o.home, stderr: new(bytes.Buffer), exited: make(chan error, 1), drawn: make(chan struct{}, 1), all: make(chan struct{})}
	s.term = vt10x.New(vt10x.WithSize(100, 30))
	s.cmd = &exec.Cmd{Path: self, Args: append([]string{o.name}, args...), Dir: s.home, Stderr: s.stderr}
	s.cmd.Env = append([]string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8", "SSH_TTY=/dev/pts/9"}, o.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: !o.orphaned}
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s.master, s.slave = master, slave.Name()
	if err := pty.Setsize(master, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdin, s.cmd.Stdout = slave, slave
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if o.deaf {
		close(s.all)
	} else {
		go s.read()
	}
	go func() {
		err := s.cmd.Wait()
		slave.Close() // kept until now so that its modes can be looked at after the program
		s.exited <- err
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // an error means that it is gone, as it should be
		_ = master.Close()
	})
	return s
}

func (s *session) read() {
	defer close(s.all)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.master.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.raw.Write(buf[:n])
		_, _ = s.term.Write(buf[:n]) // an emulator takes what it is given
		s.mu.Unlock()
		select {
		case s.drawn <- struct{}{}:
		default:
		}
	}
}

func (s *session) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term.String()
}

func (s *session) bytes() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

// await waits until ok holds of the screen.
func (s *session) await(what string, ok func(screen string) bool) {
	s.t.Helper()
	deadline := time.After(10 * time.Second)
	for !ok(s.screen()) {
		select {
		case <-s.drawn:
		case err := <-s.exited:
			s.t.Fatalf("ended (%v, %s) while waiting for %s; screen:\n%s", err, s.stderr, what, s.screen())
		case <-deadline:
			s.t.Fatalf("waited 10 s for %s; screen:\n%s", what, s.screen())
		}
	}
}

func (s *session) press(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// clog fills what the kernel keeps for the reader of the terminal, so that every further write blocks.
func (s *session) clog() {
	s.t.Helper()
	fd, err := unix.Open(s.slave, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		for err = nil; err == nil; {
			_, err = unix.Write(fd, make([]byte, 256))
		}
		if !errors.Is(err, unix.EAGAIN) {
			s.t.Fatal(err)
		}
		// The kernel moves what was written to another buffer a moment later, and then there is room again.
		room := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(room, 200)
		if err != nil && !errors.Is(err, unix.EINTR) {
			s.t.Fatal(err)
		}
		if n == 0 && err == nil {
			return
		}
	}
}

// ends waits until the program is gone, at most two seconds, and returns its exit code.
func (s *session) ends() int {
	s.t.Helper()
	began := time.Now()
	select {
	case err := <-s.exited:
		var e *exec.ExitError
		if err != nil && !errors.As(err, &e) {
			s.t.Fatal(err)
		}
	case <-time.After(8 * time.Second):
		s.t.Fatalf("it did not end; screen:\n%s", s.screen())
	}
	if took := time.Since(began); took > 2*time.Second {
		s.t.Errorf("it took %v to end, want at most 2 s", took)
	}
	<-s.all
	state := s.cmd.ProcessState
	if cpu := state.UserTime() + state.SystemTime(); cpu > 2*time.Second {
		s.t.Errorf("it used %v of CPU: something spins", cpu)
	}
	return state.ExitCode()
}

// sane fails the test unless the terminal is as a shell wants it.
func (s *session) sane() {
	s.t.Helper()
	modes, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	if want := uint32(unix.ECHO | unix.ICANON | unix.ISIG); modes.Lflag&want != want {
		s.t.Errorf("the terminal was left raw: lflag %#x", modes.Lflag)
	}
	raw := s.bytes()
	for _, mode := range []string{"?1049", "?2004", "?1000", "?1002", "?1003", "?1006"} {
		if on, off := strings.LastIndex(raw, "\x1b["+mode+"h"), strings.LastIndex(raw, "\x1b["+mode+"l"); on > off {
			s.t.Errorf("mode %s was left on", mode)
		}
	}
	if on, off := strings.LastIndex(raw, "\x1b[?25h"), strings.LastIndex(raw, "\x1b[?25l"); off > on {
		s.t.Error("the cursor was left hidden")
	}
}

func drawn(screen string) bool {
	return strings.Contains(screen, "SERVERS") || strings.Contains(strings.ToLower(screen), "servers")
}

func TestTheCockpitOpensWithoutAnythingConfiguredAndQuits(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{})
	s.await("the screen", drawn)
	s.press("q")
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
	s.sane()
	info, err := os.Stat(filepath.Join(s.home, ".local/state/strata/strata.log"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log: %v, %v; want one for its owner only", info, err)
	}
	if s.stderr.Len() > 0 {
		t.Errorf("said on standard error: %s", s.stderr)
	}
}

func TestSignalsEndTheCockpit(t *testing.T) {
	t.Parallel()
	for sig, code := range map[syscall.Signal]int{syscall.SIGHUP: 129, syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := open(t, sessionOptions{})
			s.await("the screen", drawn)
			s.signal(sig)
			if got := s.ends(); got != code {
				t.Errorf("exit code %d, want %d", got, code)
			}
			s.sane()
			if want := "strata: ended by signal: " + sig.String(); !strings.Contains(s.stderr.String(), want) {
				t.Errorf("said %q, want %q", s.stderr, want)
			}
		})
	}
}

func TestTheCockpitEndsWhenItsTerminalIsGone(t *testing.T) {
	t.Parallel()
	for name, orphaned := range map[string]bool{"with a signal": false, "without a signal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, sessionOptions{orphaned: orphaned})
			s.await("the screen", drawn)
			if err := s.master.Close(); err != nil {
				t.Fatal(err)
			}
			if got := s.ends(); got != 129 {
				t.Errorf("exit code %d, want 129; %s", got, s.stderr)
			}
		})
	}
}

// A connection that takes no bytes any more blocks whoever writes to it.
func TestTheCockpitEndsOnATerminalThatTakesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{deaf: true})
	if _, err := s.master.Read(make([]byte, 1)); err != nil { // it has begun to draw
		t.Fatal(err)
	}
	s.clog()
	s.signal(syscall.SIGTERM)
	if got := s.ends(); got != 143 {
		t.Errorf("exit code %d, want 143", got)
	}
	modes, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil || modes.Lflag&unix.ICANON == 0 {
		t.Errorf("the terminal was left raw (%v)", err)
	}
}

func TestATinyTerminalIsSurvived(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{})
	s.await("the screen", drawn)
	for _, size := range []pty.Winsize{{Rows: 1, Cols: 1}, {Rows: 2, Cols: 200}, {Rows: 60, Cols: 3}, {Rows: 30, Cols: 100}} {
		s.mu.Lock()
		s.term.Resize(int(size.Cols), int(size.Rows))
		s.raw.Reset()
		s.mu.Unlock()
		if err := pty.Setsize(s.master, &size); err != nil {
			t.Fatal(err)
		}
		s.signal(syscall.SIGWINCH)
		s.await("it to draw again", func(string) bool { return len(s.bytes()) > 0 })
	}
	s.await("the screen", drawn)
	s.press("q")
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
}

func TestAPanicLeavesTheTerminalSaneAndAReport(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"update", "view", "command", "diagnosis"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			s := open(t, sessionOptions{name: "panics"}, where)
			s.await("the screen", func(screen string) bool { return strings.Contains(screen, "press a key") })
			s.press("x")
			if code := s.ends(); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			s.sane()
			for _, want := range []string{"ouch in " + where, "goroutine", "this is a bug"} {
				if !strings.Contains(s.stderr.String(), want) {
					t.Errorf("the report lacks %q:\n%s", want, s.stderr)
				}
			}
			if strings.Contains(s.bytes(), "goroutine") {
				t.Error("the stack was written on the screen")
			}
		})
	}
}

func TestWithoutATerminalTheCockpitSaysWhatToUse(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{env: []string{"TERM=dumb"}})
	if code := s.ends(); code != 2 || !strings.Contains(s.stderr.String(), "use `strata snapshot`") {
		t.Errorf("on a dumb terminal: exit code %d, %q", code, s.stderr)
	}
	if s.bytes() != "" {
		t.Errorf("it wrote %q to the dumb terminal", s.bytes())
	}
}

func TestTheDemoOpensAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{env: []string{"TMPDIR=" + t.TempDir()}}, "demo", "--speed", "20")
	s.await("its servers and its machines", func(screen string) bool {
		return strings.Contains(screen, "k8s-worker") && strings.Contains(screen, "compute")
	})
	if len(s.demoFolders()) != 1 {
		t.Errorf("its folders are %v: does this test still look where they are?", s.demoFolders())
	}
	s.press("q")
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
	s.sane()
	if left := s.demoFolders(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(filepath.Join(s.home, ".local/state/strata/audit.jsonl")); err == nil {
		t.Error("the demo opened the operator's own audit log")
	}
}

// A process that is ended because its terminal blocks for ever runs no deferred calls.
func TestTheDemoLeavesNothingBehindOnATerminalThatTakesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{deaf: true, env: []string{"TMPDIR=" + t.TempDir()}}, "demo")
	if _, err := s.master.Read(make([]byte, 1)); err != nil { // it has begun to draw
		t.Fatal(err)
	}
	s.clog()
	if len(s.demoFolders()) != 1 {
		t.Errorf("its folders are %v: does this test still look where they are?", s.demoFolders())
	}
	s.signal(syscall.SIGTERM)
	if got := s.ends(); got != 143 {
		t.Errorf("exit code %d, want 143", got)
	}
	if left := s.demoFolders(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// demoFolders are the folders that this session's demo has.
func (s *session) demoFolders() (all []string) {
	s.t.Helper()
	dirs := []string{"/dev/shm"}
	for _, v := range s.cmd.Env {
		if dir, ok := strings.CutPrefix(v, "TMPDIR="); ok {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		found, err := filepath.Glob(fmt.Sprintf("%s/strata-demo-%d-*", dir, s.cmd.Process.Pid))
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func TestALocaleWithoutUTF8GetsASCIIOnly(t *testing.T) {
	t.Parallel()
	s := open(t, sessionOptions{env: []string{"LANG=C"}})
	s.await("the screen", drawn)
	s.press("q")
	s.ends()
	for _, r := range s.bytes() {
		if r > 0x7e {
			t.Fatalf("%q was written to a terminal without UTF-8; screen:\n%s", r, s.screen())
		}
	}
}

func TestAShellTakesTheScreensPlaceUntilItEnds(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell := filepath.Join(t.TempDir(), "hears")
	if err := os.Symlink(self, shell); err != nil {
		t.Fatal(err)
	}
	s := open(t, sessionOptions{env: []string{"SHELL=" + shell}})
	s.await("the host", func(screen string) bool { return strings.Contains(screen, "1 host") })
	s.press(":hosts\r")
	s.await("its pane", func(screen string) bool { return strings.Contains(screen, "Hosts") })
	s.press("s")
	s.await("the shell", func(screen string) bool { return strings.Contains(screen, "inside of it") })
	s.press("\x03") // is for the shell
	s.await("that the shell caught ctrl-c", func(screen string) bool { return strings.Contains(screen, "caught it") })
	s.press("word\r")
	s.await("the screen again", func(screen string) bool {
		return strings.Contains(screen, "Hosts") && strings.Contains(screen, "deeper")
	})
	s.press("q")
	s.press("q")
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d: %s", code, s.stderr)
	}
	s.sane()
}
