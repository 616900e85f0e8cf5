package cli

import (
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

// A target that comes late is waited for three times as long as everything is, but no longer than until all has answered.
func TestATargetThatIsSeenLateIsWaitedFor(t *testing.T) {
	t.Parallel()
	const wait = 10 * time.Second
	w, err := parseWish([]string{"swappiness", "alpha", "value=10"})
	if err != nil {
		t.Fatal(err)
	}
	alpha := fleet.Facts{&fleet.Host{Source: "host/alpha", Name: "alpha"}}
	for name, c := range map[string]struct {
		after time.Duration
		facts fleet.Facts
		there bool
		until time.Duration
	}{
		"late":            {12 * time.Second, alpha, true, 12 * time.Second},
		"too late":        {25 * time.Second, alpha, false, 20 * time.Second},
		"answered, empty": {3 * time.Second, nil, false, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := fleet.NewStore(nil)
				a := &assembly{store: store, awaited: []awaited{{"host/alpha", "host"}}}
				began := time.Now()
				time.AfterFunc(c.after, func() {
					store.Put(fleet.Observation{Source: "host/alpha", Scope: "host", At: time.Now(), Facts: c.facts})
				})
				s := a.still(t.Context(), store.Snapshot(), wait, w)
				if took := time.Since(began).Round(time.Second); w.there(s) != c.there || took != c.until {
					t.Errorf("there %v after %s; want %v after %s", w.there(s), took, c.there, c.until)
				}
				time.Sleep(wait * 3) // for the timer
			})
		})
	}
}
