package diagnose_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// TestStepByStepIsFromScratch changes random worlds at random and lets world.step compare the two ways to judge them.
func TestStepByStepIsFromScratch(t *testing.T) {
	t.Parallel()
	worlds, steps := 48, 60
	if testing.Short() {
		worlds = 8
	}
	seen := map[string]bool{}
	for seed := range worlds {
		r := random{rand.New(rand.NewPCG(uint64(seed), 1)), seed % 3}
		w := newWorld(diagnose.Derive(diagnose.Rules()))
		w.now = time.Date(2025, 6, 30, 23, 40, 0, 0, time.UTC)
		for range steps {
			w.now = w.now.Add(time.Duration(r.IntN(200)) * time.Second / 2)
			for range r.IntN(8) {
				r.change(w)
			}
			w.step(t)
			for i := range w.last.Findings {
				seen[w.last.Findings[i].Rule] = true
			}
			if t.Failed() {
				t.Fatalf("world %d", seed)
			}
		}
	}
	for _, rule := range diagnose.Rules() {
		if !seen[rule.ID] && !testing.Short() {
			t.Errorf("no world ever had %s: the test says nothing about it", rule.ID)
		}
	}
}

// random makes objects: of all kinds, or mostly of those of the cloud or of those of the machines, so that what must come
// together does.
type random struct {
	*rand.Rand
	mostly int
}

// silence makes all services of a cloud fall silent at once, or those only that need the message queue for that.
func (r random) silence(w *world) {
	at, all := r.ago(w, time.Hour), r.yes()
	for ref, o := range w.objects {
		if c, ok := o.(*fleet.ComputeService); ok && c.Source == "openstack/a" {
			silent := *c
			if silent.State, silent.Updated = "down", at; !all && c.Binary != "nova-compute" {
				silent.State = "up"
			}
			w.objects[ref] = &silent
		}
	}
}

// kind picks what object makes.
func (r random) kind() int {
	cloud, machines := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 14, 15, 16, 17, 19, 22, 25}, []int{0, 2, 10, 10, 11, 11, 11, 12, 13, 17, 18, 20, 21, 23, 24, 24}
	switch r.mostly {
	case 1:
		return cloud[r.IntN(len(cloud))]
	case 2:
		return machines[r.IntN(len(machines))]
	}
	return r.IntN(26)
}

func (r random) one(words ...string) string { return words[r.IntN(len(words))] }
func (r random) yes() bool                  { return r.IntN(2) == 0 }

func (r random) ago(w *world, most time.Duration) time.Time {
	if r.IntN(6) == 0 {
		return time.Time{}
	}
	return w.now.Add(10*time.Second - time.Duration(r.Int64N(int64(most)))).Truncate(time.Second)
}

func (r random) maybe(v float64) fleet.Opt[float64] {
	if r.IntN(5) == 0 {
		return fleet.Opt[float64]{}
	}
	return fleet.Some(v)
}

// change puts, replaces or removes one object, or makes looking fail or work.
func (r random) change(w *world) {
	if r.IntN(10) == 0 {
		kind := fleet.Kind(r.one("lease", "lease", "pod", "node", "server", "sensor", "kernel", "kernellog", "boot", "flavor", "app", "event", "workload"))
		source := r.one("kube/p", "openstack/a", "host/h1")
		switch r.IntN(6) {
		case 0:
			w.failing[kind] = "connection refused"
		case 1:
			w.partly[kind] = "one row is odd"
		case 2:
			w.dead[source] = "panic"
		default:
			delete(w.failing, kind)
			delete(w.partly, kind)
			delete(w.dead, source)
		}
		return
	}
	if r.IntN(60) == 0 {
		r.silence(w)
		return
	}
	o := r.object(w)
	if r.IntN(6) == 0 {
		delete(w.objects, o.Ref())
		return
	}
	w.objects[o.Ref()] = o
}

func uuid(n int) string { return fmt.Sprintf("6c59b8%02x-2d8d-4da5-92d6-6bbe527926%02x", n, n) }

