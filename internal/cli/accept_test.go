package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
	"strata/internal/notes"
)

// What a disk's counter grew while nobody looked is found at the start, ends when it is accepted, and comes back when that
// is taken back.
func TestGrownCountersAreAcceptedAndTakenBack(t *testing.T) {
	t.Parallel()
	dir, err := incident.Folder()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	world, err := incident.Start(ctx, incident.Options{Speed: 1, Quiet: true, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{Audit: config.Audit{Path: filepath.Join(dir, "audit.jsonl")}, Poll: config.Poll{Host: 300 * time.Millisecond, OpenStack: time.Second, Smart: time.Minute}}
	at := placesOf(world, dir)
	a := assemble(at, c, everything)
	h, err := withEnv(nil).hands(a, c)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan struct{})
	go func() { defer close(looked); _ = a.run(ctx) }()
	t.Cleanup(func() { cancel(); <-looked; h.putDown(); world.Stop(); _ = os.RemoveAll(dir) })

	ref := fleet.Ref{Kind: fleet.KindDisk, Source: "host/openstack-host", Name: "nvme0n1"}
	const counter = "unsafe_shutdowns"
	of := func(s *fleet.Snapshot) fleet.Counter {
		d, ok := fleet.Find[*fleet.Disk](s, ref)
		if !ok {
			return fleet.Counter{}
		}
		c, _ := d.Counter(counter)
		return c
	}
	found := func(s *fleet.Snapshot) bool {
		for f := range s.FindingsOn(ref) {
			if f.Rule == "SMT-06" && f.Shown && f.Cleared.IsZero() {
				return true
			}
		}
		return false
	}
	await := func(what string, yes func(*fleet.Snapshot) bool) *fleet.Snapshot {
		t.Helper()
		s := a.until(ctx, yes)
		if s == nil || !yes(s) {
			t.Fatalf("%s: counter %+v", what, of(a.store.Snapshot()))
		}
		return s
	}
	do := func(act actions.Action) actions.Plan {
		t.Helper()
		plan := act.Plan(a.store.Snapshot())
		approved, err := h.runner.Approve(plan, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.runner.Run(ctx, approved, func(actions.Progress) {}); err != nil {
			t.Fatal(err)
		}
		return plan
	}

	s := await("the counter is not read", func(s *fleet.Snapshot) bool { return of(s).Value > 2 })
	d, _ := fleet.Find[*fleet.Disk](s, ref)
	value := of(s).Value
	earlier := map[string]notes.Mark{counter: {Value: value - 2, Since: time.Now().Add(-72 * time.Hour)}}
	if err := notes.Open(at.marks).Set(map[string]map[string]notes.Mark{notes.Owner(d): earlier}); err != nil {
		t.Fatal(err)
	}
	await("growth since three days ago is not found", found)

	offer, ok := actions.Find("disk-accept")
	if !ok {
		t.Fatal("no such action")
	}
	act, err := offer.Make(a.store.Snapshot(), ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan := do(act)
	if c := of(a.store.Snapshot()); c.Grew() != 0 || c.First != value || time.Since(c.Since) > time.Minute {
		t.Errorf("accepted: %+v", c)
	}
	await("the finding does not end", func(s *fleet.Snapshot) bool { return !found(s) })
	do(plan.Undo)
	if c := of(a.store.Snapshot()); c.Grew() != 2 || time.Since(c.Since) < 71*time.Hour {
		t.Errorf("taken back: %+v", c)
	}
	await("the finding does not come back", found)
}
