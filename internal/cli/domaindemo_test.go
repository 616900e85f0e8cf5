package cli

import (
	"strings"
	"testing"
	"time"

	"strata/internal/config"
	"strata/internal/diagnose"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
)

// In the demo the domains of both hosts are seen and tied to what runs in them, and acting on them moves the cloud.
func TestDomainsInTheDemo(t *testing.T) {
	t.Parallel()
	d := play(t, incident.Options{Speed: 20, Quiet: true}, config.Config{})
	const worker = "6c59b812-2d8d-4da5-92d6-6bbe527926d6"
	server := fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: worker}
	var chain string
	s := d.until("the domains are seen and tied", func(s *fleet.Snapshot) bool {
		chain = ""
		for _, step := range diagnose.Chain(s, server) {
			chain += step.Ref.String() + "\n"
		}
		return s.Tally(fleet.KindDomain).Total() == 4 && strings.Contains(chain, "disk nvme0n1") && strings.Contains(chain, "host openstack-host")
	})
	domain := fleet.Ref{Kind: fleet.KindDomain, Source: "libvirt/compute", Name: worker}
	if is, ok := fleet.Find[*fleet.Domain](s, domain); !ok || is.Nova != "k8s-worker-1" || is.State != "running" {
		t.Fatalf("the domain is %+v; the chain is\n%s", is, chain)
	}
	d.actOn("domain-destroy", domain, nil)
	d.until("nova makes the server SHUTOFF", func(s *fleet.Snapshot) bool {
		sv, ok := fleet.Find[*fleet.Server](s, server)
		stop, stopped := fleet.ServerAction{}, false
		if ok {
			stop, stopped = sv.LastStop()
		}
		return ok && sv.Run.Status == "SHUTOFF" && stopped && stop.ByNova() && time.Since(stop.Start) < time.Minute
	})
}
