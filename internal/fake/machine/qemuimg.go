package machine

import (
	"fmt"
	"slices"
	"strings"
)

// image finds the disk of a domain by its file.
func (v *virt) image(file string) (*Domain, *DomainDisk) {
	for _, d := range v.domains {
		for i := range d.Disks {
			if d.Disks[i].File == file {
				return d, &d.Disks[i]
			}
		}
	}
	return nil, nil
}

// qemuImg answers qemu-img check and info.
func (m *Machine) qemuImg(args []string) (stdout, stderr []byte, code int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(args) < 2 {
		return nil, []byte("qemu-img: Not enough arguments\n"), 1, nil
	}
	file := args[len(args)-1]
	d, disk := m.virt.image(file)
	if disk == nil {
		return nil, fmt.Appendf(nil, "qemu-img: Could not open '%s': No such file or directory\n", file), 1, nil
	}
	if args[0] == "info" {
		return fmt.Appendf(nil, `{"virtual-size": %d, "filename": %q, "format": %q, "actual-size": %d}`+"\n", disk.Size, file, disk.Format, disk.Size), nil, 0, nil
	}
	if d.active() {
		return nil, fmt.Appendf(nil, "qemu-img: Could not open '%s': Failed to get shared \"write\" lock\nIs another process using the image [%s]?\n", file, file), 1, nil
	}
	if disk.Format == "raw" {
		return nil, []byte("qemu-img: This image format does not support checks\n"), 63, nil
	}
	var b strings.Builder
	code = 0
	if slices.Contains(args, "-r") && disk.Leaks+disk.Corruptions > 0 {
		fmt.Fprintf(&b, "The following inconsistencies were found and repaired:\n\n    %d leaked clusters\n    %d corruptions\n\nDouble checking the fixed image now...\n", disk.Leaks, disk.Corruptions)
		disk.Leaks, disk.Corruptions = 0, 0
	}
	switch {
	case disk.Corruptions > 0:
		fmt.Fprintf(&b, "\n%d errors were found on the image.\nData may be corrupted, or further writes to the image may corrupt it.\n", disk.Corruptions)
		code = 2
	case disk.Leaks > 0:
		fmt.Fprintf(&b, "\n%d leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n", disk.Leaks)
		code = 3
	default:
		b.WriteString("No errors were found on the image.\n")
	}
	fmt.Fprintf(&b, "Image end offset: %d\n", disk.Size)
	return []byte(b.String()), nil, code, nil
}

// copyDisk answers cp: the copy takes space on the filesystem.
func (m *Machine) copyDisk(args []string) (stdout, stderr []byte, code int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(args) < 2 {
		return nil, []byte("cp: missing file operand\n"), 1, nil
	}
	from, to := args[len(args)-2], args[len(args)-1]
	_, disk := m.virt.image(from)
	if disk == nil {
		return nil, fmt.Appendf(nil, "cp: cannot stat '%s': No such file or directory\n", from), 1, nil
	}
	mount := m.mountOf(to)
	if mount == nil || mount.Available < disk.Size {
		return nil, fmt.Appendf(nil, "cp: error writing '%s': No space left on device\n", to), 1, nil
	}
	mount.Used, mount.Available = mount.Used+disk.Size, mount.Available-disk.Size
	m.virt.copies = append(m.virt.copies, to)
	return nil, nil, 0, m.write()
}

// Copies are the files that cp made.
func (m *Machine) Copies() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.virt.copies)
}

// df answers df -B1 --output=avail FILE.
func (m *Machine) df(args []string) (stdout, stderr []byte, code int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(args) > 0 {
		if mount := m.mountOf(args[len(args)-1]); mount != nil {
			return fmt.Appendf(nil, "       Avail\n%d\n", mount.Available), nil, 0, nil
		}
	}
	return nil, []byte("df: no file systems processed\n"), 1, nil
}

// mountOf is the mount that holds a file.
func (m *Machine) mountOf(file string) (best *Mount) {
	for i := range m.state.Mounts {
		f := &m.state.Mounts[i]
		if (f.Point == "/" || strings.HasPrefix(file, f.Point+"/")) && (best == nil || len(f.Point) > len(best.Point)) {
			best = f
		}
	}
	return best
}
