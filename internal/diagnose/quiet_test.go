package diagnose_test

import (
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
