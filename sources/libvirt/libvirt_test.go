package libvirt_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/connect"
	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/libvirt"
	"strata/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	plainID = "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001"
	novaID  = "6c59b812-2d8d-4da5-92d6-6bbe527926d6"
)

// lab is a simulated machine with a plain domain that runs and one of Nova that is off.
func lab(t *testing.T) (*machine.Machine, libvirt.Config) {
	t.Helper()
	spec, err := machine.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []machine.Domain{
		{
			Name: "compute", UUID: plainID, VCPUs: 4, Memory: 8 << 30, MAC: "52:54:00:00:00:01", State: "running", Reason: "booted", Swapped: 3 << 20, Autostart: true,
			Disks: []machine.DomainDisk{{Target: "vda", File: "/home/vms/compute 1.qcow2", Format: "qcow2", Backing: "/home/vms/base.img", Read: 1e6, Write: 2e6, Kept: map[string]uint64{"write_bytes_sec": 4e6}}},
		},
		{
			Name: "instance-0000001c", UUID: novaID, Nova: "k8s-worker-1 <b>", VCPUs: 2, Memory: 3 << 30, State: "shut off", Reason: "crashed",
			Disks: []machine.DomainDisk{{Target: "vda", File: "/var/lib/nova/disk", Format: "qcow2", Kept: map[string]uint64{"total_bytes_sec": 200e6}}},
		},
	} {
		if err := m.Define(d); err != nil {
			t.Fatal(err)
		}
	}
	return m, libvirt.Config{LibvirtAt: connect.LibvirtAt{Name: "alpha", Root: m.Root(), Run: run(m)}, Every: 20 * time.Millisecond}
}

// run runs the machine's programs as sh.Run does real ones.
func run(m *machine.Machine) func(context.Context, sh.Cmd) (sh.Result, error) {
	return func(ctx context.Context, c sh.Cmd) (sh.Result, error) {
		out, errs, code, err := m.Program(ctx, c.Argv...)
		if errors.Is(err, fs.ErrNotExist) {
			err = sh.ErrMissing
		}
		return sh.Result{Stdout: out, Stderr: strings.TrimSpace(string(errs)), Code: code}, err
	}
}

func TestItIsASource(t *testing.T) {
	m, c := lab(t)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	const extra = "11111111-2222-3333-4444-555555555555"
	sourcetest.Run(t, sourcetest.Harness{
		New: func() sources.Source { return libvirt.New(c) }, Scope: libvirt.Scope,
		Extra: fleet.Ref{Kind: fleet.KindDomain, Source: "libvirt/alpha", Name: extra},
		Add: func() {
			must(m.Define(machine.Domain{Name: "a 'new' one", UUID: extra, VCPUs: 1, Memory: 1 << 30, State: "running", Reason: "booted"}))
		},
		Remove: func() { must(m.Undefine("a 'new' one")) },
		Break:  func() { m.BreakLibvirt(machine.Absent) },
		Heal:   func() { m.BreakLibvirt(machine.Whole) },
	})
}

// looks collects observations until enough says so, and returns the last.
func looks(t *testing.T, c libvirt.Config, enough func(fleet.Observation) bool) fleet.Observation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	var last fleet.Observation
	found := false
	err := libvirt.New(c).Watch(ctx, func(o fleet.Observation) {
		if !found {
			last = o
			if found = enough(o); found {
				cancel()
			}
		}
	})
	if !found {
		t.Fatalf("waited in vain (%v); last seen %+v", err, last)
	}
	return last
}

func find(o fleet.Observation, uuid string) *fleet.Domain {
	for _, f := range o.Facts {
		if d := f.(*fleet.Domain); d.UUID == uuid {
			return d
		}
	}
	return nil
}

func some(n uint64) fleet.Opt[uint64] { return fleet.Some(n) }

func TestADomainIsSeenWhole(t *testing.T) {
	t.Parallel()
	m, c := lab(t)
	stop := make(chan struct{})
	moved := make(chan struct{})
	go func() {
		defer close(moved)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				_ = m.Advance(5 * time.Millisecond)
			}
		}
	}()
	o := looks(t, c, func(o fleet.Observation) bool {
		d := find(o, plainID)
		return d != nil && len(d.Disks) == 1 && d.Disks[0].Write.V > 0
	})
	close(stop)
	<-moved
	d := find(o, plainID)
	disk := d.Disks[0]
	if d.Name != "compute" || d.Host != "alpha" || d.State != "running" || d.Reason != "booted" || !d.Set.Persistent || !d.Set.Autostart || d.Nova != "" {
		t.Errorf("the domain is %+v", d)
	}
	if d.Compute != (fleet.DomainSize{VCPUs: 4, Memory: 8 << 30, Balloon: some(8 << 30)}) || len(d.MACs) != 1 || d.MACs[0] != "52:54:00:00:00:01" || len(d.Missing) > 0 {
		t.Errorf("the domain is %+v", d)
	}
	p := d.Process
	if p.ID != fleet.Some(1) || p.PID != 3001 || p.Unit != `machine-qemu\x2d1\x2dcompute.scope` || p.Swapped != some(3<<20) || p.Started.IsZero() || time.Since(p.Started) < time.Hour {
		t.Errorf("its process is %+v", p)
	}
	if disk.File != "/home/vms/compute 1.qcow2" || len(disk.Backing) != 1 || disk.Tune.WriteBytesSec != some(4e6) || disk.Kept != disk.Tune {
		t.Errorf("its disk is %+v", disk)
	}
	if path := disk.Path; path.Mount != "/home" || path.Filesystem != "xfs" || len(path.Disks) != 1 || path.Disks[0] != "nvme0n1" ||
		path.Partition != "nvme0n1p2" || len(path.Mapped) != 1 || path.Mapped[0] != "dm-2 rl-home" || path.Controller != "0000:01:00.0" {
		t.Errorf("its disk is at %+v", path)
	}
	off := find(o, novaID)
	if off.State != "shut off" || off.Reason != "crashed" || off.Nova != "k8s-worker-1 <b>" || off.Process != (fleet.DomainRun{}) || off.Health().State != fleet.StateBad {
		t.Errorf("the domain that is off is %+v", off)
	}
	if k := off.Disks[0]; k.Tune.Any() || k.Kept.TotalBytesSec != some(200e6) || k.Read.OK {
		t.Errorf("its disk is %+v", k)
	}
}

