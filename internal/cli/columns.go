package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/internal/fleet"
)

// columnsOf are the columns of a kind, behind its state. A column that can hold anything stands last.
func columnsOf(kind fleet.Kind) []column {
	switch kind {
	case fleet.KindFinding:
		return findingColumns()
	case fleet.KindServer, fleet.KindCompute, fleet.KindHypervisor, fleet.KindFlavor:
		return cloudColumns(kind)
	case fleet.KindHost, fleet.KindSensor, fleet.KindDisk, fleet.KindFilesystem, fleet.KindAgent, fleet.KindCheck, fleet.KindDeed:
		return hostColumns(kind)
	case fleet.KindUnit:
		return unitColumns()
	case fleet.KindKernel, fleet.KindKernelLog, fleet.KindBoot:
		return kernelColumns(kind)
	case fleet.KindSwap:
		return swapColumns()
	case fleet.KindDomain:
		return domainColumns()
	case fleet.KindAlert:
		return alertColumns()
	}
	if kind == fleet.KindWorkload || kind == fleet.KindApp {
		return workColumns(kind)
	}
	return kubeColumns(kind)
}

func findingColumns() []column {
	return []column{
		{"SEVERITY", false, on(func(f *fleet.Finding) string { return f.Severity.String() })},
		{"SURE", false, on(func(f *fleet.Finding) string { return f.Confidence.String() })},
		{"SINCE", true, aged(func(f *fleet.Finding) time.Time { return f.Since })},
		{"RULE", false, on(func(f *fleet.Finding) string { return f.Rule })},
		{"SAYS", false, on(func(f *fleet.Finding) string { return f.Says })},
	}
}

func cloudColumns(kind fleet.Kind) []column {
	switch kind {
	case fleet.KindServer:
		return []column{
			{"NAME", false, on(func(s *fleet.Server) string { return s.Name })},
			{"STATUS", false, on(func(s *fleet.Server) string { return s.Health().Word })},
			{"POWER", false, on(func(s *fleet.Server) string { return maybe(s.Run.Power, fleet.PowerState.String) })},
			{"HOST", false, on(func(s *fleet.Server) string { return s.Place.Host })},
			{"ADDRESSES", false, on(func(s *fleet.Server) string { return addresses(s.Addresses) })},
			{"FLAVOR", false, on(func(s *fleet.Server) string { return s.Flavor.Name })},
			{"ID", false, on(func(s *fleet.Server) string { return s.ID })},
			{"STOPPED BY", false, stoppedBy},
		}
	case fleet.KindFlavor:
		return []column{
			{"NAME", false, on(func(f *fleet.Flavor) string { return f.Name })},
			{"VCPUS", true, on(func(f *fleet.Flavor) string { return strconv.Itoa(f.VCPUs) })},
			{"MEMORY", true, on(func(f *fleet.Flavor) string { return size(uint64(f.RAMMiB) << 20) })},
			{"DISK", true, on(func(f *fleet.Flavor) string { return size(uint64(f.DiskGiB) << 30) })},
			{"ID", false, on(func(f *fleet.Flavor) string { return f.ID })},
			{"EXTRA SPECS", false, on(func(f *fleet.Flavor) string { return extraSpecs(f.Extra) })},
		}
	case fleet.KindCompute:
		return []column{
			{"BINARY", false, on(func(c *fleet.ComputeService) string { return c.Binary })},
			{"HOST", false, on(func(c *fleet.ComputeService) string { return c.Host })},
			{"ZONE", false, on(func(c *fleet.ComputeService) string { return c.Zone })},
			{"STATUS", false, on(func(c *fleet.ComputeService) string { return c.Status })},
			{"UP", false, on(func(c *fleet.ComputeService) string { return c.State })},
			{"SEEN", true, aged(func(c *fleet.ComputeService) time.Time { return c.Updated })},
			{"DISABLED BECAUSE", false, on(func(c *fleet.ComputeService) string { return c.DisabledReason })},
		}
	}
	return []column{
		{"HOSTNAME", false, on(func(h *fleet.Hypervisor) string { return h.Hostname })},
		{"STATUS", false, on(func(h *fleet.Hypervisor) string { return h.Status })},
		{"UP", false, on(func(h *fleet.Hypervisor) string { return h.State })},
		{"TYPE", false, on(func(h *fleet.Hypervisor) string { return h.Type })},
		{"VMS", true, on(func(h *fleet.Hypervisor) string { return maybe(h.Running, strconv.Itoa) })},
		{"ADDRESS", false, on(func(h *fleet.Hypervisor) string { return h.HostIP })},
		{"UPTIME", false, on(func(h *fleet.Hypervisor) string { return strings.TrimSpace(h.Uptime) })},
	}
}

// extraSpecs are the extra specs of a flavor, by name.
func extraSpecs(all map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, key+"="+all[key])
	}
	return strings.Join(pairs, " ")
}

