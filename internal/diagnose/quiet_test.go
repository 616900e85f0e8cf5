package diagnose_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
	"strata/internal/klog"
)

// TestAQuietWeek lets a healthy cloud live for seven days: temperatures wander, backups and builds load the hosts, pods roll
// over, counters that mean nothing grow, a person stops and starts a server, a node is emptied for an update, a host is
// rebooted in order, agents and APIs are lost for a moment. Nothing of that is worth a warning, not once. What fails
// afterwards is found.
func TestAQuietWeek(t *testing.T) {
	t.Parallel()
	days := 7
	if testing.Short() {
		days = 1
	}
	w := newWeek()
	told := map[string]bool{}
	steps := 0
	for end := w.now.Add(time.Duration(days) * 24 * time.Hour); w.now.Before(end); steps++ {
		s := w.step()
		for i := range s.Findings {
			f := &s.Findings[i]
			if f.Shown && f.Severity >= fleet.Warn && !told[f.Key()] {
				told[f.Key()] = true
				t.Errorf("%s: %s %s: %s", w.now.Format(time.DateTime), f.Severity, f.Key(), f.Says)
			}
		}
	}
	s := w.store.Snapshot()
	t.Logf("%d days in %d steps, %d objects, %d findings at the end, all of them notes", days, steps, len(w.objects), len(s.Findings))

	w.silent, w.dead = "node-2", true
	w.busy(3 * time.Minute)
	for range 40 {
		s = w.step()
	}
	if f, ok := diagnose.Root(s); !ok || f.Rule != "K8S-01" || f.About.Name != "node-2" {
		t.Errorf("a node that dies after the week: %+v", f)
	}
}

// week is a cloud that goes about its business.
type week struct {
	*rand.Rand
	store   *fleet.Store
	now     time.Time
	fine    time.Time // until then it is looked at every five seconds
	objects map[fleet.Ref]fleet.Object
	scopes  map[scopeOf][]fleet.Ref // of objects, in order
	changed map[scopeOf]bool
	errs    []fleet.Observation
	plan    []deed
	away    map[string]bool // sources that cannot be seen
	kernel  *klog.Log       // of the host that is rebooted
	load    map[string]float64
	silent  string // a node whose kubelet does not run
	dead    bool   // for longer than the control plane waits
	serial  int
}

type scopeOf struct {
	source string
	kind   fleet.Kind
}

type deed struct {
	at time.Time
	do func()
}

const (
	weekKube = "kube/prod"
	weekNova = "openstack/home"
)

func newWeek() *week {
	w := &week{
		Rand: rand.New(rand.NewPCG(7, 7)), store: fleet.NewStore(diagnose.Derive(diagnose.Rules())),
		now: time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC), objects: map[fleet.Ref]fleet.Object{}, scopes: map[scopeOf][]fleet.Ref{},
		changed: map[scopeOf]bool{}, away: map[string]bool{}, load: map[string]float64{},
	}
	w.furnishHosts()
	w.furnishNova()
	w.furnishKube()
	for day := range 8 {
		w.planDay(w.now.Add(time.Duration(day) * 24 * time.Hour))
	}
	return w
}

func (w *week) put(o fleet.Object) {
	r := o.Ref()
	k := scopeOf{r.Source, r.Kind}
	if w.objects[r] == nil {
		at, _ := slices.BinarySearchFunc(w.scopes[k], r, fleet.Ref.Compare)
		w.scopes[k] = slices.Insert(w.scopes[k], at, r)
	}
	w.objects[r], w.changed[k] = o, true
}

func (w *week) drop(r fleet.Ref) {
	k := scopeOf{r.Source, r.Kind}
	delete(w.objects, r)
	w.scopes[k] = slices.DeleteFunc(slices.Clone(w.scopes[k]), func(o fleet.Ref) bool { return o == r })
	w.changed[k] = true
}

// alter replaces an object by a changed copy.
func alter[T any, P interface {
	*T
	fleet.Object
}](w *week, r fleet.Ref, how func(P)) {
	old, ok := w.objects[r].(P)
	if !ok {
		return
	}
	next := *old
	how(P(&next))
	w.put(P(&next))
}

