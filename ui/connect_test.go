package ui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// withMachines is a model over an agent and two machines that are known, and what it asks to be connected.
func withMachines(t *testing.T, w, h int) (*Model, *[]string) {
	t.Helper()
	store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
	put(t, store,
		obs("agent/openstack-host", "agents", &fleet.Agent{Source: "agent/openstack-host", Name: "openstack-host", Destination: "root@10.0.0.2", State: "connected", Since: at.Add(-time.Hour), Skew: fleet.Some(0.1)}),
		obs("known", "agents",
			&fleet.Agent{Source: "known", Name: "compute2", Destination: "10.0.0.5", State: fleet.AgentKnown, Since: at, Says: "hypervisor of openstack/home"},
			&fleet.Agent{Source: "known", Name: "k8s-worker-1", Destination: "10.0.0.28", State: fleet.AgentKnown, Since: at, Says: "node of kube/home, domain on compute"}),
	)
	m := model(t, store, w, h)
	asked := &[]string{}
	m.o.Connect = func(name, to string) (string, error) {
		*asked = append(*asked, name+" "+to)
		if name == "compute2" {
			return "", errors.New("it is watched already")
		}
		return "connecting to " + to + "; strata hosts add " + name + "=" + to + " keeps it", nil
	}
	press(t, m, ":", "a", "g", "e", "n", "t", "s", "enter")
	return m, asked
}

// The model is read-only: watching a machine is no writing.
func TestAKnownMachineIsConnectedWithOneKey(t *testing.T) {
	m, asked := withMachines(t, 120, 40)
	golden(t, "agents-120x40", screenOf(t, m))
	press(t, m, "a")
	if s := screenOf(t, m); len(*asked) != 0 || !strings.Contains(s, "openstack-host has its agent") {
		t.Errorf("on a machine with an agent: %v\n%s", *asked, s)
	}
	press(t, m, "down", "down", "a")
	if s := screenOf(t, m); len(*asked) != 1 || (*asked)[0] != "k8s-worker-1 10.0.0.28" || !strings.Contains(s, "strata hosts add k8s-worker-1=10.0.0.28 keeps it") {
		t.Errorf("%v\n%s", *asked, s)
	}
	press(t, m, "m")
	if s := screenOf(t, m); !strings.Contains(s, "a  watch it over ssh, for this session") {
		t.Errorf("the menu of the row:\n%s", s)
	}
	press(t, m, "a")
	if len(*asked) != 2 || len(m.over) != 0 {
		t.Errorf("from the menu: %v, %d overlays", *asked, len(m.over))
	}
	press(t, m, "m", "enter")
	if len(*asked) != 3 {
		t.Errorf("enter in the menu: %v", *asked)
	}
	press(t, m, "up", "a")
	if s := screenOf(t, m); !strings.Contains(s, "connecting compute2: it is watched already") {
		t.Errorf("a refusal:\n%s", s)
	}
}

func TestAMachineIsConnectedByItsName(t *testing.T) {
	m, asked := withMachines(t, 120, 40)
	for _, line := range []string{"connect op@10.0.0.9", "connect nine=op@10.0.0.9", "connect"} {
		press(t, m, append(strings.Split(":"+line, ""), "enter")...)
	}
	if got := strings.Join(*asked, "; "); got != "10.0.0.9 op@10.0.0.9; nine op@10.0.0.9" {
		t.Errorf("asked for %s", got)
	}
	if s := screenOf(t, m); !strings.Contains(s, "say which machine") {
		t.Errorf("without a machine:\n%s", s)
	}
}
