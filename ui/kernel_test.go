package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// kernels is the incident with the kernel logs of two hosts.
func kernels(t *testing.T) *fleet.Store {
	store := incident(t)
	const old, now = "11111111111111111111111111111111", "22222222222222222222222222222222"
	event := func(host, boot, class, subject, cause, line string, s fleet.Severity, ago time.Duration, n int) *fleet.KernelEvent {
		return &fleet.KernelEvent{
			Source: "host/" + host, Host: host, Name: fmt.Sprintf("%.8s-%d-%s", boot, int(100000-ago.Seconds()), class), Boot: boot, At: at.Add(-ago), Last: at.Add(-ago).Add(time.Duration(n-1) * time.Second),
			Mono: 12289.195649, Class: class, Severity: s, Subject: subject, Cause: cause, Line: line, Count: n,
		}
	}
	lines := []fleet.KernelLine{
		{At: at.Add(-time.Hour), Priority: 6, Text: "something long before"},
		{At: at.Add(-61 * time.Second), Priority: 6, Text: "IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready"},
		{At: at.Add(-60 * time.Second), Priority: 3, Text: "INFO: task nova-compute:1069 blocked for more than 122 seconds."},
		{At: at.Add(-60 * time.Second), Priority: 3, Text: " kvm_async_pf_task_wait_schedule+0xf3/0x180\x1b[2J"},
	}
	put(t, store,
		obs("host/compute", "kernel",
			event("compute", old, fleet.ClassPanic, "", "Host injected async #PF in kernel mode", "Kernel panic - not syncing: Host injected async #PF in kernel mode", fleet.Critical, 10*time.Minute, 1),
			event("compute", now, fleet.ClassHung, "nova-compute[1069]", "kvm_async_pf_task_wait_schedule", "INFO: task nova-compute:1069 blocked for more than 122 seconds.", fleet.Serious, time.Minute, 1)),
		obs("host/compute", "kernellogs", &fleet.KernelLog{Source: "host/compute", Host: "compute", Reader: "journalctl", From: at.Add(-24 * time.Hour), Lines: lines, Dropped: 3, Boots: []fleet.Boot{{ID: old}, {ID: now}}}),
		obs("host/openstack-host", "kernel", event("openstack-host", now, fleet.ClassThermal, "Package", "", "mce: CPU2: Package temperature is above threshold, cpu clock is throttled (total events = 12)", fleet.Warn, 5*time.Minute, 8)),
		obs("host/openstack-host", "kernellogs", &fleet.KernelLog{Source: "host/openstack-host", Host: "openstack-host", Reader: "/dev/kmsg", From: at.Add(-time.Hour)}),
	)
	return store
}

func TestKernelLog(t *testing.T) {
	pane := []string{":", "k", "e", "r", "n", "e", "l", "enter"}
	store := kernels(t)
	for name, keys := range map[string][]string{"kernel": pane, "kernel-around": append(pane[:len(pane):len(pane)], "enter"), "dmesg": {":", "d", "m", "e", "s", "g", "enter"}} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}

func TestKernelLogIsFilteredByHostAndClass(t *testing.T) {
	store := kernels(t)
	for filter, want := range map[string]string{"host:openstack": "thermal", "class:panic": "panic", "class:hung host:compute": "hung-task"} {
		m := model(t, store, 200, 60)
		press(t, m, ":", "k", "e", "r", "n", "e", "l", "enter", "z", "/")
		press(t, m, strings.Split(filter, "")...)
		press(t, m, "enter")
		screen := screenOf(t, m)
		for _, class := range []string{"thermal", "panic", "hung-task"} {
			if strings.Contains(screen, " "+class+" ") != (class == want) {
				t.Errorf("filter %q should show %s only:\n%s", filter, want, screen)
			}
		}
	}
}
