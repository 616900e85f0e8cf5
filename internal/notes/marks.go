package notes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"strata/internal/fleet"
)

// Mark is the value of an error counter from which its growth counts.
type Mark struct {
	Value uint64    `json:"value"`
	Since time.Time `json:"since"`        // when it was that
	By    string    `json:"by,omitempty"` // who accepted it; "" for the value at which strata first saw the counter
}

// Marks are kept by owner (see Owner) and name of the counter, in a file that several strata may share. Make them with Open.
type Marks struct {
	path string

	mu    sync.Mutex
	all   map[string]map[string]Mark
	stamp stamp
	times uint64 // they changed
}

// stamp tells whether a file is the one that was read.
type stamp struct {
	at   time.Time
	size int64
	node uint64
}

// marksFile is the file's form.
type marksFile struct {
	Version int                        `json:"version"`
	Marks   map[string]map[string]Mark `json:"marks"`
}

const marksVersion = 1

// Open returns the marks of a file, which need not be there yet. With "" they are kept in memory only. When the file cannot
// be read or understood it is left alone: the marks are empty, and each Set says why it does not keep them.
func Open(path string) *Marks { return &Marks{path: path, all: map[string]map[string]Mark{}} }

// Owner is who a counter of a disk or a filesystem belongs to: a disk is known by its serial number wherever it is put in its
// machine. Emulated disks and cheap bridges of many machines have one number, so the machine counts too.
func Owner(o fleet.Object) string {
	switch o := o.(type) {
	case *fleet.Disk:
		if o.Serial != "" {
			return "disk " + o.Source + " " + o.Model + " " + o.Serial
		}
		return "disk " + o.Source + " " + o.Name
	case *fleet.Filesystem:
		return "filesystem " + o.Source + " " + o.Device
	}
	return ""
}

// Keeps reports whether a counter has marks. The kernel's own error count of a disk starts anew at each boot, and each strata
// takes away what it brought about itself: that has none.
func Keeps(counter string) bool { return counter != "ioerr_cnt" }

// Of returns the marks of an owner by counter. Do not change them.
func (m *Marks) Of(owner string) map[string]Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[owner]
}

// Times is how often the marks changed so far.
func (m *Marks) Times() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.times
}

// Refresh reads the file again if somebody wrote it since. It returns how often the marks changed so far.
func (m *Marks) Refresh() (times uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.refresh()
	return m.times, err
}

func (m *Marks) refresh() error {
	if m.path == "" {
		return nil
	}
	info, err := os.Stat(m.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading what counters were before: %w", err)
	}
	now := stampOf(info)
	if now == m.stamp {
		return nil
	}
	content, err := os.ReadFile(m.path)
	if err != nil {
		return fmt.Errorf("reading what counters were before: %w", err)
	}
	var f marksFile
	if err := json.Unmarshal(content, &f); err != nil {
		return fmt.Errorf("reading what counters were before: %s: %w", m.path, err)
	}
	if f.Version != marksVersion {
		return fmt.Errorf("reading what counters were before: %s has version %d, this strata knows %d", m.path, f.Version, marksVersion)
	}
	if f.Marks == nil {
		f.Marks = map[string]map[string]Mark{}
	}
	m.all, m.stamp = f.Marks, now
	m.times++
	return nil
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{at: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.node = sys.Ino // replaced files have another one, whatever the clock says
	}
	return s
}

// Set keeps some marks, by owner and counter, beside those that are there. They hold in this process even when the file
// cannot be written, which the error then says.
func (m *Marks) Set(some map[string]map[string]Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.keep(some); err != nil {
		m.put(some)
		return fmt.Errorf("keeping what counters are now: %w", err)
	}
	return nil
}

func (m *Marks) keep(some map[string]map[string]Mark) error {
	if m.path == "" {
		m.put(some)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return err
	}
	unlock, err := m.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.refresh(); err != nil {
		return err
	}
	m.put(some)
	content, err := json.MarshalIndent(marksFile{marksVersion, m.all}, "", " ")
	if err != nil {
		return err
	}
	if err := Replace(m.path, append(content, '\n'), 0o600); err != nil {
		return err
	}
	if info, err := os.Stat(m.path); err == nil {
		m.stamp = stampOf(info)
	}
	return nil
}

func (m *Marks) put(some map[string]map[string]Mark) {
	m.times++
	for owner, marks := range some {
		next := make(map[string]Mark, len(m.all[owner])+len(marks)) // those handed out do not change
		for name, mark := range m.all[owner] {
			next[name] = mark
		}
		for name, mark := range marks {
			next[name] = mark
		}
		m.all[owner] = next
	}
}

// lock takes the file among all who share it. The kernel gives it back when the process ends.
func (m *Marks) lock() (unlock func(), err error) {
	f, err := os.OpenFile(m.path+".lock", os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) || tries == mostTries:
			return nil, errors.Join(err, f.Close())
		}
		time.Sleep(between)
	}
}

// How often the lock is tried for, and how long after: who holds it writes a small file, or was stopped in the middle of it.
const (
	mostTries = 20
	between   = 10 * time.Millisecond
)
