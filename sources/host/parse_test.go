package host

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each report is what smartctl 7.3 printed in the situation that its name tells.
func TestParseSmart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		file     string
		code     int
		passed   fleet.Opt[bool]
		warning  fleet.Opt[int]
		celsius  fleet.Opt[float64]
		told     bool // anything of health
		tallies  int
		troubles string
	}{
		{"nvme0", 0, fleet.Some(true), fleet.Some(0), fleet.Some(50.0), true, 5, ""},
		{"nvme0-crit2", 8, fleet.Some(false), fleet.Some(2), fleet.Some(50.0), true, 5, ""},
		{"nvme0-crit8", 8, fleet.Some(false), fleet.Some(8), fleet.Some(50.0), true, 5, ""},
		{"nvmet-errors", 0, fleet.Some(true), fleet.Some(0), fleet.Opt[float64]{}, true, 3, ""},
		{"nvme-denied", 2, fleet.Opt[bool]{}, fleet.Opt[int]{}, fleet.Opt[float64]{}, false, 0, "Smartctl open device: /dev/nvme0 failed: Permission denied"},
		{"nvme-no-sysadmin", 2, fleet.Opt[bool]{}, fleet.Opt[int]{}, fleet.Opt[float64]{}, false, 0, "Read NVMe Identify Controller failed: NVME_IOCTL_ADMIN_CMD: Permission denied"},
		{"sda", 0, fleet.Some(true), fleet.Opt[int]{}, fleet.Some(31.0), true, 1, ""},
		{"sda-no-rawio", 0, fleet.Opt[bool]{}, fleet.Opt[int]{}, fleet.Opt[float64]{}, false, 0, ""},
		{"sda-no-rawio-dsat", 2, fleet.Opt[bool]{}, fleet.Opt[int]{}, fleet.Opt[float64]{}, false, 0, "smartctl could not open or identify the disk"},
		{"scsidebug", 4, fleet.Some(true), fleet.Opt[int]{}, fleet.Some(38.0), true, 0, "a SMART command failed, or a checksum was wrong"},
		{"scsidebug-fail", 8, fleet.Some(false), fleet.Opt[int]{}, fleet.Some(38.0), true, 0, ""},
		{"vda", 1, fleet.Opt[bool]{}, fleet.Opt[int]{}, fleet.Opt[float64]{}, false, 0, "/dev/vda: Unable to detect device type"},
	} {
		r, err := parseSmart(fixture(t, "smartctl/smartctl-a-"+c.file+".json"), c.code, now)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if got := strings.Join(r.troubles, "; "); got != c.troubles || len(r.tallies) != c.tallies || (r.smart != nil) != c.told {
			t.Errorf("%s: %d counters, told %v, troubles %q; want %d, %v, %q", c.file, len(r.tallies), r.smart != nil, got, c.tallies, c.told, c.troubles)
		}
		if r.smart == nil {
			continue
		}
		if s := r.smart; s.Passed != c.passed || s.Warning != c.warning || s.Celsius != c.celsius || s.SparePct.OK || s.At != now {
			t.Errorf("%s: %+v, want passed %v, warning %v, celsius %v", c.file, s, c.passed, c.warning, c.celsius)
		}
	}
}

