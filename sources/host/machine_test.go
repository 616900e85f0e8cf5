package host

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulated is a machine of the incident with the readers of its scopes, stepped by hand.
type simulated struct {
	t *testing.T
	*machine.Machine
	s       *source
	notes   *notes
	host    *hostReader
	sensors *sensors
	disks   *disks
	mounts  *mounts
	units   *units
	swaps   *swaps
	smart   *smartBook
	now     time.Time
}

func simulate(t *testing.T, spec machine.Spec, err error) *simulated {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{Root: m.Root(), Smartctl: m.Smartctl, Statfs: m.Statfs}).(*source)
	n := newNotes()
	book := newSmartBook(s, n)
	return &simulated{
		t: t, Machine: m, s: s, notes: n, smart: book, now: time.Date(2025, 7, 8, 3, 0, 0, 0, time.UTC),
		host: newHostReader(s, n), sensors: newSensors(s, n), disks: newDisks(s, book, n), mounts: newMounts(s, n),
		units: newUnits(s, n), swaps: newSwaps(s, n),
	}
}

func openstackHost(t *testing.T) *simulated {
	spec, err := machine.OpenstackHost()
	return simulate(t, spec, err)
}

// pass lets time pass on the machine and for the readers.
func (s *simulated) pass(d time.Duration) {
	s.t.Helper()
	if err := s.Advance(d); err != nil {
		s.t.Fatal(err)
	}
	s.now = s.now.Add(d)
}

func (s *simulated) change(how func(*machine.State)) {
	s.t.Helper()
	if err := s.Change(how); err != nil {
		s.t.Fatal(err)
	}
}

