package diagnose

import (
	"fmt"
	"strings"
	"time"

	"strata/internal/fleet"
)

func memoryRules() []Rule {
	return []Rule{{
		ID: "MEM-01", Title: "memory short", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "MemAvailable under 10 % for 2 min; under 5 %, or 512 MiB where there are 4 GiB and more, at once (heuristic)",
		Hold:   2 * time.Minute, Clear: 30 * time.Second, Explains: []string{"K8S-03", "MEM-03", "MEM-05", "KRN-OOM"}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindDomain}},
		Remedies: []string{"host-swap-on", "swap-on"}, Judge: on(memoryShort),
	}, {
		ID: "MEM-02", Title: "swap nearly full", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "netdata swap.conf 90 %; over 50 % only while more than 128 KiB/s move: used swap alone is history, info where nothing moves and all of it has room in memory",
		Hold:   time.Minute, Clear: time.Minute, Explains: []string{"X-03"}, Fold: Fold{Least: fleet.Warn}, Reads: Reads{Kinds: []fleet.Kind{fleet.KindDomain}}, Judge: on(swapFull),
	}, {
		ID: "MEM-03", Title: "swapping", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "pswpin and pswpout of /proc/vmstat, both and over 1 MiB/s; over 10 MiB/s serious (heuristic)",
		Hold:   time.Minute, Clear: time.Minute, Explains: []string{"MEM-02", "MEM-05", "MEM-07", "X-03", "IO-03", "IO-04", "KRN-HUNG", "KRN-HUNG-APF", "KRN-APF"},
		Reads:    Reads{Kinds: []fleet.Kind{fleet.KindDomain}, Around: []fleet.Kind{fleet.KindSwap}},
		Remedies: []string{"unit-noswap", "swappiness", "swap-off", "host-swap-off"}, Judge: on(swapping),
	}, {
		ID: "MEM-05", Title: "tasks wait for memory", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "/proc/pressure/memory: some avg60 >= 10, full avg10 >= 20 (heuristic); systemd-oomd kills at 60",
		Hold:   time.Minute, Clear: 30 * time.Second, Judge: on(memoryPressure),
	}}
}

func memoryShort(s *fleet.Snapshot, h *fleet.Host) Verdict {
	m := h.Memory
	if !h.MemoryKnown() {
		return Verdict{State: CannotTell, Missing: []string{"MemAvailable: cat /proc/meminfo on " + h.Name}}
	}
	free := float64(m.Available.V) / float64(m.Total)
	scarce := m.Total >= 4<<30 && m.Available.V < 512<<20
	if free >= 0.12 && !scarce {
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Says: h.Name + " is short of memory: less than 10 % available",
		Because: []fleet.Evidence{because(h, time.Time{}, "/proc/meminfo", "MemAvailable %s of %s (%.1f %%), SwapTotal %s",
			bytes(m.Available.V), bytes(m.Total), free*100, bytes(h.Swap.Total))},
	}
	verdict.Because = append(verdict.Because, tight(s, h)...)
	switch {
	case free >= 0.10 && !scarce:
		verdict.State = Lingering
		verdict.Says = h.Name + " is short of memory: barely 10 % available"
	case free < 0.05 || scarce:
		verdict.Severity, verdict.Now = fleet.Critical, true
		verdict.Says = h.Name + " is nearly out of memory: the kernel will kill, and a VM is the biggest victim"
		if h.SwapKnown() && h.Swap.Total == 0 {
			verdict.Says = h.Name + " is nearly out of memory and has no swap: the kernel will kill, and a VM is the biggest victim"
		}
	}
	return verdict
}

// swapFlow is what moves in and out of swap in bytes per second; missing when either is.
func swapFlow(h *fleet.Host) (in, out float64, ok bool) {
	return h.Swap.InBytesSec.V, h.Swap.OutBytesSec.V, h.Swap.InBytesSec.OK && h.Swap.OutBytesSec.OK
}

// swapUse words what a host has used of its swap where that matters: nearly all of it, or half while pages still move; "" else.
func swapUse(h *fleet.Host) string {
	used := float64(h.Swap.Used) / float64(h.Swap.Total)
	in, out, known := swapFlow(h)
	switch {
	case used > 0.90:
		return "has used more than 90 % of its swap"
	case used > 0.80:
		return "has used more than 80 % of its swap"
	case used > 0.50 && known && in+out > trickle:
		return "has used more than half of its swap, and pages still move"
	}
	return ""
}

// trickle is what moves in and out of a swap that is only history, in bytes per second: a page that is needed now and then
// (heuristic).
const trickle = 128 << 10

