package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Host is a machine that strata reads itself, or that Prometheus tells of.
type Host struct {
	Source   string    `json:"source"`
	Name     string    `json:"name"`
	Boot     time.Time `json:"boot,omitzero"` // btime of /proc/stat
	BootID   string    `json:"bootId,omitempty"`
	Identity HostID    `json:"identity"`
	CPUs     int       `json:"cpus,omitempty"`
	// Busy is the share of all CPUs' time that was not idle since the poll before, 0 to 1.
	Busy Opt[float64] `json:"busy"`
	// Steal is the share the hypervisor below took, 0 to 1.
	Steal    Opt[float64] `json:"steal"`
	Load     [3]float64   `json:"load"` // over 1, 5 and 15 minutes; see LoadKnown
	Memory   Memory       `json:"memory"`
	Swap     Swap         `json:"swap"`
	Pressure *Pressure    `json:"pressure,omitempty"` // nil when the kernel has no PSI
	Waits    *Waits       `json:"waits,omitempty"`    // nil when tasks could not be looked at
	Rights   *Rights      `json:"rights,omitempty"`   // nil when not known
	// Missing says what could not be read here and why, for the pane and for doctor. Each line begins with what it is
	// about: "load: ", "memory: ", "temperatures: ".
	Missing []string `json:"missing,omitempty"`
}

// HostID is what a machine says of itself.
type HostID struct {
	Kernel     string `json:"kernel,omitempty"`
	OS         string `json:"os,omitempty"`
	Virtual    string `json:"virtual,omitempty"`    // the hypervisor it runs on, "" on metal
	SystemUUID string `json:"systemUUID,omitempty"` // DMI product_uuid, root only
	MachineID  string `json:"machineID,omitempty"`
	Model      string `json:"model,omitempty"` // DMI vendor and product
	// MACs are those of its network cards, in lower case: of a virtual machine what its domain is known by where the UUID is not
	// to be had.
	MACs []string `json:"macs,omitempty"`
	// Newest is the newest kernel installed; nil where /boot holds none, or cannot be read.
	Newest *KernelImage `json:"newestKernel,omitempty"`
	// Nova is what nova-compute is told here; nil where there is no Nova.
	Nova *NovaConf `json:"novaConf,omitempty"`
	// Lost says why a machine of a source of many cannot be seen now; then nothing but its identity is told. A machine with a
	// source of its own is lost with its source. Missing names the figures then too.
	Lost string `json:"lost,omitempty"`
}

// Memory is /proc/meminfo in bytes. All of it is zero where that could not be read: no machine has none.
type Memory struct {
	Total     uint64      `json:"totalBytes"`
	Available Opt[uint64] `json:"availableBytes"`
	Cached    uint64      `json:"cachedBytes,omitempty"`
	Dirty     uint64      `json:"dirtyBytes,omitempty"`
	// MajorFaultsSec is how often each second a task had to wait for a page to be read (pgmajfault of /proc/vmstat).
	MajorFaultsSec Opt[float64] `json:"majorFaultsPerSec,omitzero"`
	Overcommit     Opt[int]     `json:"overcommit,omitzero"`   // vm.overcommit_memory: 2 refuses what exceeds CommitLimit
	Committed      Opt[int]     `json:"committedPct,omitzero"` // Committed_AS in percent of CommitLimit, in steps of five, where that is a limit
	Saving         Saving       `json:"saving,omitzero"`
}

// Saving is what makes memory go further: merging of equal pages (KSM) and swap that is kept in memory, compressed (zswap).
// What the kernel does not tell is missing.
type Saving struct {
	Merging Opt[bool]   `json:"ksm,omitzero"`            // /sys/kernel/mm/ksm/run is 1
	Shared  Opt[uint64] `json:"ksmSharedBytes,omitzero"` // what merged pages take (pages_shared)
	Merged  Opt[uint64] `json:"ksmMergedBytes,omitzero"` // what they would take more if they were not (pages_sharing)
	Profit  Opt[int64]  `json:"ksmProfitBytes,omitzero"` // Merged less what merging itself takes (general_profit); since 6.1
	Zswap   Opt[bool]   `json:"zswap,omitzero"`          // /sys/module/zswap/parameters/enabled
	Stored  Opt[uint64] `json:"zswappedBytes,omitzero"`  // what of the swap in use is kept in memory (Zswapped of /proc/meminfo); since 5.19
	Pool    Opt[uint64] `json:"zswapBytes,omitzero"`     // the memory that takes (Zswap)
}