func look[T fleet.Object](s *simulated, look func(context.Context, time.Time) (fleet.Facts, error)) map[string]T {
	s.t.Helper()
	facts, err := look(s.t.Context(), s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[string]T{}
	for _, f := range facts {
		found[f.Ref().Name] = f.(T)
	}
	return found
}

func (s *simulated) lookHost() *fleet.Host {
	s.t.Helper()
	return look[*fleet.Host](s, s.host.look)[s.s.conf.Name]
}

// lookDisks reads the disks with their SMART.
func (s *simulated) lookDisks() map[string]*fleet.Disk {
	s.t.Helper()
	if s.smart.disks == nil {
		look[*fleet.Disk](s, s.disks.look)
	}
	types := s.smart.scan(s.t.Context(), s.smart.disks)
	for i := range s.smart.disks {
		if hasSmart(s.smart.disks[i].bus) {
			s.smart.turn(s.t.Context(), &s.smart.disks[i], types["/dev/"+s.smart.disks[i].name])
		}
	}
	return look[*fleet.Disk](s, s.disks.look)
}

func near(got fleet.Opt[float64], want float64) bool {
	return got.OK && math.Abs(got.V-want) <= math.Max(0.01*math.Abs(want), 1e-9)
}

func TestHostOfTheIncident(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	first := s.lookHost()
	if first.Busy.OK || first.Swap.InBytesSec.OK {
		t.Errorf("rates before there were two readings: %+v", first)
	}
	s.pass(10 * time.Second)
	h := s.lookHost()
	if h.Name != "openstack-host" || h.CPUs != 8 || h.Identity.Virtual != "" || h.Identity.Model != "LENOVO 81LB" ||
		h.Identity.OS != "Rocky Linux 9.5 (Blue Onyx)" || h.Identity.SystemUUID != "3c9f6a52-7b1d-11e9-8f9e-8c164503a1d7" {
		t.Errorf("identity: %+v", h)
	}
	if h.Load != [3]float64{1.32, 1.11, 1.10} || !near(h.Busy, 0.117) || !near(h.Steal, 0) {
		t.Errorf("load %v, busy %v, steal %v", h.Load, h.Busy, h.Steal)
	}
	if h.Memory.Total != 16030516*1024 || h.Memory.Available.V/1024 != 1967443148/1024 {
		t.Errorf("memory: %+v", h.Memory)
	}
	if h.Swap.Total != 8024<<20 || h.Swap.Used/1024 != 4699927347/1024 || !near(h.Swap.InBytesSec, 40*1024) || !near(h.Swap.OutBytesSec, 24*1024) {
		t.Errorf("swap: %+v", h.Swap)
	}
	if h.Pressure != nil || !strings.Contains(strings.Join(h.Missing, "\n"), "pressure: /proc/pressure/cpu") {
		t.Errorf("no PSI must be said: %+v, %q", h.Pressure, h.Missing)
	}
	if h.Health().Word != "swap 56 % used" {
		t.Errorf("health: %+v", h.Health())
	}

	s.change(func(st *machine.State) {
		st.Pressure = map[string]machine.Stall{"cpu": {}, "memory": {Some10: 41.5, Full10: 12.25, Some60: 9}, "io": {Some10: 3}}
	})
	if h = s.lookHost(); h.Pressure == nil || h.Pressure.Memory != (fleet.Stall{Some10: 41.5, Full10: 12.25, Some60: 9}) || len(h.Missing) > 0 {
		t.Errorf("pressure: %+v, missing %q", h.Pressure, h.Missing)
	}
}

func TestRebootGivesNewBootAndNoNonsense(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	before := s.lookHost()
	s.pass(2 * time.Second)
	if err := s.Reboot(); err != nil {
		t.Fatal(err)
	}
	h := s.lookHost()
	if h.BootID == before.BootID || !h.Boot.After(before.Boot.Add(100*24*time.Hour)) {
		t.Errorf("boot %v %s after %v %s", h.Boot, h.BootID, before.Boot, before.BootID)
	}
	if h.Busy.OK || h.Swap.InBytesSec.OK {
		t.Errorf("rates over a reset: busy %v, swap in %v", h.Busy, h.Swap.InBytesSec)
	}
}

func TestSensors(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	got := look[*fleet.Sensor](s, s.sensors.look)
	names := make([]string, 0, len(got))
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"acpitz@thermal_zone0/temp1", "coretemp@coretemp.0/temp1", "coretemp@coretemp.0/temp2", "coretemp@coretemp.0/temp3",
		"coretemp@coretemp.0/temp4", "coretemp@coretemp.0/temp5", "drivetemp@1:0:0:0/temp1",
		"nvme@nvme0/temp1", "nvme@nvme0/temp2", "nvme@nvme0/temp3",
	}
	if !slices.Equal(names, want) {
		t.Errorf("sensors %q, want %q", names, want)
	}
	if p := got["coretemp@coretemp.0/temp1"]; p.Label != "Package id 0" || p.Celsius.V != 66 || p.Max.V != 84 || p.Crit.V != 100 || p.Disk != "" {
		t.Errorf("package: %+v", p)
	}
	if n := got["nvme@nvme0/temp3"]; n.Disk != "nvme0n1" || n.Max.OK || n.Celsius.V != 52.85 {
		t.Errorf("an NVMe sensor with unset limits: %+v", n)
	}
	if d := got["drivetemp@1:0:0:0/temp1"]; d.Disk != "sda" || d.Label != "temp1" {
		t.Errorf("the SATA disk's sensor: %+v", d)
	}

	s.pass(2 * time.Second)
	s.change(func(st *machine.State) {
		st.Temps["coretemp.0/temp1"] = 101
		st.Temps["coretemp.0/temp2"] = math.NaN()
	})
	next := look[*fleet.Sensor](s, s.sensors.look)
	if p := next["coretemp@coretemp.0/temp1"]; p.Celsius.V != 101 || !p.Alarm || p.Health().State != fleet.StateBad {
		t.Errorf("over the limit: %+v", p)
	}
	if p := next["coretemp@coretemp.0/temp2"]; p.Celsius.OK || !strings.Contains(p.NoData, "fault") || p.Health().State != fleet.StateUnknown {
		t.Errorf("with a fault: %+v", p)
	}
	if a, b := got["nvme@nvme0/temp1"], next["nvme@nvme0/temp1"]; a == b {
		t.Error("a reading that did not change is no new sample")
	}
	if a, b := got["drivetemp@1:0:0:0/temp1"], next["drivetemp@1:0:0:0/temp1"]; a != b {
		t.Error("the SATA disk was asked again after two seconds")
	}
}

