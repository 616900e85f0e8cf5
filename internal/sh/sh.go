// Package sh is the only place that starts processes: an argument vector, never a shell, with a deadline and limits on
// what it may print. It knows nothing of what it runs.
package sh

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Errors that a caller can tell apart.
var (
	// ErrMissing: the program is not installed.
	ErrMissing  = exec.ErrNotFound
	ErrDeadline = errors.New("did not end in time")
	ErrTooMuch  = errors.New("printed too much")
)

// Cmd is one process to run. It reads nothing: its standard input is empty.
type Cmd struct {
	Argv     []string
	Env      []string      // "K=V", added to our own environment and LC_ALL=C
	Deadline time.Duration // zero is 30 s
	MaxOut   int           // bytes of stdout, more is ErrTooMuch; zero is 1 MiB
	MaxErr   int           // bytes kept of the end of stderr; zero is 4 KiB
	// Stop is sent first when the process must end early, to all of its group; zero kills at once. It is killed when it
	// has not ended Grace later; zero is 10 s.
	Stop  syscall.Signal
	Grace time.Duration
}

// Result is what a process left behind.
type Result struct {
	Stdout []byte
	Stderr string // its tail, trimmed
	Code   int    // the exit code; 128 + the signal when a signal ended it
}

// grace is how long a killed process may take to be gone. One that sleeps uninterruptibly in the kernel (a dead disk,
// a lost NFS server) stays longer; it is left behind so that its caller does not share its fate.
const grace = 2 * time.Second

// Run runs a process to its end. Any exit code is a result, not an error: an error says that the process could not be
// started, did not end in time, printed too much, or that ctx ended. On the deadline its whole process group is killed, or
// stopped first as Cmd.Stop says.
func Run(ctx context.Context, c Cmd) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("running a command: no command given")
	}
	name := c.Argv[0]
	within, cancel := context.WithTimeoutCause(ctx, cmp.Or(c.Deadline, 30*time.Second), ErrDeadline)
	defer cancel()
	quit, stop := context.WithCancelCause(within)
	defer stop(nil)

	out := &limited{max: cmp.Or(c.MaxOut, 1<<20), full: func() { stop(ErrTooMuch) }}
	tail := &tail{max: cmp.Or(c.MaxErr, 4<<10)}
	cmd := exec.CommandContext(quit, found(name), c.Argv[1:]...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), c.Env...)
	cmd.Stdout, cmd.Stderr = out, tail
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// A grandchild that left the group may hold the pipes open.
	cmd.WaitDelay = grace / 2
	patience := grace
	if c.Stop != 0 {
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, c.Stop) }
		cmd.WaitDelay = cmp.Or(c.Grace, 10*time.Second)
		patience += cmd.WaitDelay
	}
	if err := cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("starting %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return finish(quit, name, err, cmd, out, tail)
	case <-quit.Done():
	}
	select {
	case err := <-ended:
		return finish(quit, name, err, cmd, out, tail)
	case <-time.After(patience):
		return Result{}, fmt.Errorf("running %s: %w; pid %d could not be killed and was left behind", name, context.Cause(quit), cmd.Process.Pid)
	}
}

// found is where a program is: in PATH, else where those are that administrators run, which ordinary users' PATH has not.
func found(name string) string {
	if _, err := exec.LookPath(name); err != nil && !strings.Contains(name, "/") {
		for _, folder := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
			if path, err := exec.LookPath(folder + "/" + name); err == nil {
				return path
			}
		}
	}
	return name
}

func finish(quit context.Context, name string, err error, cmd *exec.Cmd, out *limited, tail *tail) (Result, error) {
	r := Result{Stdout: out.bytes(), Stderr: tail.String()}
	if why := context.Cause(quit); why != nil {
		return r, fmt.Errorf("running %s: %w%s", name, why, after(r.Stderr))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return r, fmt.Errorf("running %s: %w", name, err)
	}
	r.Code = cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.Code = 128 + int(ws.Signal())
	}
	return r, nil
}

func after(stderr string) string {
	if stderr == "" {
		return ""
	}
	return ": " + stderr
}

// limited keeps output up to a limit and calls full when there is more.
type limited struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	max  int
	full func()
}

func (l *limited) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len()+len(p) > l.max {
		l.buf.Write(p[:l.max-l.buf.Len()])
		l.full()
		return 0, ErrTooMuch
	}
	return l.buf.Write(p)
}

func (l *limited) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// tail keeps the end of what is written.
type tail struct {
	mu  sync.Mutex
	buf []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > t.max {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.max:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
