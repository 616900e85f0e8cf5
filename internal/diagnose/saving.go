package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// savingRules tell what makes the memory of a host of virtual machines go further, where that says something.
func savingRules() []Rule {
	return []Rule{{
		ID: "MEM-09", Title: "memory is merged, ballooned or compressed", Kind: fleet.KindHost, Severity: fleet.Info,
		Source: "ksm.rst: general_profit below -16 MiB; a balloon that takes 5 % and more while the host swaps; zswap.rst: 256 MiB and more kept in memory; " +
			"each for 15 min (heuristic)",
		Hold: 15 * time.Minute, Clear: time.Minute, Reads: Reads{Kinds: []fleet.Kind{fleet.KindDomain}}, Judge: on(softened),
	}}
}

func softened(s *fleet.Snapshot, h *fleet.Host) Verdict {
	guests, _ := guestMemory(s, h)
	if m := h.Memory.Saving; guests > 0 && !m.Merging.OK && !m.Zswap.OK && !m.Stored.OK {
		return Verdict{State: CannotTell, Missing: []string{"what makes its memory go further: grep . /sys/kernel/mm/ksm/* /sys/module/zswap/parameters/enabled; grep Zswap /proc/meminfo on " + h.Name}}
	}
	var says []string
	lingers := false
	judge := func(bad, nearly bool, format string, args ...any) {
		if lingers = lingers || nearly; bad {
			says = append(says, fmt.Sprintf(format, args...))
		}
	}
	const lost, kept = 16 << 20, 256 << 20
	m := h.Memory.Saving
	judge(m.Merging.V && m.Profit.V < -lost, m.Merging.V && m.Profit.V < 0, "merging of equal pages (KSM) costs %s more memory than it saves: 2 in /sys/kernel/mm/ksm/run ends it", h.Name)
	held, _ := ballooned(s, h)
	in, out, _ := swapFlow(h)
	judge(len(held) > 0 && in+out > trickle, len(held) > 0 && in+out > 0, "%s swaps although balloons already take memory from %s", h.Name, names(held))
	judge(m.Stored.V >= kept, m.Stored.V >= kept/2, "a part of the swap of %s is in its memory, compressed (zswap): to read that costs its processors, and no disk", h.Name)
	switch {
	case len(says) > 0:
		return Verdict{State: Bad, Says: strings.Join(says, "; "), Because: savingEvidence(s, h)}
	case lingers:
		return Verdict{State: Lingering}
	}
	return Verdict{State: OK}
}

// ballooned are the running domains of a host whose balloons take a twentieth of their memory and more, and what they leave.
func ballooned(s *fleet.Snapshot, h *fleet.Host) (who []string, all []fleet.Evidence) {
	var held []*fleet.Domain
	for l := range s.Down(h.Ref()) {
		d, ok := fleet.Find[*fleet.Domain](s, l.From)
		if ok && l.How == "its host" && d.Process.ID.OK && d.Compute.Balloon.OK && d.Compute.Balloon.V < d.Compute.Memory-d.Compute.Memory/20 {
			held = append(held, d)
		}
	}
	slices.SortFunc(held, func(a, b *fleet.Domain) int { return a.Ref().Compare(b.Ref()) })
	for _, d := range held {
		who = append(who, whichDomain(d))
		all = append(all, because(d, time.Time{}, "virsh domstats "+d.Name, "its balloon leaves it %s of %s", bytes(d.Compute.Balloon.V), bytes(d.Compute.Memory)))
	}
	return who, all
}

// savingEvidence is what makes the memory of a host go further: nothing where all of that is off.
func savingEvidence(s *fleet.Snapshot, h *fleet.Host) (all []fleet.Evidence) {
	m := h.Memory.Saving
	if m.Merged.V > 0 || m.Merging.V {
		profit := "what that costs is not told"
		if m.Profit.OK {
			profit = "less its own cost " + signed(m.Profit.V)
		}
		all = append(all, because(h, time.Time{}, "/sys/kernel/mm/ksm", "merging equal pages saves %s, %s", bytes(m.Merged.V), profit))
	}
	_, balloons := ballooned(s, h)
	all = append(all, balloons[:min(5, len(balloons))]...)
	if m.Stored.V > 0 {
		all = append(all, because(h, time.Time{}, "/proc/meminfo", "zswap keeps %s of swap in %s of memory", bytes(m.Stored.V), bytes(m.Pool.V)))
	}
	if len(balloons) > 0 || m.Stored.V > 0 {
		all = append(all, swapEvidence(h))
	}
	return all
}

func signed(n int64) string {
	if n < 0 {
		return "-" + bytes(uint64(-n))
	}
	return bytes(uint64(n))
}
