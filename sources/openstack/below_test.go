package openstack

import (
	"testing"
	"time"

	"strata/internal/fake/nova"
	"strata/internal/fleet"
)

// A server that went off may have gone with the machine below it: that is looked at then, however rarely it is else.
func TestAServerThatGoesOffHasItsHypervisorLookedAt(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	now := time.Now()
	f.AddHost("compute", now.Add(-42*24*time.Hour))
	id := f.AddServer(nova.Server{Name: "a", Host: "compute"})
	options := quick()
	options.Services, options.Hypervisors = time.Hour, time.Hour
	w := see(t, New(connectTo(t, f, "admin"), options))
	uptime := func(p fleet.Part) string { return p.Facts[0].(*fleet.Hypervisor).Uptime }
	old := uptime(w.until("the hypervisor", ScopeHypervisors, func(p fleet.Part) bool { return len(p.Facts) == 1 && uptime(p) != "" }))
	w.server("the server", id, func(s *fleet.Server) bool { return s.Run.Status == "ACTIVE" })
	f.AddHost("compute", now.Add(-2*time.Minute))
	f.PowerOff(id)
	w.until("the new uptime", ScopeHypervisors, func(p fleet.Part) bool { return uptime(p) != old })
}
