package host

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// mountLine is one line of mountinfo.
type mountLine struct {
	number   string // major:minor
	root     string // the folder of the filesystem that is mounted; "/" unless it is a bind mount or a subvolume
	point    string
	fstype   string
	device   string
	readOnly bool
}

// parseMountinfo reads /proc/PID/mountinfo (proc(5)). Lines it does not understand are left out.
//
// gopsutil reads the same file, but gives up on all of it for one odd line, drops the device number that leads to the
// error counters, and replaces /dev/mapper/rl-root by /dev/dm-0, which no operator calls it.
func parseMountinfo(b []byte) (all []mountLine) {
	for line := range strings.Lines(string(b)) {
		left, right, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(left), strings.Fields(right)
		if !ok || len(f) < 6 || len(g) < 2 {
			continue
		}
		m := mountLine{number: f[2], root: unescape(f[3]), point: unescape(f[4]), fstype: g[0], device: unescape(g[1])}
		options := f[5]
		if len(g) > 2 {
			options += "," + g[2]
		}
		m.readOnly = slices.Contains(strings.Split(options, ","), "ro")
		all = append(all, m)
	}
	return all
}

// unescape turns \040 and its like back into characters.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// realMounts keeps filesystems with storage of their own, each once: of bind mounts and of the thousand mounts of a
// Kubernetes node the one nearest to the root.
func realMounts(all []mountLine) (kept []mountLine) {
	real := []string{
		"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat", "ntfs3", "jfs", "bcachefs", "zfs", "ocfs2", "gfs2",
		"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.sshfs", "fuseblk", "virtiofs", "9p",
	}
	// What is mounted over another mount hides it.
	top := map[string]int{}
	for i, m := range all {
		top[m.point] = i
	}
	best := map[string]mountLine{}
	for i, m := range all {
		if top[m.point] != i || !slices.Contains(real, m.fstype) {
			continue
		}
		key := m.number + " " + m.device
		if old, ok := best[key]; !ok || nearer(m, old) {
			best[key] = m
		}
	}
	for _, m := range best {
		kept = append(kept, m)
	}
	slices.SortFunc(kept, func(a, b mountLine) int { return cmp.Compare(a.point, b.point) })
	return kept
}

func nearer(a, b mountLine) bool {
	if (a.root == "/") != (b.root == "/") {
		return a.root == "/"
	}
	return len(a.point) < len(b.point)
}
