package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unit is a systemd scope or service with its control group: a qemu process with its helpers, a database, a session.
// What a file of the group does not tell is missing; before a limit was ever set most groups have no io files at all.
type Unit struct {
	Source  string `json:"source"`
	Host    string `json:"host"`
	Name    string `json:"name"`             // as systemd has it, with its \x2d: machine-qemu\x2d1\x2dinstance\x2d0000001c.scope
	CGroup  string `json:"cgroup"`           // its folder below /sys/fs/cgroup
	Domain  string `json:"domain,omitempty"` // the libvirt domain that lives in it
	PID     int    `json:"pid,omitempty"`    // its main process: of a domain, qemu
	Command string `json:"command,omitempty"`
	// CPU is the share of one core it used since the look before.
	CPU      Opt[float64] `json:"cpu"`
	Memory   Opt[uint64]  `json:"memoryBytes"`          // memory.current
	Swapped  Opt[uint64]  `json:"swappedBytes"`         // memory.swap.current
	SwapMax  Opt[uint64]  `json:"swapMaxBytes"`         // memory.swap.max; missing when there is no limit
	Pressure *Stall       `json:"ioPressure,omitempty"` // io.pressure; nil when the kernel has none
	IO       []UnitIO     `json:"io,omitempty"`         // of each whole disk it touched or is limited on, by name
	// Lost are limits that somebody wanted and that do not hold: an earlier scope of the domain took them with it, while the
	// domain has none since; or systemd was told of them, and the kernel has none.
	Lost    []LostLimit `json:"lost,omitempty"`
	Missing []string    `json:"missing,omitempty"`
}

// UnitIO is what a unit does to one whole disk, and where it is limited there.
type UnitIO struct {
	Disk          string       `json:"disk"`   // as in /sys/block
	Number        string       `json:"number"` // "259:0"
	ReadBytesSec  Opt[float64] `json:"readBytesPerSec"`
	WriteBytesSec Opt[float64] `json:"writeBytesPerSec"`
	ReadsSec      Opt[float64] `json:"readsPerSec"`
	WritesSec     Opt[float64] `json:"writesPerSec"`
	Limit         IOLimit      `json:"limit"`        // io.max of the unit, which systemd writes
	LibvirtLimit  IOLimit      `json:"libvirtLimit"` // io.max of its folder libvirt, which virsh blkiotune writes
}

// LostLimit is a limit that ended with its scope, or that systemd never brought to the kernel.
type LostLimit struct {
	Disk  string    `json:"disk"` // of one that systemd was told of: the device as it was told
	Limit IOLimit   `json:"limit"`
	Unit  string    `json:"unit"`        // the scope that had it
	At    time.Time `json:"at,omitzero"` // when the next scope was seen without it
	// DropIn is the file that has systemd set it; empty of one that ended with its scope.
	DropIn string `json:"dropIn,omitempty"`
}

// IOLimit is a limit on I/O. What is missing is not limited.
type IOLimit struct {
	ReadBytesSec  Opt[uint64] `json:"readBytesPerSec"`
	WriteBytesSec Opt[uint64] `json:"writeBytesPerSec"`
	ReadsSec      Opt[uint64] `json:"readsPerSec"`
	WritesSec     Opt[uint64] `json:"writesPerSec"`
}

// Any reports whether anything is limited.
func (l IOLimit) Any() bool { return l != IOLimit{} }

// String is the limit as io.max has it, without what is not limited: "wbps=2000000 riops=50".
func (l IOLimit) String() string {
	var says []string
	for _, f := range []struct {
		key   string
		limit Opt[uint64]
	}{{"rbps", l.ReadBytesSec}, {"wbps", l.WriteBytesSec}, {"riops", l.ReadsSec}, {"wiops", l.WritesSec}} {
		if f.limit.OK {
			says = append(says, fmt.Sprintf("%s=%d", f.key, f.limit.V))
		}
	}
	return strings.Join(says, " ")
}

// ParseIOMax reads io.max by device number. A key that is "max" is not limited; a device without any limit is left out.
func ParseIOMax(text string) map[string]IOLimit {
	var all map[string]IOLimit
	for line := range strings.Lines(text) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !IsDeviceNumber(number) {
			continue
		}
		var l IOLimit
		for _, f := range strings.Fields(rest) {
			key, value, _ := strings.Cut(f, "=")
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil || n == 1<<64-1 {
				continue
			}
			switch key {
			case "rbps":
				l.ReadBytesSec = Some(n)
			case "wbps":
				l.WriteBytesSec = Some(n)
			case "riops":
				l.ReadsSec = Some(n)
			case "wiops":
				l.WritesSec = Some(n)
			}
		}
		if l.Any() {
			if all == nil {
				all = map[string]IOLimit{}
			}
			all[number] = l
		}
	}
	return all
}

