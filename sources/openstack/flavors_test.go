package openstack

import (
	"testing"
	"time"

	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

func limited() nova.Flavor {
	return nova.Flavor{Name: "k8s.worker", VCPUs: 2, RAMMiB: 3072, DiskGiB: 60, Extra: map[string]string{"quota:disk_write_bytes_sec": "2000000"}}
}

func TestFlavorsAreSeenWithTheirExtraSpecs(t *testing.T) {
	for what, c := range map[string]struct {
		user   string
		newest int
		extra  string
	}{
		"a new nova":                  {"viewer", 93, "2000000"},
		"an old nova, by an admin":    {"admin", 60, "2000000"},
		"an old nova, by a member":    {"alice", 60, ""},
		"the oldest nova by an admin": {"admin", 1, "2000000"},
	} {
		t.Run(what, func(t *testing.T) {
			f := start(t, nova.Config{MaxMinor: c.newest})
			f.AddFlavor(limited())
			w := see(t, New(connectTo(t, f, c.user), quick()))
			p := w.until("the flavor", ScopeFlavors, func(p fleet.Part) bool { return len(p.Facts) == 1 })
			one := p.Facts[0].(*fleet.Flavor)
			if one.Name != "k8s.worker" || one.Source != name || one.ID == "" || one.VCPUs != 2 || one.Extra["quota:disk_write_bytes_sec"] != c.extra {
				t.Errorf("the flavor is %+v", one)
			}
		})
	}
}

func TestARebootBetweenTwoLooksIsInTheHistory(t *testing.T) {
	f := start(t, nova.Config{})
	id := f.AddServer(nova.Server{Name: "w", Host: "compute", Created: time.Now().Add(-time.Hour)})
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	w.server("the server", id, func(s *fleet.Server) bool { return s.Run.Status == "ACTIVE" })
	f.AddAction(id, "reboot", "alice", time.Now())
	w.server("the reboot", id, func(s *fleet.Server) bool { return len(s.Actions) > 0 && s.Actions[0].Action == "reboot" })
	// In the same second, so that updated_at stays.
	f.AddAction(id, "reboot", "admin", time.Now())
	w.server("the second one", id, func(s *fleet.Server) bool {
		return len(s.Actions) > 1 && s.Actions[0].Action == "reboot" && s.Actions[1].Action == "reboot"
	})
}
