package host

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

// BenchmarkPoll is one poll of host, sensors and disks, as it happens every two seconds: on the machine the benchmark
// runs on, and on a simulated one with ten sensors and two disks. cpu-ms/op is user and system time.
func BenchmarkPoll(b *testing.B) {
	spec, err := machine.OpenstackHost()
	if err != nil {
		b.Fatal(err)
	}
	m, err := machine.New(b.TempDir(), spec)
	if err != nil {
		b.Fatal(err)
	}
	for name, root := range map[string]string{"real": "", "simulated": m.Root()} {
		b.Run(name, func(b *testing.B) {
			s := New(Config{Root: root, Smartctl: m.Smartctl}).(*source)
			n := newNotes()
			looks := []func(context.Context, time.Time) (fleet.Facts, error){
				newHostReader(s, n).look, newSensors(s, n).look, newDisks(s, newSmartBook(s, n), n).look,
			}
			now := time.Now()
			before := cpuTime(b)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(2 * time.Second)
				for _, look := range looks {
					if _, err := look(b.Context(), now); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkUnits is one look at 200 control groups, of which ten do something, as it happens every two seconds.
func BenchmarkUnits(b *testing.B) {
	spec, err := machine.OpenstackHost()
	if err != nil {
		b.Fatal(err)
	}
	for i := range 200 - len(spec.State.Units) {
		u := machine.Guest(10+i, fmt.Sprintf("guest-%d", i), 10000+i, "nvme0n1", 1<<30, 0)
		spec.State.Units = append(spec.State.Units, u)
	}
	m, err := machine.New(b.TempDir(), spec)
	if err != nil {
		b.Fatal(err)
	}
	s := New(Config{Root: m.Root(), Smartctl: m.Smartctl}).(*source)
	units := newUnits(s, newNotes())
	now := time.Now()
	look := func() {
		now = now.Add(2 * time.Second)
		if facts, err := units.look(b.Context(), now); err != nil || len(facts) != 200 {
			b.Fatal(len(facts), err)
		}
	}
	look()
	look()
	before := cpuTime(b)
	b.ReportAllocs()
	for b.Loop() {
		// Time does not pass for the machine: what works is only said to.
		for _, folder := range units.folders[:10] {
			units.known[folder].idle = false
		}
		look()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
}