// Swap is the swap in use and what goes in and out of it. A total of zero is no swap, or not known: see SwapKnown.
type Swap struct {
	Total       uint64       `json:"totalBytes"`
	Used        uint64       `json:"usedBytes"`
	InBytesSec  Opt[float64] `json:"inBytesPerSec"` // pswpin of /proc/vmstat
	OutBytesSec Opt[float64] `json:"outBytesPerSec"`
	Swappiness  Opt[int]     `json:"swappiness"`     // vm.swappiness, 0 to 200
	Kept        Opt[int]     `json:"swappinessKept"` // what strata's own file in /etc/sysctl.d sets at boot
}

// SysctlFile is the file in which strata keeps kernel settings for the next boot.
const SysctlFile = "/etc/sysctl.d/90-strata.conf"

// Pressure is PSI: the share of time (0 to 100) in which some or all tasks waited, as 10 s and 60 s averages. Prometheus
// has the sums only: then both are the share between its last two samples.
type Pressure struct {
	CPU    Stall `json:"cpu"`
	Memory Stall `json:"memory"`
	IO     Stall `json:"io"`
}

// Stall is one file of /proc/pressure.
type Stall struct {
	Some10 float64 `json:"some10"`
	Some60 float64 `json:"some60"`
	Full10 float64 `json:"full10"`
	Full60 float64 `json:"full60"`
}

// Ref of a host is its name.
func (h *Host) Ref() Ref { return Ref{KindHost, h.Source, h.Name} }

// LoadKnown reports whether the load averages could be read.
func (h *Host) LoadKnown() bool {
	return !slices.ContainsFunc(h.Missing, func(line string) bool { return strings.HasPrefix(line, "load: ") })
}

// MemoryKnown reports whether it is known how much memory there is and how much is left.
func (h *Host) MemoryKnown() bool { return h.Memory.Total > 0 && h.Memory.Available.OK }

// SwapKnown reports whether it is known how much swap there is; then a total of zero is none.
func (h *Host) SwapKnown() bool { return h.Swap.Total > 0 || h.Memory.Total > 0 }

// MarshalJSON writes null for what could not be read.
func (h *Host) MarshalJSON() ([]byte, error) {
	type plain Host
	if h.LoadKnown() && h.Memory.Total > 0 {
		return json.Marshal((*plain)(h))
	}
	type plainMemory Memory
	type plainSwap Swap
	out := struct {
		*plain
		Load   Opt[[3]float64] `json:"load"`
		Memory struct {
			plainMemory
			Total Opt[uint64] `json:"totalBytes"`
		} `json:"memory"`
		Swap struct {
			plainSwap
			Total Opt[uint64] `json:"totalBytes"`
			Used  Opt[uint64] `json:"usedBytes"`
		} `json:"swap"`
	}{plain: (*plain)(h), Load: Opt[[3]float64]{V: h.Load, OK: h.LoadKnown()}}
	out.Memory.plainMemory, out.Swap.plainSwap = plainMemory(h.Memory), plainSwap(h.Swap)
	out.Memory.Total = Opt[uint64]{V: h.Memory.Total, OK: h.Memory.Total > 0}
	out.Swap.Total, out.Swap.Used = Opt[uint64]{V: h.Swap.Total, OK: h.SwapKnown()}, Opt[uint64]{V: h.Swap.Used, OK: h.SwapKnown()}
	return json.Marshal(out)
}

// Health tells memory and swap apart from the rest: the two that kill.
func (h *Host) Health() Health {
	if h.Identity.Lost != "" {
		return Health{StateBad, "lost"}
	}
	if h.MemoryKnown() {
		free := float64(h.Memory.Available.V) / float64(h.Memory.Total)
		switch {
		case free < 0.05:
			return Health{StateBad, fmt.Sprintf("%.0f %% memory left", free*100)}
		case free < 0.10:
			return Health{StateWarn, fmt.Sprintf("%.0f %% memory left", free*100)}
		}
	}
	if h.Swap.Total > 0 {
		if used := float64(h.Swap.Used) / float64(h.Swap.Total); used > 0.5 {
			return Health{StateWarn, fmt.Sprintf("swap %.0f %% used", used*100)}
		}
	}
	if !h.MemoryKnown() {
		return Health{StateUnknown, "memory not known"}
	}
	return Health{StateOK, "up"}
}