func (w *week) at(t time.Time, do func())     { w.plan = append(w.plan, deed{t, do}) }
func (w *week) in(d time.Duration, do func()) { w.at(w.now.Add(d), do) }
func (w *week) busy(d time.Duration)          { w.fine = w.now.Add(d) }
func (w *week) wander(by float64) float64     { return (2*w.Float64() - 1) * by }
func (w *week) some(most int) time.Duration   { return time.Duration(1+w.IntN(most)) * time.Second }
func node(i int) string                       { return fmt.Sprintf("node-%d", i) }
func weekRef(kind fleet.Kind, source, name string) fleet.Ref {
	return fleet.Ref{Kind: kind, Source: source, Name: name}
}

// step goes on by five seconds where something goes on, else by a minute, and returns what is seen then.
func (w *week) step() *fleet.Snapshot {
	by := time.Minute
	if w.now.Before(w.fine) {
		by = 5 * time.Second
	}
	w.now = w.now.Add(by)
	slices.SortStableFunc(w.plan, func(a, b deed) int { return a.at.Compare(b.at) })
	for len(w.plan) > 0 && !w.plan[0].at.After(w.now) {
		next := w.plan[0]
		w.plan = w.plan[1:]
		next.do()
		slices.SortStableFunc(w.plan, func(a, b deed) int { return a.at.Compare(b.at) })
	}
	w.report()
	seen := w.errs
	w.errs = nil
	for k := range w.changed {
		if w.away[k.source] {
			continue
		}
		facts := make(fleet.Facts, 0, len(w.scopes[k]))
		for _, r := range w.scopes[k] {
			facts = append(facts, w.objects[r])
		}
		slices.SortFunc(facts, fleet.Compare)
		seen = append(seen, fleet.Observation{Source: k.source, Scope: k.kind.Scope(), At: w.now, Facts: facts})
		delete(w.changed, k)
	}
	return w.store.Replay(w.now, seen)
}

// report is what all say of themselves, again and again.
func (w *week) report() {
	for _, r := range w.scopes[scopeOf{weekKube, fleet.KindLease}] {
		if r.Name == w.silent {
			continue
		}
		own := time.Duration(len(r.Name)+int(r.Name[len(r.Name)-1])) % 10 * time.Second
		alter(w, r, func(l *fleet.Lease) { l.Renewed = w.now.Add(-own).Truncate(10 * time.Second).Add(own) })
	}
	if w.dead {
		alter(w, weekRef(fleet.KindNode, weekKube, w.silent), func(n *fleet.Node) {
			n.Conditions = []fleet.NodeCondition{{Type: "Ready", Status: "Unknown", Since: w.now.Add(-time.Minute)}}
		})
	}
	for _, r := range w.scopes[scopeOf{weekNova, fleet.KindCompute}] {
		alter(w, r, func(c *fleet.ComputeService) { c.Updated = w.now.Truncate(10 * time.Second) })
	}
	if w.now.Second() != 0 {
		return
	}
	for _, r := range w.scopes[scopeOf{weekNova, fleet.KindHypervisor}] {
		up := w.now.Sub(time.Date(2025, 5, 1, 0, 0, 0, 0, time.UTC))
		alter(w, r, func(h *fleet.Hypervisor) {
			h.Uptime = fmt.Sprintf(" %s up %d days, %2d:%02d,  1 user", w.now.Format(time.TimeOnly), up/(24*time.Hour), up%(24*time.Hour)/time.Hour, up%time.Hour/time.Minute)
		})
	}
	for i := range 3 {
		w.reportHost(fmt.Sprintf("metal-%d", i))
	}
}

