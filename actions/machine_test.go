package actions

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/connect"
	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/sources"
	"strata/sources/host"
)

const (
	computeScope    = `machine-qemu\x2d2\x2dcompute.scope`
	controllerScope = `machine-qemu\x2d1\x2dcontroller.scope`
)

// box is a simulated machine that strata watches and may act on.
type box struct {
	lab
	*machine.Machine
	ran [][]string
}

// startMachine watches openstack-host of the incident, changed by with before it starts. Time passes on it.
func startMachine(t *testing.T, with func(*machine.Spec)) *box {
	t.Helper()
	spec, err := machine.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	spec.State.Pressure = map[string]machine.Stall{"cpu": {}, "memory": {}, "io": {}}
	spec.State.SwapUsed, spec.State.Available = 400<<20, 4<<30
	for i := range spec.State.Units {
		if u := &spec.State.Units[i]; u.Guest == "compute" {
			u.IO["nvme0n1"] = machine.IO{Reads: 20, Writes: 600, ReadBytes: 1e6, WriteBytes: 40e6}
			u.Swapped = 100 << 20
		}
	}
	if with != nil {
		with(&spec)
	}
	dir := t.TempDir()
	m, err := machine.New(filepath.Join(dir, "root"), spec)
	if err != nil {
		t.Fatal(err)
	}
	b := &box{lab: lab{store: fleet.NewStore(nil), source: "host/openstack-host"}, Machine: m}
	address, stopBus, err := m.Bus()
	if err != nil {
		t.Fatal(err)
	}
	wishes := sources.NewWishes()
	ctx, cancel := context.WithCancel(t.Context())
	var ended [2]chan struct{}
	for i, run := range []func(){
		func() { pass(ctx, m) },
		func() {
			_ = sources.Run(ctx, b.store.Put, host.New(host.Config{Root: m.Root(), Every: 100 * time.Millisecond, Statfs: m.Statfs, Wishes: wishes}), sources.Clock())
		},
	} {
		ended[i] = make(chan struct{})
		go func() { defer close(ended[i]); run() }()
	}
	b.audit = filepath.Join(dir, "audit.jsonl")
	audit, err := OpenAudit(b.audit)
	if err != nil {
		t.Fatal(err)
	}
	writing := connect.ForWriting("test", connect.Reach{Machines: []connect.Machine{{Name: "openstack-host", Root: m.Root(), Bus: address, Run: b.program}}})
	t.Cleanup(func() {
		cancel()
		<-ended[0]
		<-ended[1]
		writing.Close()
		_ = audit.Close()
		stopBus()
	})
	b.runner = NewRunner(Setup{
		Hands: NewHands(writing), Store: b.store, Audit: audit, Who: "tester", Wake: wishes.Refresh, Patient: 10 * time.Second, Locks: filepath.Join(dir, "locks"),
	})
	b.until(t, func(s *fleet.Snapshot) bool {
		u, ok := fleet.Find[*fleet.Unit](s, b.unit(computeScope))
		return ok && ioOf(u, "nvme0n1").WriteBytesSec.V > 30e6 && s.Tally(fleet.KindSwap).Total() > 0 && s.Tally(fleet.KindHost).Total() > 0 && s.Tally(fleet.KindDisk).Total() > 0
	})
	return b
}

// pass lets time pass on a machine in steps that are short beside the looks at it, so that its rates are smooth.
func pass(ctx context.Context, m *machine.Machine) {
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			if m.Advance(now.Sub(last)) != nil {
				return
			}
			last = now
		}
	}
}

func (b *box) program(ctx context.Context, c sh.Cmd) (sh.Result, error) {
	b.ran = append(b.ran, c.Argv)
	out, says, code, err := b.Program(ctx, c.Argv...)
	return sh.Result{Stdout: out, Stderr: strings.TrimSpace(string(says)), Code: code}, err
}

func (b *box) unit(name string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindUnit, Source: b.source, Name: name}
}

func (b *box) area(path string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindSwap, Source: b.source, Name: path}
}

func (b *box) host() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindHost, Source: b.source, Name: "openstack-host"}
}

// make makes an offered action as the command line does.
func (b *box) make(t *testing.T, name string, target fleet.Ref, args Args) Action {
	t.Helper()
	o, ok := Find(name)
	if !ok {
		t.Fatalf("no action %s", name)
	}
	a, err := o.Make(b.store.Snapshot(), target, args)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// do plans, agrees to and runs an action, and returns its plan and all it said.
func (b *box) do(t *testing.T, a Action, typed string) (Plan, []Progress, error) {
	t.Helper()
	p := a.Plan(b.store.Snapshot())
	ok, err := b.runner.Approve(p, typed)
	if err != nil {
		t.Fatal(err)
	}
	var said []Progress
	began := time.Now()
	applied := time.Duration(0)
	err = b.runner.Run(t.Context(), ok, func(s Progress) {
		if said = append(said, s); s.Phase == Applied {
			applied = time.Since(began)
		}
	})
	t.Logf("%s: applied after %v, over after %v", a.Name(), applied.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return p, said, err
}

// must is do for what has to work.
func (b *box) must(t *testing.T, a Action) Plan {
	t.Helper()
	p, said, err := b.do(t, a, "")
	if err != nil {
		t.Fatalf("%s: %v (%+v)", a.Name(), err, said)
	}
	return p
}

// undo takes back what the audit log's last line did, from its text.
func (b *box) undo(t *testing.T) Plan {
	t.Helper()
	all := b.deeds(t)
	last := all[len(all)-1]
	if last.Undo == nil {
		t.Fatalf("no undo in %+v", last)
	}
	a, err := Decode(*last.Undo)
	if err != nil {
		t.Fatal(err)
	}
	return b.must(t, a)
}

func (b *box) refused(t *testing.T, a Action, why string) {
	t.Helper()
	p := a.Plan(b.store.Snapshot())
	if all := strings.Join(p.Refused, "; "); !strings.Contains(all, why) {
		t.Errorf("%s: refused because of %q, want %q", p.Line(), all, why)
	}
}

func (b *box) file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.Root(), name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

func (b *box) ioMax(t *testing.T, scope string) string {
	t.Helper()
	return b.file(t, "sys/fs/cgroup/machine.slice/"+scope+"/io.max")
}
