package machine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

const (
	scopeCompute    = `machine-qemu\x2d2\x2dcompute.scope`
	scopeController = `machine-qemu\x2d1\x2dcontroller.scope`
)

// writes is how many bytes a unit's io.stat and the disk's diskstats say were written to nvme0n1.
func (m *Machine) writes(t *testing.T, unit string) (ofUnit, ofDisk uint64) {
	t.Helper()
	var r uint64
	if _, err := fmt.Sscanf(m.file(t, "sys/fs/cgroup/machine.slice/"+unit+"/io.stat"), "259:0 rbytes=%d wbytes=%d", &r, &ofUnit); err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(m.file(t, "proc/diskstats"))
	if _, err := fmt.Sscan(f[9], &ofDisk); err != nil {
		t.Fatal(err)
	}
	return ofUnit, ofDisk * sector
}

func TestALimitHoldsTheUnitAndTheDisk(t *testing.T) {
	t.Parallel()
	m := start(t)
	err := m.Change(func(s *State) {
		s.IO["nvme0n1"] = IO{Writes: 1000, WriteBytes: 50e6}
		s.Unit(scopeCompute).IO["nvme0n1"] = IO{Writes: 800, WriteBytes: 40e6}
	})
	if err != nil {
		t.Fatal(err)
	}
	rate := func() (unit, disk uint64) {
		u0, d0 := m.writes(t, scopeCompute)
		if err := m.Advance(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		u1, d1 := m.writes(t, scopeCompute)
		return (u1 - u0) / 10, (d1 - d0) / 10
	}
	near := func(what string, got uint64, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > want/100+1000 {
			t.Errorf("%s writes %d bytes/s, want %.0f", what, got, want)
		}
	}
	unit, disk := rate()
	near("the free unit", unit, 40e6)
	near("the disk", disk, 50e6)

	if err := m.SetIOMax(scopeCompute, "259:0", map[string]uint64{"wbps": 2e6}); err != nil {
		t.Fatal(err)
	}
	if got := m.file(t, "sys/fs/cgroup/machine.slice/"+scopeCompute+"/io.max"); got != "259:0 rbps=max wbps=2000000 riops=max wiops=max\n" {
		t.Errorf("io.max is %q", got)
	}
	unit, disk = rate()
	near("the limited unit", unit, 2e6)
	near("the disk", disk, 12e6)

	// The mapped volume's number is taken and holds nothing; libvirt's lower limit wins.
	if err := m.SetIOMax(scopeCompute, "253:0", map[string]uint64{"wbps": 1000}); err != nil {
		t.Fatal(err)
	}
	if err := m.SetLibvirtIOMax(scopeCompute, "259:0", map[string]uint64{"wiops": 20}); err != nil {
		t.Fatal(err)
	}
	unit, _ = rate()
	near("the twice limited unit", unit, 1e6)

	for _, set := range []func(string, string, map[string]uint64) error{m.SetIOMax, m.SetLibvirtIOMax} {
		if err := set(scopeCompute, "259:0", map[string]uint64{"wbps": math.MaxUint64, "wiops": math.MaxUint64}); err != nil {
			t.Fatal(err)
		}
	}
	unit, _ = rate()
	near("the freed unit", unit, 40e6)
}

func TestTheKernelRefusesLimits(t *testing.T) {
	t.Parallel()
	m := start(t)
	for _, c := range []struct {
		unit, number, key string
		value             uint64
		want              error
	}{
		{"no.scope", "259:0", "wbps", 1, syscall.ENOENT},
		{scopeCompute, "7:7", "wbps", 1, syscall.ENODEV},
		{scopeCompute, "259:2", "wbps", 1, syscall.ENODEV}, // a partition
		{scopeCompute, "259:0", "wbps", 0, syscall.ERANGE},
		{scopeCompute, "259:0", "speed", 1, syscall.EINVAL},
	} {
		if err := m.SetIOMax(c.unit, c.number, map[string]uint64{c.key: c.value}); !errors.Is(err, c.want) {
			t.Errorf("%s %s %s=%d: got %v, want %v", c.unit, c.number, c.key, c.value, err, c.want)
		}
	}
	if got := m.file(t, "sys/fs/cgroup/machine.slice/"+scopeCompute+"/io.max"); got != "" {
		t.Errorf("io.max is %q", got)
	}
	if err := m.SetSwapMax(scopeCompute, fleet.Some(uint64(0))); err != nil {
		t.Fatal(err)
	}
	if got := m.file(t, "sys/fs/cgroup/machine.slice/"+scopeCompute+"/memory.swap.max"); got != "0\n" {
		t.Errorf("memory.swap.max is %q", got)
	}
}

func TestAUnitThatEndsLeavesNoFiles(t *testing.T) {
	t.Parallel()
	m := start(t)
	if err := m.SetIOMax("sshd.service", "259:0", map[string]uint64{"rbps": 5}); err != nil {
		t.Fatal(err) // a limit turns the io controller on
	}
	_ = m.file(t, "sys/fs/cgroup/system.slice/sshd.service/io.max")
	if err := m.Change(func(s *State) { s.Units = s.Units[1:] }); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"sys/fs/cgroup/machine.slice/" + scopeController, "proc/2301"} {
		if _, err := os.Stat(filepath.Join(m.Root(), gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", gone)
		}
	}
	_ = m.file(t, "sys/fs/cgroup/machine.slice/"+scopeCompute+"/cpu.stat")
}

func TestDevicesHaveNumbers(t *testing.T) {
	t.Parallel()
	m := start(t)
	uuid := m.state.Areas[0].UUID
	for device, want := range map[string]string{
		"nvme0n1": "259:0", "/dev/sda": "8:16", "/dev/nvme0n1p2": "259:2", "/dev/mapper/rl-swap": "253:1",
		"/dev/disk/by-uuid/" + uuid: "253:1", "/dev/nosuch": "", "nosuch": "",
	} {
		if got, ok := m.DeviceNumber(device); got != want || ok != (want != "") {
			t.Errorf("%s is %q, want %q", device, got, want)
		}
	}
}

func TestSwapOffTakesItsTimeAndCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t)
		if err := m.Change(func(s *State) { s.SwapUsed, s.Available = 1000*mib, 3000*mib }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.SwapOff(ctx, "/dev/dm-1", 100*mib) }()
		time.Sleep(4*time.Second + 10*time.Millisecond)
		synctest.Wait()
		if got := m.file(t, "proc/swaps"); !strings.Contains(got, "\t614400\t") {
			t.Errorf("after 4 of 10 s swaps is %s", got)
		}
		if got := m.file(t, "proc/meminfo"); !strings.Contains(got, "SwapTotal:        614400 kB\nSwapFree:              0 kB") {
			t.Errorf("SwapTotal does not shrink to what is used: %s", got)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, used := m.Areas(); used[0] != 600*mib || m.AllSwapOff() {
			t.Errorf("%d bytes are left in an area that is still on", used[0])
		}
		if err := m.SwapOff(t.Context(), "/dev/dm-1", 100*mib); err != nil {
			t.Fatal(err)
		}
		if got := m.file(t, "proc/swaps"); strings.Contains(got, "dm-1") || !m.AllSwapOff() || m.state.Available != 2000*mib {
			t.Errorf("swap is not off: %s, %d bytes available", got, m.state.Available)
		}
	})
}

