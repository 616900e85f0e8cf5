package incident

import (
	"math"

	"strata/internal/fake/machine"
)

// relief is what has been done on openstack-host, as told and as it shows there.
func (s *scene) relief() Relief {
	r := s.calm()
	r.NoSwap = r.NoSwap || s.machines[machineOpenstack].AllSwapOff()
	for _, u := range s.machines[machineOpenstack].Units() {
		if u.Guest != "" && (len(u.Limits) > 0 || len(u.LibvirtLimits) > 0) {
			r.LessIO = true
		}
	}
	return r
}

// workGuests is what the two virtual machines on openstack-host do to it.
func workGuests(s *machine.State, l load) {
	all := s.IO["nvme0n1"]
	for _, g := range []struct {
		name              string
		share, cpu, swaps float64
	}{{"compute", 0.62, 0.4 + 2.6*l.hot, 0.55}, {"controller", 0.16, 0.3 + 0.6*l.hot, 0.24}} {
		u := s.GuestUnit(g.name)
		if u == nil {
			continue
		}
		u.IO["nvme0n1"] = machine.IO{
			Reads: all.Reads * g.share, Writes: all.Writes * g.share,
			ReadBytes: all.ReadBytes * g.share, WriteBytes: all.WriteBytes * g.share,
		}
		u.CPU, u.Swapped = g.cpu, uint64(g.swaps*float64(s.SwapUsed))
		u.Stall = stall(60 * g.share * l.flow)
	}
}

// workWorkers is what the workers that run on compute do to it.
func workWorkers(s *machine.State, l load) {
	for i := range s.Units {
		if u := &s.Units[i]; u.Guest != "" {
			u.IO["vda"] = machine.IO{Reads: 9, Writes: 40, ReadBytes: 600e3, WriteBytes: 1.1e6}
			u.CPU, u.Stall = 0.45+0.3*l.flow, stall(35*l.flow)
		}
	}
}

// stall is an I/O pressure in steps that are worth a new file.
func stall(some float64) machine.Stall {
	some = math.Round(some)
	return machine.Stall{Some10: some, Some60: some, Full10: math.Round(some / 2), Full60: math.Round(some / 2)}
}
