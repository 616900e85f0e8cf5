package actions

import (
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

// What is seen through Prometheus cannot be acted on, whatever it is called.
func TestWhatPrometheusTellsIsNotActedOn(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 30, 12, 0, 0, 0, time.UTC)
	host := &fleet.Host{Source: "prometheus/alpha", Name: "alpha", Memory: fleet.Memory{Total: 1 << 30, Available: fleet.Some(uint64(1 << 29))}, Swap: fleet.Swap{Swappiness: fleet.Some(60)}}
	tried, told := 0, 0
	for _, state := range []string{"running", "paused", "shut off"} {
		domain := &fleet.Domain{Source: "prometheus/alpha", Host: "alpha", Name: "web", UUID: "u-1", State: state, Disks: []fleet.DomainDisk{{Target: "vda", File: "/a.qcow2"}}}
		s := fleet.NewSnapshot(1, at, []fleet.Part{
			{Source: "prometheus/alpha", Scope: "host", At: at, Facts: fleet.Facts{host}},
			{Source: "prometheus/alpha", Scope: "domains", At: at, Facts: fleet.Facts{domain}},
		}, nil, nil)
		for _, o := range Offers() {
			target := map[fleet.Kind]fleet.Ref{fleet.KindHost: host.Ref(), fleet.KindDomain: domain.Ref()}[o.Kind]
			if target == (fleet.Ref{}) || o.New == nil {
				continue
			}
			args := Args{}
			for _, p := range o.Params {
				if v := map[string]string{"value": "10", "disk": "vda", "file": "/a.qcow2"}[p.Name]; v != "" {
					args[p.Name] = v
				}
			}
			a, err := o.Make(s, target, args)
			if err != nil {
				continue // it cannot even be said
			}
			tried++
			p := a.Plan(s)
			if len(p.Refused) == 0 {
				t.Errorf("%s on %v, %s, is not refused", o.Name, target, state)
			}
			if strings.Contains(strings.Join(p.Refused, "; "), "only tells") {
				told++
			}
		}
	}
	if tried < 20 || told < tried/2 {
		t.Errorf("%d actions were tried, %d refused for what they are", tried, told)
	}
}
