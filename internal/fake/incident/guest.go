package incident

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"strata/internal/fake/nova"
)

// guest is a virtual machine in which a kubelet runs, on compute until somebody moves it.
type guest struct {
	server, node string
	domain       string // libvirt's name of it
	host         string // the compute host it is on

	running bool          // its kubelet works
	died    bool          // with compute; Nova does not know yet
	cold    bool          // it must boot before it runs
	bootAt  time.Duration // when that is done; 0 when it does not boot
	boots   int

	syncAt, strayAt time.Duration // Nova finds that it is off, or on, against its will; 0 when there is nothing to find
}

// die is the end of a guest that Nova knows nothing of.
func (g *guest) die() {
	if g.running || g.bootAt > 0 {
		g.died = true
	}
	g.running, g.cold, g.bootAt = false, true, 0
}

// step makes of the guest what Nova and its hypervisor make of it.
func (g *guest) step(at time.Duration, run nova.Run, hosted, rebooted bool) {
	const powered, paused, suspended = 1, 3, 7
	g.host = run.Host
	if rebooted || strings.HasPrefix(run.Task, "reboot") || run.Task == "rebuilding" {
		g.running, g.died, g.cold, g.bootAt = false, false, true, 0
		if run.Task != "" {
			return
		}
	}
	switch {
	case !hosted:
		g.running, g.bootAt = false, 0
	case run.Power == paused, run.Power == suspended:
		g.running = false
	case run.Power != powered:
		g.running, g.died, g.cold, g.bootAt = false, false, true, 0
	case g.died, g.running:
	case !g.cold:
		g.running = true
	case g.bootAt == 0:
		g.bootAt = at + kubeletTakes
	case at >= g.bootAt:
		g.running, g.cold, g.bootAt = true, false, 0
		g.boots++
	}
}

// hypervisor is the virtual machine compute, in which nova-compute runs and its guests with it.
type hypervisor struct {
	machine *simulated
	nova    *nova.Cloud
	rng     *rand.Rand

	bootAt, backAt, checkAt time.Duration // what is still to come after a failure; 0 when it is over
	off                     bool          // its domain on openstack-host does not run
}

// fail is a kernel panic: the machine reboots, and nova-compute with it.
func (h *hypervisor) fail(at time.Duration) {
	h.nova.SetHostDown(hostCompute, true)
	h.bootAt, h.backAt = at+bootFor, at+backFor
	h.checkAt = h.backAt + checkFor + time.Duration(h.rng.IntN(checkMore))*time.Millisecond
	h.machine.frozen = true
}

// running reports whether guests can run, back whether nova-compute has dealt with those that died.
func (h *hypervisor) running() bool { return h.backAt == 0 }
func (h *hypervisor) back() bool    { return h.checkAt == 0 }

func (h *hypervisor) step(at time.Duration, now time.Time, guests []*guest) error {
	if h.bootAt > 0 && at >= h.bootAt {
		h.bootAt, h.machine.frozen = 0, false
		h.nova.AddHost(hostCompute, now)
		if err := h.machine.reboot(now); err != nil {
			return fmt.Errorf("rebooting machine %s: %w", h.machine.name, err)
		}
	}
	if h.backAt > 0 && at >= h.backAt {
		h.backAt = 0
		h.nova.SetHostDown(hostCompute, false)
	}
	if h.checkAt == 0 || at < h.checkAt {
		return nil
	}
	h.checkAt = 0
	var off []string
	for _, g := range guests {
		if run, ok := h.nova.Run(g.server); ok && g.died && run.Host == hostCompute && run.State == "active" && run.Task == "" {
			off = append(off, g.server)
		}
	}
	h.nova.StopTogether(off...)
	return nil
}
