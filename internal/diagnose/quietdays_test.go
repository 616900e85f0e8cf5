package diagnose_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"strata/internal/fleet"
	"strata/internal/klog"
)

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
