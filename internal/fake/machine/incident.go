package machine

import "time"

const (
	mib = 1 << 20
	gib = 1 << 30
	day = 24 * time.Hour
	el9 = "5.14.0-503.26.1.el9_5.x86_64"
)

// OpenstackHost is the physical host of the incident strata was born from, as `top`, `df` and smartctl showed it: short
// of memory, half its swap in use, on a healthy NVMe with a frightening count of error log entries and a shingled disk.
func OpenstackHost() (Spec, error) {
	samsung, err := Drive("samsung-mzvlb512")
	if err != nil {
		return Spec{}, err
	}
	wd, err := Drive("wd10spzx")
	if err != nil {
		return Spec{}, err
	}
	core := func(label string) Temp { return Temp{Label: label, Max: 84, Crit: 100} }
	return Spec{
		Hostname: "openstack-host", OS: "Rocky Linux 9.5 (Blue Onyx)", Kernel: el9,
		Vendor: "LENOVO", Product: "81LB", UUID: "3c9f6a52-7b1d-11e9-8f9e-8c164503a1d7", MachineID: "5b1d3c9f6a527b1d8f9e8c164503a1d7",
		CPUs: 8, Memory: 16030516 * 1024, Swap: 8024 * mib,
		Chips: []Chip{
			{Name: "acpitz", Device: "thermal_zone0", Temps: []Temp{{}}},
			{Name: "nvme", Disk: "nvme0n1", Temps: []Temp{
				{Label: "Composite", Max: 83.85, Crit: 84.85, Min: -273.15},
				// Limits never set, as the kernel prints 0xffff Kelvin.
				{Label: "Sensor 1", Max: 65261.85, Min: -273.15},
				{Label: "Sensor 2", Max: 65261.85, Min: -273.15},
			}},
			{Name: "drivetemp", Disk: "sda", Temps: []Temp{{}}},
			{Name: "coretemp", Device: "coretemp.0", Temps: []Temp{core("Package id 0"), core("Core 0"), core("Core 1"), core("Core 2"), core("Core 3")}},
		},
		Disks: []Disk{
			{Name: "nvme0n1", Model: "SAMSUNG MZVLB512HBJQ-000", Serial: "S50HNF0MC03089", Bytes: 512110190592, Partitions: 2},
			{Name: "sda", Model: "WDC WD10SPZX-24Z10", Serial: "WD-WXG1A89D0N10", Bytes: 1000204886016, Rotational: true, Partitions: 1},
		},
		Mapped: []string{"rl-root", "rl-swap", "rl-home"},
		State: State{
			Up: 122*day + 24*time.Minute, Past: []PastBoot{{Ran: 37 * day, Off: 3 * time.Minute}, {Ran: 12*day + 5*time.Hour, Off: 90 * time.Second, Cut: true}}, Busy: 0.117, Load: [3]float64{1.32, 1.11, 1.10},
			Available: 1967443148, Cached: 1862900121, Swapping: Swapping{SwapUsed: 4699927347, SwapIn: 40 * 1024, SwapOut: 24 * 1024},
			Temps: map[string]float64{
				"thermal_zone0/temp1": 27.8,
				"nvme0n1/temp1":       50.85, "nvme0n1/temp2": 50.85, "nvme0n1/temp3": 52.85,
				"sda/temp1":        38,
				"coretemp.0/temp1": 66, "coretemp.0/temp2": 65, "coretemp.0/temp3": 63, "coretemp.0/temp4": 66, "coretemp.0/temp5": 64,
			},
			IO: map[string]IO{
				"nvme0n1": {Reads: 21, Writes: 138, ReadBytes: 410e3, WriteBytes: 2.9e6, Await: 900 * time.Microsecond, Util: 0.06},
				"sda":     {},
			},
			Smart: map[string]*Report{"nvme0n1": samsung, "sda": wd},
			Units: append([]Unit{
				Guest(1, "controller", 2301, "nvme0n1", 5668*mib, 1210*mib),
				Guest(2, "compute", 2417, "nvme0n1", 7683*mib, 2950*mib),
			}, services()...),
			Mounts: []Mount{
				{Point: "/", Device: "/dev/mapper/rl-root", Type: "xfs", Total: 70 * gib, Used: 63 * gib, Available: 7578 * mib, InodesTotal: 36700160, InodesFree: 36100000},
				{Point: "/boot", Device: "/dev/nvme0n1p1", Type: "xfs", Total: 1014 * mib, Used: 676 * mib, Available: 339 * mib, InodesTotal: 524288, InodesFree: 523900},
				{Point: "/home", Device: "/dev/mapper/rl-home", Type: "xfs", Total: 398 * gib, Used: 32 * gib, Available: 367 * gib, InodesTotal: 208666624, InodesFree: 208600000},
			},
		},
	}, nil
}

