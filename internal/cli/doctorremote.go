package cli

import (
	"fmt"
	"strings"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// examineRemote tells how it is with a machine over ssh: whether its agent speaks and what it costs, what it may read
// there, and the one thing to do about what it may not. It reports whether the agent speaks.
func examineRemote(subject *of, s *fleet.Snapshot, r connect.Remote) bool {
	agent, ok := fleet.Find[*fleet.Agent](s, fleet.Ref{Kind: fleet.KindAgent, Source: "agent/" + r.Name, Name: r.Name})
	switch {
	case !ok || agent.State == "connecting":
		subject.add(broken, "ssh", "no answer in time; the first time strata copies itself there", "give it longer with --wait, or try: ssh -o BatchMode=yes "+r.Destination+" true")
		return false
	case agent.State != "connected":
		fix := r.Fix(agent.Says)
		if p, ok := s.Part(agent.Source, ""); ok && p.Fix != "" {
			fix = p.Fix
		}
		subject.add(broken, "ssh", agent.Says, fix)
		return false
	}
	subject.add(fine, "ssh", fmt.Sprintf("connected, the agent is %s, an answer takes %s", agent.Build, agent.RoundTrip.Round(100e3)), "")
	clock := maybe(agent.Skew, func(v float64) string { return fmt.Sprintf("%+.1f s against this machine's", v) })
	if agent.Health().State == fleet.StateWarn {
		subject.add(missing, "clock", clock, "timedatectl set-ntp true there")
	} else {
		subject.add(fine, "clock", clock, "")
	}
	subject.add(fine, "cost", fmt.Sprintf("%s of a core, %s of memory, %s sent, at its start",
		maybe(agent.CPU, func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }), maybe(agent.RSS, size[uint64]), maybe(agent.BytesSec, perSecond)), "")
	host, ok := fleet.Find[*fleet.Host](s, fleet.Ref{Kind: fleet.KindHost, Source: "host/" + r.Name, Name: r.Name})
	if !ok {
		return true
	}
	remoteRights(subject, r, host.Rights)
	for _, line := range host.Missing {
		g := missing
		if host.Identity.Virtual != "" && strings.HasPrefix(line, "temperatures:") {
			g = note // a virtual machine has none
		}
		subject.add(g, "cannot see", line, "")
	}
	for d := range fleet.All[*fleet.Disk](s, fleet.KindDisk) {
		if d.Source == host.Source {
			examineDisk(subject, d)
		}
	}
	for l := range fleet.All[*fleet.KernelLog](s, fleet.KindKernelLog) {
		for _, line := range l.Missing {
			if l.Source == host.Source {
				subject.add(missing, "kernel log", line, "")
			}
		}
	}
	remoteLibvirt(subject, s, r)
	return true
}

// remoteRights tells what the agent's user may do there.
func remoteRights(subject *of, r connect.Remote, rights *fleet.Rights) {
	switch {
	case rights == nil:
		subject.add(note, "rights", "not told", "")
	case rights.Root():
		subject.add(fine, "rights", "root", "")
	case r.Sudo:
		subject.add(missing, "rights", fmt.Sprintf("uid %d in spite of sudo", rights.UID), r.Fix("sudo:"))
	default:
		subject.add(missing, "rights", fmt.Sprintf("uid %d: SMART, swap and limits on disk I/O are for root", rights.UID), "sudo: true for it under hosts; "+r.Fix("sudo:"))
	}
}

func remoteLibvirt(subject *of, s *fleet.Snapshot, r connect.Remote) {
	p, ok := s.Part("libvirt/"+r.Name, fleet.KindDomain.Scope())
	switch {
	case !ok:
	case p.Err == "":
		subject.add(fine, "libvirt", fmt.Sprintf("%d domains", len(p.Facts)), "")
	case p.Unconfigured:
		subject.add(note, "libvirt", p.Err, "")
	default:
		subject.add(missing, "libvirt", p.Err, p.Fix)
	}
}