// reportHost lets a host's figures wander around its load.
func (w *week) reportHost(name string) {
	source, load := "host/"+name, w.load[name]
	alter(w, weekRef(fleet.KindHost, source, name), func(h *fleet.Host) {
		h.Busy = fleet.Some(0.1 + 0.8*load + 0.02*w.Float64())
		h.Load = [3]float64{1 + 7*load, 1 + 5*load, 1 + 2*load}
		h.Memory.Available = fleet.Some(uint64((0.35 - 0.18*load + w.wander(0.02)) * float64(h.Memory.Total)))
		h.Pressure = &fleet.Pressure{Memory: fleet.Stall{Some10: 2 * load, Some60: 2 * load}, IO: fleet.Stall{Some10: 6 * load, Some60: 4 * load, Full10: 3 * load, Full60: 2 * load}}
		in := 0.0
		if w.IntN(20) == 0 {
			in = 4096 * float64(1+w.IntN(20)) // a page that was out is needed
		}
		h.Swap.InBytesSec, h.Swap.OutBytesSec = fleet.Some(in), fleet.Some(0.0)
	})
	alter(w, weekRef(fleet.KindSensor, source, "coretemp@coretemp.0/temp1"), func(s *fleet.Sensor) {
		s.Celsius = fleet.Some(float64(int(52 + 26*load + w.wander(4))))
	})
	alter(w, weekRef(fleet.KindSensor, source, "nvme@nvme0n1/temp1"), func(s *fleet.Sensor) {
		s.Celsius = fleet.Some(float64(int(44+14*load+w.wander(3))) + 0.85)
	})
	alter(w, weekRef(fleet.KindDisk, source, "nvme0n1"), func(d *fleet.Disk) {
		d.IO = fleet.DiskIO{
			ReadBytesSec: fleet.Some(4e5 + 2e8*load), WriteBytesSec: fleet.Some(3e6 + 6e7*load), ReadsSec: fleet.Some(20 + 1600*load), WritesSec: fleet.Some(100 + 400*load),
			Await: fleet.Some(time.Duration((0.9 + 9*load) * float64(time.Millisecond))), Util: fleet.Some(0.05 + 0.8*load),
		}
	})
	if w.now.Minute()%10 == 0 {
		alter(w, weekRef(fleet.KindDisk, source, "nvme0n1"), func(d *fleet.Disk) {
			m := *d.Smart
			m.At, m.Hours = w.now, fleet.Some(5000+int(w.now.Sub(time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC))/time.Hour))
			d.Smart, d.Counters = &m, slices.Clone(d.Counters)
			if w.IntN(60) == 0 {
				d.Counters[1].Value++ // a command it does not know
			}
		})
		alter(w, weekRef(fleet.KindFilesystem, source, "/"), func(f *fleet.Filesystem) {
			f.Used = uint64((0.66 + w.wander(0.03)) * float64(f.Total))
			f.Available = f.Total - f.Used
		})
	}
}

// furnishHosts makes three physical hosts, each with an agent; metal-0 is full of history.
func (w *week) furnishHosts() {
	month := w.now.Add(-30 * 24 * time.Hour)
	for i := range 3 {
		name := fmt.Sprintf("metal-%d", i)
		source := "host/" + name
		boot := fmt.Sprintf("%032x", 0xb00+i)
		w.put(&fleet.Host{
			Source: source, Name: name, Boot: w.now.Add(-123 * 24 * time.Hour), BootID: boot, CPUs: 16,
			Identity: fleet.HostID{SystemUUID: fmt.Sprintf("3c9f6a52-7b1d-11e9-8f9e-8c164503a10%d", i), Kernel: "6.1.0-49-amd64"},
			Memory:   fleet.Memory{Total: 64 << 30}, Swap: fleet.Swap{Total: 8 << 30, Used: uint64(5-i) << 30}, Waits: &fleet.Waits{},
		})
		w.put(&fleet.BootRecord{Source: source, Host: name, ID: boot, Begin: w.now.Add(-123 * 24 * time.Hour), Current: true})
		for _, s := range []fleet.Sensor{{Chip: "coretemp", Name: "coretemp@coretemp.0/temp1", Label: "Package"}, {Chip: "nvme", Name: "nvme@nvme0n1/temp1", Label: "Composite", Disk: "nvme0n1"}} {
			s.Source, s.Host, s.Max, s.Crit = source, name, fleet.Some(84.0), fleet.Some(100.0)
			w.put(&s)
		}
		counters := []fleet.Counter{{Name: "media_errors"}, {Name: "num_err_log_entries", Value: 2787, First: 2787}, {Name: "unsafe_shutdowns", Value: 83, First: 83}, {Name: "thermal_temp1_transitions", Value: 99, First: 99}, {Name: "warning_temp_time"}}
		for i := range counters {
			counters[i].Since = month
		}
		w.put(&fleet.Disk{Source: source, Host: name, Name: "nvme0n1", Bus: "nvme", Rotational: fleet.Some(false), Counters: counters, Smart: &fleet.Smart{
			At: w.now, Passed: fleet.Some(true), Warning: fleet.Some(0), SparePct: fleet.Some(100), SpareMin: fleet.Some(10), UsedPct: fleet.Some(4 + i),
		}})
		w.put(&fleet.Filesystem{Source: source, Host: name, Mount: "/", Device: "/dev/nvme0n1p2", Type: "xfs", Disks: []string{"nvme0n1"}, Total: 512e9, Used: 330e9, Available: 182e9, InodesTotal: 1e7, InodesFree: 9e6})
		w.put(&fleet.Agent{Source: "agents", Name: name, Destination: name, State: "connected", Since: w.now, Skew: fleet.Some(0.01)})
		log := klog.NewLog(source, name)
		log.Add(klog.Line{Boot: boot, At: w.now.Add(-123 * 24 * time.Hour), Priority: 5, Text: "Linux version 6.1.0-49-amd64"})
		log.Add(klog.Line{Boot: boot, At: month, Mono: time.Hour, Priority: 6, Text: "e1000e 0000:00:19.0 eno1: NIC Link is Up 1000 Mbps Full Duplex"})
		w.logged(log)
		w.kernel = log // of the last one
	}
}