func (r random) object(w *world) fleet.Object {
	switch r.kind() {
	case 0, 1:
		return r.server(w)
	case 2, 22:
		return &fleet.Hypervisor{
			Source: "openstack/" + r.one("a", "a", "b"), Hostname: r.one("h1", "h2.lan"), ServiceHost: r.one("h1", "h2", ""),
			State: r.one("up", "down", "up", ""), Status: r.one("enabled", "disabled"), Uptime: r.one("", " 10:00:00 up 5 min,  0 users", " up 1 day, 2:03, load"),
		}
	case 3, 15:
		return &fleet.ComputeService{
			Source: "openstack/" + r.one("a", "b"), Binary: r.one("nova-compute", "nova-compute", "nova-scheduler"), Host: r.one("h1", "h2", "h3"),
			State: r.one("up", "down", ""), Status: r.one("enabled", "disabled"), DisabledReason: r.one("", "AUTO: no libvirt"), ForcedDown: r.IntN(9) == 0, Updated: r.ago(w, time.Hour),
		}
	case 4, 5:
		return r.node(w)
	case 6:
		return &fleet.Lease{Source: "kube/" + r.one("p", "q"), Node: r.one("w1.novalocal", "w2", "w3"), Renewed: r.ago(w, 2*time.Minute), Duration: 40 * time.Second, Seen: r.ago(w, time.Minute), Watched: r.IntN(3) > 0}
	case 7, 8:
		return r.pod(w)
	case 25:
		return r.job(w)
	case 9:
		if r.yes() {
			return &fleet.Claim{Source: "kube/p", Namespace: "d", Name: r.one("c1", "c2"), Phase: r.one("Bound", "Pending", "Lost", ""), Volume: r.one("v1", "v2", ""), Class: r.one("fast", ""), Provisioner: r.one("csi", ""), Created: r.ago(w, time.Hour)}
		}
		return &fleet.Volume{Source: "kube/p", Name: r.one("v1", "v2"), Phase: r.one("Bound", "Failed", ""), Backing: r.one("hostPath", "csi", ""), Claim: r.one("d/c1", ""), Pinned: r.IntN(3) == 0}
	case 10:
		return r.host(w)
	case 11:
		if r.IntN(3) == 0 {
			return r.unit(w)
		}
		return r.domain(w)
	case 12, 13, 18, 20, 21:
		return r.kernel(w)
	case 16:
		return r.check(w)
	case 17:
		return r.bootRecord(w)
	case 14:
		if r.yes() {
			return r.app(w)
		}
		return r.event(w)
	case 19:
		if r.yes() {
			return r.ailing(w)
		}
		f := r.flavor()
		f.Source, f.ID = "openstack/"+r.one("a", "a", "b"), r.one("f1", "f2")
		return &f
	}
	return r.part(w)
}

// flavor is one, or a server's copy of it.
func (r random) flavor() fleet.Flavor {
	f := fleet.Flavor{Name: r.one("small", "large")}
	if r.IntN(4) > 0 {
		f.Extra = map[string]string{r.one("hw:disk_bus", "quota:disk_total_iops_sec", "hw:numa_mem.0"): r.one("1", "2")}
	}
	return f
}

// ailing is a server with a long history: stops by nova at night, each followed by a start, or resizes.
func (r random) ailing(w *world) fleet.Object {
	v := r.server(w).(*fleet.Server)
	v.Actions = []fleet.ServerAction{}
	act := func(action, user string, at time.Time) {
		v.Actions = append(v.Actions, fleet.ServerAction{Action: action, User: user, Project: r.one("", "p"), Request: "req-1", Start: at.Truncate(time.Second)})
	}
	at, resizes := w.now, r.yes()
	for range 1 + r.IntN(14) {
		switch {
		case resizes:
			at = at.Add(-time.Duration(r.IntN(80)) * time.Minute)
			act(r.one("resize", "resize", "resize", "confirmResize"), "u1", at)
			continue
		case r.yes():
			at = at.Add(-24 * time.Hour)
		default:
			at = at.Add(-time.Duration(r.IntN(5)) * time.Hour)
		}
		act(r.one("start", "start", "reboot"), "u1", at.Add(time.Duration(r.IntN(4))*time.Minute))
		user := r.one("", "", "", "u1")
		v.Actions = append(v.Actions, fleet.ServerAction{Action: "stop", User: user, Start: at.Truncate(time.Second)})
		if r.IntN(3) == 0 {
			act("start", "u1", at.Add(-time.Duration(r.IntN(8))*time.Minute))
		}
	}
	return v
}

