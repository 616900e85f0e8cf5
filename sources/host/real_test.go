package host

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"strata/internal/fleet"
)

// TestRealMachine reads the machine the test runs on: whatever it is, it has memory, a load and a boot time.
func TestRealMachine(t *testing.T) {
	t.Parallel()
	s := New(Config{Every: 20 * time.Millisecond, Smartctl: noSmartctl})
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	last := map[string]fleet.Observation{}
	_ = s.Watch(ctx, func(o fleet.Observation) {
		mu.Lock()
		defer mu.Unlock()
		last[o.Scope] = o
		if h := last[ScopeHost].Facts; len(last) >= 7 && len(h) > 0 && h[0].(*fleet.Host).Busy.OK {
			cancel()
		}
	})
	for scope, o := range last {
		if testing.Verbose() {
			b, _ := json.MarshalIndent(o.Facts, "", " ")
			t.Logf("%s: %v\n%s", scope, o.Err, b)
		}
	}
	if len(last[ScopeHost].Facts) != 1 {
		t.Fatalf("scope host: %+v", last[ScopeHost])
	}
	h := last[ScopeHost].Facts[0].(*fleet.Host)
	if h.Memory.Total == 0 || h.CPUs == 0 || h.Boot.IsZero() || h.BootID == "" || h.Identity.Kernel == "" || !h.Busy.OK {
		t.Errorf("a host with holes: %+v", h)
	}
}

func noSmartctl(context.Context, ...string) ([]byte, int, error) { return nil, 0, context.Canceled }