func TestThePathOfOneDomainDoesNotHideOthers(t *testing.T) {
	t.Parallel()
	m, c := lab(t)
	if _, err := m.ChangeDomain("instance-0000001c", func(d *machine.Domain) { d.XML = "<domain><name>half" }); err != nil {
		t.Fatal(err)
	}
	o := looks(t, c, func(o fleet.Observation) bool { return len(o.Facts) == 2 })
	broken, whole := find(o, novaID), find(o, plainID)
	if o.Err != nil || len(whole.Missing) > 0 || len(whole.Disks) != 1 {
		t.Errorf("the other domain is %+v, %v", whole, o.Err)
	}
	if len(broken.Missing) != 1 || !strings.Contains(broken.Missing[0], "definition") || broken.State != "shut off" || broken.Compute.VCPUs != 2 {
		t.Errorf("the domain with a broken definition is %+v", broken)
	}
}

func TestAPausedDomainTellsWhichDiskFailed(t *testing.T) {
	t.Parallel()
	m, c := lab(t)
	if _, err := m.ChangeDomain("compute", func(d *machine.Domain) {
		d.State, d.Reason, d.Disks[0].Error = "paused", "I/O error", "no space"
	}); err != nil {
		t.Fatal(err)
	}
	d := find(looks(t, c, func(o fleet.Observation) bool { return o.Err == nil }), plainID)
	if d.Reason != "I/O error" || d.Disks[0].Error != "no space" || d.Health().State != fleet.StateBad {
		t.Errorf("it is %+v", d)
	}
}

func TestANewStartIsANewProcess(t *testing.T) {
	t.Parallel()
	m, c := lab(t)
	change := func(state, reason string) {
		if _, err := m.ChangeDomain("compute", func(d *machine.Domain) { d.State, d.Reason = state, reason }); err != nil {
			t.Error(err)
		}
	}
	step := 0
	o := looks(t, c, func(o fleet.Observation) bool {
		d := find(o, plainID)
		switch {
		case step == 0 && d.State == "running":
			change("shut off", "destroyed")
			step = 1
		case step == 1 && d.State == "shut off":
			if d.Process != (fleet.DomainRun{}) {
				t.Errorf("off, and its process is %+v", d.Process)
			}
			change("running", "booted")
			step = 2
		}
		return step == 2 && d.State == "running"
	})
	if p := find(o, plainID).Process; p.ID != fleet.Some(2) || p.PID != 3002 || p.Unit != `machine-qemu\x2d2\x2dcompute.scope` || time.Since(p.Started) > time.Hour {
		t.Errorf("its process is %+v", p)
	}
}

func TestWhatFailsSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for how, want := range map[machine.Break]string{
		machine.Denied: "group libvirt",
		machine.Absent: "systemctl enable --now libvirtd.socket",
	} {
		m, c := lab(t)
		m.BreakLibvirt(how)
		o := looks(t, c, func(fleet.Observation) bool { return true })
		var trouble *fleet.Trouble
		if !errors.As(o.Err, &trouble) || !strings.Contains(trouble.Fix, want) || trouble.Unconfigured != (how == machine.Absent) {
			t.Errorf("%s: %v; %s", how, o.Err, fleet.FixOf(o.Err))
		}
		if how == machine.Absent && !strings.Contains(fmt.Sprint(o.Err), "run/libvirt/virtqemud-sock-ro") {
			t.Errorf("it does not say where it looked: %v", o.Err)
		}
	}
}

func TestAWishHasDefinitionsReadAgain(t *testing.T) {
	t.Parallel()
	m, c := lab(t)
	c.Wishes = sources.NewWishes()
	tuned := false
	looks(t, c, func(o fleet.Observation) bool {
		if !tuned {
			tuned = true
			_, _, code, err := m.Program(t.Context(), "virsh", "-c", connect.LibvirtURI, "blkdeviotune", plainID, "vda", "--write-bytes-sec", "1000000", "--live")
			if code != 0 || err != nil {
				t.Errorf("tuning: code %d, %v", code, err)
			}
			c.Wishes.Refresh("libvirt/alpha")
			return false
		}
		return find(o, plainID).Disks[0].Tune.WriteBytesSec == some(1e6)
	})
}