func (r random) check(w *world) fleet.Object {
	return &fleet.Check{
		Source: "checks/h1", Host: "h1", State: r.one("up", "down", "down", ""), Fails: r.IntN(4), Flaps: r.IntN(4), Wrong: "refused", Since: r.ago(w, time.Hour),
		Endpoint: fleet.Endpoint{Name: r.one("shop", "db"), Type: "tcp", Address: r.one("10.0.0.1:80", "h2:80"), On: r.one("", "w1.novalocal", "h1")},
	}
}

func (r random) domain(w *world) fleet.Object {
	host := r.one("h1", "h2")
	d := &fleet.Domain{
		Source: "libvirt/" + host, Host: host, Name: r.one("h1", "h2", "instance-1", "instance-2"), UUID: uuid(r.IntN(2) + r.IntN(3)),
		State: r.one("running", "running", "paused", "shut off", "crashed", "no state"), Reason: r.one("I/O error", "crashed", "booted"), Compute: fleet.DomainSize{Memory: uint64(r.IntN(90) << 20), Balloon: fleet.Opt[uint64]{V: uint64(r.IntN(90) << 20), OK: r.yes()}},
		Set:     fleet.DomainSet{PanicSeen: fleet.Opt[bool]{V: r.yes(), OK: r.yes()}},
		Process: fleet.DomainRun{PID: r.IntN(4), Unit: r.one("", "m.scope"), ID: fleet.Opt[int]{V: 1, OK: r.yes()}, Started: r.ago(w, 3*time.Hour), Swapped: fleet.Opt[uint64]{V: uint64(r.IntN(9 << 20)), OK: r.yes()}},
	}
	if r.yes() {
		d.Log = &fleet.QemuLog{Started: r.ago(w, time.Hour), Stopped: r.ago(w, time.Hour), NoData: r.one("", "", "denied"), Unclean: r.IntN(3) == 0, Reason: r.one("", "crashed", "shutdown", "destroyed")}
		for range r.IntN(3) {
			d.Log.Lines = append(d.Log.Lines, fleet.QemuLine{At: r.ago(w, 30*time.Hour), Class: r.one("stop", "signal", "repair", "corrupt", "kvm"), Text: r.one("x", "terminating on signal 15 from pid 9 (kill)"), Count: 1 + r.IntN(2)})
		}
	}
	for range r.IntN(3) {
		d.Disks = append(d.Disks, fleet.DomainDisk{
			Target: "vda", Path: fleet.DiskPath{Mount: r.one("", "/", "/var"), Disks: []string{r.one("sda", "nvme0n1")}}, Capacity: fleet.Some(uint64(r.IntN(2000))),
			Cache: r.one("", "none", "unsafe"), Error: r.one("", "", "no space"), Tune: fleet.DomainTune{TotalSec: fleet.Opt[uint64]{V: 9, OK: r.IntN(4) > 0}},
		})
	}
	return d
}

func (r random) unit(w *world) fleet.Object {
	host := r.one("h1", "h2")
	u := &fleet.Unit{Source: "host/" + host, Host: host, Name: r.one("m.scope", "n.scope"), Domain: r.one("", "instance-1")}
	u.IO = []fleet.UnitIO{{Disk: r.one("sda", "nvme0n1"), WriteBytesSec: fleet.Some(float64(r.IntN(9 << 20)))}}
	if r.yes() {
		u.Lost = []fleet.LostLimit{{Disk: "sda", Limit: fleet.IOLimit{ReadsSec: fleet.Some(uint64(50))}, Unit: "l.scope", At: r.ago(w, time.Hour)}}
	}
	return u
}