// stoppedBy says who stopped a server that is off, and when.
func stoppedBy(o fleet.Object, now time.Time) string {
	s, ok := o.(*fleet.Server)
	if !ok || s.Run.Status != "SHUTOFF" {
		return ""
	}
	stop, ok := s.LastStop()
	switch {
	case !ok:
		return ""
	case stop.ByNova():
		return "nova itself, " + age(stop.Start, now) + " ago"
	case stop.UserName != "":
		return stop.UserName + ", " + age(stop.Start, now) + " ago"
	}
	return "user " + stop.User + ", " + age(stop.Start, now) + " ago"
}

func addresses(all []fleet.Address) string {
	var ips []string
	for _, a := range all {
		if a.Kind != "Hostname" {
			ips = append(ips, a.IP)
		}
	}
	return strings.Join(ips, ",")
}

func kubeColumns(kind fleet.Kind) []column {
	switch kind {
	case fleet.KindNode:
		return []column{
			{"NAME", false, on(func(n *fleet.Node) string { return n.Name })},
			{"STATUS", false, on(func(n *fleet.Node) string { return n.Health().Word })},
			{"ROLES", false, on(func(n *fleet.Node) string { return strings.Join(n.Roles, ",") })},
			{"CPU", true, on(func(n *fleet.Node) string {
				return strconv.FormatFloat(float64(n.Allocatable.MilliCPU)/1000, 'f', -1, 64)
			})},
			{"MEMORY", true, on(func(n *fleet.Node) string { return size(n.Allocatable.MemoryBytes) })},
			{"KUBELET", false, on(func(n *fleet.Node) string { return n.Versions.Kubelet })},
			{"AGE", true, aged(func(n *fleet.Node) time.Time { return n.Created })},
			{"ADDRESSES", false, on(func(n *fleet.Node) string { return addresses(n.Addresses) })},
		}
	case fleet.KindPod:
		return []column{
			{"NAMESPACE", false, on(func(p *fleet.Pod) string { return p.Namespace })},
			{"NAME", false, on(func(p *fleet.Pod) string { return p.Name })},
			{"READY", false, on(func(p *fleet.Pod) string { return fmt.Sprintf("%d/%d", p.Run.Ready, p.Run.Total) })},
			{"STATUS", false, on(func(p *fleet.Pod) string { return p.Health().Word })},
			{"RESTARTS", true, on(func(p *fleet.Pod) string { return strconv.Itoa(int(p.Run.Restarts)) })},
			{"AGE", true, aged(func(p *fleet.Pod) time.Time { return p.Created })},
			{"IP", false, on(func(p *fleet.Pod) string { return p.IP })},
			{"NODE", false, on(func(p *fleet.Pod) string { return p.Node })},
		}
	case fleet.KindEvent:
		return []column{
			{"LAST", true, aged(func(e *fleet.Event) time.Time { return e.Last })},
			{"COUNT", true, on(func(e *fleet.Event) string { return strconv.Itoa(int(e.Count)) })},
			{"REASON", false, on(func(e *fleet.Event) string { return e.Reason })},
			{"ABOUT", false, on(func(e *fleet.Event) string { return e.About.String() })},
			{"MESSAGE", false, on(func(e *fleet.Event) string { return e.Message })},
		}
	case fleet.KindVolume:
		return []column{
			{"NAME", false, on(func(v *fleet.Volume) string { return v.Name })},
			{"PHASE", false, on(func(v *fleet.Volume) string { return v.Phase })},
			{"SIZE", true, on(func(v *fleet.Volume) string { return size(v.Bytes) })},
			{"CLASS", false, on(func(v *fleet.Volume) string { return v.Class })},
			{"BACKING", false, on(func(v *fleet.Volume) string { return strings.TrimSpace(v.Backing + " " + v.HostPath) })},
			{"CLAIM", false, on(func(v *fleet.Volume) string { return v.Claim })},
		}
	case fleet.KindClaim:
		return []column{
			{"NAMESPACE", false, on(func(c *fleet.Claim) string { return c.Namespace })},
			{"NAME", false, on(func(c *fleet.Claim) string { return c.Name })},
			{"PHASE", false, on(func(c *fleet.Claim) string { return c.Phase })},
			{"SIZE", true, on(func(c *fleet.Claim) string { return size(c.Bytes) })},
			{"CLASS", false, on(func(c *fleet.Claim) string { return c.Class })},
			{"VOLUME", false, on(func(c *fleet.Claim) string { return c.Volume })},
		}
	}
	return []column{
		{"NODE", false, on(func(l *fleet.Lease) string { return l.Node })},
		{"RENEWED", true, aged(func(l *fleet.Lease) time.Time { return l.Renewed })},
		{"GOOD FOR", true, on(func(l *fleet.Lease) string { return l.Duration.String() })},
	}
}
