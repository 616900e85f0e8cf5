package actions

import (
	"strings"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
)

const swapPath = "/dev/dm-1"

func TestSwapGoesOffWithProgressAndComesBack(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	p, said, err := b.do(t, b.make(t, "swap-off", b.area(swapPath), nil), "")
	if err != nil {
		t.Fatal(err)
	}
	if p.Line() != "swapoff /dev/dm-1" || !strings.Contains(p.Now, "400 MiB of 7.8 GiB used, on at boot by fstab") {
		t.Errorf("plan %s; %s", p.Line(), p.Now)
	}
	if all := strings.Join(p.Effects, "; "); !strings.Contains(all, "comes back with the next boot") {
		t.Errorf("effects %s", all)
	}
	last, shares := -1.0, 0
	for _, s := range said {
		if s.Share.OK {
			if s.Share.V < last || s.Share.V > 1 || !strings.Contains(s.Says, "of 400 MiB left") {
				t.Errorf("progress %v %q after %v", s.Share.V, s.Says, last)
			}
			last, shares = s.Share.V, shares+1
		}
	}
	if shares < 2 || !b.AllSwapOff() {
		t.Errorf("%d times progress; off: %v", shares, b.AllSwapOff())
	}
	b.refused(t, b.make(t, "swap-off", b.area(swapPath), nil), "it is off already")
	if back := p.Undo.Plan(b.store.Snapshot()); back.Line() != "swapon /dev/dm-1" || back.Undo.Plan(b.store.Snapshot()).Line() != "swapoff /dev/dm-1" {
		t.Errorf("undo %s, and of that %s", back.Line(), back.Undo.Plan(b.store.Snapshot()).Line())
	}
	b.undo(t)
	if b.AllSwapOff() || strings.Count(b.file(t, "proc/swaps"), "\n") != 2 {
		t.Errorf("after undo: %s", b.file(t, "proc/swaps"))
	}
	b.refused(t, b.make(t, "swap-on", b.area(swapPath), nil), "it is on already")
}

func TestSwapOffForBootIsTakenBackToTheByte(t *testing.T) {
	t.Parallel()
	b := startMachine(t, func(s *machine.Spec) {
		s.State.SwapUsed = 10 << 20
		s.State.Areas = []machine.Area{
			{Name: "/swap $(id) file", File: true, Bytes: 1 << 30, Priority: 7, Fstab: `/swap\040$(id)\040file`},
			{Name: "/dev/dm-1", Bytes: 2 << 30, Priority: -2, Fstab: "UUID=1234-5678", UUID: "1234-5678"},
		}
	})
	b.until(t, func(s *fleet.Snapshot) bool { return s.Tally(fleet.KindSwap).Total() == 2 })
	before := b.file(t, "etc/fstab")
	p := b.must(t, b.make(t, "host-swap-off", b.host(), Args{"boot": "now+boot"}))
	if got, want := p.Line(), "swapoff /dev/dm-1 '/swap $(id) file'"; got != want {
		t.Errorf("the plan shows %s", got)
	}
	after := b.file(t, "etc/fstab")
	if strings.Count(after, "\n#UUID=1234-5678") != 1 || strings.Count(after, "\n"+`#/swap\040$(id)\040file`) != 1 || len(after) != len(before)+2 {
		t.Errorf("fstab is %s", after)
	}
	if !b.AllSwapOff() {
		t.Error("they are still on")
	}
	// A boot: nothing is turned on.
	if err := b.Reboot(); err != nil || !b.AllSwapOff() {
		t.Errorf("the boot turned it on again: %v", err)
	}
	b.undo(t)
	if got := b.file(t, "etc/fstab"); got != before {
		t.Errorf("after undo fstab is %s, it was %s", got, before)
	}
	areas, _ := b.Areas()
	if areas[0].Off || areas[1].Off || areas[0].Priority != 7 {
		t.Errorf("after undo: %+v", areas)
	}
	// Only for boot, one of them; then somebody edits the line before the undo.
	b.must(t, b.make(t, "swap-off", b.area("/swap $(id) file"), Args{"boot": "boot"}))
	b.undo(t)
	if got := b.file(t, "etc/fstab"); got != before {
		t.Errorf("fstab is %s", got)
	}
}

