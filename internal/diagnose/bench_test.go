package diagnose_test

import (
	"fmt"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// fleetOfSize is a cloud of so many pods: a node for ten of them, a server for 25, a hypervisor and host for 250. With 50,000
// it is one of 200 hypervisors and hosts, 2,000 servers that are nodes, 3,000 nodes more. One pod in a hundred is in trouble.
func fleetOfSize(now time.Time, pods int) map[fleet.Ref]fleet.Object {
	hosts := pods / 250
	all := map[fleet.Ref]fleet.Object{}
	put := func(o fleet.Object) { all[o.Ref()] = o }
	for i := range hosts {
		name := fmt.Sprintf("compute-%03d", i)
		put(&fleet.Hypervisor{Source: "openstack/home", Hostname: name, ServiceHost: name, State: "up", Uptime: "10:00:00 up 3 days, 4:05"})
		put(&fleet.ComputeService{Source: "openstack/home", Binary: "nova-compute", Host: name, State: "up"})
		put(&fleet.Host{Source: "host/" + name, Name: name, Memory: fleet.Memory{Total: 100, Available: fleet.Some(uint64(50))}})
	}
	for i := range pods / 10 {
		name, id := fmt.Sprintf("worker-%04d", i), fmt.Sprintf("6c59b812-2d8d-4da5-92d6-6bbe5279%04x", i)
		ip := fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		if i < pods/25 {
			host := fmt.Sprintf("compute-%03d", i%hosts)
			put(&fleet.Server{
				Source: "openstack/home", ID: id, Name: name, Run: fleet.ServerRun{Status: "ACTIVE", VMState: "active", Power: fleet.Some(fleet.PowerRunning)},
				Place: fleet.Place{Host: host, Hypervisor: host}, Addresses: []fleet.Address{{IP: ip}},
			})
		}
		put(&fleet.Node{
			Source: "kube/prod", Name: name + ".novalocal", Identity: fleet.NodeIdentity{SystemUUID: id}, Addresses: []fleet.Address{{Kind: "InternalIP", IP: ip}},
			Conditions: []fleet.NodeCondition{{Type: "Ready", Status: "True"}, {Type: "MemoryPressure", Status: "False"}, {Type: "DiskPressure", Status: "False"}},
		})
		put(&fleet.Lease{Source: "kube/prod", Node: name + ".novalocal", Renewed: now.Add(-time.Duration(i%10) * time.Second)})
	}
	for i := range pods {
		put(podOf(i, pods/10, i%100 == 0))
	}
	return all
}

func podOf(i, nodes int, ill bool) *fleet.Pod {
	p := &fleet.Pod{
		Source: "kube/prod", Namespace: fmt.Sprintf("team-%02d", i%20), Name: fmt.Sprintf("app-%05d", i), Node: fmt.Sprintf("worker-%04d.novalocal", i%nodes),
		Run: fleet.PodRun{Phase: "Running", Ready: 1, Total: 1, PodReady: fleet.Some(true)},
	}
	if ill {
		p.Run.Ready, p.Run.Reason = 0, "CrashLoopBackOff"
	}
	return p
}

// derived makes the first snapshot of a large cloud and a second with some objects replaced.
func derived(b *testing.B, later time.Duration, replace ...fleet.Object) (derive fleet.Derive, first, second *fleet.Snapshot, changed []fleet.Change) {
	b.Helper()
	return derivedOf(50000, later, replace...)
}

func derivedOf(pods int, later time.Duration, replace ...fleet.Object) (derive fleet.Derive, first, second *fleet.Snapshot, changed []fleet.Change) {
	w := newWorld(diagnose.Derive(diagnose.Rules()))
	w.now = time.Date(2025, 6, 30, 7, 0, 0, 0, time.UTC)
	w.objects = fleetOfSize(w.now, pods)
	first = w.snapshot()
	first.Links, first.Findings = w.derive(w.last, first, nil)
	for _, o := range replace {
		w.objects[o.Ref()] = o
	}
	w.last = first
	w.now = w.now.Add(later)
	second = w.snapshot()
	fleet.Diff(first, second, func(old, next fleet.Object) { changed = append(changed, fleet.Change{Old: old, New: next}) })
	return w.derive, first, second, changed
}

func BenchmarkFromScratch(b *testing.B) {
	_, first, second, _ := derived(b, time.Second)
	b.ReportAllocs()
	for b.Loop() {
		diagnose.Diagnose(diagnose.Rules(), first, second)
	}
}

// BenchmarkOnePod alternates between two snapshots that differ in one pod, which is in trouble in one of them.
func BenchmarkOnePod(b *testing.B) { alternate(b, 0, podOf(7, 5000, true)) }

func BenchmarkOneServer(b *testing.B) {
	o := &fleet.Server{Source: "openstack/home", ID: "6c59b812-2d8d-4da5-92d6-6bbe52790007", Name: "worker-0007", Run: fleet.ServerRun{Status: "SHUTOFF"}, Place: fleet.Place{Hypervisor: "compute-007"}}
	alternate(b, 0, o)
}

func BenchmarkThousandLeases(b *testing.B) {
	var all []fleet.Object
	for i := range 1000 {
		all = append(all, &fleet.Lease{Source: "kube/prod", Node: fmt.Sprintf("worker-%04d.novalocal", i), Renewed: time.Date(2025, 6, 30, 7, 0, 0, 0, time.UTC)})
	}
	alternate(b, 0, all...)
}

func alternate(b *testing.B, later time.Duration, replace ...fleet.Object) {
	derive, first, second, there := derived(b, later, replace...)
	var back []fleet.Change
	for _, c := range there {
		back = append(back, fleet.Change{Old: c.New, New: c.Old})
	}
	b.ReportAllocs()
	for b.Loop() {
		second.Links, second.Findings = derive(first, second, there)
		first.Links, first.Findings = derive(second, first, back)
	}
	b.ReportMetric(float64(len(first.Findings)), "findings")
}

// BenchmarkClock moves nothing but the clock, a second each time, while all leases are in time or late.
func BenchmarkClock(b *testing.B) {
	derive, first, _, _ := derived(b, 0)
	last := first
	b.ReportAllocs()
	for b.Loop() {
		next := *last
		next.Seq, next.At = last.Seq+1, last.At.Add(time.Second)
		next.Links, next.Findings = derive(last, &next, nil)
		last = &next
	}
}

// BenchmarkCurve shows what the size costs: ns/pod stays where it is while the work is linear, and one change costs the same
// in a small cloud and a large one but for the findings, which are ranked whole.
func BenchmarkCurve(b *testing.B) {
	for _, pods := range []int{1000, 5000, 10000, 50000} {
		per := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(pods), "ns/pod")
		}
		b.Run(fmt.Sprintf("scratch/pods=%d", pods), func(b *testing.B) {
			_, first, second, _ := derivedOf(pods, time.Second)
			for b.Loop() {
				diagnose.Diagnose(diagnose.Rules(), first, second)
			}
			per(b)
		})
		b.Run(fmt.Sprintf("one/pods=%d", pods), func(b *testing.B) {
			derive, first, second, there := derivedOf(pods, 0, podOf(7, pods/10, true))
			back := []fleet.Change{{Old: there[0].New, New: there[0].Old}}
			for b.Loop() {
				second.Links, second.Findings = derive(first, second, there)
				first.Links, first.Findings = derive(second, first, back)
			}
			per(b)
		})
	}
}
