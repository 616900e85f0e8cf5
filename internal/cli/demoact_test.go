package cli

import (
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
	d := play(t, incident.Options{Speed: 20}, config.Config{Poll: config.Poll{Host: 500 * time.Millisecond, OpenStack: time.Second, Smart: time.Minute}})

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
	d.until("the guest floods the disk", func(s *fleet.Snapshot) bool { return writes(s) > 20e6 })
	d.actOn("unit-limit", unit, actions.Args{"write": "2M"})
	if got := writes(d.now()); got > 2.4e6 {
		t.Errorf("limited to 2 MB/s it writes %.0f", got)
	}
	d.actOn("host-swap-off", host, actions.Args{"override": "yes"})
	d.until("there is no swap", func(s *fleet.Snapshot) bool {
		is, ok := fleet.Find[*fleet.Host](s, host)
		return ok && is.Swap.Total == 0 && is.Swap.InBytesSec.V == 0
	})
	if !strings.HasPrefix(d.at.machines[0].Root, d.dir) {
		t.Errorf("the demo acts in %s", d.at.machines[0].Root)
	}
}