func TestSwapOffIsRefusedWhenMemoryIsShort(t *testing.T) {
	t.Parallel()
	b := startMachine(t, func(s *machine.Spec) { s.State.SwapUsed, s.State.Available = 4<<30, 3<<30 })
	b.refused(t, b.make(t, "swap-off", b.area(swapPath), nil), "4.0 GiB in swap + 783 MiB to spare are more than the 3.0 GiB available")
	b.refused(t, b.make(t, "host-swap-off", b.host(), nil), "override=yes")
	a := b.make(t, "swap-off", b.area(swapPath), Args{"override": "yes"})
	p := a.Plan(b.store.Snapshot())
	if p.Ask != "openstack-host" || len(p.Refused) > 0 || !strings.Contains(strings.Join(p.Against, ";"), "against the safety gate") {
		t.Errorf("overridden: ask %q, refused %q, against %q", p.Ask, p.Refused, p.Against)
	}
	if _, err := b.runner.Approve(p, ""); err == nil {
		t.Error("it was approved without the name")
	}
	if err := b.Change(func(s *machine.State) {
		s.SwapUsed, s.Pressure["memory"] = 1<<20, machine.Stall{Some10: 24}
	}); err != nil {
		t.Fatal(err)
	}
	b.until(t, func(s *fleet.Snapshot) bool {
		h, ok := fleet.Find[*fleet.Host](s, b.host())
		return ok && h.Pressure != nil && h.Pressure.Memory.Some10 == 24 && strings.Contains(swapState(areasOf(s, b.source, "")), "1 MiB of")
	})
	b.refused(t, b.make(t, "swap-off", b.area(swapPath), nil), "wait for memory 24 % of the time")
}

// Out of memory is told from a refusal, and what is left on is said.
func TestOutOfMemoryIsNotARefusal(t *testing.T) {
	t.Parallel()
	b := startMachine(t, func(s *machine.Spec) { s.State.SwapUsed, s.State.Available = 4<<30, 1<<30 })
	off := func() error {
		_, _, err := b.do(t, b.make(t, "swap-off", b.area(swapPath), Args{"override": "yes"}), "openstack-host")
		return err
	}
	if err := off(); err == nil || !strings.Contains(err.Error(), "the OOM killer ended 2 processes") || !strings.Contains(err.Error(), "/dev/dm-1 is still on with 4.0 GiB in it") {
		t.Errorf("out of memory: %v", err)
	}
	if err := b.Change(func(s *machine.State) { s.Strict = true }); err != nil {
		t.Fatal(err)
	}
	if err := off(); err == nil || !strings.Contains(err.Error(), "the kernel refused it") || strings.Contains(err.Error(), "OOM") {
		t.Errorf("refused: %v", err)
	}
}

// An abort asks swapoff to stop; the area stays on, and how much is left is read back.
func TestAnAbortedSwapoffSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	ok, err := b.runner.Approve(b.make(t, "host-swap-off", b.host(), Args{"boot": "now+boot"}).Plan(b.store.Snapshot()), "")
	if err != nil {
		t.Fatal(err)
	}
	before := b.file(t, "etc/fstab")
	err = b.runner.Run(t.Context(), ok, func(p Progress) {
		if p.Share.Or(0) > 0 {
			b.runner.Abort(b.host())
		}
	})
	areas, _ := b.Areas()
	if err == nil || !strings.Contains(err.Error(), "stopped: /dev/dm-1 is still on with ") || areas[0].Off {
		t.Errorf("aborted: %v, off: %v", err, areas[0].Off)
	}
	if got := phases(b.deeds(t)); got != "begin aborted" || b.file(t, "etc/fstab") != before {
		t.Errorf("audit phases %q; fstab %s", got, b.file(t, "etc/fstab"))
	}
}

func TestHowSwapoffEndedIsExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r    sh.Result
		want string
	}{
		{sh.Result{Code: 2, Stderr: "swapoff: /dev/vdb: swapoff failed: Cannot allocate memory"}, "the kernel refused it"},
		{sh.Result{Code: 137}, "it was killed"},
		{sh.Result{Code: 143}, "somebody else stopped it"},
		{sh.Result{Code: 16, Stderr: "Not superuser."}, "it may not"},
		{sh.Result{Code: 4, Stderr: "swapoff: /dev/sda: swapoff failed: Invalid argument"}, "code 4: swapoff: /dev/sda: swapoff failed: Invalid argument"},
		{sh.Result{Code: 32}, "code 32 and said nothing"},
	} {
		if got := swapoffSays(c.r, 0); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}

func TestSwappinessIsSetKeptAndTakenBack(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	p := b.must(t, b.make(t, "swappiness", b.host(), nil))
	if p.Line() != "sysctl -w vm.swappiness=10" || b.file(t, "proc/sys/vm/swappiness") != "10\n" || b.file(t, fleet.SysctlFile) != "" {
		t.Errorf("%s; %q; %q", p.Line(), b.file(t, "proc/sys/vm/swappiness"), b.file(t, fleet.SysctlFile))
	}
	b.undo(t)
	if got := b.file(t, "proc/sys/vm/swappiness"); got != "60\n" {
		t.Errorf("after undo %q", got)
	}
	b.must(t, b.make(t, "swappiness", b.host(), Args{"value": "20", "keep": "yes"}))
	b.must(t, b.make(t, "swappiness", b.host(), Args{"value": "1", "keep": "yes"}))
	if got := b.file(t, fleet.SysctlFile); got != "# written by strata\nvm.swappiness = 1\n" {
		t.Errorf("kept: %q", got)
	}
	b.undo(t)
	if got := b.file(t, fleet.SysctlFile); !strings.Contains(got, "vm.swappiness = 20\n") {
		t.Errorf("after undo: %q", got)
	}
	for _, bad := range []string{"201", "-1"} {
		b.refused(t, b.make(t, "swappiness", b.host(), Args{"value": bad}), "from 0 to 200")
	}
}

func TestABadWordIsNoParam(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]Args{
		"swap-off": {"override": "maybe"}, "swappiness": {"value": "many"}, "unit-unlimit": {"for": "2h"}, "unit-noswap": {"max": "lots"},
	} {
		o, _ := Find(name)
		if a, err := o.Make(fleet.NewSnapshot(1, time.Unix(0, 0), nil, nil, nil), fleet.Ref{Kind: o.Kind, Source: "host/a", Name: "a"}, args); err == nil {
			t.Errorf("%s %v gave %+v", name, args, a)
		}
	}
	p := SwapOff{turn{Source: "host/a", Target: "/x", When: "later"}}.Plan(fleet.NewSnapshot(1, time.Unix(0, 0), nil, nil, nil))
	if !strings.Contains(strings.Join(p.Refused, ";"), "boot=later is none of") {
		t.Errorf("refused %q", p.Refused)
	}
}

func FuzzSwaps(f *testing.F) {
	f.Add("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap\\040file file 1048572 1024 -2\n")
	f.Fuzz(func(t *testing.T, text string) {
		for path := range parseSwaps(text) {
			if strings.ContainsAny(path, "\n") && !strings.Contains(text, `\012`) {
				t.Errorf("%q gave %q", text, path)
			}
		}
	})
}

// swapon by a path does not look at the options that fstab has for it.
func TestThePriorityOfFstabIsKept(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		"UUID=1 none swap sw,pri=5 0 0": 5, "/dev/vdb none swap defaults 0 0": -1, "/swap none swap pri=x": -1, "": -1, "/dev/vdb\tswap\tswap\tpri=0": 0,
	} {
		if got := fstabPriority(line); got != want {
			t.Errorf("%q: %d, want %d", line, got, want)
		}
	}
}
