package machine

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"strata/internal/fleet"
)

const cgroups = "sys/fs/cgroup/"

// Unit is a scope or service of systemd with a control group. One whose name begins with machine-qemu is libvirt's: its
// process is in the folder libvirt below it.
type Unit struct {
	Name    string // machine-qemu\x2d1\x2dcontroller.scope
	Slice   string // the folder below /sys/fs/cgroup it is in
	PID     int
	Command string // what /proc/PID/comm says
	Guest   string // the libvirt domain that qemu was started for
	CPU     float64
	Memory  uint64
	Swapped uint64
	SwapMax fleet.Opt[uint64] // memory.swap.max
	NoIO    bool              // the io controller is off for it, as for most services until a limit is set
	Stall   Stall             // its io.pressure
	IO      map[string]IO     // what it would do to each disk if nothing held it
	// Limits and LibvirtLimits are io.max of the unit and of its folder libvirt: by device number the keys rbps, wbps,
	// riops, wiops. A key that is not there is "max".
	Limits, LibvirtLimits map[string]map[string]uint64
}

type unitCounts struct {
	cpu float64 // seconds
	io  map[string]ioCounts
}

// Guest is the scope of a libvirt domain, as systemd-machined names it: libvirt numbers domains at each start.
func Guest(id int, domain string, pid int, disk string, memory, swapped uint64) Unit {
	return Unit{
		Name:  fmt.Sprintf(`machine-qemu\x2d%d\x2d%s.scope`, id, strings.ReplaceAll(domain, "-", `\x2d`)),
		Slice: "machine.slice", PID: pid, Command: "qemu-kvm", Guest: domain, Memory: memory, Swapped: swapped,
		IO: map[string]IO{disk: {}},
	}
}

// Unit is the unit of that name, nil if there is none. It may be changed in place.
func (s *State) Unit(name string) *Unit {
	if i := slices.IndexFunc(s.Units, func(u Unit) bool { return u.Name == name }); i >= 0 {
		return &s.Units[i]
	}
	return nil
}

// GuestUnit is the unit of a libvirt domain that runs, nil if none does. It may be changed in place.
func (s *State) GuestUnit(domain string) *Unit {
	if i := slices.IndexFunc(s.Units, func(u Unit) bool { return u.Guest == domain && domain != "" }); i >= 0 {
		return &s.Units[i]
	}
	return nil
}

// Units are the units as they are now.
func (m *Machine) Units() []Unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone().Units
}

// SetIOMax writes a line of a unit's io.max as the kernel takes it: keys rbps, wbps, riops and wiops, of which
// math.MaxUint64 is "max"; keys not named stay. It turns the io controller on. ENOENT is for a unit that is not there,
// ENODEV for a number that is no whole block device, ERANGE for a value of 0, EINVAL for another key.
func (m *Machine) SetIOMax(unit, number string, set map[string]uint64) error {
	return m.setIOMax(unit, number, set, func(u *Unit) *map[string]map[string]uint64 { return &u.Limits })
}

// SetLibvirtIOMax is SetIOMax for the folder libvirt below a unit, which virsh blkiotune writes to.
func (m *Machine) SetLibvirtIOMax(unit, number string, set map[string]uint64) error {
	return m.setIOMax(unit, number, set, func(u *Unit) *map[string]map[string]uint64 { return &u.LibvirtLimits })
}

func (m *Machine) setIOMax(unit, number string, set map[string]uint64, which func(*Unit) *map[string]map[string]uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.state.Unit(unit)
	if u == nil {
		return syscall.ENOENT
	}
	if _, err := os.Stat(filepath.Join(m.root, "sys/dev/block", number, "partition")); err == nil {
		return syscall.ENODEV
	}
	if _, err := os.Stat(filepath.Join(m.root, "sys/dev/block", number)); err != nil {
		return syscall.ENODEV
	}
	for key, v := range set {
		switch {
		case !slices.Contains(limitKeys(), key):
			return syscall.EINVAL
		case v == 0:
			return syscall.ERANGE
		}
	}
	limits := which(u)
	if *limits == nil {
		*limits = map[string]map[string]uint64{}
	}
	line := maps.Clone((*limits)[number])
	if line == nil {
		line = map[string]uint64{}
	}
	for key, v := range set {
		if v == math.MaxUint64 {
			delete(line, key)
		} else {
			line[key] = v
		}
	}
	if (*limits)[number] = line; len(line) == 0 {
		delete(*limits, number)
	}
	u.NoIO = false
	m.moved.Broadcast()
	return m.write()
}

