package sources_test

import (
	"testing"
	"time"

	"strata/sources"
)

func TestACounterHasTheTimeAtWhichItGrewLast(t *testing.T) {
	t.Parallel()
	ledger := sources.NewLedger()
	minute := func(n int) time.Time { return time.Unix(1700000000, 0).Add(time.Duration(n) * time.Minute) }
	for i, c := range []struct {
		value, grew uint64
		grown       time.Time
	}{{5, 0, time.Time{}}, {5, 0, time.Time{}}, {7, 2, minute(2)}, {7, 2, minute(2)}, {8, 3, minute(4)}, {1, 0, time.Time{}}, {2, 1, minute(6)}} {
		if got := ledger.Count("sda S1", "pending", c.value, minute(i)); got.Grew() != c.grew || !got.Grown.Equal(c.grown) {
			t.Errorf("after %d min it is %+v", i, got)
		}
	}
}
