package prometheus

import (
	"context"
	"math"
	"strings"
	"time"

	"strata/internal/fleet"
)

// hostLook looks at the scope "host".
type hostLook struct {
	source string
	ask    *asker

	round int
	made  map[string]fleet.HostID // by instance: what hardly ever changes
	known map[string]*fleet.Host  // by name: of those that may get lost
}

// figures are what is known of a host before all of it is there.
type figures struct {
	host        *fleet.Host
	cpus        float64
	idle, steal fleet.Opt[float64]
	loads       int
	swapFree    fleet.Opt[float64]
	in, out     fleet.Opt[float64] // pages a second
	pressure    fleet.Pressure
	pressures   int
	x86         bool
}

func (l *hostLook) look(ctx context.Context, _ time.Time, r *roster) (fleet.Facts, error) {
	all := make(map[string]*figures, len(r.machines)) // by instance
	for _, m := range r.machines {
		if m.lost == "" {
			all[m.instance] = &figures{
				host: &fleet.Host{Source: l.source, Name: m.name, Identity: fleet.HostID{Kernel: m.kernel}},
				x86:  m.arch == "x86_64",
			}
		}
	}
	for _, q := range hostQueries() {
		err := l.ask.ask(ctx, q.query, func(labels []string, v float64) {
			if f := all[labels[0]]; f != nil {
				q.set(f, v)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if l.round%slowly == 0 || l.made == nil {
		if err := l.makers(ctx); err != nil {
			return nil, err
		}
	}
	l.round++
	facts := make(fleet.Facts, 0, len(r.machines))
	known := make(map[string]*fleet.Host, len(r.machines))
	for _, m := range r.machines {
		h := l.lost(m)
		if f := all[m.instance]; f != nil {
			made := l.made[m.instance]
			made.Kernel = m.kernel
			f.host.Identity = made
			h = f.finish()
		}
		facts, known[h.Name] = append(facts, h), h
	}
	l.known = known
	return facts, nil
}

// lost is a machine that is not scraped: who it is, and no figure.
func (l *hostLook) lost(m *machine) *fleet.Host {
	h := &fleet.Host{Source: l.source, Name: m.name, Identity: fleet.HostID{Kernel: m.kernel, Lost: m.lost}, Missing: []string{"load: " + m.lost, "memory: " + m.lost}}
	if was := l.known[m.name]; was != nil {
		h.Boot, h.Identity, h.CPUs = was.Boot, was.Identity, was.CPUs
		h.Identity.Lost = m.lost
	}
	return h
}

// makers reads who made the machines and what runs on them.
func (l *hostLook) makers(ctx context.Context) error {
	made := map[string]fleet.HostID{}
	err := l.ask.ask(ctx, of("node_os_info", "", "pretty_name"), func(v []string, _ float64) {
		id := made[v[0]]
		id.OS = v[1]
		made[v[0]] = id
	})
	if err != nil {
		return err
	}
	err = l.ask.ask(ctx, of("node_dmi_info", "", "system_vendor", "product_name", "product_uuid"), func(v []string, _ float64) {
		id := made[v[0]]
		id.Model, id.SystemUUID = strings.TrimSpace(v[1]+" "+v[2]), strings.ToLower(v[3])
		made[v[0]] = id
	})
	if err == nil {
		l.made = made
	}
	return err
}

type hostQuery struct {
	query
	set func(f *figures, v float64)
}

// hostQueries are one for each metric of a host.
func hostQueries() []hostQuery {
	bytes := func(into func(*fleet.Host) *uint64) func(*figures, float64) {
		return func(f *figures, v float64) {
			if n, ok := whole(v); ok {
				*into(f.host) = n
			}
		}
	}
	load := func(i int) func(*figures, float64) {
		return func(f *figures, v float64) { f.host.Load[i] = v; f.loads++ }
	}
	// The counters are seconds; a Stall is a percentage.
	stall := func(some bool, of func(*fleet.Pressure) *fleet.Stall) func(*figures, float64) {
		return func(f *figures, v float64) {
			s, share := of(&f.pressure), min(max(v*100, 0), 100)
			if f.pressures++; some {
				s.Some10, s.Some60 = share, share
			} else {
				s.Full10, s.Full60 = share, share
			}
		}
	}
	cpu := func(p *fleet.Pressure) *fleet.Stall { return &p.CPU }
	memory := func(p *fleet.Pressure) *fleet.Stall { return &p.Memory }
	io := func(p *fleet.Pressure) *fleet.Stall { return &p.IO }
	return []hostQuery{
		{of("node_boot_time_seconds", ""), func(f *figures, v float64) {
			if v > 0 && v < 1<<40 {
				f.host.Boot = time.Unix(int64(v), 0)
			}
		}},
		{by("count", "", "node_cpu_seconds_total", `mode="idle"`, nil), func(f *figures, v float64) { f.cpus = v }},
		{total("node_cpu_seconds_total", `mode=~"idle|iowait"`), func(f *figures, v float64) { f.idle = fleet.Some(v) }},
		{total("node_cpu_seconds_total", `mode="steal"`), func(f *figures, v float64) { f.steal = fleet.Some(v) }},
		{of("node_load1", ""), load(0)},
		{of("node_load5", ""), load(1)},
		{of("node_load15", ""), load(2)},
		{of("node_memory_MemTotal_bytes", ""), bytes(func(h *fleet.Host) *uint64 { return &h.Memory.Total })},
		{of("node_memory_MemAvailable_bytes", ""), func(f *figures, v float64) {
			if n, ok := whole(v); ok {
				f.host.Memory.Available = fleet.Some(n)
			}
		}},
		{of("node_memory_Cached_bytes", ""), bytes(func(h *fleet.Host) *uint64 { return &h.Memory.Cached })},
		{of("node_memory_Dirty_bytes", ""), bytes(func(h *fleet.Host) *uint64 { return &h.Memory.Dirty })},
		{of("node_memory_SwapTotal_bytes", ""), bytes(func(h *fleet.Host) *uint64 { return &h.Swap.Total })},
		{of("node_memory_SwapFree_bytes", ""), func(f *figures, v float64) { f.swapFree = fleet.Some(v) }},
		{rate("node_vmstat_pswpin", ""), func(f *figures, v float64) { f.in = fleet.Some(v) }},
		{rate("node_vmstat_pswpout", ""), func(f *figures, v float64) { f.out = fleet.Some(v) }},
		{rate("node_vmstat_pgmajfault", ""), func(f *figures, v float64) { f.host.Memory.MajorFaultsSec = fleet.Some(math.Round(v)) }},
		{rate("node_pressure_cpu_waiting_seconds_total", ""), stall(true, cpu)},
		{rate("node_pressure_memory_waiting_seconds_total", ""), stall(true, memory)},
		{rate("node_pressure_memory_stalled_seconds_total", ""), stall(false, memory)},
		{rate("node_pressure_io_waiting_seconds_total", ""), stall(true, io)},
		{rate("node_pressure_io_stalled_seconds_total", ""), stall(false, io)},
	}
}

// pageSize is that of x86. Elsewhere kernels differ, and node_exporter does not tell.
const pageSize = 4096

// finish makes the host of its figures. What was not told is missing, with its name.
func (f *figures) finish() *fleet.Host {
	h := f.host
	h.CPUs = int(min(max(f.cpus, 0), 1<<20))
	if f.cpus > 0 && f.idle.OK {
		h.Busy = fleet.Some(min(max(1-f.idle.V/f.cpus, 0), 1))
		if f.steal.OK {
			h.Steal = fleet.Some(min(max(f.steal.V/f.cpus, 0), 1))
		}
	}
	if f.loads < 3 {
		h.Load = [3]float64{}
		h.Missing = append(h.Missing, missing("load", "node_exporter", "node_load1"))
	}
	if h.Memory.Total == 0 {
		h.Memory, h.Swap = fleet.Memory{}, fleet.Swap{}
		h.Missing = append(h.Missing, missing("memory", "node_exporter", "node_memory_MemTotal_bytes"))
	}
	if h.Swap.Total > 0 {
		free, ok := whole(f.swapFree.Or(-1))
		if !ok {
			h.Swap.Total = 0
			h.Missing = append(h.Missing, missing("swap", "node_exporter", "node_memory_SwapFree_bytes"))
		} else {
			h.Swap.Used = h.Swap.Total - min(free, h.Swap.Total)
		}
	}
	switch {
	case !f.x86 && (f.in.OK || f.out.OK):
		h.Missing = append(h.Missing, "swap in and out: node_exporter tells pages, and not how large they are on this machine")
	case f.in.OK && f.out.OK:
		h.Swap.InBytesSec, h.Swap.OutBytesSec = fleet.Some(f.in.V*pageSize), fleet.Some(f.out.V*pageSize)
	}
	if f.pressures == 5 {
		h.Pressure = &f.pressure
	}
	return h
}
