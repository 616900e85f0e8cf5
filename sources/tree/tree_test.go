package tree_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"strata/internal/fake/machine"
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
		target, isLink := strings.CutPrefix(content, "-> ")
		var err error
		if isLink {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree.Tree(root)
}

func TestTheWayDownOfTheIncident(t *testing.T) {
	t.Parallel()
	spec, err := machine.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	at := tree.Tree(m.Root())
	mounts, err := at.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	const controller = "0000:01:00.0"
	nvme := []string{"nvme0n1"}
	for _, want := range []fleet.DiskPath{
		{
			File: "/home/libvirt/images/controller.qcow2", Mount: "/home", Filesystem: "xfs", Mapped: []string{"dm-2 rl-home"},
			Partition: "nvme0n1p2", Disks: nvme, Controller: controller,
		},
		{File: "/homework", Mount: "/", Filesystem: "xfs", Mapped: []string{"dm-0 rl-root"}, Partition: "nvme0n1p2", Disks: nvme, Controller: controller},
		{File: "/boot/vmlinuz", Mount: "/boot", Filesystem: "xfs", Partition: "nvme0n1p1", Disks: nvme, Controller: controller},
		{File: "/dev/mapper/rl-swap", Mapped: []string{"dm-1 rl-swap"}, Partition: "nvme0n1p2", Disks: nvme, Controller: controller},
		{File: "/dev/sda1", Partition: "sda1", Disks: []string{"sda"}, Controller: "0000:00:11.0"},
		{File: "/dev/nvme0n1", Disks: nvme, Controller: controller},
	} {
		if got := at.DiskPath(want.File, mounts); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", want.File, got, want)
		}
	}
	if got := at.VMSwap(2417); got != fleet.Some(uint64(2950<<20)) {
		t.Errorf("qemu has %+v in swap", got)
	}
	if got := at.Argv(2417); len(got) < 3 || got[2] != "guest=compute,debug-threads=on" || at.Comm(2417) != "qemu-kvm" {
		t.Errorf("its command line is %q", got)
	}
	if at.VMSwap(1).OK || at.Argv(99) != nil {
		t.Error("something was told of processes that are not there")
	}
}

func TestOddStacks(t *testing.T) {
	t.Parallel()
	const pci = "sys/devices/pci0000:00/"
	at := plant(t, map[string]string{
		// LUKS on LVM on a RAID of two disks.
		"sys/devices/virtual/block/dm-1/dm/name":           "luks-home\n",
		"sys/devices/virtual/block/dm-1/slaves/dm-0":       "-> ../../dm-0",
		"sys/devices/virtual/block/dm-0/dm/name":           "vg-home\n",
		"sys/devices/virtual/block/dm-0/slaves/md0":        "-> ../../md0",
		"sys/devices/virtual/block/md0/md/level":           "raid1\n",
		"sys/devices/virtual/block/md0/slaves/sda1":        "-> ../../../../pci0000:00/0000:00:1f.2/ata1/block/sda/sda1",
		"sys/devices/virtual/block/md0/slaves/sdb1":        "-> ../../../../pci0000:00/0000:00:1f.3/ata2/block/sdb/sdb1",
		pci + "0000:00:1f.2/ata1/block/sda/sda1/partition": "1\n",
		pci + "0000:00:1f.3/ata2/block/sdb/sdb1/partition": "1\n",
		"sys/dev/block/253:1":                              "-> ../../devices/virtual/block/dm-1",
		"sys/block/dm-1":                                   "-> ../devices/virtual/block/dm-1",
		"sys/block/sda":                                    "-> ../devices/pci0000:00/0000:00:1f.2/ata1/block/sda",
		// An NVMe disk with a subsystem of its own, of btrfs with a number that leads nowhere.
		"sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/size": "1\n",
		"sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0":        "-> ../../../pci0000:00/0000:02:00.0/nvme/nvme0",
		pci + "0000:02:00.0/nvme/nvme0/model":                          "x\n",
		"sys/block/nvme0n1":                                            "-> ../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
		"sys/class/block/nvme0n1":                                      "-> ../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
		"dev/nvme0n1":                                                  "",
		// A loop of links, a swap in memory.
		"sys/devices/virtual/block/dm-8/slaves/dm-9": "-> ../../dm-9", "sys/devices/virtual/block/dm-9/slaves/dm-8": "-> ../../dm-8",
		"sys/class/block/dm-8": "-> ../../devices/virtual/block/dm-8", "sys/class/block/zram0/size": "1\n",
		"proc/self/mountinfo": "30 1 253:1 / / rw - ext4 /dev/mapper/luks-home rw\n31 30 0:50 / /data rw - btrfs /dev/nvme0n1 rw\n32 30 0:60 / /nas rw - nfs4 nas:/export rw\n",
	})
	mounts, err := at.Mounts()
	if err != nil || len(mounts) != 3 {
		t.Fatal(mounts, err)
	}
	for _, want := range []fleet.DiskPath{
		{
			File: "/a/b", Mount: "/", Filesystem: "ext4", Mapped: []string{"dm-1 luks-home", "dm-0 vg-home", "md0 raid1"},
			Partition: "sda1", Disks: []string{"sda", "sdb"}, Controller: "0000:00:1f.2",
		},
		{File: "/data/x", Mount: "/data", Filesystem: "btrfs", Disks: []string{"nvme0n1"}, Controller: "0000:02:00.0"},
		{File: "/nas/x", Mount: "/nas", Filesystem: "nfs4"},
	} {
		if got := at.DiskPath(want.File, mounts); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", want.File, got, want)
		}
	}
	if got := at.Below("dm-8"); len(got.Mapped) != 2 || got.Disks != nil {
		t.Errorf("a loop: %+v", got)
	}
	if got := at.Below("zram0"); got.Disks != nil {
		t.Errorf("memory is no disk: %+v", got)
	}
	if got := at.DiskPath("/x", nil); !reflect.DeepEqual(got, fleet.DiskPath{File: "/x"}) {
		t.Errorf("without mounts: %+v", got)
	}
}

func TestSmallCutsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	at := plant(t, map[string]string{"a": "0123456789", "empty": ""})
	for name, want := range map[string]string{"/a": "0123", "/empty": ""} {
		if got, err := at.Small(name, make([]byte, 4)); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"/none", "/"} {
		if _, err := at.Small(name, make([]byte, 4)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	names, err := plant(t, map[string]string{"b/x": "", "a/x": "", "c": ""}).Folders("/")
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("folders are %q, %v", names, err)
	}
}

func FuzzMountOf(f *testing.F) {
	f.Add([]byte("30 1 253:0 / / rw - xfs /dev/mapper/rl-root rw\n31 30 253:2 / /home rw - xfs /dev/mapper/rl-home rw\n"), "/home/x")
	f.Fuzz(func(t *testing.T, table []byte, file string) {
		m, ok := tree.MountOf(tree.ParseMounts(table), file)
		if ok && m.Point != "/" && !strings.HasPrefix(file, m.Point) {
			t.Errorf("%q is on %q", file, m.Point)
		}
	})
}
