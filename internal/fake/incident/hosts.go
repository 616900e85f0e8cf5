package incident

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"strata/internal/fake/machine"
)

// The machines, in the order of newMachines.
const (
	machineOpenstack = iota
	machineKubernetes
	machineCompute
	machineController
)

const mib = 1 << 20

// simulated is a machine and when its files were brought up to date.
type simulated struct {
	*machine.Machine
	name   string
	spec   machine.Spec
	moved  time.Time
	frozen bool // between a panic and the boot after it

	stopBus func()
}

// newMachines writes the files of the four machines.
func newMachines(dir string, now time.Time) ([]*simulated, error) {
	openstack, err := machine.OpenstackHost()
	if err != nil {
		return nil, err
	}
	kubernetes, err := machine.KubernetesHost()
	if err != nil {
		return nil, err
	}
	compute := machine.Compute()
	compute.State.Up = upFirst
	workOpenstack(&openstack.State, openstack, load{}, Relief{}, 0)
	workCompute(&compute.State, load{}, 2)
	specs := []machine.Spec{openstack, kubernetes, compute, machine.Controller()}
	all := make([]*simulated, len(specs))
	var group errgroup.Group
	for i, spec := range specs {
		group.Go(func() error {
			root := filepath.Join(dir, spec.Hostname)
			if err := os.MkdirAll(root, 0o755); err != nil {
				return err
			}
			m, err := machine.New(root, spec)
			if err == nil && i == machineCompute {
				err = furnishNova(root)
			}
			all[i] = &simulated{Machine: m, name: spec.Hostname, spec: spec, moved: now}
			return err
		})
	}
	return all, group.Wait()
}

// furnishNova writes the nova.conf of compute. It is as shipped: what would start the guests again after a boot is not set.
func furnishNova(root string) error {
	const text = "[DEFAULT]\n#resume_guests_state_on_host_boot=false\nmy_ip=192.168.100.12\ntransport_url=rabbit://openstack:RABBIT_PASS@controller\n\n[libvirt]\nvirt_type=kvm\n"
	dir := filepath.Join(root, "etc", "nova")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "nova.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	installed := time.Date(2025, 2, 17, 9, 0, 0, 0, time.UTC)
	return os.Chtimes(path, installed, installed)
}

// moveMachines brings the files of one machine up to date, of the one that has waited longest for it.
func (s *scene) moveMachines(now time.Time, at time.Duration, r Relief) error {
	every := max(machineLeast, s.pace.real(machineEvery))
	var next *simulated
	for _, m := range s.machines {
		if !m.frozen && now.Sub(m.moved) >= every-tickLeast/2 && (next == nil || m.moved.Before(next.moved)) {
			next = m
		}
	}
	if next == nil {
		return nil
	}
	passed := now.Sub(next.moved)
	next.moved = now
	// Sensors are noisy, but files that change for noise alone cost more than they tell.
	noise := 2*float64(uint64(at/rereadFor)*2654435761%1000)/1000 - 1
	err := next.Step(passed, func(state *machine.State) {
		switch next {
		case s.machines[machineOpenstack]:
			workOpenstack(state, next.spec, s.load, r, noise)
		case s.machines[machineKubernetes]:
			for name, base := range next.spec.State.Temps {
				state.Temps[name] = base + math.Round(noise)
			}
		case s.machines[machineCompute]:
			workCompute(state, s.load, s.onCompute())
		}
	})
	if err == nil {
		err = s.workDomains(next)
	}
	if err != nil {
		return fmt.Errorf("moving machine %s: %w", next.name, err)
	}
	return nil
}

func (m *simulated) reboot(now time.Time) error {
	m.moved = now
	return m.Reboot()
}

