package machine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// swapPace is how fast a swapoff moves, in bytes per second, as a host with an NVMe disk did.
const swapPace = 400 * mib

// swapoff is swapoff AREA. It takes as long as there is in the area; out of memory the kernel's killer ends it, and
// when ctx ends it stops as on SIGTERM.
func (m *Machine) swapoff(ctx context.Context, args []string) (stdout, stderr []byte, code int, err error) {
	if len(args) != 1 {
		return nil, []byte("swapoff: bad usage\n"), 1, nil
	}
	area := args[0]
	if m.starves(area) {
		return nil, nil, 128 + 9, nil
	}
	err = m.SwapOff(ctx, area, swapPace)
	switch {
	case ctx.Err() != nil:
		return nil, nil, 128 + 15, ctx.Err()
	case errors.Is(err, syscall.ENOMEM):
		return nil, []byte("swapoff: " + area + ": swapoff failed: Cannot allocate memory\n"), 2, nil
	}
	return swapSaid("swapoff", area, err, 4)
}

// starves reports whether memory is far too short for what is in an area; then the OOM killer has been at work. What is
// available can be stretched, by what guests and caches give back: a host lived through 1.4 times as much.
func (m *Machine) starves(area string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.area(area, true)
	if err != nil || m.state.Strict || m.areaUsed(a) < m.state.Available/2*5 {
		return false
	}
	m.counts.oomKills += 2 // it and somebody who had nothing to do with it
	return m.write() == nil
}

// swapon is swapon [-p PRIORITY] AREA.
func (m *Machine) swapon(args []string) (stdout, stderr []byte, code int, err error) {
	priority := ""
	if len(args) == 3 && args[0] == "-p" {
		priority, args = args[1], args[2:]
	}
	if len(args) != 1 {
		return nil, []byte("swapon: bad usage\n"), 1, nil
	}
	if err = m.SetSwap(args[0], true); err == nil && priority != "" {
		n, _ := strconv.Atoi(priority)
		err = m.Change(func(s *State) {
			for i := range s.Areas {
				if s.Areas[i].Name == args[0] {
					s.Areas[i].Priority = n
				}
			}
		})
	}
	return swapSaid("swapon", args[0], err, 255)
}

func swapSaid(program, area string, err error, code int) ([]byte, []byte, int, error) {
	if err == nil {
		return nil, nil, 0, nil
	}
	says := err.Error()
	return nil, fmt.Appendf(nil, "%s: %s: %s failed: %s\n", program, area, program, strings.ToUpper(says[:1])+says[1:]), code, nil
}
