package incident

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/fake/kube"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fallen starts a world and waits until Nova has stopped the workers and their pods are waiting.
func fallen(t *testing.T, o Options) *reader {
	t.Helper()
	r := start(t, o)
	r.until("both workers are off", func() bool { return r.status(workerOneID) == "SHUTOFF" && r.status(workerTwoID) == "SHUTOFF" })
	r.until("pods wait for a node", func() bool { return len(r.pods(unplaced)) >= 8 })
	return r
}

func TestItBeginsHealthy(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: 1})
	if n := len(r.list("/api/v1/pods")); n < 30 {
		t.Errorf("only %d pods", n)
	}
	if !r.whole() {
		t.Error("not all pods run")
	}
	for node, server := range map[string]string{workerOne: workerOneID, workerTwo: workerTwoID, master: ""} {
		n := r.node(node)
		if !n.ready() || server != "" && n.Status.NodeInfo.SystemUUID != server {
			t.Errorf("node %s is %+v", node, n)
		}
	}
	if n := len(r.world.Nova.Servers()); n != 14 {
		t.Errorf("%d servers", n)
	}
	if r.celsius() > 70 || r.swapUsed() > 0.25 {
		t.Errorf("openstack-host begins at %d °C with %.0f %% of its swap used", r.celsius(), 100*r.swapUsed())
	}
	if _, uptime := r.computeState(); !strings.Contains(uptime, "up 97 days") {
		t.Errorf("compute is %s", uptime)
	}
}

func TestThePastOfWorkerOne(t *testing.T) {
	t.Parallel()
	all := start(t, Options{Speed: 1}).actions(workerOneID)
	counts := map[string]int{}
	nobodys := 0
	for _, a := range all {
		counts[a.Action]++
		if a.Action == "stop" && a.User == nil && a.Project == nil {
			nobodys++
		}
		if a.Action != "stop" && a.User == nil {
			t.Errorf("nobody did %+v", a)
		}
	}
	// 53 recorded ones, and the start after the last of them.
	if len(all) != 54 || counts["stop"] != 22 || counts["start"] != 22 || counts["resize"] != 8 || nobodys != 21 {
		t.Errorf("%d actions: %v, %d stops by nobody", len(all), counts, nobodys)
	}
	if all[0].Action != "start" {
		t.Errorf("the last was %+v", all[0])
	}
}

func TestTheActsComeInOrder(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady})
	boot := r.file("compute", "proc/sys/kernel/random/boot_id")
	r.until("openstack-host is too hot", func() bool { return r.celsius() > 84 })
	if state, _ := r.computeState(); state != "up" {
		t.Error("compute is down before openstack-host is short of memory")
	}
	r.until("openstack-host has used half its swap", func() bool { return r.swapUsed() > 0.5 })
	r.until("compute is down", func() bool { state, _ := r.computeState(); return state == "down" })
	if n := len(r.pods(leaving)); n > 0 {
		t.Errorf("%d pods leave before their node is lost", n)
	}
	r.until("the node controller misses worker 1", func() bool {
		n := r.node(workerOne)
		return n.condition("Ready").Reason == "NodeStatusUnknown" && slices.ContainsFunc(n.Spec.Taints,
			func(t struct{ Key string }) bool { return t.Key == taintUnreachable })
	})
	r.until("compute is back", func() bool {
		state, uptime := r.computeState()
		return state == "up" && strings.Contains(uptime, "up 0 days,  0:00")
	})
	if now := r.file("compute", "proc/sys/kernel/random/boot_id"); now == boot {
		t.Error("compute came back without a boot")
	}
	if free := float64(r.memory("MemAvailable")) / float64(r.memory("MemTotal")); free > 0.14 {
		t.Errorf("%.0f %% memory available", 100*free)
	}
	r.until("both workers are off", func() bool { return r.status(workerOneID) == "SHUTOFF" && r.status(workerTwoID) == "SHUTOFF" })

	one, two := r.actions(workerOneID)[0], r.actions(workerTwoID)[0]
	if one.Action != "stop" || one.User != nil || one.Project != nil || one.Request != two.Request {
		t.Errorf("the stops are %+v and %+v", one, two)
	}
	stopped, err := time.Parse("2006-01-02T15:04:05.000000", one.Start)
	if err != nil {
		t.Fatal(err)
	}
	if after := stopped.Sub(r.booted("compute")); after < 0 || after > 10*time.Minute {
		t.Errorf("nova stopped them %v after compute booted", after)
	}
	r.until("the evicted pods wait for a node", func() bool { return len(r.pods(unplaced)) >= 8 })
	for _, p := range r.pods(unplaced) {
		want := "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }. "
		if c := p.condition("PodScheduled"); c.Reason != "Unschedulable" || !strings.HasPrefix(c.Message, want) || len(p.Status.Containers) > 0 {
			t.Errorf("%s: %+v", p.Metadata.Name, c)
		}
	}
	if len(r.pods(leaving)) < 8 {
		t.Error("the pods on the lost nodes do not leave")
	}
	if mysql := r.pods(func(p item) bool { return strings.HasPrefix(p.Metadata.Name, "wwwm-mysql") }); len(mysql) != 1 || !mysql[0].ready() || mysql[0].Spec.NodeName != master {
		t.Errorf("mysql is %+v", mysql)
	}
	reasons := map[string]int{}
	for _, e := range r.list("/api/v1/events?fieldSelector=type%3DWarning") {
		reasons[e.Reason]++
	}
	if reasons["NodeNotReady"] < 8 || reasons["FailedScheduling"] < 8 {
		t.Errorf("the warnings are %v", reasons)
	}
}

