package host

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/tree"
)

// mounts reads the scope "filesystems": those with real storage behind them, each once.
type mounts struct {
	source, host string
	at           tree.Tree
	statfs       func(string, *syscall.Statfs_t) error
	ledger       *sources.Ledger
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
	table, err := m.at.Mounts()
	if err != nil {
		return nil, fmt.Errorf("reading the mount table of host %s: %w", m.host, err)
	}
	var facts fleet.Facts
	for _, mount := range realMounts(table) {
		f := &fleet.Filesystem{
			Source: m.source, Host: m.host, Mount: mount.Point, Device: mount.Device, Type: mount.Type, ReadOnly: mount.ReadOnly, Disks: m.at.BelowMount(mount).Disks,
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
func (m *mounts) errorsOf(mount tree.Mount, now time.Time) (found []fleet.Counter) {
	count := func(owner, name string, v uint64) { found = append(found, m.ledger.Count(owner, name, v, now)) }
	switch mount.Type {
	case "ext2", "ext3", "ext4":
		device := m.at.Block(mount)
		for _, c := range []struct{ file, name string }{{"errors_count", "ext4_errors"}, {"warning_count", "ext4_warnings"}} {
			if v, ok := m.at.Number("/sys/fs/ext4/" + device + "/" + c.file); ok {
				count("ext4 "+device, c.name, v)
			}
		}
	case "btrfs":
		device := m.at.Block(mount)
		volumes, _ := m.at.List("/sys/fs/btrfs")
		for _, uuid := range volumes {
			if device == "" || !m.at.Exists("/sys/fs/btrfs/"+uuid+"/devices/"+device) {
				continue
			}
			sums := map[string]uint64{}
			members, _ := m.at.List("/sys/fs/btrfs/" + uuid + "/devinfo")
			for _, id := range members {
				stats, _ := m.at.Bytes("/sys/fs/btrfs/" + uuid + "/devinfo/" + id + "/error_stats")
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

// addErrorStats adds one device's error_stats ("write_errs 0" and so on) to sums.
func addErrorStats(sums map[string]uint64, stats []byte) {
	for line := range strings.Lines(string(stats)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64); err == nil {
			sums[name] += v
		}
	}
}
