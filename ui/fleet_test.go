package ui

import (
	"fmt"
	"testing"
	"time"

	"strata/internal/fleet"
)

// withFleet is the incident with machines that a Prometheus tells of, one of them lost, and its alerts.
func withFleet(t *testing.T) *fleet.Store {
	const source = "prometheus/fleet"
	store := incident(t)
	why := "Prometheus cannot scrape 10.0.0.42:9100 (up is 0), last seen 2025-06-30 07:20:11Z"
	put(t, store,
		obs(source, "host",
			&fleet.Host{
				Source: source, Name: "compute-041", Boot: at.AddDate(0, 0, -9), CPUs: 64, Busy: fleet.Some(0.37), Load: [3]float64{21.4, 20, 19},
				Memory: fleet.Memory{Total: 256 << 30, Available: fleet.Some(uint64(90 << 30))}, Identity: fleet.HostID{Kernel: "6.1.0-42-amd64"},
			},
			&fleet.Host{Source: source, Name: "compute-042", Boot: at.AddDate(0, 0, -9), Identity: fleet.HostID{Lost: why}, Missing: []string{"load: " + why, "memory: " + why}}),
		obs(source, "sensors",
			&fleet.Sensor{Source: source, Host: "compute-041", Chip: "coretemp", Name: "platform_coretemp_0/temp1", Label: "Package id 0", Celsius: fleet.Some(91.0), Max: fleet.Some(84.0), Crit: fleet.Some(100.0)},
			&fleet.Sensor{Source: source, Host: "compute-042", Chip: "coretemp", Name: "platform_coretemp_0/temp1", Label: "Package id 0", NoData: "lost: " + why}),
		obs(source, "alerts",
			&fleet.Alert{Source: source, Fingerprint: "1", Name: "TargetDown", Severity: "critical", Instance: "10.0.0.42:9100", Says: "10.0.0.42:9100 is down", Starts: at.Add(-90 * time.Second), Status: fleet.AlertStatus{State: "active"}},
			&fleet.Alert{Source: source, Fingerprint: "2", Name: "DiskWillFill", Severity: "warning", Instance: "10.0.0.41:9100", Says: "/srv is full in 3 days", Starts: at.Add(-5 * time.Hour), Status: fleet.AlertStatus{State: "active"}},
			&fleet.Alert{Source: source, Fingerprint: "3", Name: "Watchdog", Severity: "none", Says: "always fires", Starts: at.AddDate(0, 0, -9), Status: fleet.AlertStatus{State: "active"}},
			&fleet.Alert{Source: source, Fingerprint: "4", Name: "BackupLate", Severity: "critical", Says: "no backup for 2 days", Starts: at.AddDate(0, 0, -1), Status: fleet.AlertStatus{State: "suppressed", Silenced: []string{"5b1f0e1c"}}}),
	)
	return store
}

func TestFleetScreens(t *testing.T) {
	store := withFleet(t)
	for name, keys := range map[string][]string{
		"fleet-hosts": {"6", "z"}, "fleet-temps": {"3", "z"}, "fleet-findings": {"5", "z"}, "alerts": {":", "a", "l", "e", "r", "t", "s", "enter", "z"},
	} {
		for _, size := range [][2]int{{80, 24}, {160, 40}} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), func(t *testing.T) {
				m := model(t, store, size[0], size[1])
				press(t, m, keys...)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), screenOf(t, m))
			})
		}
	}
}
