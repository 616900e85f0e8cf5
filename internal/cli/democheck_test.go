package cli

import (
	"strings"
	"testing"
	"time"

	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
)

// The endpoints of the demo's cloud are dialled over the loopback: they go down with it, which the finding says and puts
// under its cause, and they come back when the servers are started again.
func TestTheDemosEndpointsGoDownAndComeBack(t *testing.T) {
	t.Parallel()
	d := play(t, incident.Options{Speed: 10}, config.Config{Poll: config.Poll{Host: time.Second, OpenStack: time.Second, Smart: time.Minute}})

	check := func(s *fleet.Snapshot, name string) fleet.Check {
		k, ok := fleet.Find[*fleet.Check](s, fleet.Ref{Kind: fleet.KindCheck, Source: "checks/openstack-host", Name: name})
		if !ok {
			return fleet.Check{}
		}
		return *k
	}
	all := func(s *fleet.Snapshot, state string) bool {
		return check(s, "wwwm NodePort").State == state && check(s, "wwwm nginx").State == state && check(s, "wwwm MySQL").State == state
	}
	s := d.until("all up", func(s *fleet.Snapshot) bool { return all(s, fleet.CheckUp) })
	if k := check(s, "wwwm MySQL"); k.Server != "MySQL 8.0.39" || !k.Latency.OK {
		t.Errorf("MySQL: %+v", k)
	}
	s = d.until("down, with a cause", func(s *fleet.Snapshot) bool {
		under := 0
		for i := range s.Findings {
			if f := &s.Findings[i]; f.Rule == "NET-01" && f.Shown && f.Under != "" {
				under++
			}
		}
		return all(s, fleet.CheckDown) && under == 3
	})
	if k := check(s, "wwwm nginx"); k.Says != "status 502 Bad Gateway, not 200" {
		t.Errorf("nginx: %+v", k)
	}
	if k := check(s, "wwwm MySQL"); k.Wrong != "timeout" {
		t.Errorf("MySQL: %+v", k)
	}
	s = d.until("the workers are off", func(s *fleet.Snapshot) bool {
		n := 0
		for v := range fleet.All[*fleet.Server](s, fleet.KindServer) {
			if strings.HasPrefix(v.Name, "k8s-worker") && v.Run.Status == "SHUTOFF" && v.Run.TaskState == "" {
				n++
			}
		}
		return n == 2
	})
	for v := range fleet.All[*fleet.Server](s, fleet.KindServer) {
		if strings.HasPrefix(v.Name, "k8s-worker") {
			d.actOn("server-start", v.Ref(), nil)
		}
	}
	s = d.until("all up again", func(s *fleet.Snapshot) bool { return all(s, fleet.CheckUp) })
	if k := check(s, "wwwm NodePort"); k.Flaps < 2 || k.Fails != 0 {
		t.Errorf("after the repair: %+v", k)
	}
}
