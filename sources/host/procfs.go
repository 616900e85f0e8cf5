package host

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// swapPages counts pages swapped since boot, and how often a page had to be read for a task that waits.
type swapPages struct{ in, out, faults uint64 }

// since returns bytes per second, missing when a counter went back.
func (s swapPages) since(before swapPages, passed time.Duration) (in, out fleet.Opt[float64]) {
	page := float64(os.Getpagesize())
	return rate(s.in, before.in, page, passed), rate(s.out, before.out, page, passed)
}

// majorFaults is how many there were each second, whole ones.
func (s swapPages) majorFaults(before swapPages, passed time.Duration) fleet.Opt[float64] {
	r := rate(s.faults, before.faults, 1, passed)
	r.V = math.Round(r.V)
	return r
}

// rate is what a counter grew by per second, in units; missing when it went back or no time passed.
func rate(now, before uint64, unit float64, passed time.Duration) fleet.Opt[float64] {
	if now < before || passed <= 0 {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(float64(now-before) * unit / passed.Seconds())
}

// parseVmstat reads pswpin and pswpout of /proc/vmstat; false when either is not there.
func parseVmstat(b []byte) (s swapPages, ok bool) {
	found := 0
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var into *uint64
		switch name {
		case "pswpin":
			into = &s.in
		case "pswpout":
			into = &s.out
		case "pgmajfault":
			into = &s.faults
		default:
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return swapPages{}, false
		}
		*into = n
		if into != &s.faults {
			found++
		}
	}
	if found != 2 {
		return swapPages{}, false
	}
	return s, true
}

// committed is Committed_AS in percent of CommitLimit of /proc/meminfo, in steps of five.
func committed(meminfo string) fleet.Opt[int] {
	var limit, promised uint64
	for line := range strings.Lines(meminfo) {
		name, value, _ := strings.Cut(line, ":")
		var into *uint64
		switch name {
		case "CommitLimit":
			into = &limit
		case "Committed_AS":
			into = &promised
		default:
			continue
		}
		*into, _ = strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
	}
	if limit == 0 {
		return fleet.Opt[int]{}
	}
	return fleet.Some(int(min(promised*20/limit*5, 1000)))
}

// parseStall reads one file of /proc/pressure. Old kernels have no "full" line for the CPU.
func parseStall(b []byte) (s fleet.Stall, err error) {
	some := false
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 || (f[0] != "some" && f[0] != "full") {
			continue
		}
		ten, err1 := share(f[1], "avg10=")
		sixty, err2 := share(f[2], "avg60=")
		if err1 != nil || err2 != nil {
			return fleet.Stall{}, fmt.Errorf("unknown line %q", line)
		}
		if f[0] == "some" {
			s.Some10, s.Some60, some = ten, sixty, true
		} else {
			s.Full10, s.Full60 = ten, sixty
		}
	}
	if !some {
		return fleet.Stall{}, fmt.Errorf("no line of averages")
	}
	return s, nil
}

func share(field, name string) (float64, error) {
	text, ok := strings.CutPrefix(field, name)
	if !ok {
		return 0, fmt.Errorf("no %s in %q", name, field)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && !(v >= 0 && v <= 100) {
		return 0, fmt.Errorf("%s is no share", field)
	}
	return v, err
}
