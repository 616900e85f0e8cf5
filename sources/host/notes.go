package host

import (
	"errors"
	"io/fs"
	"sync"
)

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
	return []string{"load", "memory", "swap", "pressure", "identity", "temperatures", "smart", "filesystems", "units", "swaps", "kernels", "nova", "boots", "kernel"}
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
