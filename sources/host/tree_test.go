package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// plant writes files and links ("-> target") below a new root.
func plant(t *testing.T, files map[string]string) tree.Tree {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(content) > 3 && content[:3] == "-> " {
			err = os.Symlink(content[3:], path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree.Tree(root)
}

func planted(t *testing.T, files map[string]string) (*source, *notes) {
	t.Helper()
	return New(Config{Name: "alpha", Root: string(plant(t, files))}).(*source), newNotes()
}

func TestMdArray(t *testing.T) {
	t.Parallel()
	s, n := planted(t, map[string]string{
		"sys/block/md0/size": "2048", "sys/block/md0/md/degraded": "1\n", "sys/block/md0/md/mismatch_cnt": "128",
		"sys/block/md0/md/dev-sda1/errors": "0", "sys/block/md0/md/dev-sdb1/errors": "7",
		"sys/block/loop0/size": "8", "sys/block/nbd0/size": "0", "sys/block/zram0/size": "99", "sys/block/sr0/size": "99",
		"proc/diskstats": "",
	})
	facts, err := newDisks(s, newSmartBook(s, n), n).look(t.Context(), time.Now())
	if err != nil || len(facts) != 1 {
		t.Fatalf("got %v, %v; want md0 alone", facts, err)
	}
	d := facts[0].(*fleet.Disk)
	got := map[string]uint64{}
	for _, c := range d.Counters {
		got[c.Name] = c.Value
	}
	if d.Bus != "md" || d.Bytes != 1<<20 || len(got) != 4 || got["degraded"] != 1 || got["mismatch_cnt"] != 128 || got["errors_sdb1"] != 7 {
		t.Errorf("got %+v, counters %v", d, got)
	}
}

func TestBtrfsErrors(t *testing.T) {
	t.Parallel()
	s, n := planted(t, map[string]string{
		"proc/1/mountinfo":                            "30 1 0:33 / /data rw - btrfs /dev/mapper/vault rw,subvol=/\n",
		"sys/block/dm-3/dm/name":                      "vault\n",
		"sys/fs/btrfs/1f2e/devices/dm-3":              "",
		"sys/fs/btrfs/1f2e/devinfo/1/error_stats":     "write_errs 2\nread_errs 0\nflush_errs 0\ncorruption_errs 1\ngeneration_errs 0\n",
		"sys/fs/btrfs/1f2e/devinfo/2/error_stats":     "write_errs 3\nread_errs 0\nflush_errs 0\ncorruption_errs 0\ngeneration_errs 0\n",
		"sys/fs/btrfs/features/supported_sectorsizes": "4096",
	})
	m := newMounts(s, n)
	facts, err := m.look(t.Context(), time.Now())
	if err != nil || len(facts) != 1 {
		t.Fatalf("got %v, %v", facts, err)
	}
	f := facts[0].(*fleet.Filesystem)
	if len(f.Counters) != 5 || f.Counters[0].Name != "btrfs_write_errs" || f.Counters[0].Value != 5 || f.Counters[3].Value != 1 {
		t.Errorf("got %+v", f.Counters)
	}
}

func TestSensorsOfOtherKernels(t *testing.T) {
	t.Parallel()
	pci := "sys/devices/pci0/0000:01:00.0"
	s, n := planted(t, map[string]string{
		// NVMe under multipath; the chip hangs on the PCI device, as kernels before 5.11 have it.
		pci + "/nvme/nvme0/nvme0c0n1/hidden": "1",
		pci + "/hwmon/hwmon4/name":           "nvme\n",
		pci + "/hwmon/hwmon4/temp1_input":    "40850\n",
		pci + "/hwmon/hwmon4/device":         "-> ../../../0000:01:00.0",
		"sys/class/hwmon/hwmon4":             "-> ../../devices/pci0/0000:01:00.0/hwmon/hwmon4",
		// Files with the device, as drivers before the hwmon class have it.
		"sys/devices/platform/w83627hf.656/name":                "w83627hf\n",
		"sys/devices/platform/w83627hf.656/temp1_input":         "31000\n",
		"sys/devices/platform/w83627hf.656/temp2_input/broken":  "a folder reads as an error",
		"sys/devices/platform/w83627hf.656/hwmon/hwmon0/device": "-> ../../../w83627hf.656",
		"sys/class/hwmon/hwmon0":                                "-> ../../devices/platform/w83627hf.656/hwmon/hwmon0",
		// Two chips of one driver with no device at all.
		"sys/devices/virtual/hwmon/hwmon1/name":        "virt\n",
		"sys/devices/virtual/hwmon/hwmon1/temp1_input": "1000\n",
		"sys/devices/virtual/hwmon/hwmon2/name":        "virt\n",
		"sys/devices/virtual/hwmon/hwmon2/temp1_input": "2000\n",
		"sys/class/hwmon/hwmon1":                       "-> ../../devices/virtual/hwmon/hwmon1",
		"sys/class/hwmon/hwmon2":                       "-> ../../devices/virtual/hwmon/hwmon2",
	})
	facts, err := newSensors(s, n).look(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*fleet.Sensor{}
	for _, f := range facts {
		got[f.Ref().Name] = f.(*fleet.Sensor)
	}
	if len(got) != 5 {
		t.Fatalf("got %v", got)
	}
	if c := got["nvme@0000:01:00.0/temp1"]; c == nil || c.Disk != "nvme0n1" || c.Celsius.V != 40.85 {
		t.Errorf("NVMe: %+v", c)
	}
	if c := got["w83627hf@w83627hf.656/temp1"]; c == nil || c.Celsius.V != 31 {
		t.Errorf("old driver: %+v", c)
	}
	if c := got["w83627hf@w83627hf.656/temp2"]; c == nil || c.Celsius.OK || c.NoData != "reading temp2_input: is a directory" {
		t.Errorf("a sibling that cannot be read: %+v", c)
	}
	if a, b := got["virt@virtual/temp1"], got["virt@virtual/temp1#2"]; a == nil || b == nil || a.Celsius.V != 1 || b.Celsius.V != 2 {
		t.Errorf("two of a kind: %+v, %+v", a, b)
	}
}

func TestDisksWithoutDiskstats(t *testing.T) {
	t.Parallel()
	s, n := planted(t, map[string]string{"sys/block/vda/size": "2048"})
	facts, err := newDisks(s, newSmartBook(s, n), n).look(t.Context(), time.Now())
	if err != nil || len(facts) != 1 || facts[0].(*fleet.Disk).Missing[0] != "I/O rates: /proc/diskstats: no such file or directory" {
		t.Errorf("got %+v, %v", facts, err)
	}
}

// Only cards that are devices have an address of their own: bridges, bonds and taps share those of others.
func TestMACsAreThoseOfCards(t *testing.T) {
	t.Parallel()
	at := plant(t, map[string]string{
		"sys/class/net/eth0/address": "52:54:00:AA:00:01\n", "sys/class/net/eth0/device/vendor": "0x1af4",
		"sys/class/net/eth1/address": "52:54:00:aa:00:01\n", "sys/class/net/eth1/device/vendor": "0x1af4",
		"sys/class/net/br0/address": "52:54:00:aa:00:02\n", "sys/class/net/lo/address": "00:00:00:00:00:00\n",
		"sys/class/net/ib0/address": "80:00:02:08:fe:80:00:00\n", "sys/class/net/ib0/device/vendor": "0x15b3",
	})
	if got := macs(at); len(got) != 1 || got[0] != "52:54:00:aa:00:01" {
		t.Errorf("got %q", got)
	}
}

// A fan that turns evenly is told once; one that stands still, and one that cannot be read, say so. Whether one turned before
// is kept, over a fault and when the chips are looked for anew.
func TestFans(t *testing.T) {
	t.Parallel()
	chip := "sys/class/hwmon/hwmon0/"
	s, n := planted(t, map[string]string{
		chip + "name": "nct6775\n", chip + "fan1_input": "1234\n", chip + "fan1_min": "600\n", chip + "fan2_input": "0\n", chip + "fan2_min": "600\n", chip + "fan2_label": "CPU Fan\n",
		chip + "fan3_input": "40\n", chip + "fan3_alarm": "1\n", chip + "fan4_input": "x\n", chip + "fan5_input": "0\n", chip + "fan5_min": "0\n", chip + "fan6_input": "900\n", chip + "fan6_fault": "1\n",
	})
	sensors := newSensors(s, n)
	look := func(at time.Time) map[string]*fleet.Sensor {
		facts, err := sensors.look(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]*fleet.Sensor{}
		for _, f := range facts {
			got[f.(*fleet.Sensor).Label] = f.(*fleet.Sensor)
		}
		return got
	}
	now := time.Now()
	got := look(now)
	for label, want := range map[string]struct {
		rpm     fleet.Opt[int]
		stopped bool
		state   fleet.State
	}{
		"fan1": {fleet.Some(1200), false, fleet.StateOK}, "CPU Fan": {fleet.Some(0), true, fleet.StateUnknown}, "fan3": {fleet.Some(100), true, fleet.StateBad},
		"fan4": {fleet.Opt[int]{}, false, fleet.StateUnknown}, "fan5": {fleet.Some(0), false, fleet.StateOK}, "fan6": {fleet.Opt[int]{}, false, fleet.StateUnknown},
	} {
		if f := got[label]; f == nil || f.Fan.RPM != want.rpm || f.Stopped() != want.stopped || f.Health().State != want.state {
			t.Errorf("%s: %+v", label, f)
		}
	}
	if later := look(now.Add(2 * fanEvery)); later["fan1"] != got["fan1"] {
		t.Error("a fan that did not change is told anew")
	}
	for i, files := range []map[string]string{{"fan1_input": "1234\n", "fan1_fault": "1\n"}, {"fan1_input": "0\n", "fan1_fault": "0\n"}} {
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(s.conf.Root, chip, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got = look(now.Add(time.Duration(i+1) * 2 * findEvery))
	}
	if f := got["fan1"]; !f.Stopped() || !f.Fan.Turned || f.Health().State != fleet.StateBad || got["CPU Fan"].Fan.Turned {
		t.Errorf("fan1 stopped: %+v, %+v", f, f.Fan)
	}
}