// SetSwapMax sets a unit's memory.swap.max; missing is "max". ENOENT is for a unit that is not there.
func (m *Machine) SetSwapMax(unit string, most fleet.Opt[uint64]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.state.Unit(unit)
	if u == nil {
		return syscall.ENOENT
	}
	u.SwapMax = most
	m.moved.Broadcast()
	return m.write()
}

// DeviceNumber is the number of a block device by its kernel's name or its path below the root, links followed: "8:0"
// of sda, /dev/sda or /dev/disk/by-id/... It reports false for what is no block device.
func (m *Machine) DeviceNumber(device string) (number string, ok bool) {
	name := filepath.Base(device)
	if strings.HasPrefix(device, "/") {
		real, err := filepath.EvalSymlinks(filepath.Join(m.root, device))
		if err != nil {
			return "", false
		}
		name = filepath.Base(real)
	}
	for _, pattern := range []string{"sys/block/" + name + "/dev", "sys/block/*/" + name + "/dev"} {
		found, _ := filepath.Glob(filepath.Join(m.root, pattern))
		for _, f := range found {
			if b, err := os.ReadFile(f); err == nil {
				return strings.TrimSpace(string(b)), true
			}
		}
	}
	return "", false
}

func limitKeys() []string { return []string{"rbps", "wbps", "riops", "wiops"} }

// now is what a unit does to a disk: what it would like to, held by its limits. A device mapper's number holds nothing,
// and of limits in both places the lower one holds.
func (m *Machine) now(u *Unit, disk string) IO {
	io := u.IO[disk]
	number := ""
	for i, d := range m.spec.Disks {
		if d.Name == disk {
			number = fmt.Sprintf("%d:%d", major(d.Name), i*16)
		}
	}
	read, write := 1.0, 1.0
	for _, limits := range []map[string]uint64{u.Limits[number], u.LibvirtLimits[number]} {
		for _, l := range []struct {
			key   string
			rate  float64
			share *float64
		}{{"rbps", io.ReadBytes, &read}, {"riops", io.Reads, &read}, {"wbps", io.WriteBytes, &write}, {"wiops", io.Writes, &write}} {
			if most, ok := limits[l.key]; ok && l.rate > float64(most) {
				*l.share = min(*l.share, float64(most)/l.rate)
			}
		}
	}
	io.Reads, io.ReadBytes, io.Writes, io.WriteBytes = io.Reads*read, io.ReadBytes*read, io.Writes*write, io.WriteBytes*write
	return io
}

// held is what is done to a disk in all, of what would be if no unit was limited.
func (m *Machine) held(disk string, all IO) IO {
	before := all.ReadBytes + all.WriteBytes
	for i := range m.state.Units {
		u := &m.state.Units[i]
		wanted, is := u.IO[disk], m.now(u, disk)
		all.Reads -= min(all.Reads, wanted.Reads-is.Reads)
		all.Writes -= min(all.Writes, wanted.Writes-is.Writes)
		all.ReadBytes -= min(all.ReadBytes, wanted.ReadBytes-is.ReadBytes)
		all.WriteBytes -= min(all.WriteBytes, wanted.WriteBytes-is.WriteBytes)
	}
	if before > 0 {
		all.Util *= (all.ReadBytes + all.WriteBytes) / before
	}
	return all
}

func (m *Machine) countUnits(seconds float64) {
	for i := range m.state.Units {
		u := &m.state.Units[i]
		c := m.counts.units[u.Name]
		c.cpu += u.CPU * seconds
		if c.io == nil {
			c.io = map[string]ioCounts{}
		}
		for disk := range u.IO {
			sum := c.io[disk]
			sum.add(m.now(u, disk), seconds)
			c.io[disk] = sum
		}
		m.counts.units[u.Name] = c
	}
}

// unlimit is what a reboot does to limits: they were kept in /run.
func (m *Machine) unlimit() {
	for i := range m.state.Units {
		u := &m.state.Units[i]
		u.Limits, u.LibvirtLimits, u.SwapMax = nil, nil, fleet.Opt[uint64]{}
	}
}

func (u *Unit) folder() string { return cgroups + u.Slice + "/" + u.Name }

func (u *Unit) libvirt() bool { return strings.HasPrefix(u.Name, `machine-qemu`) }

