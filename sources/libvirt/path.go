package libvirt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"strata/internal/fleet"
)

const deepestStack = 8 // device mapper and md devices above each other

// diskPath follows a file or device of the machine down to the whole disks that hold it. What cannot be told is empty.
func (t tree) diskPath(file string) (p fleet.DiskPath) {
	if !strings.HasPrefix(file, "/") {
		return p
	}
	p.File = file
	number := ""
	if strings.HasPrefix(file, "/dev/") {
		real, err := filepath.EvalSymlinks(filepath.Join("/", string(t), file))
		if err != nil {
			return p
		}
		number = t.text("/sys/class/block/" + filepath.Base(real) + "/dev")
	} else {
		p.Mount, p.Filesystem, number = mountOf(t.mounts(), file)
	}
	if number != "" {
		descend(&p, filepath.Join("/", string(t), "/sys/dev/block", number), 0)
	}
	return p
}

func (t tree) mounts() string {
	if text := t.text("/proc/self/mountinfo"); text != "" {
		return text
	}
	return t.text("/proc/1/mountinfo")
}

// mountOf finds the mount that holds a file in the text of mountinfo: the longest that is a folder above it, of equal ones
// the last.
func mountOf(mountinfo, file string) (mount, kind, number string) {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(mountinfo) {
		head, tail, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(head), strings.Fields(tail)
		if !ok || len(fields) < 5 || len(rest) < 1 {
			continue
		}
		point := unescape.Replace(fields[4])
		if point != "/" && file != point && !strings.HasPrefix(file, point+"/") || len(point) < len(mount) {
			continue
		}
		mount, kind, number = point, rest[0], fields[2]
	}
	return mount, kind, number
}

// descend walks from a block device of sysfs to the whole disks below it.
func descend(p *fleet.DiskPath, device string, depth int) {
	real, err := filepath.EvalSymlinks(device)
	if err != nil || depth > deepestStack {
		return
	}
	name := filepath.Base(real)
	if slaves, _ := os.ReadDir(filepath.Join(real, "slaves")); len(slaves) > 0 {
		p.Mapped = append(p.Mapped, strings.TrimSpace(name+" "+mapped(real)))
		for _, s := range slaves {
			descend(p, filepath.Join(real, "slaves", s.Name()), depth+1)
		}
		return
	}
	if _, err := os.Stat(filepath.Join(real, "partition")); err == nil {
		if p.Partition == "" {
			p.Partition = name
		}
		real = filepath.Dir(real)
		name = filepath.Base(real)
	}
	if strings.HasPrefix(name, "dm-") || strings.HasPrefix(name, "md") || slices.Contains(p.Disks, name) {
		return // what it is made of is not told
	}
	p.Disks = append(p.Disks, name)
	if p.Controller == "" {
		p.Controller = controllerOf(real)
	}
}

func mapped(folder string) string {
	b, _ := os.ReadFile(filepath.Join(folder, "dm/name"))
	return strings.TrimSpace(string(b))
}

// controllerOf is the innermost PCI address on the way to a disk in sysfs.
func controllerOf(folder string) (address string) {
	for part := range strings.SplitSeq(folder, "/") {
		if len(part) == len("0000:01:00.0") && strings.Count(part, ":") == 2 && part[10] == '.' {
			address = part
		}
	}
	return address
}
