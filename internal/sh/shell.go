package sh

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Shell is an interactive process on this process' own terminal. Until it ends it is in the terminal's foreground, so
// that ctrl-c and ctrl-z are for it. It is a Bubble Tea ExecCommand.
type Shell struct {
	Argv []string
	Says string // printed before it starts
}

// Run runs it to its end. Its exit code is its own business.
func (s *Shell) Run() error {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the terminal: %w", err)
	}
	defer tty.Close()
	fmt.Fprintln(tty, s.Says)
	cmd := exec.Command(s.Argv[0], s.Argv[1:]...) //nolint:noctx // it ends when its reader ends it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: int(tty.Fd())}
	// Taking the terminal back from the background would stop us.
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", s.Argv[0], err)
	}
	_ = cmd.Wait()
	if err := unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, syscall.Getpgrp()); err != nil {
		return fmt.Errorf("taking the terminal back: %w", err)
	}
	return nil
}

// SetStdin does nothing: the terminal is the input.
func (*Shell) SetStdin(io.Reader) {}

// SetStdout does nothing: the terminal is the output.
func (*Shell) SetStdout(io.Writer) {}

// SetStderr does nothing: the terminal takes errors too.
func (*Shell) SetStderr(io.Writer) {}
