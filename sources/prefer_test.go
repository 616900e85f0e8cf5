package sources

import (
	"errors"
	"testing"
	"time"

	"strata/internal/fleet"
)

var noon = time.Date(2025, 6, 30, 12, 0, 0, 0, time.UTC)

// world is a store's worth of what Prefer passes on: facts by source and scope.
type world map[string]fleet.Observation

func (w world) put(o fleet.Observation) {
	if o.Facts == nil && o.Err != nil {
		o.Facts = w[o.Source+" "+o.Scope].Facts
	}
	w[o.Source+" "+o.Scope] = o
}

func (w world) names(key string) (names []string) {
	for _, f := range w[key].Facts {
		names = append(names, f.Ref().Name)
	}
	return names
}

func (w world) expect(t *testing.T, key string, want ...string) {
	t.Helper()
	got := w.names(key)
	if len(got) != len(want) {
		t.Errorf("%s has %v, want %v", key, got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s has %v, want %v", key, got, want)
		}
	}
}

func host(source, name string, boot time.Time) *fleet.Host {
	return &fleet.Host{Source: source, Name: name, Boot: boot}
}

func of(source, scope string, at time.Time, facts ...fleet.Object) fleet.Observation {
	return fleet.Observation{Source: source, Scope: scope, At: at, Facts: facts}
}

func clockAt(at time.Time) fleet.Observation {
	return fleet.Observation{Source: fleet.ClockSource, At: at}
}

func TestAMachineOfOnesOwnIsNotTakenFromTheFleet(t *testing.T) {
	t.Parallel()
	const p = "prometheus/x"
	w := world{}
	see := Prefer(w.put, time.Minute)
	boot := noon.Add(-time.Hour)
	fleetHosts := func(at, boot time.Time) {
		see(of(p, "host", at, host(p, "alpha", boot), host(p, "beta", boot)))
	}
	fleetHosts(noon, boot)
	see(of(p, "disks", noon, &fleet.Disk{Source: p, Host: "alpha", Name: "sda"}, &fleet.Disk{Source: p, Host: "beta", Name: "sda"}))
	see(of(p, "alerts", noon, &fleet.Alert{Source: p, Fingerprint: "1", Instance: "alpha:9100"}))
	w.expect(t, p+" host", "alpha", "beta")

	// The agent comes: at once it is the only one to tell of its machine, in every scope.
	see(of("host/alpha", "host", noon, host("host/alpha", "alpha.example.org", boot.Add(20*time.Second))))
	w.expect(t, p+" host", "beta")
	w.expect(t, p+" disks", "beta/sda")
	w.expect(t, p+" alerts", "1")
	w.expect(t, "host/alpha host", "alpha.example.org")

	// It reboots; what Prometheus has is of the boot before for a while.
	see(of("host/alpha", "host", noon, host("host/alpha", "alpha.example.org", noon)))
	fleetHosts(noon, boot)
	w.expect(t, p+" host", "beta")

	// The agent is lost: for a minute its last word counts, then the fleet's.
	lost := errors.New("ssh: connection refused")
	see(fleet.Observation{Source: "host/alpha", Scope: "host", At: noon, Err: lost})
	see(clockAt(noon.Add(time.Minute)))
	w.expect(t, p+" host", "beta")
	see(fleet.Observation{Source: "host/alpha", Scope: "host", At: noon.Add(50 * time.Second), Err: lost})
	see(clockAt(noon.Add(61 * time.Second)))
	w.expect(t, p+" host", "alpha", "beta")
	w.expect(t, p+" disks", "alpha/sda", "beta/sda")

	see(of("host/alpha", "host", noon.Add(2*time.Minute), host("host/alpha", "alpha.example.org", noon)))
	w.expect(t, p+" host", "beta")
	w.expect(t, p+" disks", "beta/sda")
}

func TestMachinesOfOneNameAreNotOne(t *testing.T) {
	t.Parallel()
	const p = "prometheus/x"
	w := world{}
	see := Prefer(w.put, time.Minute)
	see(of("host/alpha", "host", noon, host("host/alpha", "alpha", noon.Add(-time.Hour))))
	other := host(p, "alpha", noon.Add(-48*time.Hour))
	see(of(p, "host", noon, other))
	w.expect(t, p+" host", "alpha")

	same, called := host(p, "localhost", noon.Add(-time.Hour)), host("host/beta", "beta", noon.Add(-time.Hour))
	same.Identity.SystemUUID, called.Identity.SystemUUID = "u-1", "u-1"
	see(of("host/beta", "host", noon, called))
	see(of(p, "host", noon, other, same))
	w.expect(t, p+" host", "alpha") // localhost is beta, by its UUID
}

func TestTellingAnewKeepsTheFailure(t *testing.T) {
	t.Parallel()
	const p = "prometheus/x"
	w := world{}
	see := Prefer(w.put, time.Minute)
	boot := noon.Add(-time.Hour)
	see(of(p, "host", noon, host(p, "alpha", boot), host(p, "beta", boot)))
	see(fleet.Observation{Source: p, Scope: "host", At: noon.Add(time.Second), Err: errors.New("HTTP 503")})
	see(of("host/alpha", "host", noon, host("host/alpha", "alpha", boot)))
	w.expect(t, p+" host", "beta")
	if o := w[p+" host"]; o.Err == nil || !o.At.Equal(noon.Add(time.Second)) {
		t.Errorf("after the machine was hidden the fleet is %v at %v, want its failure", o.Err, o.At)
	}
}
