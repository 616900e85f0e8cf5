// Package machine simulates a machine for the demo and for tests: the files of /proc, /sys and /etc that strata reads,
// smartctl and statfs. It knows nothing of who reads them.
package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Machine is a simulated machine. Its methods may be called from several goroutines.
type Machine struct {
	root string

	mu      sync.Mutex
	spec    Spec
	state   State
	boot    time.Time
	boots   int
	past    []bootRun
	waited  map[Waiting]int // how often each began or ended
	records int             // of the kernel's log since boot
	counts  counts
	written map[string]string // what each file holds
	systemd manager
	moved   *sync.Cond // the state was changed
	virt    virt
}

// counts is what a kernel counts since boot.
type counts struct {
	cpu      [8]float64 // seconds of user, nice, system, idle, iowait, irq, softirq, steal
	swapIn   float64    // pages
	swapOut  float64
	oomKills int
	io       map[string]ioCounts
	units    map[string]unitCounts // by unit
}

type ioCounts struct{ reads, writes, readSectors, writeSectors, waitMS, busyMS float64 }

// New writes the machine's files below dir, which may be empty, and returns it. Its time stands still until Advance
// or Run.
func New(dir string, s Spec) (*Machine, error) {
	m := &Machine{root: dir, spec: s, state: s.State.clone(), written: map[string]string{}}
	m.moved = sync.NewCond(&m.mu)
	m.boot = time.Now().Add(-m.state.Up)
	m.recall()
	m.counts = newCounts()
	if len(m.state.Areas) == 0 && s.Swap > 0 {
		m.state.Areas = []Area{m.swapVolume()}
	}
	if err := m.layout(); err != nil {
		return nil, fmt.Errorf("simulating machine %s: %w", s.Hostname, err)
	}
	m.count(m.state.Up)
	if err := m.booting(); err != nil {
		return nil, fmt.Errorf("simulating machine %s: %w", s.Hostname, err)
	}
	return m, m.write()
}

// Root is the folder that holds its proc, sys and etc.
func (m *Machine) Root() string { return m.root }

// Change changes the state and writes what follows from it. On an error the state is as before.
func (m *Machine) Change(how func(*State)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.state
	m.state = before.clone()
	how(&m.state)
	if err := m.write(); err != nil {
		m.state = before
		return err
	}
	m.moved.Broadcast()
	return nil
}

// Advance lets time pass: counters grow and the machine is up for longer.
func (m *Machine) Advance(d time.Duration) error {
	defer m.ring()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Up += d
	m.count(d)
	return m.write()
}

// Step is Advance and Change at once: what happened until now counts as the state was before. Each file is written once.
func (m *Machine) Step(d time.Duration, how func(*State)) error {
	m.mu.Lock()
	m.state.Up += d
	m.count(d)
	m.mu.Unlock()
	defer m.ring()
	return m.Change(how)
}

// Run lets time pass as it does, until ctx ends.
func (m *Machine) Run(ctx context.Context) error {
	const step = 250 * time.Millisecond
	ticks := time.NewTicker(step)
	defer ticks.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			now := time.Now()
			if err := m.Advance(now.Sub(last)); err != nil {
				return err
			}
			last = now
		}
	}
}

// Reboot starts the machine anew: counters at zero, another boot id, nothing in swap, those areas on that its fstab
// names, no limits. It is cut off, as by a panic.
func (m *Machine) Reboot() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.past = append(m.past, bootRun{m.bootID(), m.boot, m.boot.Add(m.state.Up), true})
	m.boots++
	m.boot, m.state.Up, m.state.SwapUsed = time.Now(), 0, 0
	m.counts = newCounts()
	m.swapAtBoot()
	m.unlimit()
	m.systemd.timers = nil
	m.virt.reboot()
	if err := errors.Join(m.booting(), m.domainFiles()); err != nil {
		return err
	}
	return m.write()
}

// count adds to the counters what happens in a span of time.
func (m *Machine) count(d time.Duration) {
	s, seconds := &m.state, d.Seconds()
	all := seconds * float64(m.spec.CPUs)
	c := &m.counts.cpu
	c[0] += all * s.Busy * 0.6
	c[2] += all * s.Busy * 0.4
	c[7] += all * s.Steal
	c[3] += all * max(0, 1-s.Busy-s.Steal)
	m.counts.swapIn += s.SwapIn * seconds / pageSize()
	m.counts.swapOut += s.SwapOut * seconds / pageSize()
	for disk, wanted := range s.IO {
		io := m.held(disk, wanted)
		c := m.counts.io[disk]
		c.add(io, seconds)
		c.waitMS += (io.Reads + io.Writes) * seconds * float64(io.Await) / float64(time.Millisecond)
		c.busyMS += io.Util * seconds * 1000
		m.counts.io[disk] = c
	}
	m.countUnits(seconds)
	m.virt.count(seconds)
}

// add counts what is done in so many seconds.
func (c *ioCounts) add(io IO, seconds float64) {
	c.reads += io.Reads * seconds
	c.writes += io.Writes * seconds
	c.readSectors += io.ReadBytes * seconds / sector
	c.writeSectors += io.WriteBytes * seconds / sector
}

func newCounts() counts { return counts{io: map[string]ioCounts{}, units: map[string]unitCounts{}} }

const sector = 512

func pageSize() float64 { return float64(os.Getpagesize()) }

func (s State) clone() State {
	s.Pressure = maps.Clone(s.Pressure)
	s.Temps = maps.Clone(s.Temps)
	s.IO = maps.Clone(s.IO)
	s.Mounts = slices.Clone(s.Mounts)
	s.Areas = slices.Clone(s.Areas)
	s.Waiting = slices.Clone(s.Waiting)
	s.Units = slices.Clone(s.Units)
	for i := range s.Units {
		s.Units[i] = s.Units[i].clone()
	}
	smart := make(map[string]*Report, len(s.Smart))
	for disk, r := range s.Smart {
		smart[disk] = r.clone()
	}
	s.Smart = smart
	return s
}

// put writes a file if it changed. A reader of a file that was there sees either the old content or the new.
func (m *Machine) put(name, content string) error {
	old, ok := m.written[name]
	if ok && old == content {
		return nil
	}
	path := filepath.Join(m.root, name)
	first := path
	if ok {
		first = filepath.Join(m.root, ".next")
	} else if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(first, []byte(content), 0o644); err != nil {
		return err
	}
	if ok {
		if err := os.Rename(first, path); err != nil {
			return err
		}
	}
	m.written[name] = content
	return nil
}

// link makes a symbolic link at name to target, both below the root, relative as sysfs has them.
func (m *Machine) link(name, target string) error {
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	to, err := filepath.Rel(filepath.Dir(name), target)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return os.Symlink(to, path)
}

func milli(celsius float64) string { return fmt.Sprintf("%d\n", int64(math.Round(celsius*1000))) }
