package host

import (
	"fmt"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

// A task that waits keeps its beginning while it is in one wait, and begins anew when it ran in between.
func TestTasksThatWait(t *testing.T) {
	t.Parallel()
	s := simulate(t, machine.Compute(), nil)
	nova := machine.Waiting{PID: 1069, TID: 1069, Comm: "nova-compute (x) D", Wchan: "kvm_async_pf_task_wait_schedule"}
	wait := func(tasks ...machine.Waiting) {
		s.change(func(st *machine.State) { st.Waiting = tasks })
	}
	if w := s.lookHost().Waits; w == nil || len(w.Tasks) != 0 {
		t.Fatalf("at first: %+v", w)
	}
	wait(nova)
	if s.pass(2 * time.Second); len(s.lookHost().Waits.Tasks) != 0 {
		t.Error("calm, and it looked again at once")
	}
	s.pass(9 * time.Second)
	began := s.now
	for looks := 1; looks < 4; looks++ {
		w := s.lookHost().Waits.Tasks
		if len(w) != 1 || w[0] != (fleet.WaitingTask{PID: 1069, TID: 1069, Comm: nova.Comm, Wchan: nova.Wchan, Since: began, Looks: looks}) {
			t.Errorf("look %d: %+v", looks, w)
		}
		s.pass(5 * time.Second)
	}
	wait()
	wait(nova)
	s.pass(5 * time.Second)
	if w := s.lookHost().Waits.Tasks; len(w) != 1 || w[0].Looks != 1 || !w[0].Since.Equal(s.now) {
		t.Errorf("it ran in between: %+v", w)
	}
	wait()
	s.pass(5 * time.Second)
	if w := s.lookHost().Waits; len(w.Tasks) != 0 {
		t.Errorf("nothing waits any more: %+v", w)
	}
}

// Of a virtual machine each thread counts; of many tasks twelve are told.
func TestManyThreadsThatWait(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	if err := s.Define(machine.Domain{Name: "compute", UUID: "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001", State: "running", PID: 2417, ID: 2}); err != nil {
		t.Fatal(err)
	}
	s.change(func(st *machine.State) {
		for i := range 20 {
			st.Waiting = append(st.Waiting, machine.Waiting{PID: 2417, TID: 2420 + i, Comm: fmt.Sprintf("CPU %d/KVM", i), Wchan: "folio_wait_bit_common"})
		}
		st.Waiting = append(st.Waiting, machine.Waiting{PID: 900, TID: 901, Comm: "a thread of another"})
	})
	w := s.lookHost().Waits
	if len(w.Tasks) != waitsTold || w.More != 8 || w.Cut || w.Tasks[0].TID != 2420 || w.Tasks[0].PID != 2417 || w.Tasks[0].Comm != "CPU 0/KVM" {
		t.Errorf("%+v", w)
	}
}

func FuzzTask(f *testing.F) {
	f.Add([]byte("1069 (nova-compute) D 1 1069 1069 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 25 0 6000 1 1"))
	f.Add([]byte("7 (a) b) (D) D 1"))
	f.Add([]byte("7 (x) D"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, b []byte) {
		comm, state, start, ok := parseTask(b)
		if !ok && (comm != "" || state != 0) || ok && len(comm) > len(b) || start != "" && state != 'D' {
			t.Errorf("%q: %q %c %q %v", b, comm, state, start, ok)
		}
	})
}

// BenchmarkWaits is one look at all processes of the machine it runs on, as it happens every ten seconds.
func BenchmarkWaits(b *testing.B) {
	w := &waits{}
	now := time.Now()
	before := cpuTime(b)
	for b.Loop() {
		now = now.Add(waitsCalm)
		if w.look(now, &fleet.Host{}) == nil {
			b.Fatal("nothing was looked at")
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
	names, _ := w.at.List("/proc")
	b.ReportMetric(float64(len(names)), "names")
}
