package host

import (
	"os"
	"testing"

	"strata/internal/fleet"
)

func TestWhatMakesMemoryGoFurther(t *testing.T) {
	t.Parallel()
	page := uint64(os.Getpagesize())
	for name, c := range map[string]struct {
		files map[string]string
		want  fleet.Saving
	}{
		"a kernel with neither": {files: map[string]string{"proc/meminfo": "MemTotal: 10 kB\n"}},
		"both off": {
			files: map[string]string{
				"sys/kernel/mm/ksm/run": "0\n", "sys/kernel/mm/ksm/pages_shared": "0\n", "sys/kernel/mm/ksm/pages_sharing": "0\n", "sys/kernel/mm/ksm/general_profit": "0\n",
				"sys/module/zswap/parameters/enabled": "N\n", "proc/meminfo": "SwapFree:  5 kB\nZswap:                 0 kB\nZswapped:              0 kB\n",
			},
			want: fleet.Saving{
				Merging: fleet.Some(false), Shared: fleet.Some(uint64(0)), Merged: fleet.Some(uint64(0)), Profit: fleet.Some(int64(0)),
				Zswap: fleet.Some(false), Stored: fleet.Some(uint64(0)), Pool: fleet.Some(uint64(0)),
			},
		},
		"el9: no general_profit, no Zswap": {
			files: map[string]string{"sys/kernel/mm/ksm/run": "1\n", "sys/kernel/mm/ksm/pages_shared": "100\n", "sys/kernel/mm/ksm/pages_sharing": "300\n"},
			want:  fleet.Saving{Merging: fleet.Some(true), Shared: fleet.Some(100 * page), Merged: fleet.Some(300 * page)},
		},
		"a loss": {
			files: map[string]string{"sys/kernel/mm/ksm/general_profit": "-1048576\n", "sys/module/zswap/parameters/enabled": "Y\n", "proc/meminfo": "Zswap: 1024 kB\nZswapped: 4096 kB\n"},
			want:  fleet.Saving{Profit: fleet.Some(int64(-1 << 20)), Zswap: fleet.Some(true), Stored: fleet.Some(uint64(4 << 20)), Pool: fleet.Some(uint64(1 << 20))},
		},
		"nonsense": {files: map[string]string{
			"sys/kernel/mm/ksm/run": "x", "sys/kernel/mm/ksm/general_profit": "1e9", "sys/module/zswap/parameters/enabled": "maybe", "proc/meminfo": "Zswap: 1024\nZswapped: -1 kB\n",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := saving(plant(t, c.files)); got != c.want {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}
