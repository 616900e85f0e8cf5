package libvirt

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"strata/internal/fleet"
)

func capture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The captures are of libvirt 9.0 and QEMU 7.2.
func TestADefinitionAtWork(t *testing.T) {
	t.Parallel()
	d, err := parseDefinition(capture(t, "live.xml"))
	if err != nil {
		t.Fatal(err)
	}
	tune := fleet.DomainTune{TotalBytesSec: fleet.Some(uint64(209715200))}
	want := definition{
		id: fleet.Some(1), vcpus: 1, memory: 64 << 20, nova: "k8s-worker-1", macs: []string{"52:54:00:12:34:56"},
		disks: []fleet.DomainDisk{{
			Target: "vda", File: "/var/lib/libvirt/images/disk.qcow2", Format: "qcow2",
			Backing: []string{"/var/lib/libvirt/images/base.raw"}, Cache: "none", Tune: tune,
		}},
		panics: fleet.Some(false),
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("read %+v, want %+v", d, want)
	}
}

func TestAStoredDefinition(t *testing.T) {
	t.Parallel()
	d, err := parseDefinition(capture(t, "stored.xml"))
	if err != nil || d.id.OK || len(d.disks) != 1 || len(d.disks[0].Backing) != 0 || d.disks[0].Tune.ReadBytesSec != fleet.Some(uint64(1e6)) {
		t.Errorf("read %+v, %v", d, err)
	}
}

// Where a panic of a guest ends: a panic device or a watchdog that does something; one that does nothing is none.
func TestWhoNoticesAPanic(t *testing.T) {
	t.Parallel()
	for devices, want := range map[string]bool{
		"": false, "<panic model='isa'/>": true, "<watchdog model='itco' action='reset'/>": true, "<watchdog model='itco' action='none'/>": false,
	} {
		d, err := parseDefinition("<domain><name>a</name><devices>" + devices + "</devices></domain>")
		if err != nil || d.panics != fleet.Some(want) {
			t.Errorf("%q: %v, %v", devices, d.panics, err)
		}
	}
	sizes := capacities(map[string]string{"block.count": "3", "block.0.name": "vda", "block.0.capacity": "9", "block.1.name": "vda", "block.1.capacity": "7", "block.2.name": "vdb", "block.2.capacity": "x"})
	if sizes["vda"] != fleet.Some(uint64(9)) || sizes["vdb"].OK {
		t.Errorf("sizes: %v", sizes)
	}
}

func TestOddDefinitions(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"": false, "<domain/>": false, "<domain><name>a": false, "<network><name>a</name></network>": false,
		"<domain><name>a</name></domain>":                                               true,
		"<domain><name>a</name><vcpu>many</vcpu><memory unit='EiB'>9</memory></domain>": true,
	} {
		if _, err := parseDefinition(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	d, err := parseDefinition(`<domain><name>a</name><vcpu current='2'>8</vcpu><memory unit='GiB'>2</memory>
		<sysinfo type='smbios'><system><entry name='product'>OpenStack Compute</entry></system></sysinfo><devices>
		<disk device='cdrom'><source file='/x.iso'/><target dev='sda'/></disk>
		<disk type='network' device='disk'><source protocol='rbd' name='vms/1'/><target dev='vda'/></disk>
		<disk type='block' device='lun'><source dev='/dev/vg/a'/><target dev='sdb'/><iotune><read_bytes_sec>0</read_bytes_sec></iotune></disk>
		</devices></domain>`)
	if err != nil || d.vcpus != 2 || d.memory != 2<<30 || d.nova != "a" || len(d.disks) != 2 {
		t.Fatalf("read %+v, %v", d, err)
	}
	if d.disks[0].File != "rbd:vms/1" || d.disks[1].File != "/dev/vg/a" || d.disks[1].Tune.Any() {
		t.Errorf("its disks are %+v", d.disks)
	}
}

func TestStatsAndLists(t *testing.T) {
	t.Parallel()
	stats := parseDomstats(capture(t, "domstats.txt"))
	if len(stats) != 2 || stats["plain vm"]["state.state"] != "5" || stats["instance-0000001c"]["block.0.rd.bytes"] != "512" {
		t.Errorf("read %v", stats)
	}
	list := parseList(capture(t, "list.txt"))
	if len(list) != 2 || list[1].Name != "plain vm" || list[1].UUID != "6c59b813-2d8d-4da5-92d6-6bbe527926d6" {
		t.Errorf("read %+v", list)
	}
	if odd := parseDomstats("  a=1\nDomain: 'it's a 'vm''\n  k=a=b\n"); odd["it's a 'vm'"]["k"] != "a=b" || len(odd) != 1 {
		t.Errorf("read %v", odd)
	}
	if words := parseBlockErrors("vda: no space\nvdb: unspecified error\n"); words["vda"] != "no space" || words["vdb"] != "unspecified error" {
		t.Errorf("read %v", words)
	}
	if words := parseBlockErrors("No errors found\n"); len(words) != 0 {
		t.Errorf("read %v", words)
	}
}

func TestWordsOfStates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state, reason int
		want          string
	}{{1, 1, "running booted"}, {3, 5, "paused I/O error"}, {5, 3, "shut off crashed"}, {5, 99, "shut off number 99"}, {42, 0, "number 42 unknown"}} {
		if got := stateWord(c.state) + " " + reasonWord(c.state, c.reason); got != c.want {
			t.Errorf("%d/%d is %q, want %q", c.state, c.reason, got, c.want)
		}
	}
}

func TestWhatProcTells(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`0::/machine.slice/machine-qemu\x2d1\x2da.scope/libvirt/emulator`:                    `machine-qemu\x2d1\x2da.scope`,
		"9:name=systemd:/machine.slice/m.scope\n8:pids:/system.slice/x.service\n0::/unified": "m.scope",
		"8:pids:/system.slice/x.service\n0::/":                                               "",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope":                 "a.scope",
		"":    "",
		"0::": "",
	} {
		if got := unitOf(text); got != want {
			t.Errorf("%q is of unit %q, want %q", text, got, want)
		}
	}
	stat := "29 (qemu) -x) (y) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 4 0 12345 0"
	if got := startOf(stat, "cpu 1\nbtime 1000\n"); !got.Equal(time.Unix(1123, 0)) {
		t.Errorf("it started at %v", got)
	}
	if !startOf("29 (a) S 1", "btime 5\n").IsZero() || !startOf(stat, "").IsZero() {
		t.Error("a start that is not told was made up")
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add(capture(f, "live.xml"))
	f.Add(capture(f, "stored.xml"))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDefinition(text)
		if err != nil && !reflect.DeepEqual(d, definition{}) {
			t.Errorf("an error, and %+v", d)
		}
		for _, disk := range d.disks {
			if disk.Target == "" || len(disk.Backing) > deepest {
				t.Errorf("a disk %+v", disk)
			}
		}
	})
}

func FuzzVirsh(f *testing.F) {
	f.Add(capture(f, "domstats.txt"))
	f.Add(capture(f, "list.txt"))
	f.Add("vda: no space\n")
	f.Fuzz(func(t *testing.T, text string) {
		parseDomstats(text)
		parseBlockErrors(text)
		for _, d := range parseList(text) {
			if len(d.UUID) != 36 || d.Name == "" {
				t.Errorf("a domain %+v", d)
			}
		}
	})
}

func FuzzProc(f *testing.F) {
	f.Add("0::/machine.slice/m.scope/libvirt/emulator", "29 (qemu) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 4 0 12345 0")
	f.Fuzz(func(t *testing.T, cgroup, stat string) {
		unitOf(cgroup)
		startOf(stat, stat)
	})
}
