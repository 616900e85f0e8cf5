package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/diagnose"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
)

// In the demo the domains of both hosts are seen and tied to what runs in them, and acting on them moves the cloud.
func TestDomainsInTheDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	world, err := incident.Start(ctx, incident.Options{Speed: 20, Quiet: true, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer world.Stop()
	c := config.Config{Audit: config.Audit{Path: filepath.Join(dir, "audit.jsonl")}}
	a := assemble(placesOf(world, dir), c, everything)
	h, err := withEnv(nil).hands(a, c)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan struct{})
	go func() { defer close(looked); _ = a.run(ctx) }()
	defer func() { cancel(); h.putDown(); <-looked }()

	const worker = "6c59b812-2d8d-4da5-92d6-6bbe527926d6"
	server := fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: worker}
	var chain string
	s := a.until(ctx, func(s *fleet.Snapshot) bool {
		chain = ""
		for _, step := range diagnose.Chain(s, server) {
			chain += step.Ref.String() + "\n"
		}
		return s.Tally(fleet.KindDomain).Total() == 4 && strings.Contains(chain, "disk nvme0n1") && strings.Contains(chain, "host openstack-host")
	})
	domain := fleet.Ref{Kind: fleet.KindDomain, Source: "libvirt/compute", Name: worker}
	if d, ok := fleet.Find[*fleet.Domain](s, domain); !ok || d.Nova != "k8s-worker-1" || d.State != "running" {
		t.Fatalf("the domain is %+v; the chain is\n%s", d, chain)
	}
	offer, _ := actions.Find("domain-destroy")
	act, err := offer.Make(s, domain, nil)
	if err != nil {
		t.Fatal(err)
	}
	approved, err := h.runner.Approve(act.Plan(s), "instance-0000001c")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.runner.Run(ctx, approved, func(actions.Progress) {}); err != nil {
		t.Fatal(err)
	}
	a.until(ctx, func(s *fleet.Snapshot) bool {
		sv, ok := fleet.Find[*fleet.Server](s, server)
		stop, stopped := fleet.ServerAction{}, false
		if ok {
			stop, stopped = sv.LastStop()
		}
		return ok && sv.Run.Status == "SHUTOFF" && stopped && stop.ByNova() && time.Since(stop.Start) < time.Minute
	})
	if ctx.Err() != nil {
		t.Error("nova did not make the server SHUTOFF")
	}
}