// IsDeviceNumber reports whether a word is a device's major:minor.
func IsDeviceNumber(word string) bool {
	major, minor, ok := strings.Cut(word, ":")
	_, err1 := strconv.ParseUint(major, 10, 32)
	_, err2 := strconv.ParseUint(minor, 10, 32)
	return ok && err1 == nil && err2 == nil
}

// Bytes is what is read and written together each second; missing when neither is known.
func (d *UnitIO) Bytes() Opt[float64] {
	return Opt[float64]{V: d.ReadBytesSec.V + d.WriteBytesSec.V, OK: d.ReadBytesSec.OK || d.WriteBytesSec.OK}
}

// Busiest is the disk that the unit loads most; of those alike, one it is limited on. It is nil when there is none.
func (u *Unit) Busiest() (most *UnitIO) {
	rank := func(d *UnitIO) float64 {
		if d.Limit.Any() || d.LibvirtLimit.Any() {
			return d.Bytes().V + 0.5
		}
		return d.Bytes().V
	}
	for i := range u.IO {
		if most == nil || rank(&u.IO[i]) > rank(most) {
			most = &u.IO[i]
		}
	}
	return most
}

// Lacks reports whether a file of the unit's group could not be read.
func (u *Unit) Lacks(file string) bool {
	return slices.ContainsFunc(u.Missing, func(m string) bool { return strings.HasPrefix(m, file+":") })
}

// Limited reports whether anything of the unit's I/O is limited by its control groups.
func (u *Unit) Limited() bool {
	for i := range u.IO {
		if u.IO[i].Limit.Any() || u.IO[i].LibvirtLimit.Any() {
			return true
		}
	}
	return false
}

// Ref of a unit is its name on its host.
func (u *Unit) Ref() Ref { return Ref{KindUnit, u.Source, u.Name} }

// Health of a unit: having one is to be up.
func (u *Unit) Health() Health { return Health{StateOK, "up"} }

// SwapArea is a partition or file to swap to: in use, or only meant to be at boot.
type SwapArea struct {
	Source   string      `json:"source"`
	Host     string      `json:"host"`
	Name     string      `json:"name"`             // its path: as in /proc/swaps, else what the line of fstab resolves to
	Type     string      `json:"type"`             // partition, file
	Mapped   []string    `json:"mapped,omitempty"` // device mapper and md devices on the way to the disk, upper ones first: "dm-1 rl-swap"
	Active   bool        `json:"active"`
	Total    Opt[uint64] `json:"totalBytes"` // missing when it is off
	Used     Opt[uint64] `json:"usedBytes"`
	Priority int         `json:"priority,omitempty"`
	Disk     string      `json:"disk,omitempty"`  // the whole disk below it; of a RAID the first
	Fstab    string      `json:"fstab,omitempty"` // the line of /etc/fstab that turns it on at boot
	Units    []string    `json:"units,omitempty"` // unit files of systemd that do
}

// Ref of a swap area is its path.
func (a *SwapArea) Ref() Ref { return Ref{KindSwap, a.Source, a.Name} }

// Health tells on from off; whether swap is well used is judged from its host.
func (a *SwapArea) Health() Health {
	if a.Active {
		return Health{StateOK, "on"}
	}
	return Health{StateOK, "off"}
}

// DiskPath is the way from a file or device down to the controller of the whole disk that holds it.
type DiskPath struct {
	File       string   `json:"file,omitempty"`
	Mount      string   `json:"mount,omitempty"`
	Filesystem string   `json:"filesystem,omitempty"` // its type
	Mapped     []string `json:"mapped,omitempty"`     // device mapper and md devices, upper ones first: "dm-2 rl-home"
	Partition  string   `json:"partition,omitempty"`
	Disks      []string `json:"disks,omitempty"`      // whole disks, as in /sys/block; more than one below a RAID
	Controller string   `json:"controller,omitempty"` // PCI address of the first disk's controller
}