func TestSwapIsRefusedAndComesBackAtBoot(t *testing.T) {
	t.Parallel()
	m := start(t)
	if err := m.Change(func(s *State) { s.Strict = true }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		area string
		on   bool
		want error
	}{{"/dev/dm-1", true, syscall.EBUSY}, {"/swapfile", false, syscall.ENOENT}, {"/dev/dm-1", false, syscall.ENOMEM}} {
		if err := m.SetSwap(c.area, c.on); !errors.Is(err, c.want) {
			t.Errorf("%s %v: got %v, want %v", c.area, c.on, err, c.want)
		}
	}
	if err := m.Change(func(s *State) { s.SwapUsed = mib }); err != nil {
		t.Fatal(err)
	}
	if err := m.SetSwap("/dev/dm-1", false); err != nil {
		t.Fatal(err)
	}
	if err := m.SetSwap("/dev/dm-1", false); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("off twice: %v", err)
	}
	if err := m.Reboot(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.file(t, "proc/swaps"), "/dev/dm-1") {
		t.Error("fstab names it, and a boot did not turn it on")
	}
	if err := os.WriteFile(filepath.Join(m.Root(), "etc/fstab"), []byte("# nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.Reboot(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.file(t, "proc/swaps"), "/dev/dm-1") {
		t.Error("fstab names nothing, and a boot turned it on")
	}
}