func (r random) image() *fleet.KernelImage {
	if r.IntN(4) == 0 {
		return nil
	}
	return &fleet.KernelImage{Release: "6.1", Image: "/boot/vmlinuz-6.1", Initramfs: r.one("", "/boot/initrd.img-6.1"), Bytes: fleet.Some(uint64(r.IntN(2))), Others: r.IntN(4) > 0}
}

// bootRecord is a boot that is over, or the one a host is in.
func (r random) bootRecord(w *world) fleet.Object {
	host, n := r.one("h1", "h2"), 1+r.IntN(2)
	return &fleet.BootRecord{Source: "host/" + host, Host: host, ID: boot(n), Begin: r.ago(w, 48*time.Hour), End: r.ago(w, time.Hour), Current: n == 2, Ended: r.one("", fleet.BootCut, fleet.BootCut, fleet.BootShutDown)}
}

// boot is the id of a boot as the journal writes it.
func boot(n int) string { return fmt.Sprintf("6c59b8002d8d4da592d66bbe5279260%d", n) }

// kernelWords are classes, subjects and causes of what kernels write.
func kernelWords() []string {
	return []string{
		"oom|qemu[1]|", "oom|qemu[2]|", "oom|x[3]|", "hung-task|x[1]|kvm_async_pf_task_wait", "hung-task|x[1]|jbd2_x", "hung-task|x[2]|", "hung-task|x[2]|", "io-error|sda1|", "io-error|scsi 0:0:0:0|", "nvme|nvme0|", "ext4|sda|", "hung-task|x[3]|",
		"remount-ro|sda|", "thermal|Core|", "thermal|Core|", "thermal|Core|", "panic|dnf[3]|async #PF", "panic|x[1]|Unable to mount root fs", "panic||", "boot|6.0|", "boot|6.1|", "lockup|CPU 1|", "oops||", "ata|ata1|", "mce||",
		"edac|MC0|", "aer|p|", "aer|p|", "link|eno1|down", "link|eno1|down", "md|md0|",
	}
}

// kernel is what a kernel wrote, or the span that was read of it.
func (r random) kernel(w *world) fleet.Object {
	host := r.one("h1", "h2")
	if r.IntN(3) == 0 {
		l := &fleet.KernelLog{Source: "host/" + host, Host: host, Reader: r.one("journalctl", "journalctl", ""), From: r.ago(w, 48*time.Hour)}
		if r.yes() {
			l.Boots = []fleet.Boot{{ID: boot(1)}, {ID: boot(2), First: r.ago(w, time.Hour)}}
		}
		return l
	}
	what := strings.Split(r.one(kernelWords()...), "|")
	e := &fleet.KernelEvent{
		Source: "host/" + host, Host: host, Name: fmt.Sprint("e", r.IntN(20)), Boot: boot(1 + r.IntN(2)), At: r.ago(w, time.Hour), Severity: fleet.Severity(1 + r.IntN(4)),
		Class: what[0], Subject: what[1], Cause: what[2], Line: "x", Count: 1 + r.IntN(60), Mono: float64(r.IntN(200)), Disk: r.one("", "", "sda"),
		CGroup: r.one("", "", `/machine.slice/machine-qemu\x2d1\x2dinstance\x2d1.scope/libvirt/emulator`),
	}
	e.Last = e.At.Add(time.Duration(r.IntN(10)) * time.Second)
	return e
}

