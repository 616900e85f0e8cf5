package sh

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestExitCodeIsData(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 8"}})
	if err != nil || r.Code != 8 || string(r.Stdout) != "out\n" || r.Stderr != "err" {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "kill -9 $$"}})
	if err != nil || r.Code != 128+9 {
		t.Errorf("killed by a signal: got %+v, %v", r, err)
	}
}

func TestArgumentsAreNotForAShell(t *testing.T) {
	t.Parallel()
	mean := `$(id); "x" *`
	r, err := Run(t.Context(), Cmd{Argv: []string{"printf", "%s", mean}})
	if err != nil || string(r.Stdout) != mean {
		t.Errorf("got %q, %v", r.Stdout, err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "echo $LC_ALL $EXTRA $PATH"}, Env: []string{"EXTRA=more"}})
	if err != nil || !strings.HasPrefix(string(r.Stdout), "C more /") {
		t.Errorf("got %q, %v", r.Stdout, err)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Cmd{Argv: []string{"no-such-program-here"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v, want exec.ErrNotFound", err)
	}
	if _, err := Run(t.Context(), Cmd{}); err == nil {
		t.Error("an empty command ran")
	}
}

// The child and its own child are both gone after the deadline.
func TestDeadlineKillsTheGroup(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	began := time.Now()
	_, err := Run(t.Context(), Cmd{
		Argv:     []string{"sh", "-c", "sleep 60 & echo $! > " + pidFile + "; echo waiting >&2; wait"},
		Deadline: 300 * time.Millisecond,
	})
	if !errors.Is(err, ErrDeadline) || !strings.Contains(err.Error(), "waiting") {
		t.Errorf("got %v, want ErrDeadline with what was on stderr", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	for alive(strings.TrimSpace(string(pid))) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("the grandchild %s still runs", pid)
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 1000})
	}
}

// alive reads the state of a process; a zombie that nobody has reaped yet is not alive.
func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestCancelEndsIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Cmd{Argv: []string{"sleep", "60"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// swapoff needs seconds to end where it can; killed, it leaves the same, but nobody waited for it.
func TestAStopIsGentleFirst(t *testing.T) {
	t.Parallel()
	ready := filepath.Join(t.TempDir(), "ready")
	run := func(script string, grace time.Duration) (Result, error) {
		_ = os.Remove(ready)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for _, err := os.Stat(ready); err != nil; _, err = os.Stat(ready) {
			}
			cancel()
		}()
		return Run(ctx, Cmd{Argv: []string{"sh", "-c", script + "; touch " + ready + "; while :; do sleep 0.05; done"}, Stop: syscall.SIGTERM, Grace: grace})
	}
	r, err := run("trap 'echo tidied; exit 0' TERM", time.Minute)
	if !errors.Is(err, context.Canceled) || string(r.Stdout) != "tidied\n" {
		t.Errorf("got %q, %v", r.Stdout, err)
	}
	began := time.Now()
	if _, err = run("trap '' TERM", 100*time.Millisecond); !errors.Is(err, context.Canceled) || time.Since(began) > 5*time.Second {
		t.Errorf("one that does not listen: %v after %v", err, time.Since(began))
	}
}

func TestOutputIsLimited(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Cmd{Argv: []string{"yes"}, MaxOut: 1000})
	if !errors.Is(err, ErrTooMuch) || len(r.Stdout) != 1000 {
		t.Errorf("got %d bytes, %v; want 1000 and ErrTooMuch", len(r.Stdout), err)
	}
	r, err = Run(t.Context(), Cmd{Argv: []string{"sh", "-c", "seq 1 9999 >&2"}, MaxErr: 10})
	if err != nil || r.Stderr != "9998\n9999" {
		t.Errorf("got stderr %q, %v; want its tail", r.Stderr, err)
	}
}

// An ordinary user's PATH has no sbin, where smartctl and swapoff are.
func TestProgramsOfAdministratorsAreFound(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	if r, err := Run(t.Context(), Cmd{Argv: []string{"ldconfig", "--version"}}); err != nil || r.Code != 0 {
		t.Errorf("code %d, %v", r.Code, err)
	}
	if _, err := Run(t.Context(), Cmd{Argv: []string{"no-such-program"}}); !errors.Is(err, ErrMissing) {
		t.Errorf("what is not there: %v", err)
	}
}
