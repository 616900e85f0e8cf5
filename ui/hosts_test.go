package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// machines is the incident with two hosts whole: one on metal with guests, one watched by an agent that was cut off.
func machines(t *testing.T) *fleet.Store {
	store := kernels(t)
	const old, now = "11111111111111111111111111111111", "22222222222222222222222222222222"
	metal := &fleet.Host{
		Source: "host/openstack-host", Name: "openstack-host", Boot: at.AddDate(0, 0, -122), BootID: now, CPUs: 8, Load: [3]float64{6.3, 4.1, 3.1}, Busy: fleet.Some(0.59),
		Memory: fleet.Memory{Total: 15_654 << 20, Available: fleet.Some(uint64(1876 << 20)), Saving: fleet.Saving{
			Merging: fleet.Some(true), Shared: fleet.Some(uint64(90 << 20)), Merged: fleet.Some(uint64(312 << 20)), Profit: fleet.Some(int64(240 << 20)),
			Zswap: fleet.Some(true), Stored: fleet.Some(uint64(900 << 20)), Pool: fleet.Some(uint64(310 << 20)),
		}}, Swap: fleet.Swap{Total: 8024 << 20, Used: 4482 << 20, InBytesSec: fleet.Some(9.2e6), OutBytesSec: fleet.Some(14e6)},
		Identity: fleet.HostID{Kernel: "5.14.0-503.26.1.el9_5.x86_64", Newest: &fleet.KernelImage{Release: "5.14.0-570.23.1.el9_6.x86_64", Image: "/boot/vmlinuz-5.14.0-570.23.1.el9_6.x86_64", Others: true}, Nova: &fleet.NovaConf{File: "/etc/nova/nova.conf"}},
		Waits: &fleet.Waits{Tasks: []fleet.WaitingTask{
			{PID: 2417, TID: 2427, Comm: "CPU 0/KVM\x1b[2J", Wchan: "folio_wait_bit_common", Since: at.Add(-50 * time.Second), Looks: 12},
			{PID: 2417, TID: 2428, Comm: "CPU 1/KVM", Since: at.Add(-12 * time.Second), Looks: 3},
		}},
	}
	guest := &fleet.Host{
		Source: "host/compute", Name: "compute", Boot: at.Add(-4 * time.Minute), BootID: now, CPUs: 4, Load: [3]float64{0.3, 0.2, 0.1}, Busy: fleet.Some(0.02),
		Memory: fleet.Memory{Total: 7684 << 20, Available: fleet.Some(uint64(6583 << 20))}, Swap: fleet.Swap{Total: 6898 << 20, InBytesSec: fleet.Some(0.0), OutBytesSec: fleet.Some(0.0)},
		Identity: fleet.HostID{
			Kernel: "5.14.0-503.26.1.el9_5.x86_64", Virtual: "kvm", SystemUUID: worker1,
			Newest: &fleet.KernelImage{Release: "5.14.0-503.26.1.el9_5.x86_64", Image: "/boot/vmlinuz-5.14.0-503.26.1.el9_5.x86_64", Initramfs: "/boot/initramfs-5.14.0-503.26.1.el9_5.x86_64.img", Bytes: fleet.Some(uint64(33 << 20)), Modules: true, Others: true},
		},
		Waits: &fleet.Waits{},
	}
	boot := func(host, id string, began, ran time.Duration, ended, last string) *fleet.BootRecord {
		b := &fleet.BootRecord{Source: "host/" + host, Host: host, ID: id, Begin: at.Add(-began), Current: ran == 0, Ended: ended, Last: last}
		if ran > 0 {
			b.End = b.Begin.Add(ran)
		}
		return b
	}
	const day = 24 * time.Hour
	put(t, store,
		obs("host/openstack-host", "host", metal), obs("host/compute", "host", guest),
		obs("host/compute", "boots",
			boot("compute", old, 3*day, 3*day-5*time.Minute, fleet.BootCut, "systemd: Starting dnf makecache..."), boot("compute", now, 4*time.Minute, 0, "", "")),
		obs("host/openstack-host", "boots",
			boot("openstack-host", "00000000000000000000000000000001", 140*day, 17*day, fleet.BootShutDown, "systemd-journald: Journal stopped"), boot("openstack-host", now, 122*day, 0, "", "")),
		obs("agent/compute", "agents", &fleet.Agent{
			Source: "agent/compute", Name: "compute", Destination: "root@192.168.122.12", State: "connected", Since: at.Add(-3 * time.Minute),
			Skew: fleet.Some(3.4), CPU: fleet.Some(0.004), RSS: fleet.Some(uint64(21 << 20)), BytesSec: fleet.Some(900.0),
		}),
		obs("libvirt/openstack-host", "domains",
			&fleet.Domain{
				Source: "libvirt/openstack-host", Host: "openstack-host", Name: "compute", UUID: "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001", State: "running", Reason: "booted",
				Compute: fleet.DomainSize{VCPUs: 4, Memory: 8 << 30}, Process: fleet.DomainRun{ID: fleet.Some(2), PID: 2417, Started: at.AddDate(0, 0, -122), Swapped: fleet.Some(uint64(2950 << 20))},
				Log: &fleet.QemuLog{
					File: "/var/log/libvirt/qemu/compute.log", Started: at.AddDate(0, 0, -122), Unclean: true,
					Lines: []fleet.QemuLine{
						{At: at.AddDate(0, 0, -122), Class: fleet.QemuRepair, Text: "ERROR cluster 261192 refcount=0 reference=1", Count: 47324},
						{At: at.Add(-time.Hour), Class: fleet.QemuCorrupt, Text: "qcow2: Marking image as corrupt: x\x1b]0;y", Count: 1},
					},
				},
			},
			&fleet.Domain{
				Source: "libvirt/openstack-host", Host: "openstack-host", Name: "controller", UUID: "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c002", State: "running", Reason: "booted",
				Compute: fleet.DomainSize{VCPUs: 4, Memory: 6 << 30, Balloon: fleet.Some(uint64(5 << 30))}, Process: fleet.DomainRun{ID: fleet.Some(1), PID: 2301, Swapped: fleet.Some(uint64(0))},
				Log: &fleet.QemuLog{File: "/var/log/libvirt/qemu/controller.log", NoData: "permission denied: it is for root"},
			}),
	)
	return store
}

