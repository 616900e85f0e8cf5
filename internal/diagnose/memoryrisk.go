package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// memoryRiskRules judge what a host's memory has left to fall back on, and what waiting for pages costs.
func memoryRiskRules() []Rule {
	return []Rule{{
		ID: "MEM-04", Title: "pages are read again and again", Kind: fleet.KindHost, Severity: fleet.Warn,
		Source: "node-mixin: pgmajfault over 500 a second for 15 min; serious over 1000",
		Hold:   15 * time.Minute, Clear: time.Minute, Explains: []string{"MEM-05", "IO-03"}, Judge: on(majorFaults),
	}, {
		ID: "MEM-08", Title: "memory is refused", Kind: fleet.KindHost, Severity: fleet.Serious,
		Source: "Committed_AS at CommitLimit where vm.overcommit_memory is 2: the next allocation fails; in the other modes the limit means nothing (proc.rst)",
		Judge:  on(committedAll),
	}, {
		ID: "MEM-10", Title: "no safety net", Kind: fleet.KindHost, Severity: fleet.Critical,
		Source: "SwapTotal 0 and MemAvailable under 5 %: what comes next is killed, with nothing to fall back on",
		Clear:  30 * time.Second, Explains: []string{"MEM-01"}, Remedies: []string{"host-swap-on", "swap-on"},
		Reads: Reads{Kinds: []fleet.Kind{fleet.KindDomain}}, Judge: on(noSafetyNet),
	}}
}

func majorFaults(_ *fleet.Snapshot, h *fleet.Host) Verdict {
	n := h.Memory.MajorFaultsSec
	v := Verdict{State: Bad, Because: []fleet.Evidence{because(h, time.Time{}, "pgmajfault of /proc/vmstat", "%.0f a second", n.V)}}
	switch {
	case !n.OK:
		return Verdict{State: CannotTell, Missing: []string{"major faults: vmstat -s | grep fault, or sar -B 5 on " + h.Name}}
	case n.V <= 400:
		return Verdict{State: OK}
	case n.V <= 500:
		return Verdict{State: Lingering}
	case n.V > 1000:
		v.Severity = fleet.Serious
		v.Says = "tasks on " + h.Name + " wait more than 1000 times a second for pages to be read"
	default:
		v.Says = "tasks on " + h.Name + " wait more than 500 times a second for pages to be read"
	}
	return v
}

func committedAll(_ *fleet.Snapshot, h *fleet.Host) Verdict {
	switch mode, share := h.Memory.Overcommit, h.Memory.Committed; {
	case !mode.OK:
		return Verdict{State: CannotTell, Missing: []string{"whether memory is refused: sysctl vm.overcommit_memory on " + h.Name}}
	case mode.V != 2:
		return Verdict{State: OK} // the limit is only told
	case !share.OK:
		return Verdict{State: CannotTell, Missing: []string{"what is promised: grep -i commit /proc/meminfo on " + h.Name}}
	case share.V < 90:
		return Verdict{State: OK}
	case share.V < 95:
		return Verdict{State: Lingering}
	default:
		return Verdict{
			State: Bad, Says: h.Name + " has promised nearly all the memory that it may: the next allocation fails, of a virtual machine too",
			Because: []fleet.Evidence{because(h, time.Time{}, "/proc/meminfo, vm.overcommit_memory=2", "Committed_AS is %d %% of CommitLimit", share.V)},
		}
	}
}

func noSafetyNet(s *fleet.Snapshot, h *fleet.Host) Verdict {
	m := h.Memory
	if !h.MemoryKnown() || !h.SwapKnown() {
		return Verdict{State: CannotTell, Missing: []string{"MemAvailable and SwapTotal: cat /proc/meminfo on " + h.Name}}
	}
	free := float64(m.Available.V) / float64(m.Total)
	v := Verdict{
		State: Bad, Says: fmt.Sprintf("%s has no swap and less than 5 %% of its memory left: what comes next is killed, most likely a virtual machine", h.Name),
		Because: []fleet.Evidence{because(h, time.Time{}, "/proc/meminfo", "MemAvailable %s of %s (%.1f %%), SwapTotal 0", bytes(m.Available.V), bytes(m.Total), free*100)},
	}
	switch {
	case h.Swap.Total > 0 || free >= 0.06:
		return Verdict{State: OK}
	case free >= 0.05:
		return Verdict{State: Lingering}
	}
	v.Because = append(v.Because, tight(s, h)...)
	return v
}
