package host

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// hostReader reads the scope "host".
type hostReader struct {
	source, name string
	at           tree.Tree
	notes        *notes

	known  identity
	knewAt time.Time
	before moment
	waits  waits
}

// moment is what rates are computed from.
type moment struct {
	at   time.Time
	cpu  cpuTicks
	swap swapPages
	ok   bool
}

func newHostReader(s *source, n *notes) *hostReader {
	return &hostReader{source: s.name, name: s.conf.Name, at: s.at, notes: n, waits: waits{at: s.at}}
}

// identityEvery is how often what hardly changes is read again; a new boot id does it at once.
const identityEvery = time.Minute

func (m *hostReader) look(ctx context.Context, now time.Time) (fleet.Facts, error) {
	ctx = m.pointed(ctx)
	ticks, err := m.ticks(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the load of host %s: %w", m.name, err)
	}
	boot := m.at.Word("/proc/sys/kernel/random/boot_id")
	if boot != m.known.bootID || m.knewAt.IsZero() || now.Sub(m.knewAt) >= identityEvery {
		m.known, m.knewAt = identify(m.at, boot, m.notes), now
	}
	h := &fleet.Host{
		Source: m.source, Name: m.name,
		Boot: m.known.boot, BootID: m.known.bootID, Identity: m.known.id, CPUs: m.known.cpus,
	}
	if avg, err := load.AvgWithContext(ctx); err != nil {
		m.notes.set("load", "load: "+reason(err))
	} else {
		m.notes.set("load", "")
		h.Load = [3]float64{avg.Load1, avg.Load5, avg.Load15}
	}
	m.memory(ctx, h)
	h.Pressure = m.pressure()
	h.Rights = m.rights()
	h.Swap.Swappiness, h.Swap.Kept = m.swappiness()

	vmstat, err := m.at.Bytes("/proc/vmstat")
	pages, paged := parseVmstat(vmstat)
	if err != nil || !paged {
		m.notes.set("swap", "swap in and out: /proc/vmstat has no pswpin and pswpout")
	} else {
		m.notes.set("swap", "")
	}
	next := moment{at: now, cpu: ticks, swap: pages, ok: true}
	if m.before.ok {
		h.Busy, h.Steal = ticks.since(m.before.cpu)
		if paged {
			h.Memory.MajorFaultsSec = pages.majorFaults(m.before.swap, now.Sub(m.before.at))
		}
		h.Swap.InBytesSec, h.Swap.OutBytesSec = pages.since(m.before.swap, now.Sub(m.before.at))
	}
	h.Waits = m.waits.look(now, h)
	if m.before.ok && h.Waits != nil {
		waits := *h.Waits
		waits.IO = ticks.ioWait(m.before.cpu)
		h.Waits = &waits
	}
	m.before = next
	h.Missing = m.notes.all()
	return fleet.Facts{h}, nil
}

// pointed tells gopsutil which tree to read. The context value is gopsutil's own way of being told.
func (m *hostReader) pointed(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: m.at.Path("/proc"),
		common.HostSysEnvKey:  m.at.Path("/sys"),
		common.HostEtcEnvKey:  m.at.Path("/etc"),
	})
}

func (m *hostReader) memory(ctx context.Context, h *fleet.Host) {
	v, err := mem.VirtualMemoryWithContext(ctx)
	// gopsutil takes a missing /proc/meminfo for an empty one.
	if err != nil || v.Total == 0 {
		m.notes.set("memory", "memory: /proc/meminfo could not be read")
		return
	}
	m.notes.set("memory", "")
	h.Memory = fleet.Memory{Total: v.Total, Available: fleet.Some(v.Available), Cached: v.Cached, Dirty: v.Dirty}
	h.Memory.Saving = m.known.saving
	h.Swap.Total, h.Swap.Used = v.SwapTotal, v.SwapTotal-min(v.SwapFree, v.SwapTotal)
	if h.Memory.Overcommit = m.known.overcommit; h.Memory.Overcommit.V == refuses {
		meminfo, _ := m.at.Bytes("/proc/meminfo")
		h.Memory.Committed = committed(string(meminfo))
	}
	// While swapoff runs, SwapTotal shrinks to what is still used; /proc/swaps keeps the areas whole.
	if areas, err := m.at.Bytes("/proc/swaps"); err == nil {
		var total, used uint64
		for _, a := range parseSwaps(areas) {
			total, used = total+a.bytes, used+a.used
		}
		if total > 0 {
			h.Swap.Total, h.Swap.Used = total, used
		}
	}
}

// refuses is the vm.overcommit_memory that refuses memory beyond a limit.
const refuses = 2

// pressure reads PSI, nil when the kernel does not have it or has it switched off.
func (m *hostReader) pressure() *fleet.Pressure {
	var p fleet.Pressure
	for _, f := range []struct {
		name string
		into *fleet.Stall
	}{{"cpu", &p.CPU}, {"memory", &p.Memory}, {"io", &p.IO}} {
		b, err := m.at.Bytes("/proc/pressure/" + f.name)
		if err == nil {
			*f.into, err = parseStall(b)
		}
		if err != nil {
			m.notes.set("pressure", "pressure: /proc/pressure/"+f.name+": "+reason(err)+" (boot with psi=1)")
			return nil
		}
	}
	m.notes.set("pressure", "")
	return &p
}

// cpuTicks is the first line of /proc/stat in seconds.
type cpuTicks struct{ all, idle, steal, io float64 }

func (m *hostReader) ticks(ctx context.Context) (cpuTicks, error) {
	all, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return cpuTicks{}, err
	}
	if len(all) == 0 {
		return cpuTicks{}, fmt.Errorf("%s has no line of CPU times", m.at.Path("/proc/stat"))
	}
	t := all[0]
	// Guest time is already part of user time; gopsutil's Total would count it twice, and this is a hypervisor's tool.
	idle := t.Idle + t.Iowait
	return cpuTicks{all: t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal + idle, idle: idle, steal: t.Steal, io: t.Iowait}, nil
}

// ioWait is the share of idle time in which I/O was under way, in steps of 0.05.
func (t cpuTicks) ioWait(before cpuTicks) fleet.Opt[float64] {
	all, io := t.all-before.all, t.io-before.io
	if all <= 0 || io > all {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(math.Round(max(0, io/all)*20) / 20) // the kernel may take back a tick
}

// since returns the shares of busy and stolen time; missing when nothing passed or a counter went back.
func (t cpuTicks) since(before cpuTicks) (busy, steal fleet.Opt[float64]) {
	all, idle, stolen := t.all-before.all, t.idle-before.idle, t.steal-before.steal
	if all <= 0 || idle < 0 || stolen < 0 || stolen > all {
		return busy, steal
	}
	// The kernel may take back a tick of I/O wait, so that idle grows by more than all.
	return fleet.Some(max(0, 1-idle/all)), fleet.Some(stolen / all)
}
