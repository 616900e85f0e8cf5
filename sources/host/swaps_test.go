package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
)

func TestSwapAreasOnAndOff(t *testing.T) {
	t.Parallel()
	s := openstackHost(t)
	lookSwaps := func() map[string]*fleet.SwapArea { return look[*fleet.SwapArea](s, s.swaps.look) }
	a := lookSwaps()["/dev/dm-1"]
	if a == nil || !a.Active || a.Type != "partition" || a.Total.V != 8024*mib || a.Used.V != 4699927347/1024*1024 || a.Priority != -2 || a.Disk != "nvme0n1" || !slices.Equal(a.Mapped, []string{"dm-1 rl-swap"}) {
		t.Fatalf("swap of the incident: %+v", a)
	}
	if !strings.HasPrefix(a.Fstab, "UUID=") || len(a.Units) != 1 || !strings.HasSuffix(a.Units[0], ".swap") {
		t.Errorf("what turns it on at boot: %q, %q", a.Fstab, a.Units)
	}
	s.change(func(st *machine.State) { st.SwapUsed = mib })
	if err := s.SetSwap("/dev/dm-1", false); err != nil {
		t.Fatal(err)
	}
	if off := lookSwaps()["/dev/dm-1"]; off == nil || off.Active || off.Total.OK || off.Used.OK || off.Fstab != a.Fstab || off.Disk != "nvme0n1" {
		t.Errorf("off, but on at the next boot: %+v", off)
	}
	for _, name := range []string{"etc/fstab", filepath.Join("run/systemd/generator", a.Units[0])} {
		if err := os.Remove(filepath.Join(s.Root(), name)); err != nil {
			t.Fatal(err)
		}
	}
	s.pass(time.Second)
	if len(lookSwaps()) != 1 {
		t.Error("fstab is read at each look")
	}
	s.swaps.all.Store(true)
	if all := lookSwaps(); len(all) != 0 {
		t.Errorf("nothing knows of it any more, and it is still there: %+v", all)
	}
}

func TestAreasOfFstabAndUnits(t *testing.T) {
	t.Parallel()
	const uuid = "3978815f-4897-4c33-9423-9dc459b7e32c"
	at := plant(t, map[string]string{
		"proc/swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vdb                                partition\t1048572\t\t564184\t\t10\n/swap\\040file\\040(deleted) file 262140 0 -2\n",
		"etc/fstab": "# LABEL=no none swap sw 0 0\nUUID=" + uuid + "\tnone\tswap\tsw,pri=10\t0 0\nLABEL=my\\040swap none swap defaults 0 0\n" +
			"PARTUUID=gone-01 none swap sw\n/extra none swap noauto 0 0\n/dev/vda1 / ext4 defaults 0 1\n",
		"dev/vdb": "", "dev/vdc": "", "dev/disk/by-uuid/" + uuid: "-> ../../vdb", `dev/disk/by-label/my\x20swap`: "-> ../../vdc",
		"etc/systemd/system/dev-vdb.swap":                            "[Swap]\nWhat=/dev/vdb\nPriority=10\n",
		"usr/lib/systemd/system/dev-vdb.swap":                        "[Swap]\nWhat=/dev/elsewhere\n",
		`run/systemd/generator/dev-disk-by\x2duuid-3978815f.swap`:    "[Unit]\nSourcePath=/etc/fstab\n\n[Swap]\nWhat=/dev/disk/by-uuid/" + uuid + "\n",
		"run/systemd/generator/masked.swap":                          "",
		"sys/class/block/vdb":                                        "-> ../../devices/pci0000:00/0000:00:03.0/virtio1/block/vdb",
		"sys/block/vdb":                                              "-> ../devices/pci0000:00/0000:00:03.0/virtio1/block/vdb",
		"sys/devices/pci0000:00/0000:00:03.0/virtio1/block/vdb/size": "2097152",
	})
	s := New(Config{Root: string(at)}).(*source)
	n := newNotes()
	facts, err := newSwaps(s, n).look(t.Context(), time.Now())
	if err != nil || len(n.all()) != 0 {
		t.Fatal(err, n.all())
	}
	found := map[string]*fleet.SwapArea{}
	for _, f := range facts {
		found[f.Ref().Name] = f.(*fleet.SwapArea)
	}
	if len(found) != 4 {
		t.Errorf("got %d areas: %v", len(found), found)
	}
	vdb := found["/dev/vdb"]
	if vdb == nil || !vdb.Active || vdb.Priority != 10 || vdb.Disk != "vdb" || vdb.Fstab != "UUID="+uuid+"\tnone\tswap\tsw,pri=10\t0 0" ||
		!slices.Equal(vdb.Units, []string{`dev-disk-by\x2duuid-3978815f.swap`, "dev-vdb.swap"}) {
		t.Errorf("one area with two names: %+v", vdb)
	}
	if f := found["/swap file (deleted)"]; f == nil || !f.Active || f.Type != "file" || f.Fstab != "" {
		t.Errorf("a deleted file that is still on: %+v", f)
	}
	if c := found["/dev/vdc"]; c == nil || c.Active || !strings.HasPrefix(c.Fstab, `LABEL=my\040swap`) {
		t.Errorf("only in fstab: %+v", c)
	}
	if g := found["PARTUUID=gone-01"]; g == nil || g.Active {
		t.Errorf("in fstab, but not there: %+v", g)
	}
}

func TestSwapsOfTheKernel(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/swaps.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := []swapLine{{"/dev/vdb", "partition", 1048572 * 1024, 564184 * 1024, 10}, {"/swapfile", "file", 262140 * 1024, 0, -2}}
	if got := parseSwaps(b); !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}
