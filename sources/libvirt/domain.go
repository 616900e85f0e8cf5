package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// known is what is remembered of a domain between two looks.
type known struct {
	life    life
	live    definition
	kept    definition // as stored; empty for one that is not
	missing []string   // of the definitions
	counted time.Time
	cpu     uint64               // nanoseconds
	blocks  map[string][2]uint64 // by target, bytes read and written
	rates   map[string][2]fleet.Opt[float64]
	share   fleet.Opt[float64]
	log     qemuSeen
}

// life is what tells a domain's definition may have changed: its state, and the process it runs in.
type life struct {
	state, reason, pid int
	started            time.Time
	blocks             string
}

// domain makes the object of one domain, nil for one that vanished meanwhile. An error is one of the connection.
func (w *watcher) domain(ctx context.Context, now time.Time, d connect.LibvirtDomain, all bool) (*fleet.Domain, error) {
	state, reason := number(d.Stats, "state.state"), number(d.Stats, "state.reason")
	o := &fleet.Domain{
		Source: w.name, Host: w.LibvirtAt.Name, Name: d.Name, UUID: d.UUID, State: stateWord(state), Reason: reasonWord(state, reason),
		Set: fleet.DomainSet{Persistent: w.persistent[d.UUID], Autostart: w.autostart[d.UUID]},
	}
	var run process
	if active(state) {
		run = findProcess(w.at, d.Name, d.ID)
		if run.pid == 0 {
			o.Missing = append(o.Missing, "its process: no qemu by /run/libvirt/qemu/"+d.Name+".pid or its scope; VmSwap, start time and unit are not known")
		}
	}
	k := w.known[d.UUID]
	lives := life{state, reason, run.pid, run.started, d.Stats["block.count"]}
	if k == nil || all || k.life != lives || len(k.missing) > 0 {
		next := &known{}
		if k != nil {
			*next = *k
		}
		gone, err := w.define(ctx, next, d.UUID, active(state))
		if gone || err != nil {
			return nil, err
		}
		if k != nil && (k.life.pid != run.pid || !k.life.started.Equal(run.started)) {
			next.counted, next.rates, next.share = time.Time{}, nil, fleet.Opt[float64]{} // its counters began again
		}
		next.life, k = lives, next
		w.known[d.UUID] = k
	}
	k.count(now, d.Stats, active(state))
	w.fill(o, k, d, run, active(state))
	o.Log = w.qemuLog(d.Name, &k.log)
	if o.State == "paused" && len(o.Disks) > 0 {
		w.blockErrors(ctx, o)
	}
	return o, nil
}

// active reports whether a domain in a state has a process.
func active(state int) bool { return state != 0 && state != 5 && state != 6 }

// define reads a domain's definitions. What is wrong with them concerns this domain only; what is wrong with the
// connection is an error.
func (w *watcher) define(ctx context.Context, k *known, uuid string, running bool) (gone bool, err error) {
	k.live, k.kept, k.missing = definition{}, definition{}, nil
	read := func(stored bool) (definition, error) {
		text, err := w.daemon.XML(ctx, uuid, stored)
		if err != nil {
			return definition{}, err
		}
		d, err := parseDefinition(text)
		if err != nil {
			k.missing = append(k.missing, err.Error())
		}
		return d, nil
	}
	if k.live, err = read(false); err == nil && w.persistent[uuid] {
		if k.kept = k.live; running {
			k.kept, err = read(true)
		}
	}
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	}
	return false, err
}

