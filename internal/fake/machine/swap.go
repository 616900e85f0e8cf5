package machine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Area is a swap area of a machine, on or off.
type Area struct {
	Name     string // as /proc/swaps has it: /dev/dm-1, /swapfile
	File     bool   // a file, not a partition
	Bytes    uint64
	Priority int
	Off      bool
	Fstab    string // the device its line of /etc/fstab names, "" for none: the file is written once and then left alone
	UUID     string // in /dev/disk/by-uuid

	back    uint64 // bytes that a swapoff brought back to memory
	leaving bool   // a swapoff is at work
}

// swapVolume is the area that a machine with swap has: its logical volume rl-swap, in fstab by its UUID.
func (m *Machine) swapVolume() Area {
	sum := sha256.Sum256([]byte(m.spec.Hostname + " swap"))
	uuid := fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	index := max(0, slices.Index(m.spec.Mapped, "rl-swap"))
	return Area{Name: fmt.Sprintf("/dev/dm-%d", index), Bytes: m.spec.Swap, Priority: -2, Fstab: "UUID=" + uuid, UUID: uuid}
}

// SetSwap turns an area on or off at once. Off moves what is in it back to memory. ENOENT is for an area that is not
// there, EBUSY for one that is on already, EINVAL for one that is off already, ENOMEM if memory is too
// short for what is in it and State.Strict.
func (m *Machine) SetSwap(area string, on bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.area(area, !on)
	if err != nil {
		return err
	}
	if !on {
		used := m.areaUsed(a)
		if m.state.Strict && used > m.state.Available {
			return syscall.ENOMEM
		}
		m.unswap(used)
	}
	if m.state.SwapOff { // now some are on and some are off
		m.state.SwapOff = false
		for i := range m.state.Areas {
			m.state.Areas[i].Off = true
		}
	}
	a.Off, a.back, a.leaving = !on, 0, false
	m.moved.Broadcast()
	return m.write()
}

// SwapOff turns an area off as swapoff(2) does: what is in it moves back to memory at so many bytes per second, in
// /proc/swaps it shrinks meanwhile. When ctx ends before, the area stays on with what is left in it. Errors are those
// of SetSwap, and ctx's.
func (m *Machine) SwapOff(ctx context.Context, area string, bytesPerSec uint64) error {
	const step = 50 * time.Millisecond
	m.mu.Lock()
	a, err := m.area(area, true)
	if err == nil && m.state.Strict && m.areaUsed(a) > m.state.Available {
		err = syscall.ENOMEM
	}
	if err == nil {
		a.leaving = true
		err = m.write()
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	ticks := time.NewTicker(step)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			m.mu.Lock()
			defer m.mu.Unlock()
			if a, err := m.area(area, true); err == nil {
				a.leaving = false
			}
			return errors.Join(ctx.Err(), m.write())
		case <-ticks.C:
			done, err := m.bringBack(area, uint64(float64(bytesPerSec)*step.Seconds()))
			if err != nil || done {
				return err
			}
		}
	}
}

// bringBack moves some of an area back to memory; done says that nothing is left in it and that it is off.
func (m *Machine) bringBack(area string, bytes uint64) (done bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.area(area, true)
	if err != nil {
		return false, err
	}
	some := min(bytes, m.areaUsed(a))
	before := m.areaUsed(a)
	a.back += some
	m.state.Available -= min(some, m.state.Available)
	if before == some {
		m.state.SwapUsed -= min(a.back, m.state.SwapUsed)
		a.Off, a.back, a.leaving = true, 0, false
		m.moved.Broadcast()
		return true, m.write()
	}
	return false, m.write()
}

// Areas are the swap areas with their use, in the order of the kernel's list: those that are off hold nothing.
func (m *Machine) Areas() (all []Area, used []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.state.Areas {
		all, used = append(all, m.state.Areas[i]), append(used, m.areaUsed(&m.state.Areas[i]))
		all[i].Off = all[i].Off || m.state.SwapOff
	}
	return all, used
}

// AllSwapOff reports whether there are areas and each was turned off by SetSwap or SwapOff; State.SwapOff does not count.
func (m *Machine) AllSwapOff() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.state.Areas) > 0 && !slices.ContainsFunc(m.state.Areas, func(a Area) bool { return !a.Off })
}