func (r random) server(w *world) fleet.Object {
	n := r.IntN(4)
	v := &fleet.Server{
		Source: "openstack/" + r.one("a", "a", "b"), ID: uuid(n), Name: r.one("w1", "w2", fmt.Sprint("w", n)),
		Run: fleet.ServerRun{
			Status: r.one("ACTIVE", "SHUTOFF", "SHUTOFF", "SHUTOFF", "ERROR", ""), VMState: r.one("active", "stopped", ""),
			TaskState: r.one("", "", "", "powering-on"), HostStatus: r.one("UP", "UNKNOWN", ""), Power: fleet.Some(fleet.PowerState(r.IntN(8))),
		},
		Place:     fleet.Place{Host: r.one("h1", "h2", ""), Hypervisor: r.one("h1", "h2.lan", ""), InstanceName: r.one("", "instance-1", "instance-2")},
		Times:     fleet.ServerTimes{Updated: r.ago(w, time.Hour)},
		Addresses: []fleet.Address{{IP: r.one("10.0.0.1", "10.0.0.2", "10.0.0.3")}},
		Flavor:    r.flavor(),
	}
	if r.yes() {
		v.Fault = &fleet.Fault{Code: 500, Message: "No valid host", Created: r.ago(w, time.Hour)}
	}
	if r.IntN(4) > 0 {
		v.Actions = []fleet.ServerAction{}
		at := w.now
		if r.yes() {
			at = rebootAt(w).Add(time.Duration(r.IntN(60)) * time.Minute)
		}
		for range r.IntN(6) {
			at = at.Add(-time.Duration(r.IntN(3000)) * time.Second)
			a := fleet.ServerAction{Action: r.one("stop", "stop", "start"), User: r.one("", "", "u1"), Project: r.one("", "", "", "p"), Request: r.one("req-1", "req-2"), Start: at.Truncate(time.Second)}
			if r.IntN(4) == 0 {
				a.Events = []fleet.ActionEvent{{Event: "compute_stop_instance", Start: a.Start.Add(time.Duration(r.IntN(9)) * time.Second)}}
			}
			v.Actions = append(v.Actions, a)
		}
		if r.IntN(8) == 0 { // the same hour, day after day
			for range 10 {
				at = at.Add(-24 * time.Hour)
				v.Actions = append(v.Actions, fleet.ServerAction{Action: "stop", Request: "req-3", Start: at.Truncate(time.Second)})
			}
		}
	}
	return v
}

// rebootAt is when machines of a world tend to boot, so that stops meet boots.
func rebootAt(w *world) time.Time { return w.now.Truncate(30 * time.Minute).Add(-time.Minute) }

func (r random) host(w *world) fleet.Object {
	name, swap := r.one("h1", "h2"), uint64(min(r.IntN(4), 1))*100
	h := &fleet.Host{
		Source: "host/" + name, Name: name, Boot: r.ago(w, time.Hour), BootID: r.one("", "6c59b800-2d8d-4da5-92d6-6bbe52792602"),
		Identity: fleet.HostID{SystemUUID: r.one("", uuid(r.IntN(2)), uuid(r.IntN(2))), Newest: r.image(), Virtual: r.one("", "kvm"), Kernel: r.one("6.0", "6.1")},
		Memory: fleet.Memory{
			Total: 100 << 20, Available: fleet.Some(uint64(r.IntN(20) << 20)), MajorFaultsSec: r.maybe(float64(r.IntN(1300))),
			Overcommit: fleet.Opt[int]{V: r.IntN(3), OK: r.yes()}, Committed: fleet.Opt[int]{V: 80 + r.IntN(20), OK: r.yes()},
		},
		Busy: r.maybe(float64(r.IntN(5)) / 10), Steal: r.maybe(float64(r.IntN(2))),
		Swap: fleet.Swap{Total: swap, Used: uint64(r.IntN(101)) * swap / 100, InBytesSec: r.maybe(float64(r.IntN(9 << 20))), OutBytesSec: r.maybe(float64(r.IntN(9 << 20)))},
	}
	if r.yes() {
		h.Memory.Saving = fleet.Saving{Merging: fleet.Some(r.yes()), Profit: fleet.Opt[int64]{V: int64(r.IntN(3)-1) << 25, OK: true}, Zswap: fleet.Some(r.yes()), Stored: fleet.Some(uint64(r.IntN(4)) << 27)}
	}
	if r.yes() {
		h.Waits = &fleet.Waits{IO: r.maybe(float64(r.IntN(5)) / 20)}
		for i := range r.IntN(5) {
			h.Waits.Tasks = append(h.Waits.Tasks, fleet.WaitingTask{PID: i, TID: i, Comm: r.one("qemu-kvm", "x"), Wchan: r.one("", "kvm_async_pf_task_wait_schedule"), Since: r.ago(w, time.Minute), Looks: 1 + r.IntN(3)})
		}
	}
	if r.yes() {
		h.Boot = rebootAt(w)
	}
	if r.IntN(3) > 0 {
		h.Identity.Nova = &fleet.NovaConf{File: "/etc/nova/nova.conf", Resume: fleet.Opt[bool]{V: r.IntN(3) == 0, OK: r.yes()}, Changed: r.ago(w, time.Hour), Err: r.one("", "", "", "denied")}
	}
	if r.yes() {
		h.Pressure = &fleet.Pressure{Memory: fleet.Stall{Some60: float64(r.IntN(14)), Full10: float64(r.IntN(22))}, IO: fleet.Stall{Full60: float64(r.IntN(24))}}
	}
	return h
}