func (w *week) logged(log *klog.Log) {
	for _, o := range append(log.Events(), log.Tail("journalctl")) {
		w.put(o)
	}
}

// furnishNova makes two hypervisors, which are metal-0 and metal-1, and twelve servers with their domains.
func (w *week) furnishNova() {
	for i := range 2 {
		name := fmt.Sprintf("metal-%d", i)
		w.put(&fleet.Hypervisor{Source: weekNova, ID: name, Hostname: name, ServiceHost: name, State: "up", Status: "enabled"})
		w.put(&fleet.ComputeService{Source: weekNova, ID: name, Binary: "nova-compute", Host: name, State: "up", Status: "enabled"})
	}
	w.put(&fleet.ComputeService{Source: weekNova, ID: "s", Binary: "nova-scheduler", Host: "metal-2", State: "up", Status: "enabled"})
	for i := range 12 {
		host := fmt.Sprintf("metal-%d", i%2)
		name := node(i)
		if i >= 6 {
			name = fmt.Sprintf("web-%d", i)
		}
		w.put(&fleet.Server{
			Source: weekNova, ID: weekID(i), Name: name, Run: fleet.ServerRun{Status: "ACTIVE", VMState: "active", Power: fleet.Some(fleet.PowerRunning), HostStatus: "UP"},
			Place: fleet.Place{Host: host, Hypervisor: host, InstanceName: fmt.Sprintf("instance-%08x", i)}, Addresses: []fleet.Address{{IP: fmt.Sprintf("10.0.0.%d", 10+i)}},
			Flavor: fleet.Flavor{Name: "m1.medium", VCPUs: 2, RAMMiB: 4096}, Times: fleet.ServerTimes{Created: w.now.Add(-40 * 24 * time.Hour), Updated: w.now.Add(-40 * 24 * time.Hour)},
		})
		w.put(w.domain(i, true))
	}
}

func weekID(i int) string { return fmt.Sprintf("6c59b812-2d8d-4da5-92d6-6bbe527926%02x", i) }

func (w *week) domain(i int, runs bool) *fleet.Domain {
	host := fmt.Sprintf("metal-%d", i%2)
	d := &fleet.Domain{
		Source: "libvirt/" + host, Host: host, Name: fmt.Sprintf("instance-%08x", i), UUID: weekID(i), State: "shut off", Reason: "destroyed",
		Compute: fleet.DomainSize{VCPUs: 2, Memory: 4 << 30}, Disks: []fleet.DomainDisk{{Target: "vda", File: "/images/a", Path: fleet.DiskPath{Mount: "/", Disks: []string{"nvme0n1"}}}},
		Log: &fleet.QemuLog{File: "/var/log/libvirt/qemu/x.log", Started: w.now.Add(-40 * 24 * time.Hour)},
	}
	if runs {
		d.State, d.Reason = "running", "booted"
		d.Process = fleet.DomainRun{ID: fleet.Some(i), PID: 2000 + i, Started: w.now.Add(-40 * 24 * time.Hour), Swapped: fleet.Some(uint64(40 << 20))}
	}
	return d
}

