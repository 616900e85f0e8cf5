// Package incident is a small private cloud that lives, in process: Nova, Kubernetes and four machines, told apart from
// real ones by nobody who reads them over HTTP and through files. It plays the incident strata was born from on a fast
// clock and reacts to what an operator does. It serves the demo and tests; it must not know who looks at it.
package incident

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"strata/internal/fake/kube"
	"strata/internal/fake/machine"
	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

// Options say how the incident is played.
type Options struct {
	// Speed multiplies the pace, 1 when zero: then compute fails after a minute, and its servers are off half a minute
	// later. Only the pace changes: all times told are those of the wall clock.
	Speed float64
	Quiet bool   // all is well for two minutes (at speed 1) instead of a few seconds
	Dir   string // an empty folder for the machines' files, clouds.yaml and kubeconfig; Folder makes one
	// Calm tells what has been done against the cause so far, beside what shows on openstack-host itself: swap areas that
	// are off, limits on the I/O of its guests. It is asked often, from one goroutine. Nil is nothing.
	Calm func() Relief
}

// Relief is what was done on openstack-host.
type Relief struct {
	NoSwap bool // swapoff: it does not swap, and so compute does not fail again
	LessIO bool // the disk traffic of its guests is limited: lower rates, less heat
}

// Machine is a simulated machine: a folder with its proc, sys and etc, and the calls that are not files.
type Machine struct {
	Name, Root string
	Smartctl   func(ctx context.Context, args ...string) (stdout []byte, code int, err error)
	Statfs     func(mount string, into *syscall.Statfs_t) error
	Simulated  *machine.Machine // to act on it as its kernel would
	Bus        string           // address of its system bus, with systemd on it
}

// World is the cloud at work.
type World struct {
	CloudsYAML string // path of a clouds.yaml with the cloud "home", of an admin
	Kubeconfig string // path of a kubeconfig with the context "home"
	Machines   []Machine
	Nova       *nova.Cloud
	Kube       *kube.Server
	Endpoints  []fleet.Endpoint // what users of the cloud reach, on the loopback

	failed  atomic.Pointer[error]
	stop    context.CancelFunc
	stopped chan struct{}
}

// Start sets the world up, healthy, and lets it run until ctx ends or Stop.
func Start(ctx context.Context, o Options) (*World, error) {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Calm == nil {
		o.Calm = func() Relief { return Relief{} }
	}
	now := time.Now()
	s := &scene{
		pace: pace{speed: o.Speed, began: now}, calm: o.Calm, plot: plot{healthy: healthyFor},
		rng: rand.New(rand.NewPCG(2025, 630)), // the same play each time
	}
	if o.Quiet {
		s.plot.healthy = quietFor
	}
	var err error
	if s.machines, err = newMachines(filepath.Join(o.Dir, "machines"), now); err != nil {
		return nil, fmt.Errorf("starting the demo cloud: %w", err)
	}
	if s.kube, err = kube.New(kube.Options{Context: "home"}); err != nil {
		return nil, fmt.Errorf("starting the demo cloud: %w", err)
	}
	s.nova = nova.Start(nova.Config{Delay: s.pace.real(startTakes), OnAction: s.heard.hear})
	w := &World{
		CloudsYAML: filepath.Join(o.Dir, "clouds.yaml"), Kubeconfig: filepath.Join(o.Dir, "kubeconfig"),
		Nova: s.nova, Kube: s.kube, stopped: make(chan struct{}),
	}
	if err := w.furnish(s, now); err != nil {
		s.close()
		return nil, fmt.Errorf("starting the demo cloud: %w", err)
	}
	ctx, w.stop = context.WithCancel(ctx)
	go func() {
		defer close(w.stopped)
		defer s.close()
		s.run(ctx, func(err error) { w.failed.CompareAndSwap(nil, &err) })
	}()
	return w, nil
}

func (w *World) furnish(s *scene, now time.Time) error {
	if err := furnishCloud(s.nova, now); err != nil {
		return err
	}
	s.guests = []*guest{
		{server: workerOneID, node: workerOne, domain: workerOneDomain, host: hostCompute, running: true},
		{server: workerTwoID, node: workerTwo, domain: workerTwoDomain, host: hostCompute, running: true},
	}
	if err := furnishDomains(s.machines); err != nil {
		return err
	}
	s.compute = &hypervisor{machine: s.machines[machineCompute], nova: s.nova, rng: s.rng}
	s.cluster = newCluster(s.kube, s.rng, s.pace, s.guests)
	s.cluster.furnish(now)
	var err error
	if s.cluster.doors, err = openDoors(); err != nil {
		return err
	}
	w.Endpoints = s.cluster.doors.endpoints()
	for _, m := range s.machines {
		bus, stop, err := m.Bus()
		if err != nil {
			return err
		}
		m.stopBus = stop
		w.Machines = append(w.Machines, Machine{Name: m.name, Root: m.Root(), Smartctl: m.Smartctl, Statfs: m.Statfs, Simulated: m.Machine, Bus: bus})
	}
	for path, text := range map[string][]byte{
		w.CloudsYAML: []byte(s.nova.CloudsYAML("home=admin")), w.Kubeconfig: s.kube.Kubeconfig(),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the world and returns when nothing of it runs any more. Its files stay.
func (w *World) Stop() {
	w.stop()
	<-w.stopped
}

// Err is the first error of a machine whose files could not be written, nil while all goes well. That machine stands
// still then; the rest goes on.
func (w *World) Err() error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}
