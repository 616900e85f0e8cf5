package ui

import (
	"fmt"
	"strings"
	"testing"

	"strata/internal/fleet"
)

func unit(name, domain string, read, write float64, limit, libvirt fleet.IOLimit) *fleet.Unit {
	u := &fleet.Unit{
		Source: "host/openstack-host", Host: "openstack-host", Name: name, CGroup: "machine.slice/" + name, Domain: domain, PID: 2301, Command: "qemu-kvm",
		CPU: fleet.Some(0.42), Memory: fleet.Some(uint64(6 << 30)), Swapped: fleet.Some(uint64(1 << 30)), Pressure: &fleet.Stall{Some10: 12, Full10: 4},
	}
	u.IO = []fleet.UnitIO{{
		Disk: "nvme0n1", Number: "259:0", ReadBytesSec: fleet.Some(read), WriteBytesSec: fleet.Some(write), ReadsSec: fleet.Some(12.0), WritesSec: fleet.Some(240.0),
		Limit: limit, LibvirtLimit: libvirt,
	}}
	return u
}

// loaded is the incident with what its virtual machines do to the disk.
func loaded(t testing.TB) *fleet.Store {
	store := incident(t)
	compute := unit(`machine-qemu\x2d2\x2dcompute.scope`, "compute", 1.2e6, 1.98e6, fleet.IOLimit{WriteBytesSec: fleet.Some(uint64(2e6))}, fleet.IOLimit{ReadsSec: fleet.Some(uint64(400))})
	compute.Pressure, compute.SwapMax = &fleet.Stall{Some10: 64, Full10: 58}, fleet.Some(uint64(2<<30))
	compute.IO = append(compute.IO, fleet.UnitIO{Disk: "sda", Number: "8:0", Limit: fleet.IOLimit{ReadBytesSec: fleet.Some(uint64(1e6))}})
	mysql := unit("mysqld.service", "", 9e3, 310e3, fleet.IOLimit{}, fleet.IOLimit{})
	mysql.Command, mysql.PID, mysql.Swapped = "mysqld", 1411, fleet.Some(uint64(0))
	sshd := &fleet.Unit{
		Source: "host/openstack-host", Host: "openstack-host", Name: "sshd.service", CGroup: "system.slice/sshd.service", PID: 1102, Command: "sshd",
		CPU: fleet.Some(0.0), Memory: fleet.Some(uint64(6 << 20)), Missing: []string{"disks: its io controller is off, as it is until a limit is set"},
	}
	put(t, store,
		obs("host/openstack-host", "units",
			unit(`machine-qemu\x2d1\x2dcontroller.scope`, "controller", 20e3, 11e6, fleet.IOLimit{}, fleet.IOLimit{}), compute, mysql, sshd),
		obs("host/openstack-host", "swaps",
			&fleet.SwapArea{
				Source: "host/openstack-host", Host: "openstack-host", Name: "/dev/dm-1", Type: "partition", Active: true, Total: fleet.Some(uint64(8024 << 20)),
				Used: fleet.Some(uint64(4482 << 20)), Priority: -2, Mapped: []string{"dm-1 rl-swap"}, Disk: "nvme0n1", Fstab: "UUID=3978815f none swap defaults 0 0", Units: []string{"dev-disk-by\\x2duuid-3978815f.swap"},
			},
			&fleet.SwapArea{Source: "host/openstack-host", Host: "openstack-host", Name: "/swapfile", Type: "file", Disk: "nvme0n1", Fstab: "/swapfile none swap sw 0 0"},
		),
		obs("host/openstack-host", "domains", &fleet.Domain{
			Source: "host/openstack-host", Host: "openstack-host", Name: "controller", UUID: "1",
			Disks: []fleet.DomainDisk{{Target: "vda", Tune: fleet.DomainTune{WriteBytesSec: fleet.Some(uint64(4e6))}}},
		}),
	)
	return store
}

func TestScreensOfUnitsAndSwap(t *testing.T) {
	store := loaded(t)
	for _, name := range []string{"units", "swap"} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, append(append([]string{":"}, strings.Split(name, "")...), "enter")...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}

func TestTheNearestLimitIsDrawn(t *testing.T) {
	t.Parallel()
	some := func(n uint64) fleet.Opt[uint64] { return fleet.Some(n) }
	for _, c := range []struct {
		limit, libvirt fleet.IOLimit
		share          float64
		says           string
	}{
		{fleet.IOLimit{}, fleet.IOLimit{}, -1, ""},
		{fleet.IOLimit{WriteBytesSec: some(2e6)}, fleet.IOLimit{WriteBytesSec: some(4e6)}, 0.5, "w 2MB/s"},
		{fleet.IOLimit{WriteBytesSec: some(2e6), ReadsSec: some(10)}, fleet.IOLimit{}, 0.9, "r 10/s"},
		{fleet.IOLimit{}, fleet.IOLimit{ReadBytesSec: some(1e6)}, 0, "r 1MB/s"},
	} {
		d := fleet.UnitIO{WriteBytesSec: fleet.Some(1e6), ReadsSec: fleet.Some(9.0), Limit: c.limit, LibvirtLimit: c.libvirt}
		if share, says := nearestLimit(d); share != c.share || says != c.says {
			t.Errorf("%s, libvirt %s: %g %q", c.limit, c.libvirt, share, says)
		}
	}
}

func TestRowsStandStillWhileRatesMoveALittle(t *testing.T) {
	t.Parallel()
	none := fleet.IOLimit{}
	a, b := unit("a.scope", "a", 0, 10.0e6, none, none), unit("b.scope", "b", 0, 10.6e6, none, none)
	if heaviest(a, 0).num != heaviest(b, 0).num {
		t.Error("loads alike are told apart")
	}
	if heavy := unit("c.scope", "c", 0, 40e6, none, none); heaviest(heavy, 0).num >= heaviest(a, 0).num {
		t.Error("four times the load does not come first")
	}
}