// unitFiles adds the files of all groups and of their processes.
func (m *Machine) unitFiles(files map[string]string) {
	for i := range m.state.Units {
		u := &m.state.Units[i]
		c := m.counts.units[u.Name]
		at := u.folder()
		procs := fmt.Sprintf("%d\n", u.PID)
		files[cgroups+u.Slice+"/cgroup.events"] = "populated 1\nfrozen 0\n"
		files[cgroups+u.Slice+"/cgroup.procs"] = ""
		files[at+"/cgroup.events"] = "populated 1\nfrozen 0\n"
		files[at+"/cpu.stat"] = fmt.Sprintf("usage_usec %.0f\nuser_usec %.0f\nsystem_usec %.0f\n", c.cpu*1e6, c.cpu*6e5, c.cpu*4e5)
		files[at+"/memory.current"] = fmt.Sprintln(u.Memory)
		files[at+"/memory.swap.current"] = fmt.Sprintln(m.swappedOf(u))
		files[at+"/memory.swap.max"] = most(u.SwapMax.V, u.SwapMax.OK) + "\n"
		files[at+"/io.pressure"] = fmt.Sprintf("some avg10=%.2f avg60=%.2f avg300=0.00 total=0\nfull avg10=%.2f avg60=%.2f avg300=0.00 total=0\n",
			u.Stall.Some10, u.Stall.Some60, u.Stall.Full10, u.Stall.Full60)
		if u.libvirt() {
			files[at+"/cgroup.procs"] = ""
			files[at+"/libvirt/cgroup.procs"] = procs
			files[at+"/libvirt/io.max"] = ioMax(u.LibvirtLimits)
			files[at+"/libvirt/emulator/cgroup.type"] = "threaded\n"
		} else {
			files[at+"/cgroup.procs"] = procs
		}
		if !u.NoIO {
			files[at+"/io.max"] = ioMax(u.Limits)
			files[at+"/io.stat"] = m.ioStat(c)
		}
		command := u.Command + "\x00"
		if u.Guest != "" {
			command = "/usr/libexec/" + u.Command + "\x00-name\x00guest=" + strings.ReplaceAll(u.Guest, ",", ",,") + ",debug-threads=on\x00-S\x00"
		}
		proc := fmt.Sprintf("proc/%d/", u.PID)
		files[proc+"comm"] = u.Command + "\n"
		files[proc+"cmdline"] = command
		inside := strings.TrimPrefix(at, cgroups)
		if u.libvirt() {
			inside += "/libvirt/emulator"
		}
		files[proc+"cgroup"] = "0::/" + inside + "\n"
		files[proc+"status"] = fmt.Sprintf("Name:\t%s\nPid:\t%d\nVmSwap:\t%8d kB\n", u.Command, u.PID, m.swappedOf(u)/1024)
	}
}

// swappedOf is what a unit has in swap: nothing when there is no swap.
func (m *Machine) swappedOf(u *Unit) uint64 {
	_, used := m.swapSize()
	return min(u.Swapped, used)
}

// dropUnits removes what is there of units that are not any more.
func (m *Machine) dropUnits() error {
	want := map[string]bool{}
	for i := range m.state.Units {
		u := &m.state.Units[i]
		want[u.folder()], want[fmt.Sprintf("proc/%d", u.PID)] = true, true
	}
	for name := range m.counts.units {
		if m.state.Unit(name) == nil {
			delete(m.counts.units, name)
		}
	}
	for name := range m.written {
		folder, leaf := filepath.Split(name)
		folder = strings.TrimSuffix(folder, "/")
		if leaf != "cpu.stat" && leaf != "comm" || want[folder] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(m.root, folder)); err != nil {
			return err
		}
		maps.DeleteFunc(m.written, func(name, _ string) bool { return strings.HasPrefix(name, folder+"/") })
	}
	return nil
}

func (m *Machine) ioStat(c unitCounts) string {
	var b strings.Builder
	for i, d := range m.spec.Disks {
		if io, ok := c.io[d.Name]; ok {
			fmt.Fprintf(&b, "%d:%d rbytes=%.0f wbytes=%.0f rios=%.0f wios=%.0f dbytes=0 dios=0\n", major(d.Name), i*16,
				io.readSectors*sector, io.writeSectors*sector, io.reads, io.writes)
		}
	}
	return b.String()
}

func ioMax(limits map[string]map[string]uint64) string {
	var b strings.Builder
	for _, number := range slices.Sorted(maps.Keys(limits)) {
		b.WriteString(number)
		for _, key := range limitKeys() {
			v, ok := limits[number][key]
			b.WriteString(" " + key + "=" + most(v, ok))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func most(v uint64, limited bool) string {
	if !limited {
		return "max"
	}
	return fmt.Sprint(v)
}

func (u Unit) clone() Unit {
	u.IO = maps.Clone(u.IO)
	u.Limits, u.LibvirtLimits = cloneLimits(u.Limits), cloneLimits(u.LibvirtLimits)
	return u
}

func cloneLimits(limits map[string]map[string]uint64) map[string]map[string]uint64 {
	limits = maps.Clone(limits)
	for number, line := range limits {
		limits[number] = maps.Clone(line)
	}
	return limits
}
