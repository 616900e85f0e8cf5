package tree

import (
	"fmt"
	"strconv"
	"strings"

	"strata/internal/fleet"
)

func processFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

// VMSwap is how much of a process is swapped out (VmSwap of /proc/PID/status), in bytes; missing when that is not told.
func (t Tree) VMSwap(pid int) fleet.Opt[uint64] {
	return vmSwap(t.Word(processFile(pid, "status")))
}

// vmSwap reads the line VmSwap of /proc/PID/status. Processes of the kernel have none.
func vmSwap(status string) fleet.Opt[uint64] {
	for line := range strings.Lines(status) {
		value, ok := strings.CutPrefix(line, "VmSwap:")
		if !ok {
			continue
		}
		f := strings.Fields(value)
		if len(f) != 2 || f[1] != "kB" {
			break
		}
		if n, err := strconv.ParseUint(f[0], 10, 53); err == nil {
			return fleet.Some(n * 1024)
		}
		break
	}
	return fleet.Opt[uint64]{}
}

// Argv is the command line of a process, nil when it has none or it may not be read.
func (t Tree) Argv(pid int) []string {
	b, err := t.Bytes(processFile(pid, "cmdline"))
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// Comm is the short name of a process.
func (t Tree) Comm(pid int) string { return t.Word(processFile(pid, "comm")) }
