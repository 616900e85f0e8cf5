package machine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Domain is a virtual machine that a machine's libvirt has defined.
type Domain struct {
	Name, UUID string
	Nova       string // the name of the Nova server that it is; "" for one that Nova knows nothing of
	VCPUs      int
	Memory     uint64
	MAC        string
	Disks      []DomainDisk
	State      string // running, paused, shut off, crashed
	Reason     string // as virsh domstate --reason has it
	ID, PID    int    // while it runs; New and every start choose those that are zero
	Swapped    uint64
	Transient  bool
	Autostart  bool
	XML        string // what dumpxml prints instead of its definition
}

// DomainDisk is a disk of a domain.
type DomainDisk struct {
	Target, File, Format, Backing string
	Size                          uint64            // what its file takes, bytes
	Tune, Kept                    map[string]uint64 // blkdeviotune at work and as stored: total_bytes_sec, read_iops_sec, ...
	Read, Write                   float64           // bytes per second it would like
	Error                         string            // "no space", "unspecified error"
	Leaks, Corruptions            int               // what qemu-img check finds

	read, written float64
}

// virt is the libvirt of a machine.
type virt struct {
	domains []*Domain // by name
	last    int       // the number of the domain that started last
	started map[string]time.Time
	broken  Break
	copies  []string
	by      map[string]string // by domain, what was last told to it through virsh
	logs    []qemuLine        // what is to be written to the logs of qemu
	files   map[string]bool   // pid files and process folders that are there
}

// Break is how a libvirt fails.
type Break string

// Ways to fail.
const (
	Whole  Break = ""
	Absent Break = "absent" // no daemon listens
	Denied Break = "denied"
	Hangs  Break = "hangs" // no call is answered
	Loses  Break = "loses" // calls are carried out and not answered
)

// BreakLibvirt has virsh fail from now on.
func (m *Machine) BreakLibvirt(how Break) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.virt.broken = how
	m.moved.Broadcast()
}

// Define adds a domain, or replaces the one of its name.
func (m *Machine) Define(d Domain) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.Disks = slices.Clone(d.Disks)
	for i := range d.Disks {
		d.Disks[i].Kept = maps.Clone(d.Disks[i].Kept)
		d.Disks[i].Tune = maps.Clone(d.Disks[i].Tune)
	}
	if d.State == "" {
		d.State, d.Reason = "shut off", "unknown"
	}
	m.virt.domains = slices.DeleteFunc(m.virt.domains, func(o *Domain) bool { return o.Name == d.Name })
	m.virt.domains = append(m.virt.domains, &d)
	slices.SortFunc(m.virt.domains, func(a, b *Domain) int { return cmp.Compare(a.Name, b.Name) })
	if d.active() {
		m.virt.run(&d, m.boot.Add(time.Minute))
	}
	return m.domainFiles()
}

// Undefine removes a domain.
func (m *Machine) Undefine(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.virt.domains = slices.DeleteFunc(m.virt.domains, func(o *Domain) bool { return o.Name == name })
	return m.domainFiles()
}

// ChangeDomain changes a domain by name or UUID. One that runs afterwards and did not before has a new number and
// process. It reports false for one that is not defined.
func (m *Machine) ChangeDomain(name string, how func(*Domain)) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.virt.find(name)
	if d == nil {
		return false, nil
	}
	m.virt.change(d, how)
	return true, m.domainFiles()
}

// Domain returns a domain as it is now, by name or UUID.
func (m *Machine) Domain(name string) (Domain, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.virt.find(name)
	if d == nil {
		return Domain{}, false
	}
	is := *d
	is.Disks = slices.Clone(d.Disks)
	return is, true
}

// TakeBy returns what was last told to a domain through virsh, once: "start", "shutdown", "destroy" or "resume".
func (m *Machine) TakeBy(name string) (by string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	by = m.virt.by[name]
	delete(m.virt.by, name)
	return by
}

func (v *virt) find(name string) *Domain {
	if i := slices.IndexFunc(v.domains, func(d *Domain) bool { return d.Name == name || d.UUID == name }); i >= 0 {
		return v.domains[i]
	}
	return nil
}

func (d *Domain) active() bool { return d.State == "running" || d.State == "paused" }

