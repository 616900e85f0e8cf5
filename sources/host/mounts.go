package host

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"strata/internal/fleet"
)

// mounts reads the scope "filesystems": those with real storage behind them, each once.
type mounts struct {
	source, host string
	at           tree
	statfs       func(string, *syscall.Statfs_t) error
	ledger       *ledger
	notes        *notes

	mu    sync.Mutex
	stuck map[string]time.Time // mounts whose statfs has not come back, since when
}

func newMounts(s *source, n *notes) *mounts {
	return &mounts{
		source: s.name, host: s.conf.Name, at: s.at, statfs: s.conf.Statfs, ledger: s.ledger, notes: n,
		stuck: map[string]time.Time{},
	}
}

// statfsPatience is how long one mount may take to answer; a server that is gone never does.
const statfsPatience = 2 * time.Second

func (m *mounts) look(ctx context.Context, now time.Time) (fleet.Facts, error) {
	table, err := m.at.bytes("/proc/1/mountinfo")
	if err != nil {
		// Only root may see the mounts of process 1; ours are the same unless we are in a container.
		table, err = m.at.bytes("/proc/self/mountinfo")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the mount table of host %s: %w", m.host, err)
	}
	var facts fleet.Facts
	for _, mount := range realMounts(parseMountinfo(table)) {
		f := &fleet.Filesystem{
			Source: m.source, Host: m.host, Mount: mount.point, Device: mount.device, Type: mount.fstype, ReadOnly: mount.readOnly,
		}
		m.fill(ctx, f)
		f.Counters = m.errorsOf(mount, now)
		facts = append(facts, f)
	}
	if facts == nil {
		facts = fleet.Facts{}
	}
	m.note()
	return facts, nil
}

// fill asks one filesystem for its figures. A mount that hangs is left alone until it answers.
func (m *mounts) fill(ctx context.Context, f *fleet.Filesystem) {
	m.mu.Lock()
	since, hangs := m.stuck[f.Mount]
	if !hangs {
		m.stuck[f.Mount] = time.Now()
	}
	m.mu.Unlock()
	if hangs {
		f.NoData = "no answer since " + since.UTC().Format(time.TimeOnly) + "Z"
		return
	}
	type answer struct {
		st  syscall.Statfs_t
		err error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		a.err = m.statfs(f.Mount, &a.st)
		m.mu.Lock()
		delete(m.stuck, f.Mount)
		m.mu.Unlock()
		done <- a
	}()
	timer := time.NewTimer(statfsPatience)
	defer timer.Stop()
	select {
	case a := <-done:
		if a.err != nil {
			f.NoData = a.err.Error()
			return
		}
		const readOnlyFlag = 1 // ST_RDONLY
		block := uint64(max(a.st.Frsize, 0))
		if block == 0 {
			block = uint64(max(a.st.Bsize, 0))
		}
		f.Total, f.Used, f.Available = a.st.Blocks*block, (a.st.Blocks-min(a.st.Bfree, a.st.Blocks))*block, a.st.Bavail*block
		f.InodesTotal, f.InodesFree = a.st.Files, a.st.Ffree
		f.ReadOnly = f.ReadOnly || a.st.Flags&readOnlyFlag != 0
	case <-timer.C:
		f.NoData = "no answer for " + statfsPatience.String()
	case <-ctx.Done():
	}
}

func (m *mounts) note() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.stuck {
		names = append(names, name)
	}
	slices.Sort(names)
	line := ""
	if len(names) > 0 {
		line = "filesystems: no answer from " + strings.Join(names, ", ") + " (a lost server or a dead disk: journalctl -k)"
	}
	m.notes.set("filesystems", line)
}

// errorsOf reads the error counters of ext4 and btrfs.
func (m *mounts) errorsOf(mount mountLine, now time.Time) (found []fleet.Counter) {
	count := func(owner, name string, v uint64) { found = append(found, m.ledger.count(owner, name, v, now)) }
	switch mount.fstype {
	case "ext2", "ext3", "ext4":
		device := m.blockName(mount)
		for _, c := range []struct{ file, name string }{{"errors_count", "ext4_errors"}, {"warning_count", "ext4_warnings"}} {
			if v, ok := m.at.number("/sys/fs/ext4/" + device + "/" + c.file); ok {
				count("ext4 "+device, c.name, v)
			}
		}
	case "btrfs":
		device := m.blockName(mount)
		volumes, _ := m.at.list("/sys/fs/btrfs")
		for _, uuid := range volumes {
			if device == "" || !m.at.exists("/sys/fs/btrfs/"+uuid+"/devices/"+device) {
				continue
			}
			sums := map[string]uint64{}
			members, _ := m.at.list("/sys/fs/btrfs/" + uuid + "/devinfo")
			for _, id := range members {
				stats, _ := m.at.bytes("/sys/fs/btrfs/" + uuid + "/devinfo/" + id + "/error_stats")
				addErrorStats(sums, stats)
			}
			for _, name := range []string{"write_errs", "read_errs", "flush_errs", "corruption_errs", "generation_errs"} {
				if v, ok := sums[name]; ok {
					count("btrfs "+uuid, "btrfs_"+name, v)
				}
			}
		}
	}
	return found
}

// blockName is the kernel's name of the device below a mount. Btrfs has a device number of its own that leads nowhere.
func (m *mounts) blockName(mount mountLine) string {
	if b := baseName(m.at.resolve("/sys/dev/block/" + mount.number)); b != "" {
		return b
	}
	name, isMapped := strings.CutPrefix(mount.device, "/dev/mapper/")
	if !isMapped {
		return baseName(mount.device)
	}
	names, _ := m.at.list(sysBlock)
	for _, dm := range names {
		if strings.HasPrefix(dm, "dm-") && m.at.word(sysBlock+"/"+dm+"/dm/name") == name {
			return dm
		}
	}
	return ""
}

func baseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// addErrorStats adds one device's error_stats ("write_errs 0" and so on) to sums.
func addErrorStats(sums map[string]uint64, stats []byte) {
	for line := range strings.Lines(string(stats)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64); err == nil {
			sums[name] += v
		}
	}
}

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
	best, points := map[string]mountLine{}, map[string]string{}
	for _, m := range all {
		if !slices.Contains(real, m.fstype) {
			continue
		}
		key := m.number + " " + m.device
		// What is mounted over another mount hides it.
		if below, ok := points[m.point]; ok && below != key && best[below].point == m.point {
			delete(best, below)
		}
		points[m.point] = key
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
