package host

import (
	"cmp"
	"slices"

	"strata/sources/tree"
)

// realMounts keeps filesystems with storage of their own, each once: of bind mounts and of the thousand mounts of a
// Kubernetes node the one nearest to the root.
func realMounts(all []tree.Mount) (kept []tree.Mount) {
	real := []string{
		"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat", "exfat", "ntfs3", "jfs", "bcachefs", "zfs", "ocfs2", "gfs2",
		"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.sshfs", "fuseblk", "virtiofs", "9p",
	}
	// What is mounted over another mount hides it.
	top := map[string]int{}
	for i, m := range all {
		top[m.Point] = i
	}
	best := map[string]tree.Mount{}
	for i, m := range all {
		if top[m.Point] != i || !slices.Contains(real, m.Type) {
			continue
		}
		key := m.Number + " " + m.Device
		if old, ok := best[key]; !ok || nearer(m, old) {
			best[key] = m
		}
	}
	for _, m := range best {
		kept = append(kept, m)
	}
	slices.SortFunc(kept, func(a, b tree.Mount) int { return cmp.Compare(a.Point, b.Point) })
	return kept
}

func nearer(a, b tree.Mount) bool {
	if (a.Root == "/") != (b.Root == "/") {
		return a.Root == "/"
	}
	return len(a.Point) < len(b.Point)
}
