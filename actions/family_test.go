package actions

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	fake "strata/internal/fake/kube"
	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/host"
)

// fullDisk is an audit log on a disk that has no room.
func fullDisk(t *testing.T) *Audit {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	return &Audit{file: full}
}

// unwritten runs an action whose audit log has no room: it must be refused before anything is done.
func unwritten(t *testing.T, l *lab, a Action) {
	t.Helper()
	l.runner.Audit = fullDisk(t)
	p := a.Plan(l.store.Snapshot())
	ok, err := l.runner.Approve(p, p.Ask)
	if err != nil {
		t.Fatal(err)
	}
	var last Progress
	err = l.runner.Run(t.Context(), ok, func(p Progress) { last = p })
	if err == nil || last.Phase != Refused || !strings.Contains(err.Error(), "nothing was done") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%s: %v, it ended with %+v", a.Name(), err, last)
	}
}

func TestNothingIsDoneToAMachineWhoseDeedsCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	before := b.ioMax(t, computeScope) + b.file(t, "proc/swaps") + b.file(t, "etc/fstab") + b.file(t, "proc/sys/vm/swappiness")
	for _, a := range []Action{
		b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "2M"}),
		b.make(t, "unit-noswap", b.unit(computeScope), nil),
		b.make(t, "swap-off", b.area(swapPath), Args{"boot": "now+boot"}),
		b.make(t, "host-swap-off", b.host(), nil),
		b.make(t, "swappiness", b.host(), nil),
	} {
		unwritten(t, &b.lab, a)
	}
	if calls := b.Calls(); calls != 0 || len(b.ran) != 0 {
		t.Errorf("systemd was called %d times, programs were run: %q", calls, b.ran)
	}
	if now := b.ioMax(t, computeScope) + b.file(t, "proc/swaps") + b.file(t, "etc/fstab") + b.file(t, "proc/sys/vm/swappiness"); now != before {
		t.Errorf("it changed to %s", now)
	}
}

func TestNothingIsDoneToAClusterWhoseDeedsCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second)
	pod := l.api.Pods()[0]
	for _, a := range []Action{
		CordonNode{l.source, "w1"},
		DrainNode{Source: l.source, Node: "w1", Timeout: time.Minute},
		DeletePod{Source: l.source, Pod: pod.Namespace + "/" + pod.Name},
		ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 5},
		RestartWorkload{l.source, "shop/deployment/web"},
	} {
		unwritten(t, l.lab, a)
	}
	if n := l.writes(); n != 0 {
		t.Errorf("%d writing requests", n)
	}
}

func TestNothingIsDoneToADomainWhoseDeedsCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	before, _ := l.machine.Domain(plainDomain)
	live, kept := l.tunes(t, plainDomain)
	for name, args := range map[string]Args{"domain-shutdown": nil, "domain-destroy": nil, "domain-limit": {"write": "2M", "for": "both"}} {
		unwritten(t, l.lab, l.make(t, name, plainDomain, args))
	}
	after, _ := l.machine.Domain(plainDomain)
	nowLive, nowKept := l.tunes(t, plainDomain)
	if after.State != before.State || l.machine.TakeBy(before.Name) != "" || len(nowLive) != len(live) || len(nowKept) != len(kept) {
		t.Errorf("it changed to %+v", after)
	}
}

func TestALostAnswerOfAnyKubernetesActionIsSeenAndNotSentAgain(t *testing.T) {
	t.Parallel()
	l := kubeStart(t, 20*time.Second, withApp)
	l.untilApp(t, func(*fleet.App) bool { return true })
	l.argo("Succeeded")
	pod := l.api.Pods()[0]
	l.api.Break("", fake.Fault{Lose: true})
	for _, a := range []Action{
		CordonNode{l.source, "w1"},
		UncordonNode{l.source, "w1"},
		TaintNode{l.source, "w2", "k", "v", "PreferNoSchedule"},
		UntaintNode{l.source, "w2", "k", "PreferNoSchedule"},
		DeletePod{Source: l.source, Pod: pod.Namespace + "/" + pod.Name},
		ScaleWorkload{Source: l.source, Workload: "shop/deployment/web", Replicas: 5},
		RestartWorkload{l.source, "shop/deployment/web"},
		RefreshApp{l.source, "argocd/shop", "hard"},
		SyncApp{Source: l.source, App: "argocd/shop"},
	} {
		l.until(t, func(s *fleet.Snapshot) bool { return len(a.Plan(s).Refused) == 0 })
		before := l.writes()
		_, said, err := l.do(t, a)
		if last := said[len(said)-1]; err != nil || last.Phase != Seen {
			t.Errorf("%s was carried out, yet: %v, %+v", a.Name(), err, last)
		}
		if n := l.writes() - before; n != 1 {
			t.Errorf("%s: %d writing requests", a.Name(), n)
		}
	}
}

