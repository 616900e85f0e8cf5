package machine

import (
	"fmt"
	"slices"
	"strings"
)

// layout writes what does not change: who the machine is, its chips and its disks.
func (m *Machine) layout() error {
	const before = "5.14.0-427.13.1.el9_4.x86_64" // a kernel that is still installed
	s := &m.spec
	flags := "fpu vme sse2"
	if s.Virtual {
		flags += " hypervisor"
	}
	var cpuinfo strings.Builder
	for n := range s.CPUs {
		fmt.Fprintf(&cpuinfo, "processor\t: %d\nflags\t\t: %s\n\n", n, flags)
	}
	files := map[string]string{
		"etc/os-release":                           fmt.Sprintf("NAME=%q\nPRETTY_NAME=%q\n", strings.Fields(s.OS + " Linux")[0], s.OS),
		"etc/machine-id":                           s.MachineID + "\n",
		"proc/cpuinfo":                             cpuinfo.String(),
		"boot/vmlinuz-" + s.Kernel:                 "",
		"boot/initramfs-" + s.Kernel + ".img":      "made by dracut",
		"boot/vmlinuz-" + before:                   "",
		"boot/initramfs-" + before + ".img":        "made by dracut",
		"lib/modules/" + s.Kernel + "/modules.dep": "",
		"proc/sys/kernel/hostname":                 s.Hostname + "\n",
		"proc/sys/kernel/osrelease":                s.Kernel + "\n",
		"sys/class/dmi/id/sys_vendor":              s.Vendor + "\n",
		"sys/class/dmi/id/product_name":            s.Product + "\n",
		"sys/class/dmi/id/product_uuid":            s.UUID + "\n",
		"proc/self/status":                         "Name:\tstrata\nUid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nCapAmb:\t0000000000000000\n",
		"etc/fstab":                                m.fstab(),
		"proc/sys/vm/swappiness":                   "60\n",
		"sys/fs/cgroup/cgroup.controllers":         "cpuset cpu io memory hugetlb pids rdma misc\n",
		"sys/fs/cgroup/cgroup.subtree_control":     "cpuset cpu io memory pids\n",
	}
	var links [][2]string
	for i := range s.Disks {
		links = append(links, m.diskFiles(i, files)...)
	}
	for i, name := range s.Mapped {
		folder := fmt.Sprintf("sys/devices/virtual/block/dm-%d", i)
		files[folder+"/dm/name"] = name + "\n"
		files[folder+"/size"] = "2097152\n"
		files[folder+"/dev"] = fmt.Sprintf("253:%d\n", i)
		files[fmt.Sprintf("dev/dm-%d", i)] = ""
		if part, partFolder := m.volumeGroup(); part != "" {
			links = append(links, [2]string{folder + "/slaves/" + part, partFolder})
		}
		links = append(links,
			[2]string{"dev/mapper/" + name, fmt.Sprintf("dev/dm-%d", i)},
			[2]string{fmt.Sprintf("sys/block/dm-%d", i), folder},
			[2]string{fmt.Sprintf("sys/class/block/dm-%d", i), folder},
			[2]string{fmt.Sprintf("sys/dev/block/253:%d", i), folder})
	}
	for i, c := range s.Chips {
		folder := m.chipFolder(i)
		files[folder+"/name"] = c.Name + "\n"
		for n, t := range c.Temps {
			base := fmt.Sprintf("%s/temp%d", folder, n+1)
			if t.Label != "" {
				files[base+"_label"] = t.Label + "\n"
			}
			for suffix, v := range map[string]float64{"_max": t.Max, "_crit": t.Crit, "_min": t.Min} {
				if v != 0 {
					files[base+suffix] = milli(v)
				}
			}
		}
		links = append(links,
			[2]string{fmt.Sprintf("sys/class/hwmon/hwmon%d", i), folder},
			[2]string{folder + "/device", m.chipDevice(c)})
	}
	links = append(links, m.swapFiles(files)...)
	for name, content := range files {
		if err := m.put(name, content); err != nil {
			return err
		}
	}
	for _, l := range links {
		if err := m.link(l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

// diskFiles adds a disk's files and returns its links.
func (m *Machine) diskFiles(i int, files map[string]string) (links [][2]string) {
	d := m.spec.Disks[i]
	device, block := diskFolders(i, d.Name)
	files[block+"/size"] = fmt.Sprintln(d.Bytes / sector)
	files[block+"/queue/rotational"] = fmt.Sprintln(flag(d.Rotational || bus(d.Name) == "virtio"))
	files[block+"/dev"] = fmt.Sprintf("%d:%d\n", major(d.Name), i*16)
	files["dev/"+d.Name] = ""
	links = append(links,
		[2]string{"sys/block/" + d.Name, block},
		[2]string{"sys/class/block/" + d.Name, block},
		[2]string{block + "/device", device},
		[2]string{fmt.Sprintf("sys/dev/block/%d:%d", major(d.Name), i*16), block})
	for p := range d.Partitions {
		name := partition(d.Name, p+1)
		part := block + "/" + name
		files[part+"/partition"] = fmt.Sprintln(p + 1)
		files[part+"/dev"] = fmt.Sprintf("%d:%d\n", major(d.Name), i*16+p+1)
		files["dev/"+name] = ""
		links = append(links,
			[2]string{"sys/class/block/" + name, part},
			[2]string{fmt.Sprintf("sys/dev/block/%d:%d", major(d.Name), i*16+p+1), part})
	}
	switch bus(d.Name) {
	case "nvme":
		files[device+"/model"] = fmt.Sprintf("%-40s\n", d.Model)
		files[device+"/serial"] = fmt.Sprintf("%-20s\n", d.Serial)
	case "virtio":
		files[block+"/serial"] = d.Serial
		files[device+"/vendor"] = "0x1af4\n"
	default:
		files[device+"/vendor"] = "ATA     \n"
		files[device+"/model"] = fmt.Sprintf("%-16s\n", d.Model)
		files[device+"/vpd_pg80"] = "\x00\x80\x00" + string(rune(len(d.Serial))) + d.Serial
		// As after a healthy boot: probing the disk made some.
		files[device+"/ioerr_cnt"] = "0x5\n"
	}
	return links
}

func partition(disk string, number int) string {
	if bus(disk) == "nvme" {
		return fmt.Sprintf("%sp%d", disk, number)
	}
	return fmt.Sprintf("%s%d", disk, number)
}

// volumeGroup is the partition that all mapped volumes are on, the last one of the first disk, and its folder.
func (m *Machine) volumeGroup() (name, folder string) {
	if len(m.spec.Disks) == 0 || m.spec.Disks[0].Partitions == 0 {
		return "", ""
	}
	d := m.spec.Disks[0]
	_, block := diskFolders(0, d.Name)
	name = partition(d.Name, d.Partitions)
	return name, block + "/" + name
}

// diskFolders returns where a disk's device and its block device are.
func diskFolders(i int, name string) (device, block string) {
	pci := fmt.Sprintf("sys/devices/pci0000:00/0000:00:%02x.0", 0x10+i)
	switch bus(name) {
	case "nvme":
		controller, _, _ := strings.Cut(strings.TrimPrefix(name, "nvme"), "n")
		device = pci + "/0000:01:00.0/nvme/nvme" + controller
		return device, device + "/" + name
	case "virtio":
		device = fmt.Sprintf("%s/virtio%d", pci, i)
	default:
		device = fmt.Sprintf("%s/ata%d/host%d/target%d:0:0/%d:0:0:0", pci, i+1, i, i, i)
	}
	return device, device + "/block/" + name
}

func bus(disk string) string {
	switch {
	case strings.HasPrefix(disk, "nvme"):
		return "nvme"
	case strings.HasPrefix(disk, "vd"):
		return "virtio"
	}
	return "ata"
}

func major(disk string) int { return map[string]int{"nvme": 259, "virtio": 252, "ata": 8}[bus(disk)] }

// number is the major:minor of a mounted device.
func (m *Machine) number(device string, mount int) string {
	if n := m.mappedIndex(device); n >= 0 {
		return fmt.Sprintf("253:%d", n)
	}
	name := strings.TrimPrefix(device, "/dev/")
	for i, d := range m.spec.Disks {
		if part, ok := strings.CutPrefix(name, d.Name); ok {
			var p int
			_, _ = fmt.Sscanf(strings.TrimPrefix(part, "p"), "%d", &p)
			return fmt.Sprintf("%d:%d", major(d.Name), i*16+p)
		}
	}
	return fmt.Sprintf("0:%d", 50+mount) // a network filesystem
}

func (m *Machine) mappedIndex(device string) int {
	return slices.Index(m.spec.Mapped, strings.TrimPrefix(device, "/dev/mapper/"))
}

func (m *Machine) chipDevice(c Chip) string {
	if i := slices.IndexFunc(m.spec.Disks, func(d Disk) bool { return d.Name == c.Disk }); i >= 0 {
		device, _ := diskFolders(i, c.Disk)
		return device
	}
	return "sys/devices/platform/" + c.Device
}

func (m *Machine) chipFolder(i int) string {
	return fmt.Sprintf("%s/hwmon/hwmon%d", m.chipDevice(m.spec.Chips[i]), i)
}

// find returns the chip and temperature that a name such as "coretemp.0/temp1" or "sda/temp1" means.
func (m *Machine) find(name string) (chip, temp int, ok bool) {
	owner, number, _ := strings.Cut(name, "/temp")
	if _, err := fmt.Sscanf(number, "%d", &temp); err != nil {
		return 0, 0, false
	}
	chip = slices.IndexFunc(m.spec.Chips, func(c Chip) bool { return c.Device == owner || (c.Disk == owner && c.Disk != "") })
	return chip, temp - 1, chip >= 0 && temp >= 1 && temp <= len(m.spec.Chips[chip].Temps)
}

func (m *Machine) tempBase(name string) string {
	chip, temp, ok := m.find(name)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s/temp%d", m.chipFolder(chip), temp+1)
}

func (m *Machine) tempOf(name string) Temp {
	chip, temp, ok := m.find(name)
	if !ok {
		return Temp{}
	}
	return m.spec.Chips[chip].Temps[temp]
}