// KubernetesHost is the other physical host: healthy and cool. Only its disk was captured; the rest is made up.
func KubernetesHost() (Spec, error) {
	micron, err := Drive("micron-2450")
	if err != nil {
		return Spec{}, err
	}
	core := func(label string) Temp { return Temp{Label: label, Max: 84, Crit: 100} }
	return Spec{
		Hostname: "kubernetes-host", OS: "Rocky Linux 9.5 (Blue Onyx)", Kernel: el9,
		Vendor: "LENOVO", Product: "82TT", UUID: "7f21b9d4-0d35-11ec-9a03-0242ac130003", MachineID: "0d357f21b9d411ec9a030242ac130003",
		CPUs: 8, Memory: 15654 * mib, Swap: 7936 * mib,
		Chips: []Chip{
			{Name: "nvme", Disk: "nvme0n1", Temps: []Temp{{Label: "Composite", Max: 82.85, Crit: 84.85, Min: -273.15}, {Label: "Sensor 1", Max: 65261.85, Min: -273.15}}},
			{Name: "coretemp", Device: "coretemp.0", Temps: []Temp{core("Package id 0"), core("Core 0"), core("Core 1")}},
		},
		Disks:  []Disk{{Name: "nvme0n1", Model: "Micron_2450_MTFDKBA512TFK", Serial: "2208355B1B54", Bytes: 512110190592, Partitions: 2}},
		Mapped: []string{"rl-root", "rl-swap"},
		State: State{
			Up: 141 * day, Past: []PastBoot{{Ran: 203 * day, Off: 4 * time.Minute}}, Busy: 0.06, Load: [3]float64{0.42, 0.38, 0.35}, Available: 8900 * mib, Cached: 4100 * mib,
			Temps: map[string]float64{
				"nvme0n1/temp1": 36.85, "nvme0n1/temp2": 36.85,
				"coretemp.0/temp1": 44, "coretemp.0/temp2": 43, "coretemp.0/temp3": 44,
			},
			IO:    map[string]IO{"nvme0n1": {Reads: 2, Writes: 31, ReadBytes: 30e3, WriteBytes: 480e3, Await: 300 * time.Microsecond, Util: 0.01}},
			Smart: map[string]*Report{"nvme0n1": micron},
			Units: services(),
			Mounts: []Mount{
				{Point: "/", Device: "/dev/mapper/rl-root", Type: "xfs", Total: 70 * gib, Used: 31 * gib, Available: 39 * gib, InodesTotal: 36700160, InodesFree: 36300000},
				{Point: "/boot", Device: "/dev/nvme0n1p1", Type: "xfs", Total: 1014 * mib, Used: 410 * mib, Available: 604 * mib, InodesTotal: 524288, InodesFree: 523900},
			},
		},
	}, nil
}

// Compute is the virtual machine that nova-compute ran in, on OpenstackHost. Virtual machines have no sensors.
func Compute() Spec {
	s := guest("compute", "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001", 4, 7683*mib+600*1024, 6898*mib)
	s.State.Up, s.State.Busy, s.State.Load = 3*day+39*time.Minute, 0.02, [3]float64{0.01, 0.02, 0}
	s.State.Past = []PastBoot{{Ran: 61 * day, Off: 40 * time.Second, Cut: true}, {Ran: 57*day + 9*time.Hour, Off: 35 * time.Second, Cut: true}, {Ran: 52 * time.Minute, Off: 42 * time.Second, Cut: true}}
	s.State.Available, s.State.Cached = 6583*mib+800*1024, 401*mib
	return s
}

// Controller is the virtual machine of Keystone and the Nova API, on OpenstackHost.
func Controller() Spec {
	s := guest("controller", "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c002", 4, 5668*mib+100*1024, 4096*mib)
	s.State.Up, s.State.Busy, s.State.Load = 122*day+25*time.Minute, 0.072, [3]float64{0.36, 0.18, 0.11}
	s.State.Available, s.State.Cached, s.State.SwapUsed = 1065*mib+400*1024, 667*mib, 1139*mib+400*1024
	return s
}

func guest(name, uuid string, cpus int, memory, swap uint64) Spec {
	return Spec{
		Hostname: name, OS: "Rocky Linux 9.5 (Blue Onyx)", Kernel: el9, Vendor: "Red Hat", Product: "KVM",
		UUID: uuid, MachineID: "a52e8d0f6c1e52a74c0e9b643f2a7e15", Virtual: true, CPUs: cpus, Memory: memory, Swap: swap,
		Disks:  []Disk{{Name: "vda", Bytes: 200 * gib, Partitions: 2}},
		Mapped: []string{"rl-root", "rl-swap"},
		State: State{
			Units: services(),
			IO:    map[string]IO{"vda": {Reads: 1, Writes: 14, ReadBytes: 99e3, WriteBytes: 120e3, Await: 2 * time.Millisecond, Util: 0.02}},
			Mounts: []Mount{
				{Point: "/", Device: "/dev/mapper/rl-root", Type: "xfs", Total: 190 * gib, Used: 58 * gib, Available: 132 * gib, InodesTotal: 99614720, InodesFree: 99400000},
				{Point: "/boot", Device: "/dev/vda1", Type: "xfs", Total: 1014 * mib, Used: 676 * mib, Available: 339 * mib, InodesTotal: 524288, InodesFree: 523900},
			},
		},
	}
}

// services are what runs on each of them, next to its guests.
func services() []Unit {
	return []Unit{
		{Name: "libvirtd.service", Slice: "system.slice", PID: 1211, Command: "libvirtd", CPU: 0.002, Memory: 31 * mib},
		{Name: "sshd.service", Slice: "system.slice", PID: 1102, Command: "sshd", Memory: 6 * mib, NoIO: true},
		{Name: "systemd-journald.service", Slice: "system.slice", PID: 702, Command: "systemd-journal", CPU: 0.001, Memory: 48 * mib, NoIO: true},
	}
}