// A package that warms up tells so once, its cores do not; what an older look told stays as it was.
func TestASensorTellsHowItTurned(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	const cpu = "coretemp@coretemp.0/temp1"
	look[*fleet.Sensor](s, s.sensors.look)
	set := func(celsius float64) *fleet.Sensor {
		s.pass(2 * time.Second)
		s.change(func(st *machine.State) {
			st.Temps["coretemp.0/temp1"], st.Temps["coretemp.0/temp2"] = celsius, celsius
		})
		return look[*fleet.Sensor](s, s.sensors.look)[cpu]
	}
	first := set(90)
	if len(first.Turns) != 1 || first.Turns[0].From != 66 || first.Turns[0].To != 90 || !first.Turns[0].At.Equal(s.now) {
		t.Fatalf("over its maximum: %+v", first.Turns)
	}
	if next := set(95); len(next.Turns) != 1 || next.Turns[0].To != 95 || first.Turns[0].To != 90 {
		t.Errorf("it goes on: %+v, before %+v", next.Turns, first.Turns)
	}
	all := look[*fleet.Sensor](s, newSensors(s.s, s.notes).look)
	if len(all[cpu].Turns) != 1 || len(all["coretemp@coretemp.0/temp2"].Turns) != 0 {
		t.Errorf("after a restart of the source: %+v, of a core %+v", all[cpu].Turns, all["coretemp@coretemp.0/temp2"].Turns)
	}
}

func TestVirtualMachineSaysWhyItHasNoSensors(t *testing.T) {
	t.Parallel()
	s := simulate(t, machine.Compute(), nil)
	if got := look[*fleet.Sensor](s, s.sensors.look); len(got) != 0 {
		t.Errorf("sensors: %v", got)
	}
	d := s.lookDisks()["vda"]
	if d.Smart != nil || !slices.Equal(d.Missing, []string{"SMART: a virtio disk has none"}) || d.Rotational.OK || d.Bus != "virtio" {
		t.Errorf("vda: %+v", d)
	}
	h := s.lookHost()
	if h.Identity.Virtual != "kvm" || !slices.Contains(h.Missing, "temperatures: no sensor in /sys/class/hwmon (virtual machine: kvm)") {
		t.Errorf("%+v, missing %q", h.Identity, h.Missing)
	}
}

func TestDisksOfTheIncident(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	s.lookDisks()
	s.pass(2 * time.Second)
	got := s.lookDisks()
	if len(got) != 2 {
		t.Fatalf("disks: %v", got)
	}
	n := got["nvme0n1"]
	if n.Model != "SAMSUNG MZVLB512HBJQ-000" || n.Serial != "S50HNF0MC03089" || n.Bus != "nvme" || n.Bytes != 512110190592 || n.Rotational != fleet.Some(false) {
		t.Errorf("nvme0n1: %+v", n)
	}
	if !near(n.IO.WriteBytesSec, 2.9e6) || !near(n.IO.ReadsSec, 21) || !near(n.IO.Util, 0.06) || n.IO.Await.V.Round(100*time.Microsecond) != 900*time.Microsecond {
		t.Errorf("nvme0n1's I/O: %+v", n.IO)
	}
	want := map[string]uint64{
		"media_errors": 0, "num_err_log_entries": 2787, "unsafe_shutdowns": 83, "warning_temp_time": 0, "critical_comp_time": 0,
		"thermal_temp1_transitions": 99, "thermal_temp2_transitions": 1,
	}
	for name, v := range want {
		if c, ok := n.Counter(name); !ok || c.Value != v || c.First != v {
			t.Errorf("%s: %+v, want %d", name, c, v)
		}
	}
	if sm := n.Smart; sm == nil || sm.Passed != fleet.Some(true) || sm.SparePct.V != 100 || sm.SpareMin.V != 10 || sm.UsedPct.V != 4 ||
		sm.Hours.V != 5410 || sm.Cycles.V != 4721 || sm.Celsius.V != 51 || sm.SMR || len(n.Missing) > 0 {
		t.Errorf("nvme0n1's SMART: %+v, missing %q", sm, n.Missing)
	}
	d := got["sda"]
	if d.Bus != "ata" || d.Model != "WDC WD10SPZX-24Z10" || d.Serial != "WD-WXG1A89D0N10" || !d.Smart.SMR || d.Smart.Hours.V != 6991 || d.Smart.Celsius.V != 38 || d.IO.Await.OK {
		t.Errorf("sda: %+v %+v", d, d.Smart)
	}
	if c, ok := d.Counter("ioerr_cnt"); !ok || c.Value != 5 || c.Grew() != 0 {
		t.Errorf("ioerr_cnt: %+v", c)
	}
	if !slices.Equal(d.Missing, []string{"SMART: this disk does not tell command_timeout"}) {
		t.Errorf("sda misses %q", d.Missing)
	}
}

