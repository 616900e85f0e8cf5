package machine

import (
	"fmt"
	"math"
	"strings"
)

// write brings all files up to date.
func (m *Machine) write() error {
	files := map[string]string{
		"proc/stat":                      m.stat(),
		"proc/loadavg":                   fmt.Sprintf("%.2f %.2f %.2f 1/284 4242\n", m.state.Load[0], m.state.Load[1], m.state.Load[2]),
		"proc/uptime":                    fmt.Sprintf("%.2f 0.00\n", m.state.Up.Seconds()),
		"proc/meminfo":                   m.meminfo(),
		"proc/vmstat":                    fmt.Sprintf("nr_free_pages 42\npswpin %.0f\npswpout %.0f\npgmajfault %.0f\noom_kill %d\n", m.counts.swapIn, m.counts.swapOut, m.counts.swapIn/8, m.counts.oomKills),
		"proc/swaps":                     m.swaps(),
		"proc/diskstats":                 m.diskstats(),
		"proc/1/mountinfo":               m.mountinfo(),
		"proc/sys/kernel/random/boot_id": m.bootID() + "\n",
	}
	m.unitFiles(files)
	m.waitFiles(files)
	for name, s := range m.state.Pressure {
		// A kernel counts the stalls too; nobody here reads those.
		files["proc/pressure/"+name] = fmt.Sprintf("some avg10=%.2f avg60=%.2f avg300=0.00 total=0\nfull avg10=%.2f avg60=%.2f avg300=0.00 total=0\n",
			s.Some10, s.Some60, s.Full10, s.Full60)
	}
	for name, celsius := range m.state.Temps {
		base := m.tempBase(name)
		if base == "" {
			return fmt.Errorf("machine %s has no sensor %s", m.spec.Hostname, name)
		}
		if math.IsNaN(celsius) {
			files[base+"_fault"] = "1\n"
			continue
		}
		files[base+"_fault"] = "0\n"
		files[base+"_input"] = milli(celsius)
		if crit := m.tempOf(name).Crit; crit > 0 {
			files[base+"_crit_alarm"] = fmt.Sprintln(flag(celsius >= crit))
		}
	}
	for _, f := range m.state.Mounts {
		if f.Type == "ext4" {
			device := f.Device[strings.LastIndexByte(f.Device, '/')+1:]
			if n := m.mappedIndex(f.Device); n >= 0 {
				device = fmt.Sprintf("dm-%d", n)
			}
			files["sys/fs/ext4/"+device+"/errors_count"] = fmt.Sprintln(f.Errors)
			files["sys/fs/ext4/"+device+"/warning_count"] = fmt.Sprintln(f.Warnings)
		}
	}
	if err := m.dropUnits(); err != nil {
		return fmt.Errorf("removing groups of machine %s: %w", m.spec.Hostname, err)
	}
	for name, content := range files {
		if err := m.put(name, content); err != nil {
			return fmt.Errorf("writing %s of machine %s: %w", name, m.spec.Hostname, err)
		}
	}
	return nil
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

func (m *Machine) stat() string {
	var b strings.Builder
	line := func(name string, share float64) {
		b.WriteString(name)
		for _, seconds := range m.counts.cpu {
			fmt.Fprintf(&b, " %d", int64(seconds*share*100))
		}
		b.WriteString(" 0 0\n")
	}
	line("cpu ", 1)
	for n := range m.spec.CPUs {
		line(fmt.Sprintf("cpu%d", n), 1/float64(m.spec.CPUs))
	}
	fmt.Fprintf(&b, "ctxt 1\nbtime %d\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n", m.boot.Unix())
	return b.String()
}

func (m *Machine) meminfo() string {
	swap, swapped := m.swapSize()
	var b strings.Builder
	for _, f := range []struct {
		name  string
		bytes uint64
	}{
		{"MemTotal", m.spec.Memory},
		{"MemFree", m.state.Available - min(m.state.Cached, m.state.Available)},
		{"MemAvailable", m.state.Available},
		{"Buffers", 0},
		{"Cached", m.state.Cached},
		{"SwapTotal", swap},
		{"SwapFree", swap - swapped},
		{"Dirty", 0},
	} {
		fmt.Fprintf(&b, "%-15s %8d kB\n", f.name+":", f.bytes/1024)
	}
	return b.String()
}

func (m *Machine) diskstats() string {
	var b strings.Builder
	for i, d := range m.spec.Disks {
		c := m.counts.io[d.Name]
		half := c.waitMS / 2
		if c.reads+c.writes > 0 {
			half = c.waitMS * c.reads / (c.reads + c.writes)
		}
		fmt.Fprintf(&b, "%4d %7d %s %.0f 0 %.0f %.0f %.0f 0 %.0f %.0f 0 %.0f %.0f 0 0 0 0 0 0\n", major(d.Name), i*16, d.Name,
			c.reads, c.readSectors, half, c.writes, c.writeSectors, c.waitMS-half, c.busyMS, c.waitMS)
	}
	return b.String()
}

func (m *Machine) mountinfo() string {
	var b strings.Builder
	b.WriteString("22 1 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw\n")
	b.WriteString("23 1 0:22 / /dev/shm rw,nosuid,nodev shared:3 - tmpfs tmpfs rw\n")
	for i, f := range m.state.Mounts {
		mode := "rw"
		if f.ReadOnly {
			mode = "ro"
		}
		fmt.Fprintf(&b, "%d 1 %s / %s %s,relatime shared:%d - %s %s %s\n", 100+i, m.number(f.Device, i),
			strings.ReplaceAll(f.Point, " ", `\040`), mode, i+20, f.Type, f.Device, mode)
	}
	return b.String()
}
