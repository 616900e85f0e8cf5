package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// dialled is a store with endpoints, seen from two machines.
func dialled(t *testing.T) *fleet.Store {
	t.Helper()
	const near, far = "checks/openstack-host", "checks/kubernetes-host"
	check := func(source, name, kind, address string) *fleet.Check {
		return &fleet.Check{
			Source: source, Host: strings.TrimPrefix(source, "checks/"), State: fleet.CheckUp, Since: at.Add(-49 * time.Hour), Latency: fleet.Some(1840 * time.Microsecond),
			Endpoint: fleet.Endpoint{Name: name, Type: kind, Address: address, Every: 15 * time.Second, Timeout: 5 * time.Second},
		}
	}
	down := func(c *fleet.Check, ago time.Duration, wrong, says string, fails, flaps int) *fleet.Check {
		c.State, c.Since, c.Latency, c.Wrong, c.Says, c.Fails, c.Flaps = fleet.CheckDown, at.Add(-ago), fleet.Opt[time.Duration]{}, wrong, says, fails, flaps
		return c
	}
	web := check(near, "wwwm nginx", fleet.EndpointHTTP, "https://wwwm.example/actuator/health")
	web.Server, web.Latency = "HTTP 200 OK", fleet.Some(23*time.Millisecond)
	store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
	put(t, store,
		obs(far, "checks",
			down(check(far, "wwwm MySQL", fleet.EndpointMySQL, "10.0.0.107:30306"), 4*time.Minute, "mysql", "MySQL error 1040: Too many connections", 12, 5),
			&fleet.Check{Source: far, Host: "kubernetes-host", Endpoint: fleet.Endpoint{Name: "yet to come", Type: fleet.EndpointTCP, Address: "10.0.0.9:22"}}),
		obs(near, "checks",
			check(near, "registry", fleet.EndpointTCP, "10.0.0.43:5000"),
			down(check(near, "wwwm NodePort", fleet.EndpointHTTP, "http://10.0.0.28:30080/"), time.Second, "timeout", "no connection within 5s", 1, 1),
			web),
	)
	return store
}

func TestTheEndpointsPane(t *testing.T) {
	store := dialled(t)
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		m := model(t, store, size[0], size[1])
		press(t, m, ":", "c", "h", "e", "c", "k", "s", "enter")
		golden(t, fmt.Sprintf("checks-%dx%d", size[0], size[1]), screenOf(t, m))
	}
	m := model(t, store, 160, 40)
	press(t, m, ":", "c", "h", "e", "c", "k", "s", "enter", "/", "n", "g", "i", "n", "x", "enter", "d")
	if s := screenOf(t, m); !strings.Contains(s, "wwwm.example/actuator/health") || !strings.Contains(s, "HTTP 200 OK") {
		t.Errorf("the details:\n%s", s)
	}
}
