package ui

import (
	"fmt"
	"testing"
	"time"

	"strata/internal/fleet"
)

// virtual is the incident with the virtual machines of its two hosts.
func virtual(t *testing.T) *fleet.Store {
	store := incident(t)
	domain := func(host, name, uuid, nova, state, reason, unit string, disk fleet.DomainDisk) *fleet.Domain {
		d := &fleet.Domain{
			Source: "libvirt/" + host, Host: host, Name: name, UUID: uuid, Nova: nova, State: state, Reason: reason,
			Compute: fleet.DomainSize{VCPUs: 4, Memory: 8 << 30}, Disks: []fleet.DomainDisk{disk}, Set: fleet.DomainSet{Persistent: true},
		}
		if unit != "" {
			d.Process = fleet.DomainRun{
				ID: fleet.Some(2), PID: 2417, Unit: unit, Started: at.Add(-50 * time.Hour), CPU: fleet.Some(0.42), Swapped: fleet.Some(uint64(2950 << 20)),
			}
		}
		return d
	}
	some := func(n uint64) fleet.Opt[uint64] { return fleet.Some(n) }
	unit := `machine-qemu\x2d2\x2dcompute.scope`
	quota := fleet.DomainTune{TotalBytesSec: some(209715200), TotalSec: some(2500)}
	put(t, store,
		obs("host/openstack-host", "units", &fleet.Unit{Source: "host/openstack-host", Host: "openstack-host", Name: unit, IO: []fleet.UnitIO{
			{Disk: "nvme0n1", Limit: fleet.IOLimit{WriteBytesSec: some(5e6)}, LibvirtLimit: fleet.IOLimit{ReadsSec: some(300)}},
		}}),
		obs("libvirt/compute", "domains",
			domain("compute", "instance-0000001c", worker1, "k8s-worker-1", "shut off", "unknown", "", fleet.DomainDisk{Target: "vda", Kept: quota}),
			domain("compute", "instance-0000001d", worker2, "k8s-worker-2", "paused", "I/O error", `machine-qemu\x2d1\x2dinstance\x2d0000001d.scope`, fleet.DomainDisk{Target: "vda", Tune: quota, Kept: quota, Error: "no space"})),
		obs("libvirt/openstack-host", "domains",
			domain("openstack-host", "compute", "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001", "", "running", "booted", unit, fleet.DomainDisk{
				Target: "vda", File: "/var/lib/libvirt/images/compute.qcow2", Path: fleet.DiskPath{Disks: []string{"nvme0n1"}},
				Read: fleet.Some(41e3), Write: fleet.Some(3.1e6), Tune: fleet.DomainTune{WriteBytesSec: some(2e6)},
			})),
	)
	return store
}

func TestVirtualMachines(t *testing.T) {
	store := virtual(t)
	for name, keys := range map[string][]string{"vms": {":", "v", "m", "s", "enter"}, "vms-chain": {":", "v", "m", "s", "enter", "end", "x"}, "vms-detail": {":", "v", "m", "s", "enter", "d"}} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}