func TestCountersGrowAndStartOver(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	s.lookDisks()
	s.change(func(st *machine.State) {
		st.Smart["nvme0n1"].Values["media_errors"] = 3
		st.Smart["nvme0n1"].Values["thermal_temp1_transitions"] = 101
		st.Smart["sda"].Values["Current_Pending_Sector"] = 8
	})
	got := s.lookDisks()
	for _, w := range []struct {
		disk, counter string
		grew          uint64
	}{{"nvme0n1", "media_errors", 3}, {"nvme0n1", "thermal_temp1_transitions", 2}, {"sda", "pending", 8}, {"sda", "reallocated", 0}} {
		if c, _ := got[w.disk].Counter(w.counter); c.Grew() != w.grew || c.Grown.IsZero() == (w.grew > 0) {
			t.Errorf("%s of %s: %+v, want growth of %d", w.counter, w.disk, c, w.grew)
		}
	}
	s.change(func(st *machine.State) { st.Smart["nvme0n1"].Values["media_errors"] = 1 })
	if c, _ := s.lookDisks()["nvme0n1"].Counter("media_errors"); c.First != 1 || c.Grew() != 0 || !c.Grown.IsZero() {
		t.Errorf("a counter that fell: %+v", c)
	}
}

func TestSmartThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	s.change(func(st *machine.State) { st.Smart["nvme0n1"].Denied = true })
	n := s.lookDisks()["nvme0n1"]
	if n.Smart != nil || len(n.Missing) != 1 || !strings.Contains(n.Missing[0], "Permission denied (needs CAP_SYS_ADMIN: run as root); so there is no media_errors, num_err_log_entries") {
		t.Errorf("denied: %+v, missing %q", n.Smart, n.Missing)
	}
	s.change(func(st *machine.State) { st.Smart["nvme0n1"].Denied = false })
	if n = s.lookDisks()["nvme0n1"]; n.Smart == nil || len(n.Missing) > 0 {
		t.Errorf("granted: %+v, missing %q", n.Smart, n.Missing)
	}
	s.change(func(st *machine.State) { st.Smart["nvme0n1"].Denied = true; st.Smart["sda"].Asleep = true })
	got := s.lookDisks()
	if n = got["nvme0n1"]; n.Smart == nil || n.Smart.UsedPct.V != 4 || !strings.Contains(n.Missing[0], "shown is what was read before") {
		t.Errorf("denied again: %+v, missing %q", n.Smart, n.Missing)
	}
	if d := got["sda"]; !d.Smart.Asleep || d.Smart.Hours.V != 6991 || d.Health().Word != "asleep" {
		t.Errorf("asleep: %+v", d.Smart)
	}
	s.change(func(st *machine.State) { st.Smart["sda"].Asleep = false; st.Smart["sda"].Failing = true })
	if d := s.lookDisks()["sda"]; d.Smart.Asleep || d.Health().Word != "FAILING" {
		t.Errorf("failing: %+v", d.Smart)
	}
}

func TestFilesystems(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	got := look[*fleet.Filesystem](s, s.mounts.look)
	if len(got) != 3 {
		t.Fatalf("filesystems: %v", got)
	}
	root := got["/"]
	if root.Device != "/dev/mapper/rl-root" || root.Type != "xfs" || root.Total != 70<<30 || root.Used != 63<<30 || root.ReadOnly || root.Health().Word != "89 %" {
		t.Errorf("/: %+v %v", root, root.Health())
	}
	s.change(func(st *machine.State) {
		st.Mounts[0].Type, st.Mounts[0].ReadOnly = "ext4", true
		st.Mounts = append(st.Mounts, machine.Mount{Point: "/mnt/far away", Device: "nas:/export", Type: "nfs4", Total: 1 << 40, Used: 1 << 30, Available: 1 << 39})
	})
	s.lookMounts()
	s.change(func(st *machine.State) { st.Mounts[0].Errors = 2 })
	got = s.lookMounts()
	if root = got["/"]; !root.ReadOnly || len(root.Counters) != 2 || root.Counters[0].Name != "ext4_errors" || root.Counters[0].Grew() != 2 {
		t.Errorf("a broken ext4: %+v", root)
	}
	if far := got["/mnt/far away"]; far == nil || far.Total != 1<<40 {
		t.Errorf("NFS: %+v", far)
	}
}

