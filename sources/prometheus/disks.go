package prometheus

import (
	"context"
	"math"
	"strings"
	"time"

	"strata/internal/fleet"
	"strata/sources"
)

// diskLook looks at the scope "disks": what node_exporter counts of each, and what smartctl_exporter read of it.
type diskLook struct {
	source string
	ask    *asker
	ledger *sources.Ledger

	round  int
	known  map[key]fleet.Disk // model, serial and bus, by host and disk
	smart  map[key]*page
	arrays map[key]uint64 // how many disks each md array lacks
}

// doing is what a disk does.
type doing struct {
	read, write, reads, writes, readTime, writeTime, busy, queue fleet.Opt[float64]
}

func (l *diskLook) look(ctx context.Context, now time.Time, r *roster) (fleet.Facts, error) {
	if l.round%slowly == 0 || l.known == nil {
		if err := l.learn(ctx, now, r); err != nil {
			return nil, err
		}
	}
	l.round++
	all := make(map[key]*doing, len(l.known))
	for _, q := range []struct {
		metric string
		into   func(*doing) *fleet.Opt[float64]
	}{
		{"node_disk_read_bytes_total", func(d *doing) *fleet.Opt[float64] { return &d.read }},
		{"node_disk_written_bytes_total", func(d *doing) *fleet.Opt[float64] { return &d.write }},
		{"node_disk_reads_completed_total", func(d *doing) *fleet.Opt[float64] { return &d.reads }},
		{"node_disk_writes_completed_total", func(d *doing) *fleet.Opt[float64] { return &d.writes }},
		{"node_disk_read_time_seconds_total", func(d *doing) *fleet.Opt[float64] { return &d.readTime }},
		{"node_disk_write_time_seconds_total", func(d *doing) *fleet.Opt[float64] { return &d.writeTime }},
		{"node_disk_io_time_seconds_total", func(d *doing) *fleet.Opt[float64] { return &d.busy }},
		{"node_disk_io_time_weighted_seconds_total", func(d *doing) *fleet.Opt[float64] { return &d.queue }},
	} {
		err := l.ask.ask(ctx, rate(q.metric, realDisks, "device"), func(v []string, n float64) {
			host, ok := r.machineOf(v[0])
			if !ok {
				return
			}
			k := key{host, v[1]}
			if all[k] == nil {
				all[k] = &doing{}
			}
			*q.into(all[k]) = fleet.Some(n)
		})
		if err != nil {
			return nil, err
		}
	}
	// A disk that only smartctl_exporter or node_disk_info tells of is there all the same, but not on a machine that is lost.
	add := func(k key) {
		if _, there := all[k]; !there && r.lost[k.host] == "" {
			all[k] = nil
		}
	}
	for k := range l.smart {
		add(k)
	}
	for k := range l.known {
		add(k)
	}
	facts := make(fleet.Facts, 0, len(all))
	for k, d := range all {
		facts = append(facts, l.disk(k, d, now))
	}
	return facts, nil
}

// disk makes the object of a disk.
func (l *diskLook) disk(k key, d *doing, now time.Time) *fleet.Disk {
	o := l.known[k]
	o.Source, o.Host, o.Name = l.source, k.host, k.name
	if o.Bus == "" {
		o.Bus = busOf(k.name)
	}
	if d != nil {
		o.IO = d.io()
	}
	if lacks, ok := l.arrays[k]; ok {
		o.Counters = append(o.Counters, l.ledger.Count(owner(&o), "degraded", lacks, now))
	}
	p := l.smart[k]
	switch {
	case p != nil:
		p.complete(&o, l.ledger, now)
	case o.Bus != "nvme" && o.Bus != "ata" && o.Bus != "scsi":
		o.Missing = append(o.Missing, "SMART: a "+o.Bus+" disk has none")
	default:
		o.Missing = append(o.Missing, "SMART: no smartctl_exporter tells of this disk")
	}
	return &o
}

// owner keys a disk's counters: another disk under the same name starts over.
func owner(d *fleet.Disk) string { return d.Host + " " + d.Name + " " + d.Serial }

func (d *doing) io() fleet.DiskIO {
	io := fleet.DiskIO{ReadBytesSec: d.read, WriteBytesSec: d.write, ReadsSec: d.reads, WritesSec: d.writes}
	if d.busy.OK {
		io.Util = fleet.Some(min(max(d.busy.V, 0), 1))
	}
	if d.queue.OK {
		io.Queue = fleet.Some(math.Round(max(d.queue.V, 0)*10) / 10)
	}
	if ops := d.reads.V + d.writes.V; d.reads.OK && d.writes.OK && d.readTime.OK && d.writeTime.OK && ops > 0 {
		seconds := min(max((d.readTime.V+d.writeTime.V)/ops, 0), 1e6)
		io.Await = fleet.Some(time.Duration(seconds * float64(time.Second)))
	}
	return io
}

// realDisks leaves out what is no hardware.
const realDisks = `device!~"(loop|ram|zram|dm-|sr|fd|mtdblock).*"`

func busOf(name string) string {
	for _, p := range []struct{ prefix, bus string }{
		{"nvme", "nvme"}, {"vd", "virtio"}, {"md", "md"}, {"mmcblk", "mmc"}, {"xvd", "xen"}, {"rbd", "ceph"}, {"nbd", "nbd"}, {"drbd", "drbd"},
	} {
		if strings.HasPrefix(name, p.prefix) {
			return p.bus
		}
	}
	return "scsi"
}

// learn reads what changes slowly: who made the disks, md arrays, and SMART.
func (l *diskLook) learn(ctx context.Context, now time.Time, r *roster) error {
	known, required, active := map[key]fleet.Disk{}, map[key]float64{}, map[key]float64{}
	for _, q := range []struct {
		query
		set func(k key, labels []string, v float64)
	}{
		{of("node_disk_info", realDisks, "device", "model", "serial", "rotational"), func(k key, v []string, _ float64) {
			d := fleet.Disk{Model: strings.TrimSpace(v[2]), Serial: strings.TrimSpace(v[3])}
			if bus := busOf(k.name); v[4] != "" && bus != "virtio" && bus != "xen" { // a paravirtual disk claims to rotate
				d.Rotational = fleet.Some(v[4] == "1")
			}
			known[k] = d
		}},
		{of("node_md_disks_required", "", "device"), func(k key, _ []string, v float64) { required[k] = v }},
		{of("node_md_disks", `state="active"`, "device"), func(k key, _ []string, v float64) { active[k] = v }},
	} {
		err := l.ask.ask(ctx, q.query, func(labels []string, v float64) {
			if host, ok := r.machineOf(labels[0]); ok {
				q.set(key{host, labels[1]}, labels, v)
			}
		})
		if err != nil {
			return err
		}
	}
	smart, err := readSmart(ctx, l.ask, now, r)
	if err != nil {
		return err
	}
	arrays := map[key]uint64{}
	for k, want := range required {
		if have, ok := active[k]; ok {
			arrays[k], _ = whole(max(want-have, 0))
		}
	}
	l.known, l.smart, l.arrays = known, smart, arrays
	return nil
}