func commanded(word string) []string {
	return append(append([]string{":"}, strings.Split(word, "")...), "enter")
}

func TestWhatIsKnownOfMachines(t *testing.T) {
	store := machines(t)
	hosts, vms := commanded("hosts"), commanded("vms")
	for name, keys := range map[string][]string{
		"hosts-whole": hosts, "boots": commanded("boots"), "host-detail": append(hosts[:len(hosts):len(hosts)], "d"), "domain-log": append(vms[:len(vms):len(vms)], "d"),
	} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}

func TestTimesThatAreTyped(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"07:18": "2025-06-30 07:18:00Z", "07:18:02": "2025-06-30 07:18:02Z", "23:00": "2025-06-29 23:00:00Z", "10m": "2025-06-30 07:12:40Z", "-1h": "2025-06-30 06:22:40Z",
		"2025-06-27 06:38": "2025-06-27 06:38:00Z", "2025-06-27T06:38:10Z": "2025-06-27 06:38:10Z", " 2025-06-27 ": "2025-06-27 00:00:00Z",
	} {
		if got, err := readTime(text, at); err != nil || stamp(got) != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "25:00", "7", "10 m"} {
		if got, err := readTime(text, at); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// :at goes to the event nearest to a time, wherever one is; in a log that is open to the last line written by then.
func TestGoingToATime(t *testing.T) {
	store := kernels(t)
	m := model(t, store, 120, 40)
	press(t, m, commanded("at 07:13")...)
	if screen := screenOf(t, m); !strings.Contains(screen, "the event nearest to 2025-06-30 07:13:00Z") || m.table().at.(*fleet.KernelEvent).Class != fleet.ClassPanic {
		t.Errorf("at %+v:\n%s", m.table().at, screen)
	}
	press(t, m, commanded("at noon")...)
	if screen := screenOf(t, m); !strings.Contains(screen, "is no time") {
		t.Errorf("a time that is none:\n%s", screen)
	}

	var lines []fleet.KernelLine
	for i := range 200 {
		lines = append(lines, fleet.KernelLine{At: at.Add(time.Duration(i-200) * time.Minute), Priority: 6, Text: fmt.Sprint("line ", i)})
	}
	store = incident(t)
	put(t, store, obs("host/compute", "kernellogs", &fleet.KernelLog{Source: "host/compute", Host: "compute", Reader: "journalctl", From: at.Add(-24 * time.Hour), Lines: lines}))
	m = model(t, store, 120, 40)
	press(t, m, append(commanded("dmesg"), "enter")...)
	press(t, m, commanded("at 60m")...)
	screen := screenOf(t, m)
	if !strings.Contains(screen, "line 140") || !strings.Contains(screen, "line 130") || strings.Contains(screen, "line 141") {
		t.Errorf("an hour ago:\n%s", screen)
	}
	press(t, m, commanded("at 2d")...)
	press(t, m, commanded("at 48h")...)
	if screen := screenOf(t, m); !strings.Contains(screen, "lines before that are not kept") || !strings.Contains(screen, "line 0") {
		t.Errorf("before all lines:\n%s", screen)
	}
}