// booted is the btime of a machine.
func (r *reader) booted(machine string) time.Time {
	_, rest, _ := strings.Cut(r.file(machine, "proc/stat"), "btime ")
	line, _, _ := strings.Cut(rest, "\n")
	seconds, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		r.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

func TestOneStartBringsOneNodeBack(t *testing.T) {
	t.Parallel()
	r := fallen(t, Options{Speed: fast})
	boot := r.node(workerOne).Status.NodeInfo.BootID
	r.act(workerOneID, `{"os-start":null}`)
	r.until("worker 1 is ACTIVE", func() bool { return r.status(workerOneID) == "ACTIVE" })
	r.until("its node is ready", func() bool { n := r.node(workerOne); return n.ready() && len(n.Spec.Taints) == 0 })
	if r.node(workerOne).Status.NodeInfo.BootID == boot {
		t.Error("the node came back without a boot")
	}
	// A stateful pod of the node that is still lost must stay where it is: it could still write.
	r.until("all pods run that may", func() bool {
		return len(r.pods(unplaced)) == 0 && len(r.pods(func(p item) bool { return p.Spec.NodeName == workerOne && !p.ready() })) == 0
	})
	held := r.pods(func(p item) bool { return p.Metadata.Name == "prometheus-0" })
	if len(held) != 1 || held[0].Spec.NodeName != workerTwo || !leaving(held[0]) {
		t.Errorf("prometheus-0 is %+v", held)
	}
	if r.status(workerTwoID) != "SHUTOFF" || r.node(workerTwo).ready() {
		t.Error("worker 2 came back unasked")
	}
	r.act(workerTwoID, `{"os-start":null}`)
	r.until("the cluster is whole", func() bool { return r.node(workerTwo).ready() && r.whole() })
}

func TestNothingDoneNothingBack(t *testing.T) {
	t.Parallel()
	r := fallen(t, Options{Speed: 2 * fast})
	since := r.lease(master)
	// Longer than it takes compute to fail again under load.
	r.until("five minutes have passed", func() bool { return r.lease(master).Sub(since) > 5*time.Minute/(2*fast) })
	if r.status(workerOneID) != "SHUTOFF" || r.node(workerOne).ready() || len(r.pods(unplaced)) < 8 {
		t.Error("something came back by itself")
	}
	if n := len(r.actions(workerOneID)); n != 55 {
		t.Errorf("%d actions", n)
	}
}

func TestItHappensAgain(t *testing.T) {
	t.Parallel()
	r := fallen(t, Options{Speed: 2 * fast})
	r.act(workerOneID, `{"os-start":null}`)
	r.until("worker 1 runs", func() bool { return r.node(workerOne).ready() })
	r.until("it is off again", func() bool { return r.status(workerOneID) == "SHUTOFF" })
	all := r.actions(workerOneID)
	if all[0].Action != "stop" || all[0].User != nil || all[1].Action != "start" || all[2].Action != "stop" {
		t.Errorf("the last actions are %+v", all[:3])
	}
}

func TestWithoutSwapItDoesNotHappenAgain(t *testing.T) {
	t.Parallel()
	calm := make(chan struct{})
	r := fallen(t, Options{Speed: 2 * fast, Calm: func() Relief {
		select {
		case <-calm:
			return Relief{NoSwap: true}
		default:
			return Relief{}
		}
	}})
	close(calm)
	r.act(workerOneID, `{"os-start":null}`)
	r.until("worker 1 runs", func() bool { return r.node(workerOne).ready() })
	r.until("swap is off", func() bool { return r.memory("SwapTotal") == 0 })
	since := r.lease(workerOne)
	r.until("six minutes have passed", func() bool { return r.lease(workerOne).Sub(since) > 6*time.Minute/(2*fast) })
	if r.status(workerOneID) != "ACTIVE" || r.celsius() > 84 {
		t.Errorf("worker 1 is %s, openstack-host at %d °C", r.status(workerOneID), r.celsius())
	}
}

func TestAPersonStopsAServer(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	r.act(workerTwoID, `{"os-stop":null}`)
	r.until("it is off", func() bool { return r.status(workerTwoID) == "SHUTOFF" })
	if a := r.actions(workerTwoID)[0]; a.Action != "stop" || a.User == nil {
		t.Errorf("the last action is %+v", a)
	}
	r.until("its node is lost", func() bool { return r.node(workerTwo).condition("Ready").Status == "Unknown" })
	// There is room on the other worker.
	r.until("its pods are elsewhere", func() bool {
		return len(r.pods(func(p item) bool {
			return strings.HasPrefix(p.Metadata.Name, "argocd-server") && p.Spec.NodeName == workerOne && p.ready()
		})) == 1
	})
}

func TestARebootRestartsContainers(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	proxy := func() item {
		return r.pods(func(p item) bool {
			return strings.HasPrefix(p.Metadata.Name, "kube-proxy") && p.Spec.NodeName == workerOne
		})[0]
	}
	boot, before := r.node(workerOne).Status.NodeInfo.BootID, proxy()
	r.act(workerOneID, `{"reboot":{"type":"SOFT"}}`)
	r.until("the node has booted", func() bool { n := r.node(workerOne); return n.ready() && n.Status.NodeInfo.BootID != boot })
	r.until("its pods run", func() bool { return proxy().ready() })
	if after := proxy(); after.Status.Containers[0].Restart != before.Status.Containers[0].Restart+1 {
		t.Errorf("%d restarts, %d before", after.Status.Containers[0].Restart, before.Status.Containers[0].Restart)
	}
	if !slices.ContainsFunc(r.list("/api/v1/events"), func(e item) bool { return e.Reason == "Rebooted" && e.About.Name == workerOne }) {
		t.Error("no event tells of the boot")
	}
}

func TestPodsAreReplacedAndCordonedNodesSpared(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	r.world.Kube.ChangeNode(workerTwo, func(n *kube.Node) { n.Unschedulable = true })
	const gone = "wwwm-spring-be-v2-dev-5bf69b6cb7-8hxv4"
	now := time.Now()
	r.world.Kube.ChangePod("default", gone, func(p *kube.Pod) { p.Deleting = now })
	heirs := func() []item {
		return r.pods(func(p item) bool { return strings.HasPrefix(p.Metadata.Name, "wwwm-spring-be-v2-dev") })
	}
	r.until("another pod took its place", func() bool {
		all := heirs()
		return len(all) == 1 && all[0].Metadata.Name != gone && all[0].ready()
	})
	if p := heirs()[0]; p.Spec.NodeName != workerOne {
		t.Errorf("it is on %s", p.Spec.NodeName)
	}
}

func TestAQuietStart(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	since := r.lease(master)
	// By now compute has failed in a play that does not begin quietly.
	r.until("seventy seconds have passed", func() bool { return r.lease(master).Sub(since) > 70*time.Second/steady })
	if state, _ := r.computeState(); state != "up" || r.celsius() > 70 || !r.whole() {
		t.Error("it is not quiet")
	}
}

func TestMachinesAnswerLikeRealOnes(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: fast})
	m := r.world.Machines[machineOpenstack]
	r.until("the NVMe tells of its heat", func() bool {
		out, _, err := m.Smartctl(t.Context(), "--json=co", "/dev/nvme0n1")
		return err == nil && strings.Contains(string(out), "Thermal Temp. 1 Transition Count: 100") && strings.Contains(string(out), `"num_err_log_entries":2789`)
	})
}