func swapEvidence(h *fleet.Host) fleet.Evidence {
	in, out, ok := swapFlow(h)
	flow := "flow not known"
	if ok {
		flow = fmt.Sprintf("in %s/s, out %s/s", bytes(in), bytes(out))
	}
	return because(h, time.Time{}, "/proc/meminfo, /proc/vmstat", "swap %s of %s used, %s", bytes(h.Swap.Used), bytes(h.Swap.Total), flow)
}

func noFlow(h *fleet.Host) Verdict {
	return Verdict{State: CannotTell, Missing: []string{"whether it swaps now: vmstat 1 5 on " + h.Name}}
}

// noSwap is the verdict on a host that has no swap, or does not tell whether it has.
func noSwap(h *fleet.Host) Verdict {
	if !h.SwapKnown() {
		return Verdict{State: CannotTell, Missing: []string{"SwapTotal: cat /proc/meminfo on " + h.Name}}
	}
	return Verdict{State: OK}
}

func swapFull(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Swap.Total == 0 {
		return noSwap(h)
	}
	used := float64(h.Swap.Used) / float64(h.Swap.Total)
	in, out, known := swapFlow(h)
	verdict := Verdict{State: Bad, Because: append([]fleet.Evidence{swapEvidence(h)}, tight(s, h)...)}
	switch says := swapUse(h); {
	case says != "" && known && in+out <= trickle && h.MemoryKnown() && h.Memory.Available.V > max(h.Swap.Used, h.Memory.Total/5):
		verdict.Severity = fleet.Info
		verdict.Says = h.Name + " " + says + ", which is history: nothing moves, and all of it has room in memory"
	case used > 0.90:
		verdict.Severity = fleet.Serious
		verdict.Says = h.Name + " " + says + ": what comes next is killed"
	case says != "":
		verdict.Says = h.Name + " " + says
	case used > 0.50 && !known:
		return noFlow(h)
	case used > 0.50 && in+out > 0:
		verdict.State = Lingering
		verdict.Says = h.Name + " has used more than half of its swap, little moves now"
	default:
		return Verdict{State: OK}
	}
	return verdict
}

func swapping(s *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Swap.Total == 0 {
		return noSwap(h)
	}
	in, out, known := swapFlow(h)
	switch {
	case !known:
		return noFlow(h)
	case in+out == 0:
		return Verdict{State: OK}
	case in == 0 || out == 0 || in+out <= 1<<20:
		return Verdict{State: Lingering, Says: h.Name + " swapped in and out at once, less so now", Because: []fleet.Evidence{swapEvidence(h)}}
	}
	verdict := Verdict{
		State: Bad, Says: h.Name + " swaps in and out at once: VMs on it stall although they swap nothing themselves",
		Because: append(append([]fleet.Evidence{swapEvidence(h)}, tight(s, h)...), waitEvidence(h)...),
	}
	if in+out > 10<<20 {
		verdict.Severity = fleet.Serious
	}
	if inMemory(s, h) {
		verdict.Severity = fleet.Info
		verdict.Says = h.Name + " swaps into compressed memory (zram): that costs its processors, and no disk"
	}
	return verdict
}

// inMemory reports whether all that a host swaps to is zram.
func inMemory(s *fleet.Snapshot, h *fleet.Host) bool {
	p, ok := s.Part(h.Source, fleet.KindSwap.Scope())
	if !ok {
		return false
	}
	all := false
	for _, o := range p.Facts {
		a, ok := o.(*fleet.SwapArea)
		if !ok || !a.Active || a.Host != h.Name {
			continue
		}
		if all = strings.HasPrefix(a.Name, "/dev/zram"); !all {
			return false
		}
	}
	return all
}

func memoryPressure(_ *fleet.Snapshot, h *fleet.Host) Verdict {
	if h.Pressure == nil {
		return Verdict{State: CannotTell, Missing: []string{"/proc/pressure/memory: boot " + h.Name + " with psi=1"}}
	}
	m := h.Pressure.Memory
	switch {
	case m.Full10 < 20 && m.Some60 < 10 && m.Some60 >= 8:
		return Verdict{State: Lingering}
	case m.Full10 < 20 && m.Some60 < 10:
		return Verdict{State: OK}
	}
	verdict := Verdict{
		State: Bad, Says: "tasks on " + h.Name + " wait for memory",
		Because: []fleet.Evidence{because(h, time.Time{}, "/proc/pressure/memory", "some avg10=%.1f avg60=%.1f, full avg10=%.1f avg60=%.1f", m.Some10, m.Some60, m.Full10, m.Full60)},
	}
	verdict.Because = append(verdict.Because, waitEvidence(h)...)
	if m.Full10 >= 20 {
		verdict.Severity = fleet.Serious
		verdict.Says = "all tasks on " + h.Name + " wait for memory a fifth of the time"
	}
	return verdict
}
