package actions

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"strata/internal/fleet"
)

// Audit is the append-only log of what was done through strata, a JSON line for each step. A line is on the disk when
// Append returns; when it cannot be written nothing is done.
type Audit struct {
	mu   sync.Mutex
	file *os.File
}

// OpenAudit opens or makes the log, readable by its owner only. It follows no symlink.
func OpenAudit(path string) (*Audit, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the audit log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	if err := f.Chmod(0o600); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("closing the audit log to others: %w", err)
	}
	return &Audit{file: f}, nil
}

// Append writes one line and waits until it is on the disk.
func (a *Audit) Append(d fleet.Deed) error {
	line, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// One write: O_APPEND keeps the lines of several cockpits whole.
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the audit log %s: %w", a.file.Name(), err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("syncing the audit log %s: %w", a.file.Name(), err)
	}
	return nil
}

// Close closes the log.
func (a *Audit) Close() error { return a.file.Close() }
