package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
)

// In the demo a limit on the guest that floods the disk, and swap that is off, act on the host as they would on a real
// one, through the very clients that a real one is acted on with.
func TestTheDemosMachinesCanBeActedOn(t *testing.T) {
	t.Parallel()
	dir, err := incident.Folder()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	world, err := incident.Start(ctx, incident.Options{Speed: 20, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{Audit: config.Audit{Path: filepath.Join(dir, "audit.jsonl")}, Poll: config.Poll{Host: 500 * time.Millisecond, OpenStack: time.Second, Smart: time.Minute}}
	at := placesOf(world, dir)
	a := assemble(at, c, everything)
	h, err := withEnv(nil).hands(a, c)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan struct{})
	go func() { defer close(looked); _ = a.run(ctx) }()
	t.Cleanup(func() { cancel(); <-looked; h.putDown(); world.Stop(); _ = os.RemoveAll(dir) })

	const source = "host/openstack-host"
	host := fleet.Ref{Kind: fleet.KindHost, Source: source, Name: "openstack-host"}
	unit := fleet.Ref{Kind: fleet.KindUnit, Source: source, Name: `machine-qemu\x2d2\x2dcompute.scope`}
	writes := func(s *fleet.Snapshot) float64 {
		u, ok := fleet.Find[*fleet.Unit](s, unit)
		if !ok || len(u.IO) == 0 {
			return 0
		}
		return u.IO[0].WriteBytesSec.Or(0)
	}
	do := func(name string, target fleet.Ref, args actions.Args) {
		t.Helper()
		o, ok := actions.Find(name)
		if !ok {
			t.Fatalf("no action %s", name)
		}
		act, err := o.Make(a.store.Snapshot(), target, args)
		if err != nil {
			t.Fatal(err)
		}
		plan := act.Plan(a.store.Snapshot())
		approved, err := h.runner.Approve(plan, plan.Ask)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.runner.Run(ctx, approved, func(actions.Progress) {}); err != nil {
			t.Fatal(err)
		}
	}
	s := a.until(ctx, func(s *fleet.Snapshot) bool { return writes(s) > 20e6 })
	if s == nil || writes(s) <= 20e6 {
		t.Fatal("the guest never flooded the disk")
	}
	do("unit-limit", unit, actions.Args{"write": "2M"})
	if got := writes(a.store.Snapshot()); got > 2.4e6 {
		t.Errorf("limited to 2 MB/s it writes %.0f", got)
	}
	do("host-swap-off", host, actions.Args{"override": "yes"})
	s = a.until(ctx, func(s *fleet.Snapshot) bool {
		is, ok := fleet.Find[*fleet.Host](s, host)
		return ok && is.Swap.Total == 0 && is.Swap.InBytesSec.V == 0
	})
	if is, ok := fleet.Find[*fleet.Host](s, host); !ok || is.Swap.Total != 0 {
		t.Error("there is still swap")
	}
	if !strings.HasPrefix(at.machines[0].Root, dir) {
		t.Errorf("the demo acts in %s", at.machines[0].Root)
	}
}