// Sensor is one temperature (hwmon temp*_input), or one fan. Limits are the sensor's own; absurd ones are missing.
type Sensor struct {
	Source  string       `json:"source"`
	Host    string       `json:"host"`
	Chip    string       `json:"chip"`             // coretemp, nvme, drivetemp, ...
	Name    string       `json:"name"`             // unique on the host: chip@device/tempN
	Label   string       `json:"label"`            // Package id 0, Composite, ...
	Disk    string       `json:"disk,omitempty"`   // the disk it belongs to, as in /sys/block
	Celsius Opt[float64] `json:"celsius"`          // missing when the sensor is faulted or unreadable
	Max     Opt[float64] `json:"maxCelsius"`       // temp*_max
	Crit    Opt[float64] `json:"critCelsius"`      // temp*_crit
	MaxHyst Opt[float64] `json:"maxHystCelsius"`   // temp*_max_hyst
	Alarm   bool         `json:"alarm,omitempty"`  // temp*_crit_alarm or temp*_alarm, of a fan fan*_alarm
	Fan     *Fan         `json:"fan,omitempty"`    // of a fan, which has no temperature
	NoData  string       `json:"noData,omitempty"` // why there is no reading
	// Turns are the newest changes of its temperature by much, oldest first. Spots and fans have none.
	Turns []Turn `json:"turns,omitempty"`
}

// Fan is a fan of a chip (hwmon fan*_input).
type Fan struct {
	RPM Opt[int] `json:"rpm"` // in steps of 100; missing when it is faulted or unreadable
	Min Opt[int] `json:"minRPM"`
	// Turned says that it was seen turning since it is looked at: there is a fan.
	Turned bool `json:"turned,omitempty"`
}

// Stopped reports whether a fan stands still that should turn, or alarms itself.
func (s *Sensor) Stopped() bool {
	return s.Fan != nil && (s.Alarm || s.Fan.RPM.OK && s.Fan.RPM.V == 0 && s.Fan.Min.Or(0) > 0)
}

// Ref of a sensor is its name on the host.
func (s *Sensor) Ref() Ref { return s.place().ref() }

func (s *Sensor) place() place { return place{KindSensor, s.Source, s.Host, s.Name} }

// Health compares the reading with the sensor's own limits only.
func (s *Sensor) Health() Health {
	switch {
	case s.Stopped() && s.Fan.RPM.V == 0 && !s.Fan.Turned:
		return Health{StateUnknown, "stopped"} // or there is none
	case s.Stopped():
		return Health{StateBad, "stopped"}
	case s.Fan != nil && s.Fan.RPM.OK:
		return Health{StateOK, "ok"}
	case !s.Celsius.OK:
		return Health{StateUnknown, "no data"}
	case s.Crit.OK && s.Celsius.V >= s.Crit.V, s.Alarm:
		return Health{StateBad, "critical"}
	case s.Max.OK && s.Celsius.V >= s.Max.V:
		return Health{StateWarn, "over max"}
	}
	return Health{StateOK, "ok"}
}

// Sample is the temperature, for the trend.
func (s *Sensor) Sample() (float64, bool) { return s.Celsius.V, s.Celsius.OK }

// Counter is a count of errors that only grows.
type Counter struct {
	Name  string    `json:"name"` // media_errors, reallocated, ext4_errors, ...
	Value uint64    `json:"value"`
	First uint64    `json:"first"` // the value when it was first read, or accepted; lower values restart it
	Since time.Time `json:"since"` // when that was
	// Grown is when it was last seen to have grown since then; zero when it was not, as when it grew while nobody looked.
	Grown time.Time `json:"grown,omitzero"`
}

// Grew is the change since the counter was first read, or accepted.
func (c Counter) Grew() uint64 { return c.Value - c.First }

// From is the counter as it counts from another value, which it had at a time.
func (c Counter) From(value uint64, at time.Time) Counter {
	c.First, c.Since = value, at
	if c.Grew() == 0 {
		c.Grown = time.Time{}
	}
	return c
}

// Disk is a whole disk (/sys/block) or an md array.
type Disk struct {
	Source     string    `json:"source"`
	Host       string    `json:"host"`
	Name       string    `json:"name"` // nvme0n1, sda
	Model      string    `json:"model,omitempty"`
	Serial     string    `json:"serial,omitempty"`
	Bus        string    `json:"bus,omitempty"`        // nvme, ata, scsi, virtio, md
	Controller string    `json:"controller,omitempty"` // its controller's PCI address
	Bytes      uint64    `json:"bytes,omitempty"`
	Rotational Opt[bool] `json:"rotational"`
	IO         DiskIO    `json:"io"`
	Smart      *Smart    `json:"smart,omitempty"` // nil when SMART could not be read; Missing says why
	Counters   []Counter `json:"counters,omitempty"`
	// Missing says which counters are not there and why.
	Missing []string `json:"missing,omitempty"`
}