// count turns counters into rates.
func (k *known) count(now time.Time, stats map[string]string, running bool) {
	cpu, _ := strconv.ParseUint(stats["cpu.time"], 10, 64)
	blocks := map[string][2]uint64{}
	for i := range min(number(stats, "block.count"), 1024) {
		at := fmt.Sprintf("block.%d.", i)
		read, err := strconv.ParseUint(stats[at+"rd.bytes"], 10, 64)
		write, also := strconv.ParseUint(stats[at+"wr.bytes"], 10, 64)
		if _, twice := blocks[stats[at+"name"]]; err == nil && also == nil && !twice {
			blocks[stats[at+"name"]] = [2]uint64{read, write}
		}
	}
	took := now.Sub(k.counted).Seconds()
	rate := func(now, before uint64, scale float64) fleet.Opt[float64] {
		if k.counted.IsZero() || now < before || took <= 0 || !running {
			return fleet.Opt[float64]{}
		}
		return fleet.Some(float64(now-before) / scale / took)
	}
	k.share, k.rates = rate(cpu, k.cpu, 1e9), map[string][2]fleet.Opt[float64]{}
	for target, n := range blocks {
		if before, ok := k.blocks[target]; ok {
			k.rates[target] = [2]fleet.Opt[float64]{rate(n[0], before[0], 1), rate(n[1], before[1], 1)}
		}
	}
	k.counted, k.cpu, k.blocks = now, cpu, blocks
}

// fill puts what is known of a domain into its object.
func (w *watcher) fill(o *fleet.Domain, k *known, d connect.LibvirtDomain, run process, running bool) {
	o.Missing = append(o.Missing, k.missing...)
	o.Nova, o.MACs, o.Set.PanicSeen = k.live.nova, k.live.macs, k.live.panics
	o.Compute = fleet.DomainSize{VCPUs: k.live.vcpus, Memory: k.live.memory}
	if o.Compute.VCPUs == 0 {
		o.Compute.VCPUs = number(d.Stats, "vcpu.current")
	}
	if o.Compute.Memory == 0 {
		o.Compute.Memory = bytesOf(d.Stats["balloon.maximum"], "KiB")
	}
	if running {
		if n := bytesOf(d.Stats["balloon.current"], "KiB"); n > 0 {
			o.Compute.Balloon = fleet.Some(n)
		}
		o.Process = fleet.DomainRun{ID: k.live.id, PID: run.pid, Unit: run.unit, Started: run.started, CPU: k.share, Swapped: run.swapped}
		if d.ID.OK {
			o.Process.ID = d.ID
		}
	}
	sizes := capacities(d.Stats)
	for _, disk := range k.live.disks {
		disk.Capacity = sizes[disk.Target]
		if strings.HasPrefix(disk.File, "/") {
			disk.Path = w.at.DiskPath(disk.File, w.mounts)
		}
		disk.Read, disk.Write = k.rates[disk.Target][0], k.rates[disk.Target][1]
		if !running {
			disk.Tune = fleet.DomainTune{} // nothing is at work
		}
		if i := slices.IndexFunc(k.kept.disks, func(s fleet.DomainDisk) bool { return s.Target == disk.Target }); i >= 0 {
			disk.Kept = k.kept.disks[i].Tune
		}
		o.Disks = append(o.Disks, disk)
	}
}

// capacities are the sizes of a domain's disks by target.
func capacities(stats map[string]string) map[string]fleet.Opt[uint64] {
	all := map[string]fleet.Opt[uint64]{}
	for i := range min(number(stats, "block.count"), 1024) {
		at := fmt.Sprintf("block.%d.", i)
		target := stats[at+"name"] // that of the files below it too, which come after it
		if n, err := strconv.ParseUint(stats[at+"capacity"], 10, 64); err == nil && n > 0 && !all[target].OK {
			all[target] = fleet.Some(n)
		}
	}
	return all
}

// blockErrors tells which disk a paused domain stopped for.
func (w *watcher) blockErrors(ctx context.Context, o *fleet.Domain) {
	words, err := w.daemon.BlockErrors(ctx, o.UUID)
	if err != nil {
		o.Missing = append(o.Missing, "its disk errors: "+err.Error())
		return
	}
	for i := range o.Disks {
		o.Disks[i].Error = words[o.Disks[i].Target]
	}
}

func number(stats map[string]string, key string) int {
	n, _ := strconv.Atoi(stats[key])
	return n
}
