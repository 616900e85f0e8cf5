package incident

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"strata/internal/fake/kube"
	"strata/internal/fake/nova"
)

// scene is all that happens. Everything but heard belongs to the goroutine of run.
type scene struct {
	pace pace
	rng  *rand.Rand
	calm func() Relief
	plot plot
	load load
	last time.Duration // of the step before

	kernels kernels

	nova     *nova.Cloud
	kube     *kube.Server
	machines []*simulated
	compute  *hypervisor
	guests   []*guest
	cluster  *cluster
	silent   bool // the machine of OpenStack's APIs does not run

	mu      sync.Mutex
	reboots map[string]bool // servers that were told to reboot and have not yet
}

// heard notes what an operator told Nova that could be over before the next look.
func (s *scene) heard(server, action string) {
	if action != "reboot" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reboots == nil {
		s.reboots = map[string]bool{}
	}
	s.reboots[server] = true
}

func (s *scene) told(server string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.reboots[server]
	delete(s.reboots, server)
	return was
}

func (s *scene) close() {
	for _, m := range s.machines {
		if m.stopBus != nil {
			m.stopBus()
		}
	}
	s.kube.Close()
	s.nova.Close()
}

// run plays until ctx ends.
func (s *scene) run(ctx context.Context, failed func(error)) {
	ticks := time.NewTicker(max(tickLeast, s.pace.real(tickEvery)))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			if err := s.step(time.Now()); err != nil {
				failed(err)
			}
		}
	}
}

func (s *scene) step(now time.Time) error {
	at := s.pace.at(now)
	relief := s.relief()
	relief.LessIO = relief.LessIO || s.domainsLimited()
	s.hearDomains(at)
	busy := s.onCompute() > 0
	want, fails := s.plot.step(at, relief, s.compute.back(), busy)
	s.load.follow(want, at-s.last)
	s.last = at
	wrote := s.writeKernels(at)
	if fails && !s.compute.off {
		if err := s.machines[machineCompute].Kernel(0, panicked); err != nil {
			wrote = err
		}
		s.compute.fail(at)
		for _, g := range s.guests {
			if g.host == hostCompute {
				g.die()
			}
		}
	}
	err := s.compute.step(at, now, s.guests)
	if wrote != nil {
		err = wrote
	}
	for _, g := range s.guests {
		run, _ := s.nova.Run(g.server) // one that was deleted does not run
		g.step(at, run, run.Host != hostCompute || s.compute.running(), s.told(g.server))
	}
	if e := s.moveDomains(at); err == nil {
		err = e
	}
	s.cluster.step(at, now)
	if e := s.moveMachines(now, at, relief); err == nil {
		err = e
	}
	return err
}

// onCompute counts the guests that run there.
func (s *scene) onCompute() (n int) {
	for _, g := range s.guests {
		if g.running && g.host == hostCompute {
			n++
		}
	}
	return n
}