// DiskIO is what a disk did since the poll before (/proc/diskstats).
type DiskIO struct {
	ReadBytesSec  Opt[float64]       `json:"readBytesPerSec"`
	WriteBytesSec Opt[float64]       `json:"writeBytesPerSec"`
	ReadsSec      Opt[float64]       `json:"readsPerSec"`
	WritesSec     Opt[float64]       `json:"writesPerSec"`
	Await         Opt[time.Duration] `json:"awaitNs"`        // mean time of an operation; missing when there was none
	Util          Opt[float64]       `json:"util"`           // share of time with I/O in flight, 0 to 1
	Queue         Opt[float64]       `json:"queue,omitzero"` // mean number of operations in flight or waiting
}

// Smart is a disk's own account of its health, from smartctl.
type Smart struct {
	At       time.Time    `json:"at"`       // when it was read
	Passed   Opt[bool]    `json:"passed"`   // the overall verdict; missing when smartctl gave none
	Warning  Opt[int]     `json:"warning"`  // NVMe critical_warning bits
	SparePct Opt[int]     `json:"sparePct"` // NVMe available_spare
	SpareMin Opt[int]     `json:"spareMinPct"`
	UsedPct  Opt[int]     `json:"usedPct"` // NVMe percentage_used, may exceed 100
	Celsius  Opt[float64] `json:"celsius"`
	Hours    Opt[int]     `json:"powerOnHours"`
	Cycles   Opt[int]     `json:"powerCycles"`
	SMR      bool         `json:"smr,omitempty"` // shingled recording, as the drive database tells
	Asleep   bool         `json:"asleep,omitempty"`
	Old      bool         `json:"old,omitempty"` // it could not be read for more than twice as long as it should take
	// Errors are the newest entries of an NVMe disk's error log, at most four. It is empty after each power cycle.
	Errors []NVMeError `json:"errors,omitempty"`
	Test   *SelfTest   `json:"selfTest,omitempty"` // the last one; nil where its log was not read
	ATA    *SmartATA   `json:"ata,omitempty"`      // nil for other disks
}

// NVMeError is an entry of an NVMe disk's error log.
type NVMeError struct {
	Count  uint64 `json:"count"`  // it is the so manieth in the disk's life
	Queue  int    `json:"queue"`  // 0 is that of admin commands
	Status int    `json:"status"` // the status field without its phase bit
}

// SelfTest is the last self-test of a disk; without a kind there never was one.
type SelfTest struct {
	Kind   string    `json:"kind,omitempty"`
	Says   string    `json:"says,omitempty"`
	Passed Opt[bool] `json:"passed"` // missing while it runs, or when it was stopped
	Hours  Opt[int]  `json:"hours"`  // the power-on hours at which it ended
}

// SmartATA is what only ATA disks tell.
type SmartATA struct {
	Failing    []string `json:"failing,omitempty"` // attributes that foretell a failure and are at their threshold now
	Worn       []string `json:"worn,omitempty"`    // those that tell of age and are
	LoadCycles Opt[int] `json:"loadCycles"`        // how often the heads were parked
}

// Ref of a disk is its kernel name on its host.
func (d *Disk) Ref() Ref { return d.place().ref() }

func (d *Disk) place() place { return place{KindDisk, d.Source, d.Host, d.Name} }

// Counter returns the counter of that name.
func (d *Disk) Counter(name string) (Counter, bool) {
	for _, c := range d.Counters {
		if c.Name == name {
			return c, true
		}
	}
	return Counter{}, false
}

// Health is what the disk itself says; growing counters are judged by the diagnosis.
func (d *Disk) Health() Health {
	if d.Smart == nil {
		return Health{StateUnknown, "no SMART"}
	}
	switch s := d.Smart; {
	case s.Passed.OK && !s.Passed.V:
		return Health{StateBad, "FAILING"}
	case s.Warning.Or(0) != 0:
		return Health{StateBad, fmt.Sprintf("warning 0x%02x", s.Warning.V)}
	case s.Old && s.Passed.Or(false):
		return Health{StateUnknown, "PASSED (old)"}
	case s.Old:
		return Health{StateUnknown, "SMART is old"}
	case s.Asleep:
		return Health{StateOK, "asleep"}
	case !s.Passed.OK:
		return Health{StateUnknown, "no verdict"}
	}
	return Health{StateOK, "PASSED"}
}