// furnishKube makes six nodes on six of the servers, sixty pods and an application.
func (w *week) furnishKube() {
	for i := range 6 {
		old := w.now.Add(-40 * 24 * time.Hour)
		w.put(&fleet.Node{
			Source: weekKube, Name: node(i), Identity: fleet.NodeIdentity{SystemUUID: weekID(i)}, Addresses: []fleet.Address{{Kind: "InternalIP", IP: fmt.Sprintf("10.0.0.%d", 10+i)}},
			Conditions: []fleet.NodeCondition{{Type: "Ready", Status: "True", Since: old}, {Type: "MemoryPressure", Status: "False", Since: old}, {Type: "DiskPressure", Status: "False", Since: old}},
		})
		w.put(&fleet.Lease{Source: weekKube, Node: node(i), Duration: 40 * time.Second})
	}
	for i := range 60 {
		w.pod(fmt.Sprintf("app-%d", i%10), i%6, "Running", 1)
	}
	w.put(&fleet.App{Source: weekKube, Namespace: "argocd", Name: "shop", Sync: fleet.AppSync{Status: "Synced", Revision: "a1", Auto: true}, Condition: fleet.AppHealth{Status: "Healthy"}})
	w.put(&fleet.Volume{Source: weekKube, Name: "pv-1", Phase: "Bound", Backing: "csi", Claim: "shop/data"})
	w.put(&fleet.Claim{Source: weekKube, Namespace: "shop", Name: "data", Phase: "Bound", Volume: "pv-1"})
	w.put(&fleet.Check{Source: "checks/desk", Host: "desk", Endpoint: fleet.Endpoint{Name: "shop", Type: "http", Address: "http://10.0.0.11:30080/"}, State: fleet.CheckUp})
}

// pod makes a pod of a workload on a node and returns its ref.
func (w *week) pod(of string, on int, phase string, ready int32) fleet.Ref {
	w.serial++
	p := &fleet.Pod{
		Source: weekKube, Namespace: "shop", Name: fmt.Sprintf("%s-%04d", of, w.serial), Node: node(on), Owner: "ReplicaSet/" + of + "-5d", Created: w.now,
		Run: fleet.PodRun{Phase: phase, Ready: ready, Total: 1, PodReady: fleet.Some(ready == 1)},
	}
	w.put(p)
	return p.Ref()
}

