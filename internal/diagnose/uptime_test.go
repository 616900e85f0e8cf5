package diagnose

import (
	"testing"
	"time"
)

func TestUptimeIsReadToTheMinute(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		" 10:00:00 up 42 days,  1:23,  0 users,  load average: 0.42, 0.31, 0.25":   42*24*time.Hour + 83*time.Minute,
		"top - 03:57:40 up 3 days, 39 min, 1 user, load average: 0.01, 0.02, 0.00": 3*24*time.Hour + 39*time.Minute,
		" 03:58:31 up 122 days, 25 min,  1 user,  load average: 0.36, 0.18, 0.11":  122*24*time.Hour + 25*time.Minute,
		" 07:18:12 up 0 min,  0 users,  load average: 0.00, 0.00, 0.00":            0,
		" 07:18:12 up 1 day, 14 min,  2 users,  load average: 0.00, 0.00, 0.00":    24*time.Hour + 14*time.Minute,
		" 07:18:12 up  2:03,  0 users,  load average: 0.00, 0.00, 0.00":            123 * time.Minute,
	} {
		if got, ok := parseUptime(text); !ok || got != want {
			t.Errorf("%q: %v %t, want %v", text, got, ok, want)
		}
	}
}

func TestUptimeThatTellsNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "up", "up ", "10:00:00 up , 0 users", "up users", "up 99999999999999 days, 1:00", "cleanup 3 days, 4:05x"} {
		if got, ok := parseUptime(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzUptime(f *testing.F) {
	f.Add(" 10:00:00 up 42 days,  1:23,  0 users,  load average: 0.42, 0.31, 0.25")
	f.Add(" 03:57:40 up 3 days, 39 min,  1 user")
	f.Add("up 5 hrs")
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := parseUptime(text); d < 0 || !ok && d != 0 {
			t.Errorf("%q: %v %t", text, d, ok)
		}
	})
}

func TestWholeDiskOfADevice(t *testing.T) {
	t.Parallel()
	for device, want := range map[string]string{
		"/dev/sda1": "sda", "/dev/sda": "sda", "/dev/vda15": "vda", "/dev/nvme0n1p2": "nvme0n1", "/dev/nvme0n1": "nvme0n1", "/dev/nvme1c1n1": "nvme1n1", "/dev/nvme12c3n2p1": "nvme12n2",
		"/dev/md0": "md0", "/dev/md127p1": "md127", "/dev/mmcblk0p1": "mmcblk0", "/dev/mmcblk1": "mmcblk1",
		"/dev/nbd0p1": "nbd0", "/dev/nbd15": "nbd15", "/dev/loop7p2": "loop7", "/dev/loop7": "loop7", "/dev/rbd0p1": "rbd0", "/dev/sr0": "sr0",
		"/dev/mapper/rl-root": "", "/dev/dm-0": "", "nas:/x": "", "": "",
	} {
		if got := wholeDisk(device); got != want {
			t.Errorf("%q: %q, want %q", device, got, want)
		}
	}
}

func TestNamesOfOneServer(t *testing.T) {
	t.Parallel()
	const id = "6c59b8122d8d4da592d66bbe527926d6"
	for _, same := range []string{
		providerServer("openstack:///6c59b812-2d8d-4da5-92d6-6bbe527926d6"), providerServer("openstack://RegionOne/6c59b812-2d8d-4da5-92d6-6bbe527926d6"),
		providerServer("6c59b812-2d8d-4da5-92d6-6bbe527926d6"), "6C59B812-2D8D-4DA5-92D6-6BBE527926D6", id,
	} {
		if hex(same) != id {
			t.Errorf("%q: %q", same, hex(same))
		}
	}
	if got := swapped(hex("12b8596c-8d2d-a54d-92d6-6bbe527926d6")); got != id {
		t.Errorf("swapped: %q", got)
	}
	for _, nothing := range []string{"", "Not Settable", "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "6c59b812-2d8d-4da5-92d6-6bbe527926d", "6c59b812-2d8d-4da5-92d6-6bbe527926d6a", "6g59b812-2d8d-4da5-92d6-6bbe527926d6", providerServer("aws:///eu/i-0123")} {
		if hex(nothing) != "" {
			t.Errorf("%q means something: %q", nothing, hex(nothing))
		}
	}
}
