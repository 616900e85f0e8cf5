package cli

import (
	"fmt"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// kindWord is a kind with the words it has on the command line; the first one is shown.
type kindWord struct {
	kind  fleet.Kind
	words []string
}

// kindTable lists the kinds in the order in which tables are printed.
func kindTable() []kindWord {
	return []kindWord{
		{fleet.KindFinding, []string{"findings", "finding"}},
		{fleet.KindServer, []string{"servers", "server"}},
		{fleet.KindCompute, []string{"services", "service", "compute"}},
		{fleet.KindHypervisor, []string{"hypervisors", "hypervisor"}},
		{fleet.KindFlavor, []string{"flavors", "flavor"}},
		{fleet.KindNode, []string{"nodes", "node"}},
		{fleet.KindPod, []string{"pods", "pod"}},
		{fleet.KindWorkload, []string{"workloads", "workload"}},
		{fleet.KindApp, []string{"apps", "app", "applications"}},
		{fleet.KindEvent, []string{"events", "event"}},
		{fleet.KindVolume, []string{"volumes", "volume", "pv", "pvs"}},
		{fleet.KindClaim, []string{"claims", "claim", "pvc", "pvcs"}},
		{fleet.KindLease, []string{"leases", "lease"}},
		{fleet.KindHost, []string{"hosts", "host"}},
		{fleet.KindSensor, []string{"sensors", "sensor"}},
		{fleet.KindDisk, []string{"disks", "disk"}},
		{fleet.KindFilesystem, []string{"filesystems", "filesystem"}},
		{fleet.KindCheck, []string{"checks", "check", "endpoints", "endpoint"}},
		{fleet.KindAgent, []string{"agents", "agent"}},
		{fleet.KindUnit, []string{"units", "unit", "cgroups"}},
		{fleet.KindSwap, []string{"swaps", "swap"}},
		{fleet.KindKernel, []string{"kernel", "kernelevents"}},
		{fleet.KindKernelLog, []string{"kernellogs", "kernellog", "dmesg"}},
		{fleet.KindBoot, []string{"boots", "boot"}},
		{fleet.KindDomain, []string{"domains", "domain", "vms", "vm"}},
		{fleet.KindAlert, []string{"alerts", "alert"}},
		{fleet.KindDeed, []string{"deeds", "deed"}},
	}
}

func kindWords() []string {
	var words []string
	for _, k := range kindTable() {
		words = append(words, k.words[0])
	}
	return words
}

// choice is the kinds of --only; none means all.
type choice []fleet.Kind

func kindsOf(words []string) (choice, error) {
	var chosen choice
	for _, word := range words {
		i := slices.IndexFunc(kindTable(), func(k kindWord) bool { return slices.Contains(k.words, strings.ToLower(strings.TrimSpace(word))) })
		if i < 0 {
			return nil, &fleet.Trouble{Doing: fmt.Sprintf("there is no kind %q", word), Fix: "choose of " + strings.Join(kindWords(), ", ")}
		}
		chosen = append(chosen, kindTable()[i].kind)
	}
	return chosen, nil
}

// wanted reports whether any of the kinds is chosen. Findings need everything.
func (c choice) wanted(kinds ...fleet.Kind) bool {
	return len(c) == 0 || slices.Contains(c, fleet.KindFinding) ||
		slices.ContainsFunc(kinds, func(k fleet.Kind) bool { return slices.Contains(c, k) })
}

// keep leaves out of a snapshot what was not chosen. Findings and links about what was chosen stay.
func (c choice) keep(s *fleet.Snapshot) *fleet.Snapshot {
	if len(c) == 0 {
		return s
	}
	var parts []fleet.Part
	for _, p := range s.Parts {
		kind := p.Kind
		if kind == "" {
			kind = kindOfScope(p.Scope)
		}
		if p.Scope == "" || slices.Contains(c, kind) {
			parts = append(parts, p)
		}
	}
	all := slices.Contains(c, fleet.KindFinding)
	var links []fleet.Link
	for _, l := range s.Links {
		if slices.Contains(c, l.From.Kind) || slices.Contains(c, l.To.Kind) {
			links = append(links, l)
		}
	}
	var findings []fleet.Finding
	for _, f := range s.Findings {
		if all || slices.Contains(c, f.About.Kind) {
			findings = append(findings, f)
		}
	}
	return fleet.NewSnapshot(s.Seq, s.At, parts, links, findings)
}

// kindOfScope is the kind that a scope ("pods/default") is of, "" when it is of none.
func kindOfScope(scope string) fleet.Kind {
	word, _, _ := strings.Cut(scope, "/")
	for _, k := range kindTable() {
		if k.kind.Scope() == word {
			return k.kind
		}
	}
	return ""
}