// Domain is a libvirt domain: a virtual machine as its hypervisor sees it.
type Domain struct {
	Source  string       `json:"source"`
	Host    string       `json:"host"`
	Name    string       `json:"name"`
	UUID    string       `json:"uuid"`
	State   string       `json:"state"`            // running, paused, shut off, crashed, ...
	Reason  string       `json:"reason,omitempty"` // why: "I/O error", "destroyed", ...
	Compute DomainSize   `json:"size"`
	Disks   []DomainDisk `json:"disks,omitempty"`
	Process DomainRun    `json:"run"`
	Nova    string       `json:"nova,omitempty"` // the name Nova gave its server, for domains of Nova
	Set     DomainSet    `json:"set"`
	MACs    []string     `json:"macs,omitempty"`
	Log     *QemuLog     `json:"log,omitempty"` // nil when qemu never wrote one here
	Missing []string     `json:"missing,omitempty"`
}

// DomainSize is what a domain may use.
type DomainSize struct {
	VCPUs  int    `json:"vcpus"`
	Memory uint64 `json:"memoryBytes"`
	// Balloon is what its balloon leaves it of that while it runs (balloon.current of its statistics).
	Balloon Opt[uint64] `json:"balloonBytes,omitzero"`
}

// DomainRun is a domain at work. All of it changes with each start.
type DomainRun struct {
	ID      Opt[int]     `json:"id"`
	PID     int          `json:"pid,omitempty"`
	Unit    string       `json:"unit,omitempty"` // its systemd scope
	Started time.Time    `json:"started,omitzero"`
	CPU     Opt[float64] `json:"cpu"`          // share of one core
	Swapped Opt[uint64]  `json:"swappedBytes"` // VmSwap of qemu
}

// DomainSet is how a domain is kept.
type DomainSet struct {
	Persistent bool `json:"persistent"`
	Autostart  bool `json:"autostart"`
	// PanicSeen is whether a panic of the guest ends in something: it has a panic device, or a watchdog that acts.
	PanicSeen Opt[bool] `json:"panicSeen,omitzero"`
}

// DomainTune is a limit inside qemu on one disk of a domain (blkdeviotune). What is missing is not limited. Libvirt takes
// a limit on reads and writes together or one on each, not both.
type DomainTune struct {
	ReadBytesSec  Opt[uint64] `json:"readBytesPerSec"`
	WriteBytesSec Opt[uint64] `json:"writeBytesPerSec"`
	ReadsSec      Opt[uint64] `json:"readsPerSec"`
	WritesSec     Opt[uint64] `json:"writesPerSec"`
	TotalBytesSec Opt[uint64] `json:"totalBytesPerSec"`
	TotalSec      Opt[uint64] `json:"totalPerSec"` // reads and writes together
}

// Any reports whether anything is limited.
func (t DomainTune) Any() bool { return t != DomainTune{} }

// DomainDisk is a disk of a domain.
type DomainDisk struct {
	Target  string   `json:"target"` // vda
	File    string   `json:"file"`   // file or block device of the host
	Format  string   `json:"format,omitempty"`
	Backing []string `json:"backing,omitempty"` // the files below it, upper ones first
	Path    DiskPath `json:"path"`
	// Capacity is the size of the disk that the guest sees, in bytes.
	Capacity Opt[uint64]  `json:"capacityBytes,omitzero"`
	Cache    string       `json:"cache,omitempty"` // none, writeback, writethrough, directsync, unsafe; empty is the default of qemu
	Error    string       `json:"error,omitempty"` // its block error: "no space", "unspecified error"
	Tune     DomainTune   `json:"tune"`            // blkdeviotune at work, inside qemu
	Kept     DomainTune   `json:"kept"`            // blkdeviotune of the stored definition
	Read     Opt[float64] `json:"readBytesPerSec"`
	Write    Opt[float64] `json:"writeBytesPerSec"`
}

// Ref of a domain is its UUID: names can change. Some exporters of Prometheus tell none.
func (d *Domain) Ref() Ref {
	if d.UUID == "" {
		return OfHost(KindDomain, d.Source, d.Host, d.Name)
	}
	return Ref{KindDomain, d.Source, d.UUID}
}

// Health is the state that libvirt tells.
func (d *Domain) Health() Health {
	word := d.State
	if d.Reason != "" {
		word += " (" + d.Reason + ")"
	}
	switch d.State {
	case "running":
		return Health{StateOK, word}
	case "crashed":
		return Health{StateBad, word}
	case "paused":
		if d.Reason == "I/O error" || d.Reason == "crashed" {
			return Health{StateBad, word}
		}
		return Health{StateWarn, word}
	case "shut off":
		if d.Reason == "crashed" || d.Reason == "failed" {
			return Health{StateBad, word}
		}
		return Health{StateWarn, word}
	}
	return Health{StateUnknown, word}
}