func TestParseSmartToleratesOddFields(t *testing.T) {
	t.Parallel()
	r, err := parseSmart([]byte(`{"smart_status":{"passed":"who knows"},"power_cycle_count":{"x":1},"power_on_time":{"hours":7},
		"nvme_smart_health_information_log":{"media_errors":18446744073709551615,"num_err_log_entries":36893488147419103232,"unsafe_shutdowns":"12"}}`), 0, time.Time{})
	want := []tally{{"media_errors", 1<<64 - 1}, {"unsafe_shutdowns", 12}}
	if err != nil || r.smart.Passed.OK || r.smart.Cycles.OK || r.smart.Hours.V != 7 || !slices.Equal(r.tallies, want) {
		t.Errorf("got %+v %+v, %v", r, r.smart, err)
	}
	if _, err := parseSmart([]byte("smartctl: command line error"), 1, time.Time{}); err == nil {
		t.Error("text that is no JSON was taken")
	}
	// Asleep, as -n standby,3 asks for; but a whole report may also end with bits 0 and 1.
	r, err = parseSmart([]byte(`{"smartctl":{"exit_status":3}}`), 3, time.Time{})
	if err != nil || !r.asleep {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRawValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id     int
		value  scalar
		text   string
		want   uint64
		wantOK bool
	}{
		{5, "196616", "8 (0 3)", 8, true},
		{197, "16", "16", 16, true},
		{188, "4295032833", "1 1 1", 1, true},
		{188, "65536", "0 1 0", 0, true},
		{198, "12", "", 12, true},
		{199, "0x1", "?", 0, false},
	} {
		var a ataAttribute
		a.Raw.Value, a.Raw.String = c.value, c.text
		if v, ok := a.count(c.id); v != c.want || ok != c.wantOK {
			t.Errorf("attribute %d, raw %s %q: %d %v, want %d %v", c.id, c.value, c.text, v, ok, c.want, c.wantOK)
		}
	}
}

func TestThermalLines(t *testing.T) {
	t.Parallel()
	got := thermalLines([]string{"SMART/Health Information (NVMe Log 0x02, NSID 0xffffffff)", "Thermal Temp. 2 Transition Count:   7"})
	if got["thermal_temp2_transitions"] != 7 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if got := thermalLines([]string{"Thermal Temp. 2 Transition Count:   7"}); got != nil {
		t.Errorf("a text without the health log: %v", got)
	}
}

func TestParseScan(t *testing.T) {
	t.Parallel()
	types, err := parseScan(fixture(t, "smartctl/smartctl-scan-open.json"))
	if err != nil || types["/dev/sda"] != "sat" || types["/dev/nvme0"] != "nvme" {
		t.Errorf("got %v, %v", types, err)
	}
}

func TestDiskstats(t *testing.T) {
	t.Parallel()
	all := parseDiskstats(fixture(t, "diskstats.txt"))
	want := ioCounts{reads: 227, readSectors: 8653, readMS: 561, writes: 197451, writeSectors: 102603584, writeMS: 95630, busyMS: 94596, queueMS: 96380}
	if all["nvme0n1"] != want || len(all) != 16 {
		t.Errorf("got %+v of %d", all["nvme0n1"], len(all))
	}
	before := want
	before.writes, before.writeMS, before.busyMS, before.queueMS, before.writeSectors = want.writes-10, want.writeMS-25, want.busyMS-500, want.queueMS-2540, want.writeSectors-2048
	io := want.since(before, time.Second)
	if io.WritesSec.V != 10 || io.WriteBytesSec.V != 1<<20 || io.Await.V != 2500*time.Microsecond || io.Util.V != 0.5 || io.Queue.V != 2.5 || io.ReadsSec != fleet.Some(0.0) {
		t.Errorf("got %+v", io)
	}
	wrapped := want
	wrapped.writeMS = 5 // 32 bits wide
	if io := wrapped.since(before, time.Second); io.Await.OK || !io.WritesSec.OK || !io.Util.OK {
		t.Errorf("after a wrap of the time: %+v", io)
	}
	if io := before.since(want, time.Second); io.WritesSec.OK || io.Util.OK || io.Await.OK || io.ReadsSec != fleet.Some(0.0) {
		t.Errorf("after a reset: %+v", io)
	}
	if io := want.since(before, 0); io != (fleet.DiskIO{Await: io.Await}) {
		t.Errorf("in no time: %+v", io)
	}
}

