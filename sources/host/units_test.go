package host

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

const (
	scopeCompute = `machine-qemu\x2d2\x2dcompute.scope`
	mib          = 1 << 20
)

func lookUnits(s *simulated) map[string]*fleet.Unit {
	s.t.Helper()
	return look[*fleet.Unit](s, s.units.look)
}

func TestWhoLoadsWhichDisk(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	s.change(func(st *machine.State) {
		u := st.Unit(scopeCompute)
		u.IO["nvme0n1"] = machine.IO{Reads: 10, ReadBytes: 1e6, Writes: 800, WriteBytes: 40e6}
		u.CPU, u.Stall = 1.5, machine.Stall{Some10: 64, Full10: 31}
		st.IO["nvme0n1"] = machine.IO{Reads: 20, ReadBytes: 2e6, Writes: 1000, WriteBytes: 50e6}
	})
	first := lookUnits(s)[scopeCompute]
	if first.CPU.OK || len(first.IO) != 1 || first.IO[0].WriteBytesSec.OK {
		t.Errorf("rates before there were two readings: %+v", first)
	}
	s.pass(2 * time.Second)
	u := lookUnits(s)[scopeCompute]
	if u.Domain != "compute" || u.PID != 2417 || u.Command != "qemu-kvm" || u.CGroup != "machine.slice/"+scopeCompute {
		t.Errorf("who it is: %+v", u)
	}
	if !near(u.CPU, 1.5) || u.Memory.V != 7683*mib || u.Swapped.V != 2950*mib || u.SwapMax.OK || u.Pressure == nil || u.Pressure.Some10 != 64 {
		t.Errorf("what it uses: %+v", u)
	}
	io := u.IO[0]
	if io.Disk != "nvme0n1" || io.Number != "259:0" || !near(io.WriteBytesSec, 40e6) || !near(io.ReadBytesSec, 1e6) || !near(io.WritesSec, 800) || io.Limit.Any() {
		t.Errorf("what it does: %+v", io)
	}
	sshd := lookUnits(s)["sshd.service"]
	if sshd.IO != nil || len(sshd.Missing) != 1 || !strings.HasPrefix(sshd.Missing[0], "disks: its io controller is off") {
		t.Errorf("a service without the io controller: %+v", sshd)
	}
}