// Filesystem is a mounted filesystem with real storage behind it.
type Filesystem struct {
	Source      string    `json:"source"`
	Host        string    `json:"host"`
	Mount       string    `json:"mount"`
	Device      string    `json:"device"`
	Type        string    `json:"type"`
	Disks       []string  `json:"disks,omitempty"` // the whole disks below it, as in /sys/block
	Total       uint64    `json:"totalBytes"`
	Used        uint64    `json:"usedBytes"`
	Available   uint64    `json:"availableBytes"` // to ordinary users
	InodesTotal uint64    `json:"inodesTotal,omitempty"`
	InodesFree  uint64    `json:"inodesFree,omitempty"`
	ReadOnly    bool      `json:"readOnly,omitempty"`
	Counters    []Counter `json:"counters,omitempty"` // ext4_errors, btrfs_write_errs, ...
	// NoData says why there are no figures, as of a server that does not answer; all sizes and inodes are then zero.
	NoData string `json:"noData,omitempty"`
}

// Ref of a filesystem is its mount point.
func (f *Filesystem) Ref() Ref { return f.place().ref() }

func (f *Filesystem) place() place { return place{KindFilesystem, f.Source, f.Host, f.Mount} }

// MarshalJSON writes null for figures that are not there.
func (f *Filesystem) MarshalJSON() ([]byte, error) {
	type plain Filesystem
	if f.NoData == "" || f.Total > 0 {
		return json.Marshal((*plain)(f))
	}
	return json.Marshal(struct {
		*plain
		Total     Opt[uint64] `json:"totalBytes"`
		Used      Opt[uint64] `json:"usedBytes"`
		Available Opt[uint64] `json:"availableBytes"`
	}{plain: (*plain)(f)})
}

// UsedShare is used / (used + available), as df prints it; missing for filesystems that tell no size.
func (f *Filesystem) UsedShare() Opt[float64] {
	if f.Used+f.Available == 0 {
		return Opt[float64]{}
	}
	return Some(float64(f.Used) / float64(f.Used+f.Available))
}

// Health is by free space.
func (f *Filesystem) Health() Health {
	used := f.UsedShare()
	word := fmt.Sprintf("%.0f %%", used.V*100)
	switch {
	case f.NoData != "":
		return Health{StateUnknown, "no data"}
	case !used.OK:
		return Health{StateUnknown, "no size"}
	case used.V >= 0.97:
		return Health{StateBad, word}
	case used.V >= 0.90:
		return Health{StateWarn, word}
	}
	return Health{StateOK, word}
}

// Deed is a line of the audit log: what somebody did, or tried to do, through strata.
type Deed struct {
	Source  string    `json:"source,omitempty"`
	Line    int       `json:"line,omitempty"` // its line in the log
	ID      string    `json:"id"`             // ties the lines of one run together
	At      time.Time `json:"at"`
	Phase   string    `json:"phase"`  // begin, end, seen, not-seen, failed, aborted, refused; write and read-only for the cockpit's mode
	Who     string    `json:"who"`    // the operator's account and where they came from
	Action  string    `json:"action"` // the action's name, as in `strata act`
	Target  Ref       `json:"target"`
	Title   string    `json:"title"`
	Command []string  `json:"command,omitempty"`
	Params  string    `json:"params,omitempty"` // the action as JSON
	Before  string    `json:"before,omitempty"` // the target's state when it began
	After   string    `json:"after,omitempty"`
	Error   string    `json:"error,omitempty"`
	Undo    *Recipe   `json:"undo,omitempty"` // what would restore the state before
}

// Recipe is an action as text.
type Recipe struct {
	Action string `json:"action"`
	Params string `json:"params"` // the action as JSON
}

// Ref of a deed is its line, zero-padded so that the order is the file's.
func (d *Deed) Ref() Ref { return Ref{KindDeed, d.Source, fmt.Sprintf("%08d", d.Line)} }

// Health is by how it ended.
func (d *Deed) Health() Health {
	switch {
	case d.Error != "":
		return Health{StateBad, d.Phase}
	case d.Phase == "not-seen":
		return Health{StateWarn, d.Phase}
	}
	return Health{StateOK, d.Phase}
}
