package machine

import "time"

// Spec is what a machine is made of. It does not change while the machine runs; its State does.
type Spec struct {
	Hostname  string
	OS        string // PRETTY_NAME of /etc/os-release
	Kernel    string
	Vendor    string // DMI sys_vendor
	Product   string // DMI product_name
	UUID      string // DMI product_uuid
	MachineID string
	Virtual   bool // the CPU says there is a hypervisor below
	CPUs      int
	Memory    uint64 // bytes
	Swap      uint64 // bytes
	Chips     []Chip
	Disks     []Disk
	Mapped    []string // device mapper volumes: dm-0 is the first
	State     State
}

// Chip is a hwmon chip. Its temperatures are temp1, temp2 and so on; State.Temps has their readings.
type Chip struct {
	Name   string // coretemp, nvme, drivetemp
	Device string // coretemp.0; "" for a chip of a disk
	Disk   string // the disk it sits in
	Temps  []Temp
}

// Temp is one temperature of a chip. A limit of zero has no file.
type Temp struct {
	Label          string
	Max, Crit, Min float64 // degrees Celsius
}

// Disk is a whole disk. Its name tells its bus: nvme0n1, sda (SATA), vda (virtio).
type Disk struct {
	Name, Model, Serial string
	Bytes               uint64
	Rotational          bool
	Partitions          int
}

// State is how a machine is doing.
type State struct {
	Up        time.Duration
	Busy      float64 // share of all CPUs, 0 to 1
	Steal     float64
	Load      [3]float64
	Available uint64 // bytes of MemAvailable
	Cached    uint64
	Swapping
	Pressure map[string]Stall   // cpu, memory, io; nil for a kernel without PSI
	Temps    map[string]float64 // degrees by "coretemp.0/temp1" or "nvme0n1/temp1"; NaN for a sensor with a fault
	IO       map[string]IO      // by disk
	Smart    map[string]*Report // by disk; a disk without one has no SMART
	Mounts   []Mount
	Units    []Unit // scopes and services with processes
	Past     []PastBoot
	Waiting  []Waiting
}

// Swapping is the swap of a machine. What is used fills the areas that are on in the order of their priority.
type Swapping struct {
	SwapUsed uint64  // bytes; what does not fit into the areas that are on is not in swap
	SwapOff  bool    // as after swapoff -a: whatever Areas say, none is on
	SwapIn   float64 // bytes per second
	SwapOut  float64 // bytes per second
	Strict   bool    // overcommit_memory is 2: a swapoff that memory is too short for is refused at once
	Areas    []Area  // New makes one of Spec.Swap bytes on rl-swap when there is none
}

// Stall is what a file of /proc/pressure says, 0 to 100.
type Stall struct{ Some10, Some60, Full10, Full60 float64 }

// IO is what a disk does each second.
type IO struct {
	Reads, Writes         float64
	ReadBytes, WriteBytes float64
	Await                 time.Duration
	Util                  float64 // 0 to 1
}

// Mount is a mounted filesystem.
type Mount struct {
	Point, Device, Type     string
	Total, Used, Available  uint64 // bytes
	InodesTotal, InodesFree uint64
	ReadOnly                bool
	Errors, Warnings        uint64 // ext4 only
	Hangs                   bool   // statfs does not come back
}