// part is a sensor, a disk or a filesystem of a host.
func (r random) part(w *world) fleet.Object {
	host := r.one("h1", "h2")
	count := func(name string) fleet.Counter {
		first := uint64(r.IntN(3))
		return fleet.Counter{Name: name, Value: first + uint64(r.IntN(2)), First: first, Since: w.now.Add(-time.Hour)}
	}
	switch r.IntN(3) {
	case 0:
		if r.IntN(5) == 0 {
			return &fleet.Sensor{Source: "host/" + host, Host: host, Name: "fan1", Alarm: r.IntN(4) == 0, Fan: &fleet.Fan{RPM: fleet.Opt[int]{V: 100 * r.IntN(2), OK: r.yes()}, Min: fleet.Some(600), Turned: r.yes()}}
		}
		return &fleet.Sensor{
			Source: "host/" + host, Host: host, Name: r.one("t1", "t2"), Disk: r.one("", "sda"), Chip: r.one("coretemp", "drivetemp", "nvme"), Label: r.one("", "Core 1", "Package id 0"), Celsius: r.maybe(float64(70 + r.IntN(40))),
			Max: r.maybe(84), Crit: r.maybe(100), MaxHyst: r.maybe(80), Alarm: r.IntN(9) == 0,
		}
	case 1:
		return &fleet.Filesystem{
			Source: "host/" + host, Host: host, Mount: r.one("/", "/var"), Device: r.one("/dev/sda1", "/dev/nvme0n1p2", "/dev/mapper/x"),
			Total: 1000, Used: uint64(850 + r.IntN(150)), Available: uint64(r.IntN(2)) * 50, Counters: []fleet.Counter{count("ext4_errors")},
		}
	}
	d := &fleet.Disk{Source: "host/" + host, Host: host, Name: r.one("sda", "nvme0n1", "md0"), Bus: r.one("nvme", "ata", "md"), Rotational: fleet.Opt[bool]{V: r.yes(), OK: r.yes()}}
	d.IO = fleet.DiskIO{
		ReadsSec: r.maybe(float64(r.IntN(9))), WritesSec: r.maybe(float64(r.IntN(9))), Await: fleet.Some(time.Duration(r.IntN(700)) * time.Millisecond),
		Util: r.maybe(float64(1+8*(r.IntN(3)/2)) / 10), Queue: r.maybe(float64(r.IntN(20))),
	}
	if r.IntN(4) > 0 {
		d.Smart = &fleet.Smart{Passed: fleet.Some(r.yes()), Warning: fleet.Some(r.IntN(3)), UsedPct: fleet.Some(r.IntN(120)), SMR: r.yes(), Hours: fleet.Some(r.IntN(2000)), ATA: &fleet.SmartATA{LoadCycles: fleet.Some(r.IntN(400_000))}}
		if r.yes() {
			d.Smart.Test = &fleet.SelfTest{Kind: r.one("", "Short offline"), Passed: fleet.Some(r.yes())}
			d.Smart.Errors = []fleet.NVMeError{{Count: 1, Status: []int{0x2002, 0x6281}[r.IntN(2)]}}
			d.Smart.ATA.Failing = []string{"Spin_Retry_Count"}
		}
	}
	for _, name := range []string{"media_errors", "pending", "reallocated", "crc_errors", "num_err_log_entries", "unsafe_shutdowns", "thermal_temp1_transitions", "degraded"} {
		if r.yes() {
			d.Counters = append(d.Counters, count(name))
		}
	}
	return d
}
