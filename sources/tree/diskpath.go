package tree

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"strata/internal/fleet"
)

const (
	sysBlock   = "/sys/block"
	classBlock = "/sys/class/block/"
)

// Mounts reads the machine's mount table.
func (t Tree) Mounts() ([]Mount, error) {
	b, err := t.Bytes("/proc/1/mountinfo")
	if err != nil {
		// Only root may see the mounts of process 1; ours are the same unless we are in a container.
		b, err = t.Bytes("/proc/self/mountinfo")
	}
	return ParseMounts(b), err
}

// DiskPath is the way from a file or a device, links followed, down to its whole disks. What is not known of it is empty:
// a file on a network filesystem has no disk.
func (t Tree) DiskPath(file string, mounts []Mount) fleet.DiskPath {
	p := fleet.DiskPath{File: file}
	at := path.Clean(file)
	if real := t.Resolve(at); real != "" {
		at = real
	}
	if device, ok := strings.CutPrefix(at, "/dev/"); ok && t.Exists(classBlock+kernelName(device)) {
		t.descend(&p, t.Resolve(classBlock+kernelName(device)))
		return p
	}
	m, ok := MountOf(mounts, at)
	if !ok {
		return p
	}
	p.Mount, p.Filesystem = m.Point, m.Type
	t.descend(&p, t.blockFolder(m))
	return p
}

// BelowMount is the way from a mount down to its disks.
func (t Tree) BelowMount(m Mount) fleet.DiskPath {
	p := fleet.DiskPath{Mount: m.Point, Filesystem: m.Type}
	t.descend(&p, t.blockFolder(m))
	return p
}

// Below is the way from a block device, by its kernel's name, down to its disks.
func (t Tree) Below(device string) (p fleet.DiskPath) {
	t.descend(&p, t.Resolve(classBlock+kernelName(device)))
	return p
}

// MountOf is the mount that a clean, absolute path is on: of those that cover each other the last one.
func MountOf(mounts []Mount, file string) (best Mount, ok bool) {
	for _, m := range mounts {
		inside := m.Point == "/" || file == m.Point || strings.HasPrefix(file, m.Point+"/")
		if inside && (!ok || len(m.Point) >= len(best.Point)) {
			best, ok = m, true
		}
	}
	return best, ok
}

// Block is the kernel's name of the device below a mount, "" when there is none.
func (t Tree) Block(m Mount) string {
	if folder := t.blockFolder(m); folder != "" {
		return path.Base(folder)
	}
	return ""
}

// blockFolder is the folder in sysfs of the device below a mount. Btrfs has a device number of its own that leads
// nowhere, so that the path it was mounted by must do.
func (t Tree) blockFolder(m Mount) string {
	if folder := t.Resolve("/sys/dev/block/" + m.Number); folder != "" {
		return folder
	}
	if !strings.HasPrefix(m.Device, "/dev/") {
		return ""
	}
	device := m.Device
	if real := t.Resolve(device); real != "" {
		device = real
	}
	name, isMapped := strings.CutPrefix(device, "/dev/mapper/")
	if !isMapped {
		return t.Resolve(classBlock + kernelName(strings.TrimPrefix(device, "/dev/")))
	}
	names, _ := t.List(sysBlock)
	for _, dm := range names {
		if strings.HasPrefix(dm, "dm-") && t.Word(sysBlock+"/"+dm+"/dm/name") == name {
			return t.Resolve(sysBlock + "/" + dm)
		}
	}
	return ""
}

// kernelName is a device's name as sysfs has it: there, a slash is an exclamation mark.
func kernelName(device string) string { return strings.ReplaceAll(device, "/", "!") }

// descend adds to a path what lies below the device with this folder in sysfs.
func (t Tree) descend(p *fleet.DiskPath, folder string) {
	// Deeper stacks than this do not exist; a loop of links must end.
	for depth, level := 0, []string{folder}; len(level) > 0 && depth < 16; depth++ {
		var next []string
		for _, folder := range level {
			name := path.Base(folder)
			switch slaves, _ := t.List(folder + "/slaves"); {
			case folder == "":
			case t.Exists(folder + "/partition"):
				if p.Partition == "" {
					p.Partition = name
				}
				next = append(next, path.Dir(folder))
			case len(slaves) > 0 || strings.HasPrefix(name, "dm-"):
				p.Mapped = appendNew(p.Mapped, strings.TrimSpace(name+" "+t.mappedName(folder)))
				for _, s := range slaves {
					next = append(next, t.Resolve(folder+"/slaves/"+s))
				}
			case !inMemory(name):
				p.Disks = appendNew(p.Disks, name)
			}
		}
		level = next
	}
	if len(p.Disks) > 0 {
		p.Controller = t.Controller(p.Disks[0])
	}
}

func appendNew(all []string, one string) []string {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// inMemory tells devices that stand for no hardware.
func inMemory(name string) bool {
	for _, p := range []string{"loop", "ram", "zram"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// mappedName is what people call a mapped device: the volume's name, the level of a RAID.
func (t Tree) mappedName(folder string) string {
	if name := t.Word(folder + "/dm/name"); name != "" {
		return name
	}
	return t.Word(folder + "/md/level")
}

// Controller is the PCI address of the controller of a whole disk, "" for one that is not on PCI.
func (t Tree) Controller(disk string) string {
	folder := t.Resolve(sysBlock + "/" + disk)
	if address := pciOf(folder); address != "" || folder == "" {
		return address
	}
	// An NVMe disk that could have several controllers is below none of them.
	parent := path.Dir(folder)
	names, _ := t.List(parent)
	for _, name := range names {
		if strings.HasPrefix(name, "nvme") && !strings.Contains(strings.TrimPrefix(name, "nvme"), "n") {
			if address := pciOf(t.Resolve(parent + "/" + name)); address != "" {
				return address
			}
		}
	}
	return ""
}

// pciOf is the last PCI address in a path of sysfs.
func pciOf(folder string) string {
	address := regexp.MustCompile(`^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)
	parts := strings.Split(folder, "/")
	for _, part := range slices.Backward(parts) {
		if address.MatchString(part) {
			return part
		}
	}
	return ""
}
