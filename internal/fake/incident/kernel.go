package incident

import (
	"fmt"
	"strings"
	"time"
)

// How often kernels say the same again.
const (
	throttleEvery = 40 * time.Second
	hungEvery     = 50 * time.Second
	hungAfter     = 12 * time.Second // of heavy swapping below
)

// kernels is what the kernels of openstack-host and compute have written so far.
type kernels struct {
	throttled time.Duration // when openstack-host was last too hot
	events    int
	hot       bool
	flowing   time.Duration // since when it swaps hard
	hung      time.Duration
}

// writeKernels lets kernels write what becomes of the load: openstack-host slows down for heat, and tasks of compute wait
// for pages that openstack-host has swapped out.
func (s *scene) writeKernels(at time.Duration) error {
	k, l := &s.kernels, s.load
	host, compute := s.machines[machineOpenstack], s.machines[machineCompute]
	switch {
	case l.hot > 0.9 && (k.throttled == 0 || at-k.throttled > throttleEvery):
		k.throttled, k.hot = at, true
		var b strings.Builder
		for cpu := range host.spec.CPUs {
			k.events++
			fmt.Fprintf(&b, "mce: CPU%d: Package temperature is above threshold, cpu clock is throttled (total events = %d)\n", cpu, k.events)
		}
		if err := host.Kernel(2, b.String()); err != nil {
			return err
		}
	case k.hot && at-k.throttled > throttleEvery/8:
		k.hot = false
		if err := host.Kernel(6, fmt.Sprintf("mce: CPU0: Package temperature/speed normal (total events = %d)", k.events)); err != nil {
			return err
		}
	}
	if l.flow < 0.65 || compute.frozen || s.compute.off {
		k.flowing = 0
		return nil
	}
	if k.flowing == 0 {
		k.flowing = at
	}
	if at-k.flowing < hungAfter || k.hung != 0 && at-k.hung < hungEvery {
		return nil
	}
	k.hung = at
	return compute.Kernel(3, hungTask)
}

const hungTask = `INFO: task nova-compute:1069 blocked for more than 122 seconds.
      Not tainted 5.14.0-503.26.1.el9_5.x86_64 #1
"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
task:nova-compute    state:D stack:0     pid:1069  tgid:1069  ppid:1      flags:0x00000002
Call Trace:
 <TASK>
 __schedule+0x229/0x550
 schedule+0x2e/0xd0
 kvm_async_pf_task_wait_schedule+0xf3/0x180
 __kvm_handle_async_pf+0x5b/0xb0
 exc_page_fault+0xc5/0x150
 asm_exc_page_fault+0x22/0x30
 </TASK>`

const panicked = `Kernel panic - not syncing: Host injected async #PF in kernel mode
CPU: 1 PID: 1069 Comm: nova-compute Kdump: loaded Not tainted 5.14.0-503.26.1.el9_5.x86_64 #1
Hardware name: Red Hat KVM, BIOS 1.16.3-2.el9 04/01/2014
Call Trace:
 <TASK>
 dump_stack_lvl+0x34/0x48
 panic+0x107/0x2bb
 __kvm_handle_async_pf+0xa7/0xb0
 exc_page_fault+0xc5/0x150
 asm_exc_page_fault+0x22/0x30
 </TASK>
Kernel Offset: 0x1c000000 from 0xffffffff81000000`
