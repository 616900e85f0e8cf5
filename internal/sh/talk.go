package sh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Talk is a process that is spoken with through its standard input and output. What it prints on standard error is kept,
// its tail only.
type Talk struct {
	In  io.WriteCloser
	Out io.Reader

	cmd  *exec.Cmd
	tail *tail
	once sync.Once
	err  error
}

// Start starts a process to talk with, until ctx ends or End: then its whole process group is killed. Its output has no
// limit: the reader sets one. Deadline and MaxOut of c do not count.
func Start(ctx context.Context, c Cmd) (*Talk, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("starting a command: no command given")
	}
	t := &Talk{tail: &tail{max: cmp.Or(c.MaxErr, 4<<10)}}
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), c.Env...)
	cmd.Stderr = t.tail
	// One that follows a log would stay behind a strata that was killed. The kernel goes by the thread that forked: those
	// of Go end with the process, unless a goroutine that is locked to one ends, which none here does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = grace / 2
	var err error
	if t.In, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	if t.Out, err = cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	t.cmd = cmd
	return t, nil
}

// Stderr is the end of what the process has printed on standard error so far, trimmed.
func (t *Talk) Stderr() string { return t.tail.String() }

// End closes the process' standard input, gives it a moment to end by itself, kills it if it does not, and returns how
// it ended: nil for exit code 0.
func (t *Talk) End() error {
	timer := time.AfterFunc(grace, func() { _ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	return t.Finish()
}

// Finish is End for a process that has work to do with what it was told: it may take until the context of Start ends.
func (t *Talk) Finish() error {
	t.once.Do(func() {
		_ = t.In.Close()
		t.err = t.cmd.Wait()
	})
	return t.err
}

// Code is the exit code that an error of End stands for: 0 for none, 128 + the signal when one ended it, -1 for another
// failure.
func Code(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return -1
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}