// workOpenstack is the physical host under a load: hot, short of memory, its disk busy with swap.
func workOpenstack(s *machine.State, spec machine.Spec, l load, r Relief, noise float64) {
	cpu := math.Round(60 + 33*l.hot + noise)
	for i, below := range []float64{0, 1, 3, 0, 2} {
		s.Temps[fmt.Sprintf("coretemp.0/temp%d", i+1)] = cpu - below
	}
	disk := math.Round(46 + 17*l.hot)
	s.Temps["nvme0n1/temp1"], s.Temps["nvme0n1/temp2"], s.Temps["nvme0n1/temp3"] = disk-0.15, disk-0.15, disk+1.85
	s.Busy = 0.09 + 0.5*l.hot
	s.Load = [3]float64{loadOf(0.6 + 7*l.hot), loadOf(0.7 + 5*l.hot), loadOf(0.7 + 3*l.hot)}

	s.SwapUsed = uint64((0.20 + 0.36*l.full) * float64(spec.Swap))
	s.Available = uint64((0.34 - 0.22*l.full) * float64(spec.Memory))
	s.Cached = s.Available - s.Available/10
	s.SwapIn, s.SwapOut = 9*mib*l.flow, 14*mib*l.flow
	if s.SwapOff = r.NoSwap; r.NoSwap {
		// What was swapped is in memory again.
		s.SwapUsed, s.SwapIn, s.SwapOut = 0, 0, 0
		s.Available = spec.Memory / 14
		s.Cached = s.Available - s.Available/10
	}
	s.IO["nvme0n1"] = machine.IO{
		Reads: 21 + 500*l.flow, Writes: 138 + 1500*l.flow, ReadBytes: 410e3 + 9.5e6*l.flow, WriteBytes: 2.9e6 + 45e6*l.flow,
		Await: 900*time.Microsecond + time.Duration(13*l.flow*float64(time.Millisecond)), Util: 0.06 + 0.66*l.flow,
	}
	workGuests(s, l)
	s.Waiting = nil
	if l.flow > 0.6 {
		// Processors of compute wait until a page of it is read back from swap.
		for n := range 2 {
			s.Waiting = append(s.Waiting, machine.Waiting{PID: computePID, TID: computePID + 10 + n, Comm: fmt.Sprintf("CPU %d/KVM", n), Wchan: "folio_wait_bit_common"})
		}
	}
	samsung := s.Smart["nvme0n1"]
	samsung.Celsius = int(disk)
	if l.hot > 0.9 {
		samsung.Values["thermal_temp1_transitions"] = 100
	}
	if l.flow > 0.9 {
		samsung.Values["num_err_log_entries"] = 2789 // an admin command it does not know: harmless
	}
}

// workCompute is the virtual machine of nova-compute with so many guests on it, while the host below it works hard.
func workCompute(s *machine.State, l load, guests int) {
	n := float64(guests)
	workWorkers(s, l)
	s.Waiting = nil
	if l.flow > 0.65 {
		s.Waiting = []machine.Waiting{{PID: 1069, TID: 1069, Comm: "nova-compute", Wchan: "kvm_async_pf_task_wait_schedule"}}
	}
	s.Busy, s.Steal = 0.02+0.12*n, math.Round(100*(0.01+0.2*l.flow))/100
	s.Load = [3]float64{loadOf(0.05 + 0.5*n + 3*l.flow*n), loadOf(0.05 + 0.5*n + 2*l.flow*n), loadOf(0.05 + 0.5*n + l.flow*n)}
	s.Available = uint64(6583-2100*guests) * mib
	s.IO["vda"] = machine.IO{
		Reads: 1 + 9*n, Writes: 14 + 40*n, ReadBytes: 99e3 + 600e3*n, WriteBytes: 120e3 + 1.1e6*n,
		Await: 2*time.Millisecond + time.Duration(30*l.flow*float64(time.Millisecond)), Util: 0.02 + 0.07*n + 0.3*l.flow,
	}
}

// loadOf is a load average in steps that are worth a new file.
func loadOf(v float64) float64 { return math.Round(v*20) / 20 }
