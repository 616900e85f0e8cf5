package host

import (
	"math"
	"os"
	"strconv"
	"strings"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// saving reads what makes memory go further. A kernel without KSM or zswap has no such files.
func saving(at tree.Tree) (s fleet.Saving) {
	const ksm = "/sys/kernel/mm/ksm/"
	pages := func(name string) fleet.Opt[uint64] {
		n, ok := at.Number(ksm + name)
		page := uint64(os.Getpagesize())
		return fleet.Opt[uint64]{V: n * page, OK: ok && n <= math.MaxUint64/page}
	}
	if run, ok := at.Number(ksm + "run"); ok {
		s.Merging = fleet.Some(run == 1)
		s.Shared, s.Merged = pages("pages_shared"), pages("pages_sharing")
	}
	if profit, err := strconv.ParseInt(at.Word(ksm+"general_profit"), 10, 64); err == nil {
		s.Profit = fleet.Some(profit)
	}
	switch at.Word("/sys/module/zswap/parameters/enabled") {
	case "Y":
		s.Zswap = fleet.Some(true)
	case "N":
		s.Zswap = fleet.Some(false)
	}
	meminfo, _ := at.Bytes("/proc/meminfo") // gopsutil does not tell of these
	s.Pool, s.Stored = parseZswap(string(meminfo))
	return s
}

// parseZswap finds what zswap takes and holds in /proc/meminfo.
func parseZswap(meminfo string) (pool, stored fleet.Opt[uint64]) {
	for line := range strings.Lines(meminfo) {
		name, value, _ := strings.Cut(line, ":")
		var into *fleet.Opt[uint64]
		switch name {
		case "Zswap":
			into = &pool
		case "Zswapped":
			into = &stored
		default:
			continue
		}
		f := strings.Fields(value)
		if len(f) != 2 || f[1] != "kB" {
			continue
		}
		if n, err := strconv.ParseUint(f[0], 10, 54); err == nil {
			*into = fleet.Some(n * 1024)
		}
	}
	return pool, stored
}