func TestLimitsOfBothPlaces(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	for _, err := range []error{
		s.SetIOMax(scopeCompute, "259:0", map[string]uint64{"wbps": 2e6, "riops": 50}),
		s.SetIOMax(scopeCompute, "253:2", map[string]uint64{"wbps": 1e6}),
		s.SetLibvirtIOMax(scopeCompute, "259:0", map[string]uint64{"wbps": 3e6}),
		s.SetSwapMax(scopeCompute, fleet.Some(uint64(0))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	u := lookUnits(s)[scopeCompute]
	want := []fleet.UnitIO{
		// It touched no mapped device that anybody would have to know of, but it is limited on one: that is shown.
		{Disk: "dm-2", Number: "253:2", Limit: fleet.IOLimit{WriteBytesSec: fleet.Some(uint64(1e6))}},
		{
			Disk: "nvme0n1", Number: "259:0", Limit: fleet.IOLimit{WriteBytesSec: fleet.Some(uint64(2e6)), ReadsSec: fleet.Some(uint64(50))},
			LibvirtLimit: fleet.IOLimit{WriteBytesSec: fleet.Some(uint64(3e6))},
		},
	}
	if !slices.Equal(u.IO, want) || u.SwapMax != fleet.Some(uint64(0)) {
		t.Errorf("got %+v, swap limit %+v", u.IO, u.SwapMax)
	}
}

// TestALimitThatEndedWithItsScopeIsTold until there is one again.
func TestALimitThatEndedWithItsScopeIsTold(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	const next = `machine-qemu\x2d7\x2dcompute.scope`
	limit := func(unit string, values map[string]uint64) {
		if err := s.SetIOMax(unit, "259:0", values); err != nil {
			t.Fatal(err)
		}
		s.pass(2 * time.Second)
		s.units.all.Store(true)
	}
	limit(scopeCompute, map[string]uint64{"wbps": 2e6})
	lookUnits(s)
	s.change(func(st *machine.State) {
		st.Units = slices.DeleteFunc(st.Units, func(u machine.Unit) bool { return u.Guest == "compute" })
		st.Units = append(st.Units, machine.Guest(7, "compute", 4000, "nvme0n1", mib, 0))
	})
	u := lookUnits(s)[next]
	if len(u.Lost) != 1 || u.Lost[0].Unit != scopeCompute || u.Lost[0].Limit.WriteBytesSec.V != 2e6 || u.Lost[0].At.IsZero() {
		t.Errorf("what the last scope was limited to: %+v", u.Lost)
	}
	limit(next, map[string]uint64{"wbps": 3e6})
	if u := lookUnits(s)[next]; u.Lost != nil || !u.Limited() {
		t.Errorf("limited again: %+v", u)
	}
	limit(next, map[string]uint64{"wbps": math.MaxUint64})
	if u := lookUnits(s)[next]; u.Lost != nil || u.Limited() {
		t.Errorf("whoever takes a limit away needs not be told: %+v", u)
	}
}

func TestIdleGroupsAreLookedAtLessOften(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	s.change(func(st *machine.State) {
		for i := range st.Units {
			st.Units[i].CPU, st.Units[i].IO = 0, nil
		}
	})
	for range 2 {
		lookUnits(s)
		s.pass(2 * time.Second)
	}
	if err := s.SetSwapMax(scopeCompute, fleet.Some(uint64(1))); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for !lookUnits(s)[scopeCompute].SwapMax.OK {
		if seen++; seen > restFor*restTurns {
			t.Fatal("an idle group is never looked at again")
		}
		s.pass(2 * time.Second)
	}
	if err := s.SetSwapMax(scopeCompute, fleet.Opt[uint64]{}); err != nil {
		t.Fatal(err)
	}
	s.units.all.Store(true)
	if lookUnits(s)[scopeCompute].SwapMax.OK {
		t.Error("asked to look at all, it did not")
	}
	s.change(func(st *machine.State) { st.Unit(scopeCompute).CPU = 0.5 })
	for seen = 0; !near(lookUnits(s)[scopeCompute].CPU, 0.5) && lookUnits(s)[scopeCompute].CPU.V < 0.1; seen++ {
		if seen > restFor {
			t.Fatal("it works, and is still taken for idle")
		}
		s.pass(2 * time.Second)
	}
}

func TestGroupsComeAndGo(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	lookUnits(s)
	s.change(func(st *machine.State) {
		st.Units = slices.DeleteFunc(st.Units, func(u machine.Unit) bool { return u.Guest == "compute" })
		st.Units = append(st.Units, machine.Guest(7, "compute", 4000, "nvme0n1", mib, 0), machine.Unit{
			Name: `machine-qemu\x2d8\x2dmyvm.scope`, Slice: "machine.slice", PID: 4001, Command: "qemu-kvm", Guest: "my vm,2",
		})
	})
	got := lookUnits(s)
	if got[scopeCompute] != nil || got[`machine-qemu\x2d7\x2dcompute.scope`] == nil {
		t.Error("a domain that was started anew is not in its new scope")
	}
	// libvirt leaves the space out of the scope's name; qemu's command line has it all.
	if u := got[`machine-qemu\x2d8\x2dmyvm.scope`]; u == nil || u.Domain != "my vm,2" {
		t.Errorf("a domain with an odd name: %+v", u)
	}
	empty := filepath.Join(s.Root(), "sys/fs/cgroup/system.slice/sshd.service/cgroup.events")
	if err := os.WriteFile(empty, []byte("populated 0\nfrozen 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.units.all.Store(true)
	if lookUnits(s)["sshd.service"] != nil {
		t.Error("a group without processes is shown")
	}
}

func TestOldControlGroupsAreTold(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{
		"sys/fs/cgroup/unified/cgroup.controllers": "hybrid", "sys/fs/cgroup/blkio/tasks": "version 1", "sys/none": "no /sys/fs/cgroup",
	} {
		s := New(Config{Root: string(plant(t, map[string]string{folder: ""}))}).(*source)
		n := newNotes()
		facts, err := newUnits(s, n).look(t.Context(), time.Now())
		if err != nil || facts == nil || len(facts) != 0 || len(n.all()) != 1 || !strings.Contains(n.all()[0], want) {
			t.Errorf("%s: %v, %v, %q", folder, facts, err, n.all())
		}
	}
}

func TestNamesOfScopes(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]string{
		`machine-qemu\x2d1\x2dinstance\x2d0000001c.scope`: "instance-0000001c",
		`machine-qemu\x2d12\x2dweb.example.scope`:         "web.example",
		`machine-qemu\x2d3\x2dmy\x20vm.scope`:             "my vm",
		`machine-lxc\x2d3\x2dbox.scope`:                   "",
		`machine-qemu\x2dx\x2dbox.scope`:                  "",
		`machine-qemu\x2d3\x2dbox.service`:                "",
		"sshd.service":                                    "",
	} {
		if got, ok := domainOf(unit); got != want || ok != (want != "") {
			t.Errorf("%s: %q", unit, got)
		}
	}
	for _, c := range []struct{ argument, want string }{
		{"guest=instance-0000001c,debug-threads=on", "instance-0000001c"},
		{"guest=a,,b c,debug-threads=on", "a,b c"},
		{"debug-threads=on,guest=x", "x"},
		{"plain", "plain"},
		{"process=y", ""},
	} {
		if got := guestOf([]string{"/usr/bin/qemu", "-name", c.argument}); got != c.want {
			t.Errorf("%s: %q, want %q", c.argument, got, c.want)
		}
	}
	if guestOf([]string{"-name"}) != "" || guestOf(nil) != "" {
		t.Error("a name out of nothing")
	}
}

func TestIOFilesOfTheKernel(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/io.stat.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := parseIOStat(b); len(got) != 2 || got[0] != (ioLine{"259:0", 0, 837812224, 0, 1598}) {
		t.Errorf("io.stat: %+v", got)
	}
	// A kernel that prints numbers without figures.
	if got := parseIOStat([]byte("8:0 8:16 rbytes=1 wbytes=2 rios=3 wios=4\n8:32 \n")); len(got) != 1 || got[0] != (ioLine{"8:16", 1, 2, 3, 4}) {
		t.Errorf("io.stat: %+v", got)
	}
	if b, err = os.ReadFile("testdata/io.max.txt"); err != nil {
		t.Fatal(err)
	}
	want := fleet.IOLimit{ReadBytesSec: fleet.Some(uint64(3e6)), WriteBytesSec: fleet.Some(uint64(5e6)), WritesSec: fleet.Some(uint64(50))}
	if got := fleet.ParseIOMax(string(b)); len(got) != 1 || got["259:0"] != want {
		t.Errorf("io.max: %+v", got)
	}
}