// area finds one that is on, or off.
func (m *Machine) area(name string, on bool) (*Area, error) {
	i := slices.IndexFunc(m.state.Areas, func(a Area) bool { return a.Name == name })
	if i < 0 {
		return nil, syscall.ENOENT
	}
	a := &m.state.Areas[i]
	switch isOn := !a.Off && !m.state.SwapOff; {
	case isOn && !on:
		return nil, syscall.EBUSY
	case !isOn && on:
		return nil, syscall.EINVAL
	}
	return a, nil
}

// unswap moves so many bytes from swap to memory.
func (m *Machine) unswap(bytes uint64) {
	m.state.SwapUsed -= min(bytes, m.state.SwapUsed)
	m.state.Available -= min(bytes, m.state.Available)
}

// areaUsed is what an area holds: areas with a higher priority fill first.
func (m *Machine) areaUsed(a *Area) uint64 {
	if a.Off || m.state.SwapOff {
		return 0
	}
	order := slices.Clone(m.state.Areas)
	slices.SortStableFunc(order, func(a, b Area) int { return cmp.Compare(b.Priority, a.Priority) })
	left := m.state.SwapUsed
	for _, o := range order {
		if o.Off {
			continue
		}
		some := min(left, o.Bytes)
		if o.Name == a.Name {
			return some - min(a.back, some)
		}
		left -= some
	}
	return 0
}

// swapSize is SwapTotal and what is used of it. Of an area that a swapoff empties only what is in it counts.
func (m *Machine) swapSize() (total, used uint64) {
	for i := range m.state.Areas {
		a := &m.state.Areas[i]
		if a.Off || m.state.SwapOff {
			continue
		}
		in := m.areaUsed(a)
		used += in
		if a.leaving {
			total += in
		} else {
			total += a.Bytes
		}
	}
	return total, used
}

func (m *Machine) swaps() string {
	var b strings.Builder
	b.WriteString("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
	for i := range m.state.Areas {
		a := &m.state.Areas[i]
		if a.Off || m.state.SwapOff {
			continue
		}
		kind := "partition"
		if a.File {
			kind = "file"
		}
		fmt.Fprintf(&b, "%-39s %s\t%d\t\t%d\t\t%d\n", strings.ReplaceAll(a.Name, " ", `\040`), kind, a.Bytes/1024, m.areaUsed(a)/1024, a.Priority)
	}
	return b.String()
}

// fstab is what mounts and swap areas are kept in. It is written once: from then on it belongs to whoever edits it.
func (m *Machine) fstab() string {
	var b strings.Builder
	b.WriteString("#\n# /etc/fstab\n# Created by anaconda\n#\n")
	for _, f := range m.state.Mounts {
		fmt.Fprintf(&b, "%-41s %-23s %-7s defaults        0 0\n", f.Device, strings.ReplaceAll(f.Point, " ", `\040`), f.Type)
	}
	for _, a := range m.state.Areas {
		if a.Fstab != "" {
			fmt.Fprintf(&b, "%-41s %-23s %-7s defaults        0 0\n", a.Fstab, "none", "swap")
		}
	}
	return b.String()
}

// swapFiles adds what names the areas: units that systemd's generator made of fstab, links of udev.
func (m *Machine) swapFiles(files map[string]string) (links [][2]string) {
	for _, a := range m.state.Areas {
		if a.File {
			files[strings.TrimPrefix(a.Name, "/")] = ""
		}
		if a.UUID != "" {
			links = append(links, [2]string{"dev/disk/by-uuid/" + a.UUID, strings.TrimPrefix(a.Name, "/")})
		}
		if uuid, ok := strings.CutPrefix(a.Fstab, "UUID="); ok {
			unit := `run/systemd/generator/dev-disk-by\x2duuid-` + strings.ReplaceAll(uuid, "-", `\x2d`) + ".swap"
			files[unit] = "# Automatically generated by systemd-fstab-generator\n\n[Unit]\nSourcePath=/etc/fstab\n\n[Swap]\nWhat=/dev/disk/by-uuid/" + uuid + "\n"
		}
	}
	return links
}

// swapAtBoot turns on what fstab, as it is now, names.
func (m *Machine) swapAtBoot() {
	b, err := os.ReadFile(filepath.Join(m.root, "etc/fstab"))
	if err != nil {
		return // as written by layout
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "swap" {
			named[f[0]] = true
		}
	}
	for i := range m.state.Areas {
		a := &m.state.Areas[i]
		a.Off, a.back, a.leaving = !named[a.Fstab] && !named[a.Name], 0, false
	}
}
