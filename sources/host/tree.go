package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// tree is where proc, sys and etc are: "" for the real machine.
type tree string

func (t tree) path(p string) string { return string(t) + p }

func (t tree) bytes(p string) ([]byte, error) { return os.ReadFile(t.path(p)) }

// text is a file's content without the white space around it.
func (t tree) text(p string) (string, error) {
	b, err := t.bytes(p)
	return strings.TrimSpace(string(b)), err
}

// word is text with "" for a file that is not there or not readable.
func (t tree) word(p string) string {
	s, _ := t.text(p)
	return s
}

// number reads a decimal count; it reports false for a file that is not there, not readable or not a number.
func (t tree) number(p string) (uint64, bool) {
	n, err := strconv.ParseUint(t.word(p), 10, 64)
	return n, err == nil
}

// list returns the names in a folder, sorted.
func (t tree) list(p string) ([]string, error) {
	entries, err := os.ReadDir(t.path(p))
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func (t tree) exists(p string) bool {
	_, err := os.Stat(t.path(p))
	return err == nil
}

// resolve follows symbolic links and returns the path below the tree, "" if there is nothing.
func (t tree) resolve(p string) string {
	real, err := filepath.EvalSymlinks(t.path(p))
	if err != nil {
		return ""
	}
	if t == "" {
		return real
	}
	// The tree itself may lie behind a link.
	base, err := filepath.EvalSymlinks(string(t))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(real, base)
}

// reason is an error without the path it already stands beside.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// notes collects, by topic, what cannot be seen on this machine, for Host.Missing.
type notes struct {
	mu    sync.Mutex
	lines map[string]string
}

// topics orders the notes. Every topic that is used is here.
func topics() []string {
	return []string{"load", "memory", "swap", "pressure", "identity", "temperatures", "smart", "filesystems"}
}

func newNotes() *notes { return &notes{lines: map[string]string{}} }

// set keeps a note; an empty line takes it back.
func (n *notes) set(topic, line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines[topic] = line
}

func (n *notes) all() (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, topic := range topics() {
		if line := n.lines[topic]; line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