func (v *virt) change(d *Domain, how func(*Domain)) {
	before := d.active()
	how(d)
	switch {
	case d.active() && !before:
		d.ID, d.PID = 0, 0
		v.run(d, time.Now())
	case !d.active():
		if before {
			v.logEnd(d, time.Now())
		}
		d.ID, d.PID = 0, 0
		for i := range d.Disks {
			d.Disks[i].Tune, d.Disks[i].Error = nil, ""
		}
	}
}

// run gives a domain that starts its number, its process and the limits that are stored.
func (v *virt) run(d *Domain, at time.Time) {
	if d.ID == 0 {
		v.last++
		d.ID = v.last
	}
	v.last = max(v.last, d.ID)
	if d.PID == 0 {
		d.PID = 3000 + d.ID
	}
	if v.started == nil {
		v.started = map[string]time.Time{}
	}
	v.started[d.Name] = at
	v.logStart(d, at)
	for i := range d.Disks {
		disk := &d.Disks[i]
		disk.read, disk.written = 0, 0
		if disk.Tune == nil {
			disk.Tune = maps.Clone(disk.Kept)
		}
	}
}

// reboot is what becomes of domains when their machine starts anew.
func (v *virt) reboot() {
	v.last = 0
	for _, d := range v.domains {
		if d.active() {
			v.change(d, func(d *Domain) { d.State, d.Reason = "shut off", hostGone })
		}
	}
	v.domains = slices.DeleteFunc(v.domains, func(d *Domain) bool { return d.Transient })
}

// count moves the counters of the domains' disks.
func (v *virt) count(seconds float64) {
	for _, d := range v.domains {
		if d.State != "running" {
			continue
		}
		for i := range d.Disks {
			disk := &d.Disks[i]
			disk.read += held(disk.Read, disk.Tune["read_bytes_sec"], disk.Tune["total_bytes_sec"]) * seconds
			disk.written += held(disk.Write, disk.Tune["write_bytes_sec"], disk.Tune["total_bytes_sec"]) * seconds
		}
	}
}

func held(rate float64, limits ...uint64) float64 {
	for _, l := range limits {
		if l > 0 {
			rate = min(rate, float64(l))
		}
	}
	return rate
}

// domainFiles writes what libvirt shows of the domains that run, gives each its unit and process, and removes what is
// gone.
func (m *Machine) domainFiles() error {
	m.guestUnits()
	if err := errors.Join(m.write(), m.writeQemuLogs()); err != nil {
		return err
	}
	files := map[string]string{}
	for _, d := range m.virt.domains {
		if d.active() {
			files["run/libvirt/qemu/"+d.Name+".pid"] = fmt.Sprint(d.PID)
			ticks := max(0, m.virt.started[d.Name].Sub(m.boot).Milliseconds()/10)
			files[fmt.Sprintf("proc/%d/stat", d.PID)] = fmt.Sprintf("%d (qemu-kvm) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 4 0 %d 0\n", d.PID, ticks)
		}
	}
	for name := range m.virt.files {
		if _, still := files[name]; !still {
			if err := os.Remove(filepath.Join(m.root, name)); err != nil && !os.IsNotExist(err) {
				return err
			}
			delete(m.written, name)
		}
	}
	m.virt.files = map[string]bool{}
	for name, content := range files {
		m.virt.files[name] = true
		if err := m.put(name, content); err != nil {
			return err
		}
	}
	return nil
}

// guestUnits gives each domain that runs a unit of its own, and takes the units of those that do not: with them go their
// limits.
func (m *Machine) guestUnits() {
	for _, d := range m.virt.domains {
		is := m.state.GuestUnit(d.Name)
		if is != nil && d.active() && is.Name == d.scope() {
			is.PID = d.PID
			continue
		}
		m.state.Units = slices.DeleteFunc(m.state.Units, func(u Unit) bool { return u.Guest == d.Name })
		if d.active() {
			disk := ""
			if len(m.spec.Disks) > 0 {
				disk = m.spec.Disks[0].Name
			}
			m.state.Units = append(m.state.Units, Guest(d.ID, d.Name, d.PID, disk, d.Memory, d.Swapped))
		}
	}
}

// scope is the unit that systemd-machined makes for a domain that runs.
func (d *Domain) scope() string {
	return fmt.Sprintf(`machine-qemu\x2d%d\x2d%s.scope`, d.ID, strings.ReplaceAll(d.Name, "-", `\x2d`))
}
