package prometheus

import (
	"context"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// fileLook looks at the scope "filesystems".
type fileLook struct {
	source string
	ask    *asker
	ledger *sources.Ledger
}

// realTypes are those with storage behind them, as strata's own reader takes them.
const realTypes = `fstype=~"ext2|ext3|ext4|xfs|btrfs|f2fs|vfat|exfat|ntfs3|jfs|bcachefs|zfs|ocfs2|gfs2|nfs|nfs4|cifs|smb3|ceph|fuse.glusterfs|fuse.ceph-fuse|fuse.sshfs|fuseblk|virtiofs|9p"`

// mount is a filesystem as node_exporter tells it.
type mount struct {
	*fleet.Filesystem
	size, free, available fleet.Opt[float64]
}

func (l *fileLook) look(ctx context.Context, now time.Time, r *roster) (fleet.Facts, error) {
	all := map[key]*mount{} // by host and mount point
	at := func(v []string) *mount {
		host, ok := r.machineOf(v[0])
		if !ok {
			return &mount{Filesystem: &fleet.Filesystem{}} // told to nobody
		}
		k := key{host, v[3]}
		if all[k] == nil {
			all[k] = &mount{Filesystem: &fleet.Filesystem{Source: l.source, Host: host, Mount: v[3], Device: v[1], Type: v[2]}}
		}
		return all[k]
	}
	inodes := func(into func(*mount) *uint64) func(*mount, float64) {
		return func(m *mount, v float64) { *into(m), _ = whole(v) }
	}
	for _, q := range []struct {
		metric string
		set    func(*mount, float64)
	}{
		{"size_bytes", func(m *mount, v float64) { m.size = fleet.Some(v) }},
		{"free_bytes", func(m *mount, v float64) { m.free = fleet.Some(v) }},
		{"avail_bytes", func(m *mount, v float64) { m.available = fleet.Some(v) }},
		{"files", inodes(func(m *mount) *uint64 { return &m.InodesTotal })},
		{"files_free", inodes(func(m *mount) *uint64 { return &m.InodesFree })},
		{"readonly", func(m *mount, v float64) { m.ReadOnly = v > 0 }},
		{"device_error", func(m *mount, v float64) {
			if v > 0 {
				m.NoData = "node_exporter could not read it"
			}
		}},
	} {
		err := l.ask.ask(ctx, of("node_filesystem_"+q.metric, realTypes, "device", "fstype", "mountpoint"), func(v []string, n float64) { q.set(at(v), n) })
		if err != nil {
			return nil, err
		}
	}
	counters, err := l.btrfs(ctx, now, r)
	if err != nil {
		return nil, err
	}
	var facts fleet.Facts
	for k, m := range nearest(all) {
		m.figures()
		m.Counters = counters[key{k.host, m.Device}]
		facts = append(facts, m.Filesystem)
	}
	return facts, nil
}

// nearest leaves one mount point of each device: the shortest.
func nearest(all map[key]*mount) map[key]*mount {
	best := make(map[key]*mount, len(all))
	for k, m := range all {
		on := key{k.host, m.Device}
		if b := best[on]; b == nil || len(m.Mount) < len(b.Mount) || len(m.Mount) == len(b.Mount) && m.Mount < b.Mount {
			best[on] = m
		}
	}
	return best
}

// figures are in the object only when they are all there.
func (m *mount) figures() {
	size, ok := whole(m.size.Or(-1))
	free, also := whole(m.free.Or(-1))
	available, too := whole(m.available.Or(-1))
	switch {
	case ok && also && too && m.NoData == "":
		m.Total, m.Used, m.Available = size, size-min(free, size), available
		return
	case m.NoData == "":
		m.NoData = missing("sizes", "node_exporter", "node_filesystem_size_bytes")
	}
	m.InodesTotal, m.InodesFree = 0, 0
}

// btrfs reads the error counters that node_exporter has: those of btrfs only, by the devices of each.
func (l *fileLook) btrfs(ctx context.Context, now time.Time, r *roster) (map[key][]fleet.Counter, error) {
	found := map[key][]fleet.Counter{}
	err := l.ask.ask(ctx, of("node_btrfs_device_errors_total", "", "device", "type"), func(v []string, n float64) {
		host, ok := r.machineOf(v[0])
		value, good := whole(n)
		if ok && good {
			device := "/dev/" + strings.TrimPrefix(v[1], "/dev/")
			k := key{host, device}
			found[k] = append(found[k], l.ledger.Count("btrfs "+host+" "+device, "btrfs_"+v[2]+"_errs", value, now))
		}
	})
	return found, err
}
