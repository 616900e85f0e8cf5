package actions

import (
	"strings"
	"testing"
	"time"

	"strata/internal/connect"
	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

func TestALimitIsReadBackAndTheRateComesDown(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	o, _ := Find("unit-limit")
	s := b.store.Snapshot()
	if got := o.Params[0].Suggest(s, b.unit(computeScope)); len(got) != 1 || got[0] != "nvme0n1" {
		t.Errorf("suggested disks %q", got)
	}
	if got := o.Params[2].Suggest(s, b.unit(computeScope))[1]; !strings.HasSuffix(got, "M") || len(got) < 2 {
		t.Errorf("of about 40 MB/s %s is suggested", got)
	}
	p := b.must(t, b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "2M"}))
	if got, want := p.Line(), `systemctl set-property --runtime 'machine-qemu\x2d2\x2dcompute.scope' 'IOWriteBandwidthMax=/dev/nvme0n1 2000000'`; got != want {
		t.Errorf("the plan shows %s, a person would type %s", got, want)
	}
	if all := strings.Join(p.Effects, "; "); !strings.Contains(all, "starts again it runs without a limit") || !strings.Contains(all, "MB/s; it ends") {
		t.Errorf("effects: %s", all)
	}
	if got := b.ioMax(t, computeScope); got != "259:0 rbps=max wbps=2000000 riops=max wiops=max\n" {
		t.Errorf("io.max is %q", got)
	}
	u, _ := fleet.Find[*fleet.Unit](b.store.Snapshot(), b.unit(computeScope))
	if rate := ioOf(u, "nvme0n1").WriteBytesSec; !rate.OK || rate.V > 2.4e6 {
		t.Errorf("it writes %v", rate)
	}
	// A second limit leaves the first alone, and its undo restores only what it changed.
	b.must(t, b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "", "riops": "50", "device": "/dev/nvme0n1p2"}))
	if got := b.ioMax(t, computeScope); got != "259:0 rbps=max wbps=2000000 riops=50 wiops=max\n" {
		t.Errorf("io.max is %q", got)
	}
	b.undo(t)
	if got := b.ioMax(t, computeScope); got != "259:0 rbps=max wbps=2000000 riops=max wiops=max\n" {
		t.Errorf("after undo io.max is %q", got)
	}
	if got := phases(b.deeds(t)); got != "begin end seen begin end seen begin end seen" {
		t.Errorf("audit phases %q", got)
	}
}

func TestLimitsAreClearedAndComeBack(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	for _, set := range []struct{ number, key string }{{"259:0", "wbps"}, {"259:0", "riops"}, {"8:16", "rbps"}} {
		if err := b.SetIOMax(computeScope, set.number, map[string]uint64{set.key: 3e6}); err != nil {
			t.Fatal(err)
		}
	}
	before := b.ioMax(t, computeScope)
	b.until(t, func(s *fleet.Snapshot) bool {
		u, ok := fleet.Find[*fleet.Unit](s, b.unit(computeScope))
		return ok && ioOf(u, "sda").Limit.Any() && ioOf(u, "nvme0n1").Limit.ReadsSec.OK
	})
	p := b.must(t, b.make(t, "unit-unlimit", b.unit(computeScope), nil))
	if got, want := p.Line(), `systemctl set-property --runtime 'machine-qemu\x2d2\x2dcompute.scope' IOReadBandwidthMax= IOWriteBandwidthMax= IOReadIOPSMax= IOWriteIOPSMax=`; got != want {
		t.Errorf("the plan shows %s", got)
	}
	if got := b.ioMax(t, computeScope); got != "" {
		t.Errorf("io.max is %q", got)
	}
	b.undo(t)
	if got := b.ioMax(t, computeScope); got != before {
		t.Errorf("after undo io.max is %q, it was %q", got, before)
	}
	// One disk of two.
	b.must(t, b.make(t, "unit-unlimit", b.unit(computeScope), Args{"device": "sda"}))
	if got := b.ioMax(t, computeScope); strings.Contains(got, "8:16") || !strings.Contains(got, "259:0") {
		t.Errorf("io.max is %q", got)
	}
	b.undo(t)
	if got := b.ioMax(t, computeScope); got != before {
		t.Errorf("after undo io.max is %q, it was %q", got, before)
	}
}

func TestAQuarterIsSuggested(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]string{40e6: "10M", 45.4e6: "11M", 3.1e6: "780K", 1e6: "500K", 0: "500K", 2.2e9: "550M"} {
		if got := quarter(rate); got != want {
			t.Errorf("of %g %s is suggested, want %s", rate, got, want)
		}
	}
}

