package incident

import (
	"math"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fake/nova"
)

// What libvirt calls the virtual machines: the two on openstack-host, and the two workers on compute.
const (
	computeDomain, controllerDomain = "compute", "controller"

	workerOneDomain = "instance-0000001c"
	workerTwoDomain = "instance-0000001d"
)

const gib = 1 << 30

// furnishDomains defines the domains: plain ones of an administrator on openstack-host, those of Nova on compute.
func furnishDomains(machines []*simulated) error {
	plain := func(name string, spec machine.Spec, id, pid int, size uint64, mac string) machine.Domain {
		return machine.Domain{
			Name: name, UUID: spec.UUID, VCPUs: spec.CPUs, Memory: spec.Memory, MAC: mac, Autostart: true,
			State: "running", Reason: "booted", ID: id, PID: pid,
			Disks: []machine.DomainDisk{{Target: "vda", File: "/var/lib/libvirt/images/" + name + ".qcow2", Format: "qcow2", Size: size}},
		}
	}
	worker := func(name, id, nova, mac string) machine.Domain {
		folder := "/var/lib/nova/instances/"
		return machine.Domain{
			Name: name, UUID: id, Nova: nova, VCPUs: 2, Memory: 3072 * mib, MAC: mac, State: "running", Reason: "booted",
			Disks: []machine.DomainDisk{{
				Target: "vda", File: folder + id + "/disk", Format: "qcow2", Backing: folder + "_base/8c5a3f20c9d1b7e64f0a2d93b61e7c85a4f02b1d", Size: 17 * gib,
				Kept: map[string]uint64{"total_bytes_sec": 209715200, "total_iops_sec": 2500},
			}},
		}
	}
	for _, d := range []struct {
		on int
		is machine.Domain
	}{
		{machineOpenstack, plain(controllerDomain, machine.Controller(), 1, 2301, 22*gib, "52:54:00:6b:3c:01")},
		{machineOpenstack, plain(computeDomain, machine.Compute(), 2, 2417, 31*gib, "52:54:00:6b:3c:02")},
		{machineCompute, worker(workerOneDomain, workerOneID, "k8s-worker-1", "fa:16:3e:41:9a:1c")},
		{machineCompute, worker(workerTwoDomain, workerTwoID, "k8s-worker-2", "fa:16:3e:41:9a:1d")},
	} {
		if err := machines[d.on].Define(d.is); err != nil {
			return err
		}
	}
	return nil
}

// domainsLimited reports whether somebody limits the disk of a virtual machine on openstack-host.
func (s *scene) domainsLimited() bool {
	for _, name := range []string{computeDomain, controllerDomain} {
		d, _ := s.machines[machineOpenstack].Domain(name)
		for _, disk := range d.Disks {
			for _, limit := range disk.Tune {
				if limit > 0 {
					return true
				}
			}
		}
	}
	return false
}

// hearController has OpenStack's APIs answer only while their machine runs.
func (s *scene) hearController() {
	is, _ := s.machines[machineOpenstack].Domain(controllerDomain)
	silent := is.State != "running"
	if silent == s.silent {
		return
	}
	if s.silent = silent; !silent {
		s.nova.Heal()
		return
	}
	for _, api := range []nova.API{nova.Keystone, nova.Nova} {
		s.nova.Break(api, nova.Hang())
	}
}

// hearDomains takes in what was done to domains behind Nova's back.
func (s *scene) hearDomains(at time.Duration) {
	s.hearController()
	h := s.compute
	is, _ := s.machines[machineOpenstack].Domain(computeDomain)
	switch runs := is.State == "running"; {
	case !runs && !h.off:
		h.powerOff()
		for _, g := range s.guests {
			g.die()
		}
	case runs && h.off:
		h.off = false
		h.fail(at) // it boots as after a failure
	}
	for _, g := range s.guests {
		run, _ := s.nova.Run(g.server)
		switch s.machines[machineCompute].TakeBy(g.domain) {
		case "shutdown", "destroy":
			g.die()
			if g.strayAt = 0; g.died {
				g.syncAt = at + checkFor
			}
		case "start":
			const powered = 1
			if g.died && run.Power == powered { // Nova has not noticed that it was off
				g.died, g.syncAt = false, 0
				break
			}
			g.strayAt = at + checkFor
		}
		if g.syncAt > 0 && at >= g.syncAt {
			g.syncAt = 0
			if g.died && run.State == "active" && run.Task == "" {
				s.nova.StopTogether(g.server)
			}
		}
	}
}

// moveDomains has the domains of compute follow Nova.
func (s *scene) moveDomains(at time.Duration) error {
	const powered, paused = 1, 3
	on := s.machines[machineCompute]
	for _, g := range s.guests {
		run, _ := s.nova.Run(g.server)
		is, _ := on.Domain(g.domain)
		state, reason := "shut off", "destroyed"
		switch {
		case !s.compute.running():
			reason, g.strayAt = "unknown", 0 // libvirt was gone with the machine
		case run.Host != hostCompute:
			reason, g.strayAt = "migrated", 0
		case g.died:
			continue
		case run.Power == powered:
			state, reason, g.strayAt = "running", "booted", 0
		case run.Power == paused:
			state, reason = "paused", "user"
		case g.strayAt > 0 && at < g.strayAt:
			continue // Nova will find it running and stop it
		}
		if is.State == state {
			continue
		}
		g.strayAt = 0
		if _, err := on.ChangeDomain(g.domain, func(d *machine.Domain) { d.State, d.Reason = state, reason }); err != nil {
			return err
		}
	}
	return nil
}

// workDomains is what the domains of a machine do to their disks, as its disks tell it.
func (s *scene) workDomains(on *simulated) error {
	flow := math.Round(10*s.load.flow) / 10
	rates := map[string][2]float64{}
	switch on {
	case s.machines[machineOpenstack]:
		rates[computeDomain] = [2]float64{300e3 + 5.9e6*flow, 1.8e6 + 28e6*flow}
		rates[controllerDomain] = [2]float64{60e3 + 1.5e6*flow, 460e3 + 7e6*flow}
	case s.machines[machineCompute]:
		rates[workerOneDomain], rates[workerTwoDomain] = [2]float64{600e3, 1.1e6}, [2]float64{420e3, 900e3}
	}
	for name, rate := range rates {
		_, err := on.ChangeDomain(name, func(d *machine.Domain) {
			d.Disks[0].Read, d.Disks[0].Write = rate[0], rate[1]
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// powerOff is the end of compute's domain: nothing comes back by itself.
func (h *hypervisor) powerOff() {
	h.nova.SetHostDown(hostCompute, true)
	h.off, h.machine.frozen = true, true
	h.bootAt, h.backAt, h.checkAt = 0, math.MaxInt64, math.MaxInt64
}
