package host

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// identity is what hardly changes while a machine is up.
type identity struct {
	bootID string
	boot   time.Time
	cpus   int
	id     fleet.HostID

	overcommit fleet.Opt[int]
	saving     fleet.Saving
}

// identify reads who the machine says it is.
//
// gopsutil would also tell the boot time, the platform and the hypervisor, but it computes the boot time from the
// uptime, so that it wavers, starts lsb_release, and caches the hypervisor for the whole program.
func identify(at tree.Tree, bootID string, n *notes) identity {
	known := identity{bootID: bootID}
	known.boot, known.cpus = parseStat(at.Word("/proc/stat"))
	vendor, product := at.Word("/sys/class/dmi/id/sys_vendor"), at.Word("/sys/class/dmi/id/product_name")
	uuid, err := at.Text("/sys/class/dmi/id/product_uuid")
	if errors.Is(err, fs.ErrPermission) {
		n.set("identity", "system UUID: /sys/class/dmi/id/product_uuid is for root only: run as root to join this host with Nova and Kubernetes by UUID")
	} else {
		n.set("identity", "")
	}
	if n, ok := at.Number("/proc/sys/vm/overcommit_memory"); ok && n <= refuses {
		known.overcommit = fleet.Some(int(n))
	}
	known.saving = saving(at)
	known.id = fleet.HostID{
		Kernel:     at.Word("/proc/sys/kernel/osrelease"),
		OS:         prettyName(at.Word("/etc/os-release")),
		Virtual:    hypervisor(vendor, product, at.Word("/sys/hypervisor/type"), at.Word("/proc/cpuinfo")),
		SystemUUID: strings.ToLower(uuid),
		MachineID:  at.Word("/etc/machine-id"),
		Model:      strings.TrimSpace(vendor + " " + product),
		MACs:       macs(at),
		Newest:     newestKernel(at, n),
		Nova:       novaConf(at, n),
	}
	return known
}

// mostMACs is how many network cards are told of.
const mostMACs = 16

// macs are the addresses of the network cards that are devices: bridges, bonds and taps have theirs from others.
func macs(at tree.Tree) (all []string) {
	const folder = "/sys/class/net/"
	names, _ := at.List(folder) // without any there is nothing to be known by
	for _, name := range names {
		if len(all) == mostMACs || !at.Exists(folder+name+"/device") {
			continue
		}
		if mac := strings.ToLower(at.Word(folder + name + "/address")); len(mac) == len("52:54:00:00:00:01") && mac != "00:00:00:00:00:00" {
			all = append(all, mac)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// parseStat reads the boot time and the number of CPUs from /proc/stat.
func parseStat(stat string) (boot time.Time, cpus int) {
	for line := range strings.Lines(stat) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "btime":
			if s, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				boot = time.Unix(s, 0)
			}
		case len(name) > 3 && strings.HasPrefix(name, "cpu"):
			cpus++
		}
	}
	return boot, cpus
}

// prettyName is PRETTY_NAME of /etc/os-release.
func prettyName(release string) string {
	for line := range strings.Lines(release) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(v, `"'`)
		}
	}
	return ""
}

// hypervisor names what the machine runs on, "" for metal. On x86 the CPU itself says whether there is one below; DMI
// says which, and alone it would take an EC2 metal instance for a virtual machine.
func hypervisor(vendor, product, xen, cpuinfo string) string {
	x86 := strings.Contains(cpuinfo, "\nflags")
	if x86 && !strings.Contains(cpuinfo, " hypervisor") {
		return ""
	}
	if xen != "" {
		return xen
	}
	dmi := vendor + " " + product
	for _, k := range []struct{ word, name string }{
		{"OpenStack", "kvm"},
		{"QEMU", "kvm"},
		{"KVM", "kvm"},
		{"RDO", "kvm"},
		{"RHEV", "kvm"},
		{"oVirt", "kvm"},
		{"Google Compute", "kvm"},
		{"Amazon EC2", "kvm"},
		{"DigitalOcean", "kvm"},
		{"VMware", "vmware"},
		{"VirtualBox", "virtualbox"},
		{"Microsoft Corporation Virtual", "hyperv"},
		{"Xen", "xen"},
		{"BHYVE", "bhyve"},
		{"Parallels", "parallels"},
	} {
		if strings.Contains(dmi, k.word) {
			return k.name
		}
	}
	if x86 {
		return "unknown hypervisor"
	}
	return ""
}
