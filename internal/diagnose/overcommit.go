package diagnose

import (
	"fmt"
	"time"

	"strata/internal/fleet"
)

// What a host needs beside the memory of its virtual machines (heuristic).
const (
	perGuest = 200 << 20 // of each qemu itself
	forHost  = 2 << 30
)

func overcommitRules() []Rule {
	return []Rule{{
		ID: "MEM-06", Title: "virtual machines may take more memory than there is", Kind: fleet.KindHost, Severity: fleet.Info,
		Source: "sum of the running domains' memory, 0.2 GiB for each and 2 GiB for the host against MemTotal (heuristic); a risk, not a trouble",
		Reads:  Reads{Kinds: []fleet.Kind{fleet.KindDomain}}, Judge: on(overcommitted),
	}, {
		ID: "MEM-07", Title: "virtual machine is partly in swap", Kind: fleet.KindDomain, Severity: fleet.Info,
		Source: "VmSwap of its qemu over 5 % of its memory (heuristic); a warning while the host reads swap in",
		Reads:  Reads{Kinds: []fleet.Kind{fleet.KindHost}}, Judge: on(guestInSwap),
	}}
}

// guestMemory is what the running domains of a host may take together.
func guestMemory(s *fleet.Snapshot, h *fleet.Host) (guests int, bytes uint64) {
	for l := range s.Down(h.Ref()) {
		if d, ok := fleet.Find[*fleet.Domain](s, l.From); ok && l.How == "its host" && d.Process.ID.OK {
			guests++
			bytes += d.Compute.Memory
		}
	}
	return guests, bytes
}

func overcommitted(s *fleet.Snapshot, h *fleet.Host) Verdict {
	guests, memory := guestMemory(s, h)
	switch {
	case guests == 0:
		return Verdict{State: OK}
	case h.Memory.Total == 0:
		return Verdict{State: CannotTell, Missing: []string{"MemTotal: cat /proc/meminfo on " + h.Name}}
	case memory+uint64(guests)*perGuest+forHost <= h.Memory.Total:
		return Verdict{State: OK}
	}
	return Verdict{
		State:   Bad,
		Says:    fmt.Sprintf("%s on %s may take more memory than it has: then it swaps, or kills one", plural(guests, "virtual machine"), h.Name),
		Because: append([]fleet.Evidence{guestEvidence(h, guests, memory)}, savingEvidence(s, h)...),
	}
}

func guestEvidence(h *fleet.Host, guests int, memory uint64) fleet.Evidence {
	return because(h, time.Time{}, "virsh domstats, /proc/meminfo", "%s may take %s, the host has %s in all", plural(guests, "running domain"), bytes(memory), bytes(h.Memory.Total))
}

// tight is that evidence where the domains leave the host too little, for findings about its memory.
func tight(s *fleet.Snapshot, h *fleet.Host) []fleet.Evidence {
	guests, memory := guestMemory(s, h)
	if guests == 0 || memory+uint64(guests)*perGuest+forHost <= h.Memory.Total {
		return nil
	}
	return []fleet.Evidence{guestEvidence(h, guests, memory)}
}

func guestInSwap(s *fleet.Snapshot, d *fleet.Domain) Verdict {
	switch {
	case !d.Process.ID.OK:
		return Verdict{State: OK}
	case !d.Process.Swapped.OK || d.Compute.Memory == 0:
		return Verdict{State: CannotTell, Missing: []string{"what of its memory is in swap: grep VmSwap /proc/$(cat /run/libvirt/qemu/" + d.Name + ".pid)/status on " + d.Host}}
	}
	share := float64(d.Process.Swapped.V) / float64(d.Compute.Memory)
	v := Verdict{State: Bad, Because: []fleet.Evidence{because(d, time.Time{}, "VmSwap of its qemu", "%s of %s (%.0f %%) in swap", bytes(d.Process.Swapped.V), bytes(d.Compute.Memory), share*100)}}
	switch {
	case share < 0.04:
		return Verdict{State: OK}
	case share <= 0.05:
		return Verdict{State: Lingering}
	}
	v.Says = fmt.Sprintf("a part of %s is in the swap of %s: it stalls whenever it needs that, and sees no reason itself", whichDomain(d), d.Host)
	h, ok := below[*fleet.Host](s, d.Ref(), fleet.KindHost)
	if !ok {
		return v
	}
	if in, out, known := swapFlow(h); known {
		if in > 1<<20 {
			v.Severity = fleet.Warn
		}
		v.Because = append(v.Because, because(h, time.Time{}, "/proc/vmstat", "swap in %s/s, out %s/s", bytes(in), bytes(out)))
	}
	return v
}