// The limit that an earlier scope of a domain had is offered for the new one.
func TestALostLimitIsOffered(t *testing.T) {
	t.Parallel()
	u := &fleet.Unit{Source: "host/h", Host: "h", Name: "b.scope", Domain: "compute", Lost: []fleet.LostLimit{{
		Disk: "sda", Unit: "a.scope", Limit: fleet.IOLimit{WriteBytesSec: fleet.Some(uint64(2e6)), ReadsSec: fleet.Some(uint64(1234))},
	}}}
	store := fleet.NewStore(nil)
	store.Put(fleet.Observation{Source: "host/h", Scope: "units", At: time.Now(), Facts: fleet.Facts{u}})
	s, err := store.Next(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	limit, _ := Find("unit-limit")
	for _, p := range limit.Params {
		want := map[string]string{"write": "2000000", "riops": "1234", "read": "none", "wiops": "none"}[p.Name]
		if got := p.Suggest; want != "" && got(s, u.Ref())[1] != want {
			t.Errorf("%s: offered %q, want %s", p.Name, got(s, u.Ref()), want)
		}
	}
}

// A limit for a while is cleared by systemd, whether or not strata still runs; another limit replaces its timer.
func TestATimerClearsALimit(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	p := b.must(t, b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "2M", "for": "2h"}))
	name := timerOf(computeScope, "nvme0n1") + ".timer"
	if got := b.Timers(); len(got) != 1 || got[0] != name {
		t.Fatalf("timers %q", got)
	}
	if all := strings.Join(p.Effects, "; "); !strings.Contains(all, "systemd-run --on-active=2h") || !strings.Contains(all, "nvme0n1 infinity") {
		t.Errorf("effects: %s", all)
	}
	if err := b.Advance(2*time.Hour - time.Minute); err != nil || b.ioMax(t, computeScope) == "" {
		t.Errorf("it was cleared early: %v", err)
	}
	if err := b.Advance(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	b.until(t, func(s *fleet.Snapshot) bool {
		u, ok := fleet.Find[*fleet.Unit](s, b.unit(computeScope))
		return ok && !ioOf(u, "nvme0n1").Limit.Any() && b.ioMax(t, computeScope) == ""
	})
	b.must(t, b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "2M", "for": "1h"}))
	b.must(t, b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "3M", "for": "30m"}))
	if got := b.Timers(); len(got) != 1 {
		t.Errorf("timers %q", got)
	}
	b.must(t, b.make(t, "unit-unlimit", b.unit(computeScope), nil))
	if got := b.Timers(); len(got) != 0 {
		t.Errorf("a timer is left: %q", got)
	}
}

// What systemd accepts and does not do is refused before.
func TestALimitThatWouldDoNothingIsRefused(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	limit := func(args Args) Action { return b.make(t, "unit-limit", b.unit(computeScope), args) }
	b.refused(t, limit(Args{"device": "253:0", "write": "2M"}), "253:0 is a number that means another device on each machine")
	b.refused(t, limit(Args{"device": "/dev/nosuch", "write": "2M"}), "this machine has no disk nosuch")
	b.refused(t, limit(Args{"device": `$(id) "x" \x2d`, "write": "2M"}), "this machine has no disk")
	b.refused(t, limit(Args{"write": "0"}), "write=0 limits nothing")
	b.refused(t, limit(nil), "nothing to set")
	b.refused(t, limit(nil), "a quarter of what it writes now would be write=")
	b.refused(t, limit(Args{"write": "2M", "for": "kept"}), "its name changes at each start of the domain")
	b.refused(t, limit(Args{"write": "2M", "for": "soon"}), "none of until-restart, kept")
	b.refused(t, b.make(t, "unit-limit", b.unit("no such.scope"), Args{"device": "sda", "write": "1M"}), "no such unit is seen")
	b.refused(t, b.make(t, "unit-unlimit", b.unit(computeScope), nil), "systemd limits nothing there")
	for name, p := range map[string]Plan{
		"/dev/nvme0n1p1 is a partition of nvme0n1": limit(Args{"device": "/dev/nvme0n1p1", "write": "2M"}).Plan(b.store.Snapshot()),
		"/dev/dm-1 is on nvme0n1":                  limit(Args{"device": "/dev/dm-1", "write": "2M"}).Plan(b.store.Snapshot()),
		"/dev/mapper/rl-home is on nvme0n1":        limit(Args{"device": "/dev/mapper/rl-home", "write": "2M"}).Plan(b.store.Snapshot()),
		"/home is on nvme0n1":                      limit(Args{"device": "/home", "write": "2M"}).Plan(b.store.Snapshot()),
	} {
		if len(p.Refused) > 0 || !strings.Contains(strings.Join(p.Effects, "; "), strings.TrimPrefix(name, "/dev/nvme0n1p1")) || !strings.Contains(p.Line(), "=/dev/nvme0n1 ") {
			t.Errorf("%s: %q, %s", name, p.Refused, p.Line())
		}
	}
	o, _ := Find("unit-limit")
	for _, bad := range []string{"-5", "2 M", "2T", "0x10", "1e300", "NaN", "$(id)", "0.1"} {
		if a, err := o.Make(b.store.Snapshot(), b.unit(computeScope), Args{"write": bad}); err == nil {
			t.Errorf("write=%s was taken: %+v", bad, a)
		}
	}
}

