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
)

// playing is the demo without its screen, with somebody who may act.
type playing struct {
	t      *testing.T
	dir    string
	at     places
	a      *assembly
	runner *actions.Runner
}

// play starts the demo in a folder of its own and looks at it as configured, until the test ends.
func play(t *testing.T, o incident.Options, c config.Config) playing {
	t.Helper()
	dir, err := incident.Folder()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Dir, c.Audit.Path = dir, filepath.Join(dir, "audit.jsonl")
	world, err := incident.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	d := playing{t: t, dir: dir, at: placesOf(world, dir)}
	d.a = assemble(d.at, c, everything)
	h, err := withEnv(nil).hands(d.a, c)
	if err != nil {
		t.Fatal(err)
	}
	d.runner = h.runner
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		_ = d.a.run(ctx) // ends with the context only
	}()
	t.Cleanup(func() { cancel(); <-looked; h.putDown(); world.Stop(); _ = os.RemoveAll(dir) })
	return d
}

func (d playing) now() *fleet.Snapshot { return d.a.store.Snapshot() }

// until waits for what must come within a minute.
func (d playing) until(what string, ok func(*fleet.Snapshot) bool) *fleet.Snapshot {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	s := d.a.until(ctx, ok)
	if !ok(s) {
		tally := map[fleet.Kind]int{}
		for i := range s.Parts {
			for _, o := range s.Parts[i].Facts {
				tally[o.Ref().Kind]++
			}
		}
		d.t.Fatalf("waiting in vain: %s; there are %v and %d links", what, tally, len(s.Links))
	}
	return s
}

// act does something by the name of its target and waits until it is seen; it returns the undo.
func (d playing) act(name, target string, args actions.Args) actions.Action {
	d.t.Helper()
	r, err := find(d.now(), d.offer(name).Kind, target)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.actOn(name, r, args)
}

func (d playing) actOn(name string, target fleet.Ref, args actions.Args) actions.Action {
	d.t.Helper()
	act, err := d.offer(name).Make(d.now(), target, args)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.run(act)
}

func (d playing) offer(name string) actions.Offer {
	d.t.Helper()
	offer, ok := actions.Find(name)
	if !ok {
		d.t.Fatalf("no action %s", name)
	}
	return offer
}

func (d playing) run(act actions.Action) actions.Action {
	d.t.Helper()
	plan := act.Plan(d.now())
	approved, err := d.runner.Approve(plan, plan.Ask)
	if err == nil {
		err = d.runner.Run(d.t.Context(), approved, func(actions.Progress) {})
	}
	if err != nil {
		d.t.Fatalf("%s: %v", plan.Title, err)
	}
	return plan.Undo
}