// planDay plans what happens on a day.
func (w *week) planDay(day time.Time) {
	hour := func(h float64) time.Time { return day.Add(time.Duration(h * float64(time.Hour))) }
	number := int(day.Sub(time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
	for _, h := range []float64{9.5, 14.25, 16} {
		w.at(hour(h+w.Float64()/4), func() { w.deploy(fmt.Sprintf("app-%d", w.IntN(10))) })
	}
	for h := range 24 {
		w.at(hour(float64(h)+0.1), w.job)
	}
	w.at(hour(3), func() { w.work("metal-0", 1, 25*time.Minute) }) // a backup
	w.at(hour(11), func() { w.work("metal-1", 0.8, 6*time.Minute) })
	w.at(hour(5+10*w.Float64()), func() { w.lose("host/metal-1", "connection lost", 30*time.Second) })
	w.at(hour(8+10*w.Float64()), func() { w.lose(weekKube, "etcdserver: leader changed", 10*time.Second) })
	w.at(hour(20*w.Float64()), w.blink)
	switch number {
	case 2:
		w.at(hour(13), w.stopAndStart)
	case 3:
		w.at(hour(14), w.reboot)
	case 4:
		w.at(hour(15), w.update)
	}
}

func (w *week) work(host string, load float64, long time.Duration) {
	w.load[host] = load
	w.in(long, func() { w.load[host] = 0 })
}

// lose makes a source fail for a while.
func (w *week) lose(source, says string, long time.Duration) {
	w.busy(long + time.Minute)
	w.away[source] = true
	w.errs = append(w.errs, fleet.Observation{Source: source, At: w.now, Err: errors.New(says)})
	w.in(long, func() {
		delete(w.away, source)
		w.errs = append(w.errs, fleet.Observation{Source: source, At: w.now, Facts: fleet.Facts{}})
	})
}

// blink is one dial of an endpoint that fails.
func (w *week) blink() {
	w.busy(time.Minute)
	r := weekRef(fleet.KindCheck, "checks/desk", "shop")
	alter(w, r, func(c *fleet.Check) {
		c.State, c.Wrong, c.Says, c.Since, c.Fails = fleet.CheckDown, "timeout", "no answer", w.now, 1
	})
	w.in(15*time.Second, func() {
		alter(w, r, func(c *fleet.Check) { c.State, c.Wrong, c.Says, c.Since, c.Fails = fleet.CheckUp, "", "", w.now, 0 })
	})
}

// deploy replaces the pods of a workload, two at a time.
func (w *week) deploy(of string) {
	var old []fleet.Ref
	for r, o := range w.objects {
		if p, ok := o.(*fleet.Pod); ok && p.Owner == "ReplicaSet/"+of+"-5d" && p.Deleting.IsZero() {
			old = append(old, r)
		}
	}
	slices.SortFunc(old, fleet.Ref.Compare)
	w.busy(time.Duration(len(old)+2) * 90 * time.Second)
	app := weekRef(fleet.KindApp, weekKube, "argocd/shop")
	alter(w, app, func(a *fleet.App) { a.Sync.Status, a.Condition.Status = "OutOfSync", "Progressing" })
	w.in(time.Minute, func() { alter(w, app, func(a *fleet.App) { a.Sync.Status = "Synced" }) })
	left := len(old)
	var next func(i int)
	next = func(i int) {
		if i < len(old) {
			w.replace(of, old[i], i%6, func() { left--; next(i + 2) })
		}
		if left == 0 {
			alter(w, app, func(a *fleet.App) { a.Condition.Status = "Healthy" })
		}
	}
	next(0) // two at a time
	next(1)
}

// replace starts a pod, waits until it is ready, and lets the old one go.
func (w *week) replace(of string, old fleet.Ref, on int, then func()) {
	r := w.pod(of, on, "Pending", 0)
	run := func(how func(*fleet.PodRun)) { alter(w, r, func(p *fleet.Pod) { how(&p.Run) }) }
	run(func(p *fleet.PodRun) { p.Reason = "ContainerCreating" })
	pulled := w.some(40)
	if w.IntN(6) == 0 { // the registry hiccups once
		w.in(pulled/2, func() { run(func(p *fleet.PodRun) { p.Reason, p.Message = "ErrImagePull", "503 Service Unavailable" }) })
		w.in(pulled/2+10*time.Second, func() { run(func(p *fleet.PodRun) { p.Reason, p.Message = "ContainerCreating", "" }) })
	}
	pulled += 15 * time.Second
	w.in(pulled, func() { run(func(p *fleet.PodRun) { p.Phase, p.Reason = "Running", "" }) })
	ready := pulled + 15*time.Second + w.some(75)
	w.in(ready, func() {
		run(func(p *fleet.PodRun) { p.Ready, p.PodReady = 1, fleet.Some(true) })
		alter(w, old, func(p *fleet.Pod) { p.Deleting = w.now.Add(30 * time.Second) })
		w.in(w.some(28), func() { w.drop(old) })
		then()
	})
}

// job is a pod that runs for a minute and is kept for an hour.
func (w *week) job() {
	r := w.pod("report", w.IntN(6), "Running", 1)
	w.in(w.some(70), func() {
		alter(w, r, func(p *fleet.Pod) {
			p.Run = fleet.PodRun{Phase: "Succeeded", Total: 1, Reason: "Completed", PodReady: fleet.Some(false)}
			p.LastExit = &fleet.Exit{Container: "report", Reason: "Completed", Finished: w.now}
		})
	})
	w.in(time.Hour, func() { w.drop(r) })
}

// stopAndStart is a person who stops a server, and starts it again after lunch.
func (w *week) stopAndStart() {
	const i = 8
	r := weekRef(fleet.KindServer, weekNova, weekID(i))
	stop := fleet.ServerAction{Action: "stop", Request: "req-1", User: "bob", Project: "web", Start: w.now}
	w.busy(2 * time.Minute)
	alter(w, r, func(v *fleet.Server) { v.Run.TaskState, v.Times.Updated = "powering-off", w.now })
	w.in(12*time.Second, func() {
		alter(w, r, func(v *fleet.Server) {
			v.Run = fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped", Power: fleet.Some(fleet.PowerShutdown), HostStatus: "UP"}
		})
		w.put(w.domain(i, false))
	})
	// its list of actions comes a moment later
	w.in(20*time.Second, func() { alter(w, r, func(v *fleet.Server) { v.Actions = []fleet.ServerAction{stop} }) })
	w.in(50*time.Minute, func() {
		w.busy(2 * time.Minute)
		alter(w, r, func(v *fleet.Server) {
			v.Run.TaskState, v.Times.Updated = "powering-on", w.now
			v.Actions = []fleet.ServerAction{{Action: "start", Request: "req-2", User: "bob", Project: "web", Start: w.now}, stop}
		})
		w.in(8*time.Second, func() {
			alter(w, r, func(v *fleet.Server) {
				v.Run = fleet.ServerRun{Status: "ACTIVE", VMState: "active", Power: fleet.Some(fleet.PowerRunning), HostStatus: "UP"}
			})
			w.put(w.domain(i, true))
		})
	})
}

// reboot is one of metal-2 in order, for a kernel.
func (w *week) reboot() {
	const name, source = "metal-2", "host/metal-2"
	const boot = "00000000000000000000000000000c01"
	w.lose(source, "connection lost", 100*time.Second)
	w.busy(10 * time.Minute)
	down := w.now
	w.in(99*time.Second, func() {
		began := down.Add(45 * time.Second)
		alter(w, weekRef(fleet.KindHost, source, name), func(h *fleet.Host) { h.Boot, h.BootID, h.Swap.Used = began, boot, 0 })
		alter(w, weekRef(fleet.KindBoot, source, fmt.Sprintf("%032x", 0xb02)), func(b *fleet.BootRecord) {
			b.Current, b.End, b.Ended, b.Last = false, down, fleet.BootShutDown, "systemd-journald: Journal stopped"
		})
		w.put(&fleet.BootRecord{Source: source, Host: name, ID: boot, Begin: began, Current: true})
		for i, text := range []string{
			"Linux version 6.1.0-50-amd64", "md: Waiting for all devices to be available before autodetect", "ata2: SATA link down (SStatus 0 SControl 300)",
			"e1000e 0000:00:19.0 eno1: NIC Link is Up 1000 Mbps Full Duplex", "igb 0000:01:00.0 eth1: igb: eth1 NIC Link is Up 1000 Mbps",
		} {
			after := time.Duration(i) * 2 * time.Second
			w.kernel.Add(klog.Line{Boot: boot, At: began.Add(after), Mono: after, Priority: 6, Text: text})
		}
		w.logged(w.kernel)
	})
}

// update cordons a node, moves its pods and restarts its kubelet.
func (w *week) update() {
	const i = 4
	r := weekRef(fleet.KindNode, weekKube, node(i))
	w.busy(45 * time.Minute)
	alter(w, r, func(n *fleet.Node) { n.Unschedulable = true })
	var leave []fleet.Ref
	for ref, o := range w.objects {
		if p, ok := o.(*fleet.Pod); ok && p.Node == node(i) && p.Run.Phase == "Running" {
			leave = append(leave, ref)
		}
	}
	slices.SortFunc(leave, func(a, b fleet.Ref) int { return cmp.Compare(a.Name, b.Name) })
	for n, ref := range leave {
		of := w.objects[ref].(*fleet.Pod).Owner
		w.in(time.Duration(n)*time.Minute, func() { w.replace(of[len("ReplicaSet/"):len(of)-len("-5d")], ref, n%4, func() {}) })
	}
	w.in(20*time.Minute, func() {
		w.silent = node(i) // for a moment: its lease stays in time
		w.in(15*time.Second, func() { w.silent = "" })
	})
	w.in(30*time.Minute, func() { alter(w, r, func(n *fleet.Node) { n.Unschedulable = false }) })
}