func (s *simulated) lookMounts() map[string]*fleet.Filesystem {
	s.t.Helper()
	return look[*fleet.Filesystem](s, s.mounts.look)
}

func TestHungMountHidesNothing(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	calls := 0
	var mu sync.Mutex
	statfs := s.mounts.statfs
	s.mounts.statfs = func(mount string, into *syscall.Statfs_t) error {
		if mount == "/home" {
			mu.Lock()
			calls++
			mu.Unlock()
		}
		return statfs(mount, into)
	}
	s.change(func(st *machine.State) { st.Mounts[2].Hangs = true })
	got := s.lookMounts()
	if got["/"].Total == 0 || got["/home"].NoData != "no answer for 2s" || got["/home"].Health().State != fleet.StateUnknown {
		t.Errorf("/ %+v, /home %+v", got["/"], got["/home"])
	}
	began := time.Now()
	got = s.lookMounts()
	if took := time.Since(began); took > time.Second || !strings.HasPrefix(got["/home"].NoData, "no answer since ") {
		t.Errorf("the second look took %v and says %q", took, got["/home"].NoData)
	}
	mu.Lock()
	if calls != 1 {
		t.Errorf("a hung mount was asked %d times, want once", calls)
	}
	mu.Unlock()
	if h := s.lookHost(); !strings.Contains(strings.Join(h.Missing, "\n"), "no answer from /home") {
		t.Errorf("host misses %q", h.Missing)
	}
	s.change(func(st *machine.State) { st.Mounts[2].Hangs = false })
	for deadline := time.Now().Add(5 * time.Second); s.lookMounts()["/home"].Total == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the mount answers again and is not read")
		}
	}
}

// The pointer of what did not change stays, whatever else changes.
func TestUnchangedObjectsKeepTheirPointers(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	l := &loop{source: s.s.name, scope: ScopeFilesystems}
	var seen [2]fleet.Facts
	for i := range seen {
		facts, err := s.mounts.look(t.Context(), s.now)
		if err != nil {
			t.Fatal(err)
		}
		seen[i] = l.observation(looked{facts: facts}).Facts
		s.change(func(st *machine.State) { st.Mounts[1].Used += 4096 })
	}
	for i := range seen[0] {
		same, changed := seen[0][i] == seen[1][i], seen[0][i].Ref().Name == "/boot"
		if same == changed {
			t.Errorf("%v: same pointer %v, changed %v", seen[0][i].Ref(), same, changed)
		}
		if same && !reflect.DeepEqual(seen[0][i], seen[1][i]) {
			t.Errorf("%v changed in place", seen[0][i].Ref())
		}
	}
}

// Under QEMU each smartctl makes the kernel count an error of a SATA disk. Errors of others still count.
func TestErrorsThatAskingForSMARTMakesAreNotTheDisks(t *testing.T) {
	s := openstackHost(t)
	file := filepath.Join(s.Root(), "sys/block/sda/device/ioerr_cnt")
	errors := uint64(5)
	more := func(n uint64) {
		errors += n
		if err := os.WriteFile(file, fmt.Appendf(nil, "%#x\n", errors), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	grew := func() uint64 {
		c, ok := look[*fleet.Disk](s, s.disks.look)["sda"].Counter("ioerr_cnt")
		if !ok {
			t.Fatal("sda has no ioerr_cnt")
		}
		return c.Grew()
	}
	smartctl := s.smart.smartctl
	during := uint64(99)
	s.smart.smartctl = func(ctx context.Context, args ...string) ([]byte, int, error) {
		if slices.Contains(args, "/dev/sda") {
			more(1)
			during = grew()
		}
		return smartctl(ctx, args...)
	}
	s.lookDisks()
	s.lookDisks()
	if got := grew(); got != 0 || during != 0 {
		t.Errorf("two looks at SMART make %d errors, %d while it is asked", got, during)
	}
	more(3)
	if got := grew(); got != 3 {
		t.Errorf("three errors of its own are %d", got)
	}
}
