package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// KernelLog is the file below the root that holds the kernel's log: records as /dev/kmsg has them, a line each, of this
// boot and of those before, each boot after a line "-- Boot ID START --".
const KernelLog = "dev/kmsg-log"

// Kernel writes lines into the kernel's log, as the kernel does: 3 is the priority of an error, 6 of information. Each line
// of the text is one of its own.
func (m *Machine) Kernel(priority int, text string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kernel(priority, text)
}

func (m *Machine) kernel(priority int, text string) error {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "%d,%d,%d,-;%s\n", priority, m.records, max(0, time.Since(m.boot).Microseconds()), strings.TrimSuffix(line, "\n"))
		m.records++
	}
	return m.log(b.String())
}

// booting writes what a kernel says first.
func (m *Machine) booting() error {
	m.records = 0
	if err := m.log(fmt.Sprintf("-- Boot %s %s --\n", strings.ReplaceAll(m.bootID(), "-", ""), m.boot.UTC().Format(time.RFC3339Nano))); err != nil {
		return err
	}
	var b strings.Builder
	for i, line := range []string{
		"Linux version " + m.spec.Kernel + " (mockbuild@builder) (gcc 11.5.0, GNU ld 2.35.2-54) #1 SMP PREEMPT_DYNAMIC",
		"Command line: BOOT_IMAGE=(hd0,gpt1)/vmlinuz-" + m.spec.Kernel + " root=/dev/mapper/rl-root ro crashkernel=1G-2G:192M resume=/dev/mapper/rl-swap",
		"DMI: " + m.spec.Vendor + " " + m.spec.Product,
		"Run /init as init process",
	} {
		// All of it comes in the first second, whenever the machine was made.
		fmt.Fprintf(&b, "6,%d,%d,-;%s\n", m.records, i*311, line)
		m.records++
	}
	return m.log(b.String())
}

func (m *Machine) log(text string) error {
	path := filepath.Join(m.root, KernelLog)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}