func TestWhatIsDoneOnTheMachineIsRelief(t *testing.T) {
	t.Parallel()
	r := fallen(t, Options{Speed: 2 * fast})
	host := r.world.Machines[machineOpenstack].Simulated
	if err := host.SetSwap("/dev/dm-1", false); err != nil {
		t.Fatal(err)
	}
	r.act(workerOneID, `{"os-start":null}`)
	r.until("worker 1 runs", func() bool { return r.node(workerOne).ready() })
	since := r.lease(workerOne)
	r.until("six minutes have passed", func() bool { return r.lease(workerOne).Sub(since) > 6*time.Minute/(2*fast) })
	if r.status(workerOneID) != "ACTIVE" || r.memory("SwapTotal") != 0 {
		t.Errorf("worker 1 is %s", r.status(workerOneID))
	}
}

func TestScopesOfGuestsComeAndGo(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Speed: steady, Quiet: true})
	scope := func() (name string) {
		for _, u := range r.world.Machines[machineCompute].Simulated.Units() {
			if u.Guest == workerTwoDomain {
				name = u.Name
			}
		}
		return name
	}
	before := scope()
	r.act(workerTwoID, `{"os-stop":null}`)
	r.until("its scope is gone", func() bool { return before != "" && scope() == "" && r.status(workerTwoID) == "SHUTOFF" })
	r.act(workerTwoID, `{"os-start":null}`)
	r.until("it has another one", func() bool { return scope() != "" && scope() != before })
}
