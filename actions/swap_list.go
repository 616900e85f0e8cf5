package actions

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"strata/internal/connect"
)

// readSwaps reads /proc/swaps: the bytes in each area that is on, by path.
func readSwaps(m connect.Machine) (map[string]uint64, error) {
	b, err := os.ReadFile(m.Path("/proc/swaps"))
	if err != nil {
		return nil, fmt.Errorf("reading /proc/swaps: %w", err)
	}
	return parseSwaps(string(b)), nil
}

func parseSwaps(text string) map[string]uint64 {
	all := map[string]uint64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 5 || f[0] == "Filename" {
			continue
		}
		used, err := strconv.ParseUint(f[3], 10, 54)
		if err != nil {
			continue
		}
		all[unescaped(f[0])] = used * 1024
	}
	return all
}

// unescaped takes back the kernel's \040 for a blank and its like.
func unescaped(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+3 < len(name) {
			if n, err := strconv.ParseUint(name[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// used is what is in the areas now.
func (w *swapping) used() (sum uint64, err error) {
	areas, err := readSwaps(w.machine)
	for _, path := range w.paths {
		sum += areas[path]
	}
	return sum, err
}

// oomKills counts the processes that the kernel killed since boot because memory ran out; 0 when it does not tell.
func oomKills(m connect.Machine) uint64 {
	b, err := os.ReadFile(m.Path("/proc/vmstat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			kills, _ := strconv.ParseUint(n, 10, 64)
			return kills
		}
	}
	return 0
}