// A limit that was asked for two hours may hold though nobody said so: its end must stay.
func TestALostAnswerOfSystemdIsSeenAndTheLimitKeepsItsEnd(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	b.LoseReplies("SetUnitProperties")
	for _, c := range []struct {
		act   Action
		calls int
	}{
		{b.make(t, "unit-limit", b.unit(computeScope), Args{"write": "2M", "for": "2h"}), 3}, // an old timer's end, the new timer, the limit
		{b.make(t, "unit-noswap", b.unit(computeScope), nil), 1},
	} {
		before := b.Calls()
		_, said, err := b.do(t, c.act, "")
		if last := said[len(said)-1]; err != nil || last.Phase != Seen {
			t.Errorf("systemd did it, yet: %v, %+v", err, last)
		}
		if n := b.Calls() - before; n != c.calls {
			t.Errorf("%s: systemd was called %d times, want %d", c.act.Name(), n, c.calls)
		}
	}
	if got := b.Timers(); len(got) != 1 {
		t.Errorf("timers %q", got)
	}
	if got := phases(b.deeds(t)); got != "begin end seen begin end seen" {
		t.Errorf("audit phases %s", got)
	}
	// The timer's own answer lost: without a known end there is no limit, and it is not said to have failed.
	b.LoseReplies("StartTransientUnit")
	b.runner.Patient = time.Second
	_, said, err := b.do(t, b.make(t, "unit-limit", b.unit(controllerScope), Args{"device": "nvme0n1", "write": "3M", "for": "2h"}), "")
	if last := said[len(said)-1]; err == nil || last.Phase != NotSeen || strings.Contains(b.ioMax(t, controllerScope), "wbps=3000000") {
		t.Errorf("it ended with %+v, %v, and io.max %q", last, err, b.ioMax(t, controllerScope))
	}
}

func TestALostAnswerOfAnyDeedOfLibvirtIsSeenAndNotSentAgain(t *testing.T) {
	t.Parallel()
	l := startVirt(t, 20*time.Second)
	l.machine.BreakLibvirt(machine.Loses)
	for _, name := range []string{"domain-limit", "domain-shutdown", "domain-start", "domain-destroy"} {
		args := map[string]Args{"domain-limit": {"write": "2M", "for": "live"}}[name]
		a := l.make(t, name, plainDomain, args)
		l.until(t, func(s *fleet.Snapshot) bool { return len(a.Plan(s).Refused) == 0 })
		said, err := l.do(t, a)
		if last := said[len(said)-1]; err != nil || last.Phase != Seen {
			t.Errorf("%s: %v, %+v", name, err, last)
		}
	}
	if got := phases(l.deeds(t)); strings.Contains(got, "failed") {
		t.Errorf("audit phases %s", got)
	}
}

// anew is strata started again: nothing of it is left but the machine and the audit log.
func (b *box) anew(t *testing.T) {
	t.Helper()
	b.store = fleet.NewStore(nil)
	wishes := sources.NewWishes()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = sources.Run(ctx, b.store.Put, host.New(host.Config{Root: b.Root(), Every: 100 * time.Millisecond, Statfs: b.Statfs, Wishes: wishes}), sources.Clock())
	}()
	audit, err := OpenAudit(b.audit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); <-ended; _ = audit.Close() })
	setup := b.runner.Setup
	setup.Store, setup.Audit, setup.Wake = b.store, audit, wishes.Refresh
	b.runner = NewRunner(setup)
	b.until(t, func(s *fleet.Snapshot) bool {
		return s.Tally(fleet.KindUnit).Total() > 0 && s.Tally(fleet.KindSwap).Total() > 0 && s.Tally(fleet.KindHost).Total() > 0 && s.Tally(fleet.KindDisk).Total() > 0
	})
}

// What was done before strata ended is taken back by one that knows of it from the audit log alone.
func TestAnUndoOutlivesStrata(t *testing.T) {
	t.Parallel()
	b := startMachine(t, nil)
	if err := b.SetIOMax(computeScope, "259:0", map[string]uint64{"riops": 50, "wbps": 30e6}); err != nil {
		t.Fatal(err)
	}
	b.until(t, func(s *fleet.Snapshot) bool {
		u, ok := fleet.Find[*fleet.Unit](s, b.unit(computeScope))
		return ok && ioOf(u, "nvme0n1").Limit.ReadsSec.OK
	})
	state := func() string {
		return b.ioMax(t, computeScope) + b.file(t, "sys/fs/cgroup/machine.slice/"+computeScope+"/memory.swap.max") +
			b.file(t, "etc/fstab") + b.file(t, "proc/sys/vm/swappiness") + b.file(t, fleet.SysctlFile)
	}
	for _, c := range []struct {
		name   string
		target fleet.Ref
		args   Args
	}{
		{"unit-limit", b.unit(computeScope), Args{"write": "2M"}},
		{"unit-unlimit", b.unit(computeScope), nil},
		{"unit-noswap", b.unit(computeScope), nil},
		{"swap-off", b.area(swapPath), Args{"boot": "now+boot"}},
		{"host-swap-off", b.host(), Args{"boot": "now+boot"}},
		{"swappiness", b.host(), Args{"keep": "yes"}},
	} {
		before := state()
		b.must(t, b.make(t, c.name, c.target, c.args))
		if state() == before {
			t.Errorf("%s changed nothing", c.name)
		}
		b.anew(t)
		b.undo(t)
		if after := state(); after != before {
			t.Errorf("%s: after the undo it is\n%s\nit was\n%s", c.name, after, before)
		}
		if b.AllSwapOff() {
			t.Errorf("after the undo of %s there is no swap", c.name)
		}
	}
}