// The plan was good and the device went away: systemd says yes, the journal says why nothing happened.
func TestAcceptedButNotInIOMaxIsAFailure(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	m, err := b.runner.Hands.writing.Machine(b.source)
	if err != nil {
		t.Fatal(err)
	}
	systemd, err := m.Systemd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	at := place{"machine.slice/" + computeScope, "nvme0n1"}
	err = setLimits(t.Context(), m, systemd, computeScope, false, at, fleet.IOLimit{WriteBytesSec: fleet.Some[uint64](0)})
	if err == nil || !strings.Contains(err.Error(), "io.max of "+computeScope+" has no limit") || !strings.Contains(err.Error(), "Numerical result out of range") {
		t.Errorf("a zero: %v", err)
	}
	err = setLimits(t.Context(), m, systemd, "gone.scope", false, at, fleet.IOLimit{WriteBytesSec: fleet.Some[uint64](1)})
	if err == nil || !strings.Contains(err.Error(), "Unit gone.scope not found") {
		t.Errorf("a unit that is gone: %v", err)
	}
}

func TestAUnitIsKeptFromSwapping(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	p := b.must(t, b.make(t, "unit-noswap", b.unit(computeScope), nil))
	file := "sys/fs/cgroup/machine.slice/" + computeScope + "/memory.swap.max"
	if b.file(t, file) != "0\n" || !strings.HasSuffix(p.Line(), "MemorySwapMax=0") || !strings.Contains(p.Now, "100 MiB in swap, no limit") {
		t.Errorf("memory.swap.max is %q; %s; %s", b.file(t, file), p.Line(), p.Now)
	}
	b.refused(t, b.make(t, "unit-noswap", b.unit(computeScope), nil), "it is so already")
	b.undo(t)
	if got := b.file(t, file); got != "max\n" {
		t.Errorf("after undo memory.swap.max is %q", got)
	}
}

// A service may be limited for good, and had no io files before.
func TestAServiceIsLimitedForGood(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	p := b.must(t, b.make(t, "unit-limit", b.unit("sshd.service"), Args{"device": "sda", "write": "1M", "for": "kept"}))
	if strings.Contains(p.Line(), "--runtime") {
		t.Errorf("for good: %s", p.Line())
	}
	if got := b.file(t, "sys/fs/cgroup/system.slice/sshd.service/io.max"); got != "8:16 rbps=max wbps=1000000 riops=max wiops=max\n" {
		t.Errorf("io.max is %q", got)
	}
	undo, ok := p.Undo.(LimitUnit)
	if !ok || undo.For != kept || undo.Set.WriteBytesSec.V != connect.Infinity {
		t.Errorf("undo %+v", p.Undo)
	}
}

func TestOneWhoIsNotRootIsToldWhatItTakes(t *testing.T) {
	t.Parallel()
	b := startMachine(t, func(s *machine.Spec) {})
	old := b.store.Snapshot()
	h, _ := fleet.Find[*fleet.Host](old, b.host())
	user := *h
	user.Rights = &fleet.Rights{UID: 1000}
	u, _ := fleet.Find[*fleet.Unit](old, b.unit(computeScope))
	a, _ := fleet.Find[*fleet.SwapArea](old, b.area("/dev/dm-1"))
	s := fleet.NewSnapshot(1, time.Now(), []fleet.Part{
		{Source: b.source, Scope: "host", Facts: fleet.Facts{&user}},
		{Source: b.source, Scope: "units", Facts: fleet.Facts{u}},
		{Source: b.source, Scope: "swaps", Facts: fleet.Facts{a}},
	}, nil, nil)
	for _, c := range []struct {
		name   string
		target fleet.Ref
		args   Args
		why    string
	}{
		{"unit-limit", b.unit(computeScope), Args{"write": "2M"}, "polkit rule"},
		{"unit-noswap", b.unit(computeScope), nil, "polkit rule"},
		{"swap-off", b.area("/dev/dm-1"), nil, "CAP_SYS_ADMIN"},
		{"host-swap-off", b.host(), Args{"boot": "boot"}, "cannot write below /etc"},
		{"swappiness", b.host(), nil, "cannot write below /etc"},
	} {
		o, _ := Find(c.name)
		act, err := o.Make(s, c.target, c.args)
		if err != nil {
			t.Fatal(err)
		}
		p := act.Plan(s)
		if all := strings.Join(append(p.Refused, p.Against...), "; "); !strings.Contains(all, c.why) {
			t.Errorf("%s: %q, want %q", c.name, all, c.why)
		}
	}
}

func FuzzIOMax(f *testing.F) {
	f.Add("259:0 rbps=max wbps=2000000 riops=max wiops=max\n")
	f.Fuzz(func(t *testing.T, text string) {
		for number, l := range fleet.ParseIOMax(text) {
			if !strings.Contains(text, number) || len(limitText(l)) == 0 {
				t.Errorf("%q gave %q: %+v", text, number, l)
			}
		}
	})
}

func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"2M", "500K", "none", "", "0", "1.5G"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseLimit("write", text); err == nil && n.OK && n.V > 1e15 && n.V != connect.Infinity {
			t.Errorf("%q is %d", text, n.V)
		}
	})
}