func TestStallAndVmstat(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(string(fixture(t, "pressure.txt")), "\n")
	got, err := parseStall([]byte(lines[2] + lines[3]))
	if err != nil || got != (fleet.Stall{Some10: 0.18, Some60: 1.63, Full10: 0.08, Full60: 1.19}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = parseStall([]byte(lines[0])); err != nil || got.Some10 != 11.46 || got.Full10 != 0 {
		t.Errorf("a CPU without a full line: %+v, %v", got, err)
	}
	if _, err = parseStall(nil); err == nil {
		t.Error("an empty file is no calm")
	}
	if pages, ok := parseVmstat(fixture(t, "vmstat.txt")); !ok || pages != (swapPages{317581, 464453, 3922}) {
		t.Errorf("got %+v, %v", pages, ok)
	}
	if _, ok := parseVmstat([]byte("pswpin 1\n")); ok {
		t.Error("half of it is not there")
	}
}

func TestReadingAndLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]fleet.Opt[float64]{
		"42000\n": fleet.Some(42.0), "-5000": fleet.Some(-5.0), "0": fleet.Some(0.0), "-273150": {}, "": {}, "N/A": {}, "255000": {},
	} {
		if got, why := reading(text); got != want || (why == "") != want.OK {
			t.Errorf("reading(%q) = %v, %q; want %v", text, got, why, want)
		}
	}
	for text, want := range map[string]fleet.Opt[float64]{"84000": fleet.Some(84.0), "0": {}, "-273150": {}, "65261850": {}, "150000": fleet.Some(150.0), "": {}} {
		if got := limit(text); got != want {
			t.Errorf("limit(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestRealMounts(t *testing.T) {
	t.Parallel()
	table := `22 1 0:21 / /proc rw - proc proc rw
30 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/rl-root rw,attr2
31 30 253:0 /var/lib/kubelet/x /var/lib/kubelet/pods/1/volume-subpaths/x rw - xfs /dev/mapper/rl-root rw
32 30 259:1 / /boot rw - xfs /dev/nvme0n1p1 rw
33 30 0:44 / /var/lib/containers/merged rw - overlay overlay rw
34 30 0:50 / /data rw - btrfs /dev/sdb rw,subvol=/data
35 30 0:50 /home /home rw - btrfs /dev/sdb rw,subvol=/home
36 30 0:60 / /mnt/with\040space ro - nfs4 nas:/export rw
odd line
37 30 8:1 / /old rw - ext4 /dev/sda1 rw
38 37 8:17 / /old rw - ext4 /dev/sdb1 ro
`
	var got []string
	for _, m := range realMounts(tree.ParseMounts([]byte(table))) {
		word := m.Point + "=" + m.Device
		if m.ReadOnly {
			word += " ro"
		}
		got = append(got, word)
	}
	want := []string{"/=/dev/mapper/rl-root", "/boot=/dev/nvme0n1p1", "/data=/dev/sdb", "/mnt/with space=nas:/export ro", "/old=/dev/sdb1 ro"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestHypervisor(t *testing.T) {
	t.Parallel()
	guest, metal := "processor : 0\nflags : fpu hypervisor lm\n", "processor : 0\nflags : fpu vmx lm\n"
	for _, c := range []struct{ vendor, product, xen, cpuinfo, want string }{
		{"OpenStack Foundation", "OpenStack Nova", "", guest, "kvm"},
		{"Red Hat", "KVM", "", guest, "kvm"},
		{"VMware, Inc.", "VMware Virtual Platform", "", guest, "vmware"},
		{"Microsoft Corporation", "Virtual Machine", "", guest, "hyperv"},
		{"Microsoft Corporation", "Surface Laptop", "", metal, ""},
		{"Amazon EC2", "m5.metal", "", metal, ""},
		{"Xen", "HVM domU", "xen", guest, "xen"},
		{"", "", "", guest, "unknown hypervisor"},
		{"QEMU", "QEMU Virtual Machine", "", "processor : 0\nFeatures : fp\n", "kvm"},
	} {
		if got := hypervisor(c.vendor, c.product, c.xen, c.cpuinfo); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.vendor, c.product, got, c.want)
		}
	}
}

// The incident's drive, as smartctl 7.2 prints it, and entries as 7.4 does.
func TestNVMeErrorLog(t *testing.T) {
	t.Parallel()
	text := []string{
		"Error Information Log Entries: 2,787", "Error Information (NVMe Log 0x01, 16 of 64 entries)", "Num   ErrCount  SQId   CmdId  Status  PELoc          LBA  NSID    VS",
		"  0       2787     0  0x0010  0x4004      -            0     0     -", "  1       2786     3  0x0010  0xc502  0x000         4096     1     -  Unrecovered Read Error", "",
		"  2       2785     0  0x0010  0x4004      -            0     0     -",
	}
	want := []fleet.NVMeError{{Count: 2787, Status: 0x2002}, {Count: 2786, Queue: 3, Status: 0x6281}}
	if got := nvmeErrors(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := nvmeErrors([]string{"Num ErrCount SQId CmdId Status", "x y z a b", "0 1 2 3 0x99999"}); got != nil {
		t.Errorf("got %+v of nothing", got)
	}
	r, err := parseSmart(fixture(t, "smartctl/smartctl-a-sda.json"), 0, time.Now())
	if err != nil || r.smart.Test == nil || r.smart.Test.Kind != "" || r.smart.ATA == nil || len(r.smart.ATA.Failing) > 0 {
		t.Errorf("got %+v, %v", r.smart, err)
	}
}

func TestSelfTestsAndAttributes(t *testing.T) {
	t.Parallel()
	r, err := parseSmart([]byte(`{"device":{"protocol":"ATA"},"smart_status":{"passed":true},"ata_smart_attributes":{"table":[
		{"id":5,"name":"Reallocated_Sector_Ct","when_failed":"now","flags":{"prefailure":true},"raw":{"value":9,"string":"9"}},
		{"id":4,"name":"Start_Stop_Count","when_failed":"now","flags":{"prefailure":false},"raw":{"value":9,"string":"9"}},
		{"id":190,"name":"Airflow_Temperature_Cel","when_failed":"now","flags":{"prefailure":false},"raw":{"value":61,"string":"61"}},
		{"id":194,"name":"Temperature_Celsius","when_failed":"now","flags":{"prefailure":false},"raw":{"value":61,"string":"61"}},
		{"id":3,"name":"Spin_Up_Time","when_failed":"past","flags":{"prefailure":true},"raw":{"value":9,"string":"9"}},
		{"id":193,"name":"Load_Cycle_Count","when_failed":"","flags":{"prefailure":false},"raw":{"value":132862,"string":"132862"}}]},
		"ata_smart_self_test_log":{"standard":{"count":1,"table":[{"type":{"value":2,"string":"Extended offline"},"status":{"value":121,"string":"Completed: read failure","passed":false},"lifetime_hours":890}]}}}`), 0, time.Now())
	want := &fleet.SelfTest{Kind: "Extended offline", Says: "Completed: read failure", Passed: fleet.Some(false), Hours: fleet.Some(890)}
	if err != nil || !reflect.DeepEqual(r.smart.Test, want) {
		t.Errorf("got %+v, %v", r.smart.Test, err)
	}
	ata := &fleet.SmartATA{Failing: []string{"Reallocated_Sector_Ct"}, Worn: []string{"Start_Stop_Count"}, LoadCycles: fleet.Some(132862)}
	if !reflect.DeepEqual(r.smart.ATA, ata) {
		t.Errorf("got %+v", r.smart.ATA)
	}
}

func TestCommitted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]fleet.Opt[int]{
		"MemTotal: 9 kB\nCommitLimit:    1000 kB\nCommitted_AS:    979 kB\n": fleet.Some(95), "CommitLimit: 1000 kB\nCommitted_AS: 1200 kB\n": fleet.Some(120), "CommitLimit: x kB\n": {}, "": {},
	} {
		if got := committed(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
