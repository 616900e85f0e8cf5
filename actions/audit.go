package actions

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"strata/internal/fleet"
	"strata/internal/wire"
)

// Audit is the append-only log of what was done through strata, a JSON line for each step, in which nothing is raw that
// a terminal would obey. A line is on the disk when
// Append returns; when it cannot be written nothing is done.
type Audit struct {
	mu   sync.Mutex
	file *os.File
	torn bool // the last write failed and may have left part of a line
}

// OpenAudit opens or makes the log, readable by its owner only. It follows no symlink.
func OpenAudit(path string) (*Audit, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the audit log: %w", err)
	}
	// O_NONBLOCK: opening a FIFO must not hang; it is refused below.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	a := &Audit{file: f}
	if err := a.prepare(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("opening the audit log %s: %w", path, err)
	}
	return a, nil
}

// prepare closes the log to others and ends a line that a power cut or a full disk left torn, so that it cannot swallow
// the next one.
func (a *Audit) prepare() error {
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no regular file")
	}
	if err := a.file.Chmod(0o600); err != nil {
		return err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := a.file.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		_, err = a.file.Write([]byte{'\n'})
	}
	return err
}

// Append writes one line and waits until it is on the disk.
func (a *Audit) Append(d fleet.Deed) error {
	line, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	line = wire.Printable(line)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.torn {
		line = append([]byte{'\n'}, line...)
	}
	// One write: O_APPEND keeps the lines of several cockpits whole.
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		a.torn = true
		return fmt.Errorf("writing the audit log %s: %w", a.file.Name(), err)
	}
	a.torn = false
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("syncing the audit log %s: %w", a.file.Name(), err)
	}
	return nil
}

// Close closes the log.
func (a *Audit) Close() error { return a.file.Close() }
