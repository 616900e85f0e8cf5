package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"strata/internal/config"
	"strata/internal/fleet"
)

// mostLog is the size above which the log starts over, in bytes.
const mostLog = 5 << 20

// quietLog is where everything goes that must not be written on the screen: what libraries log, and all of standard
// error while the cockpit is shown.
type quietLog struct {
	path    string
	file    *os.File
	handler slog.Handler
}

func (p *program) logPath() string { return filepath.Join(config.StateDir(p.getenv), "strata.log") }

// openLog opens the log, readable by its owner only, and follows no symlink. Where none can be made there is none: a
// full disk must not keep the cockpit from opening.
func openLog(path string) (*quietLog, error) {
	q := &quietLog{path: path}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		q.file, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		q.path = os.DevNull
		if q.file, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
			return nil, &fleet.Trouble{Doing: "opening the log", Cause: err, Fix: "look at /dev"}
		}
	}
	if info, err := q.file.Stat(); err == nil && info.Mode().IsRegular() {
		_ = q.file.Chmod(0o600) // an older strata or an editor may have opened it to others
		if info.Size() > mostLog {
			_ = q.file.Truncate(0) // a log that is too long is still a log
		}
	}
	q.handler = slog.NewTextHandler(q.file, nil)
	slog.SetDefault(slog.New(q.handler))
	return q, nil
}

func (q *quietLog) close() { _ = q.file.Close() }

// takeStderr sends standard error into the log until release is called, if w is standard error at all. What the runtime
// or a library prints there would tear the screen and be lost with it. os.Stderr is not asked: it may be another file
// for a moment, while a client is made.
func (q *quietLog) takeStderr(w io.Writer) (release func(), err error) {
	const fd = 2
	if f, ok := w.(*os.File); !ok || f.Fd() != fd {
		return func() {}, nil
	}
	saved, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("keeping standard error: %w", err)
	}
	if err := unix.Dup3(int(q.file.Fd()), fd, 0); err != nil {
		return nil, fmt.Errorf("sending standard error to the log: %w", err)
	}
	return sync.OnceFunc(func() {
		_ = unix.Dup3(saved, fd, 0) // of two descriptors that were open a moment ago
		_ = unix.Close(saved)
	}), nil
}
