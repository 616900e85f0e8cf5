package ui

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// at is the time of the fixtures: the morning the workers were off.
var at = time.Date(2025, 6, 30, 7, 22, 40, 0, time.UTC)

// put publishes observations and waits for a snapshot that has the last of them.
func put(t testing.TB, store *fleet.Store, obs ...fleet.Observation) *fleet.Snapshot {
	t.Helper()
	for _, o := range obs {
		store.Put(o)
	}
	last := obs[len(obs)-1]
	for seq := uint64(0); ; {
		s, err := store.Next(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		seq = s.Seq
		if p, ok := s.Part(last.Source, last.Scope); ok && (p.At.Equal(last.At) || last.Err != nil) {
			return s
		}
	}
}

func obs(source, scope string, objects ...fleet.Object) fleet.Observation {
	return fleet.Observation{Source: source, Scope: scope, At: at, Facts: objects, Every: 5 * time.Second}
}

const worker1, worker2 = "6c59b812-2d8d-4da5-92d6-6bbe527926d6", "61b0f46e-651b-4564-bc37-0185ff7f18b2"

func worker(n int, id string) *fleet.Server {
	stop := at.Add(-167 * time.Second)
	return &fleet.Server{
		Source: "openstack/home", ID: id, Name: fmt.Sprintf("k8s-worker-%d", n),
		Run:       fleet.ServerRun{Status: "SHUTOFF", VMState: "stopped", Power: fleet.Some(fleet.PowerShutdown), Locked: fleet.Some(false)},
		Addresses: []fleet.Address{{Net: "private-net", IP: fmt.Sprintf("10.0.0.%d", 27+n)}},
		Flavor:    fleet.Flavor{Name: "k8s.worker", VCPUs: 2, RAMMiB: 4096, DiskGiB: 40},
		Place:     fleet.Place{Host: "compute", Hypervisor: "compute", InstanceName: fmt.Sprintf("instance-0000001%x", n)},
		Times:     fleet.ServerTimes{Created: at.AddDate(0, -4, 0), Updated: stop},
		Actions: []fleet.ServerAction{
			{Action: "stop", Request: "req-d59eac56", Start: stop, Events: []fleet.ActionEvent{{Event: "compute_stop_instance", Start: stop, Finish: stop, Result: "Success"}}},
			{Action: "start", Request: "req-2", User: "alice", Project: "demo", Start: stop.Add(-13 * time.Minute)},
			{Action: "stop", Request: "req-3", Start: stop.Add(-17 * time.Minute)},
		},
	}
}

func node(name, uuid, ready string) *fleet.Node {
	return &fleet.Node{
		Source: "kube/home", Name: name, Identity: fleet.NodeIdentity{SystemUUID: uuid}, Created: at.AddDate(0, 0, -133),
		Versions:   fleet.NodeVersions{Kubelet: "v1.32.2", Kernel: "5.14.0-503.el9"},
		Conditions: []fleet.NodeCondition{{Type: "Ready", Status: ready, Reason: "NodeStatusUnknown", Since: at.Add(-2 * time.Minute)}},
	}
}

func pod(name, on, phase, reason string) *fleet.Pod {
	ready := int32(0)
	if phase == "Running" {
		ready = 1
	}
	return &fleet.Pod{
		Source: "kube/home", Namespace: "default", Name: name, Node: on, Owner: "ReplicaSet/wwwm",
		Run: fleet.PodRun{Phase: phase, Ready: ready, Total: 1, Reason: reason}, Created: at.AddDate(0, 0, -7),
	}
}

func sensor(host, name, label string, now, limit, crit float64) *fleet.Sensor {
	return &fleet.Sensor{Source: "host/" + host, Host: host, Chip: "coretemp", Name: name, Label: label, Celsius: fleet.Some(now), Max: fleet.Some(limit), Crit: fleet.Some(crit)}
}

// incident is the cloud of the morning: both workers off, their nodes gone, heat and swap on the host.
func incident(t testing.TB) *fleet.Store {
	store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
	var web fleet.Facts
	for i := 1; i <= 12; i++ {
		web = append(web, &fleet.Server{Source: "openstack/home", ID: fmt.Sprintf("%08d", i), Name: fmt.Sprintf("web-%d", i), Run: fleet.ServerRun{Status: "ACTIVE", VMState: "active", Power: fleet.Some(fleet.PowerRunning)}, Times: fleet.ServerTimes{Updated: at.AddDate(0, 0, -12)}})
	}
	disk := &fleet.Disk{
		Source: "host/openstack-host", Host: "openstack-host", Name: "nvme0n1", Model: "SAMSUNG MZVLB512HBJQ", Bus: "nvme",
		IO:       fleet.DiskIO{ReadBytesSec: fleet.Some(1.2e6), WriteBytesSec: fleet.Some(9.1e6), Await: fleet.Some(2 * time.Millisecond), Util: fleet.Some(0.31)},
		Smart:    &fleet.Smart{At: at, Passed: fleet.Some(true), UsedPct: fleet.Some(4)},
		Counters: []fleet.Counter{{Name: "media_errors"}, {Name: "num_err_log_entries", Value: 2787, First: 2787}, {Name: "unsafe_shutdowns", Value: 84, First: 83}},
	}
	sda := &fleet.Disk{Source: "host/openstack-host", Host: "openstack-host", Name: "sda", Bus: "ata", Missing: []string{"SMART: smartctl is not installed (apt install smartmontools)"}}
	put(t, store,
		obs("openstack/home", "servers", append(web, worker(2, worker2), worker(1, worker1))...),
		obs("openstack/home", "services", &fleet.ComputeService{Source: "openstack/home", ID: "1", Binary: "nova-compute", Host: "compute", State: "up", Status: "enabled", Updated: at}),
		obs("openstack/home", "hypervisors", &fleet.Hypervisor{Source: "openstack/home", ID: "1", Hostname: "compute", State: "up", Status: "enabled", Type: "QEMU", Uptime: " 07:22:38 up 4 min,  0 users,  load average: 0.42, 0.31, 0.25"}),
		obs("openstack/home", "flavors",
			&fleet.Flavor{Source: "openstack/home", ID: "1", Name: "k8s.worker", VCPUs: 2, RAMMiB: 4096, DiskGiB: 40, Extra: map[string]string{"quota:disk_total_bytes_sec": "209715200", "hw:disk_bus": "virtio"}},
			&fleet.Flavor{Source: "openstack/home", ID: "2", Name: "m1.small", VCPUs: 1, RAMMiB: 2048, DiskGiB: 20}),
		obs("kube/home", "nodes", node("k8s-worker-1.novalocal", worker1, "Unknown"), node("k8s-worker-2.novalocal", worker2, "Unknown"), node("master", "", "True")),
		obs("kube/home", "pods/default", pod("wwwm-mysql-6b74788df8-vcszk", "master", "Running", ""), pod("wwwm-spring-be-58589d7bdc-r98zf", "", "Pending", "Unschedulable")),
		obs("host/openstack-host", "sensors", sensor("openstack-host", "coretemp@0/temp1", "Package id 0", 93, 84, 100), sensor("openstack-host", "nvme@0/temp1", "Composite", 51, 84, 85)),
		obs("host/openstack-host", "disks", disk, sda),
		obs("host/openstack-host", "host", &fleet.Host{Source: "host/openstack-host", Name: "openstack-host", Boot: at.AddDate(0, 0, -122), Load: [3]float64{1.3, 1.1, 1.1}, Busy: fleet.Some(0.11), Memory: fleet.Memory{Total: 15_654 << 20, Available: fleet.Some(uint64(1876 << 20))}, Swap: fleet.Swap{Total: 8024 << 20, Used: 4482 << 20}}),
		fleet.Observation{Source: "kube/home", Scope: "volumes", At: at, Err: &fleet.Trouble{Doing: "listing persistent volumes of home", Cause: errors.New("403 Forbidden"), Fix: "kubectl create clusterrolebinding strata --clusterrole=view --user=ops"}},
		fleet.Observation{Source: fleet.ClockSource, At: at},
		obs("host/openstack-host", "filesystems", &fleet.Filesystem{Source: "host/openstack-host", Host: "openstack-host", Mount: "/", Device: "/dev/mapper/rl-root", Type: "xfs", Total: 70 << 30, Used: 63 << 30, Available: 7 << 30}),
	)
	return store
}

func model(t testing.TB, store *fleet.Store, w, h int) *Model {
	m := New(t.Context(), Options{Store: store, Theme: NewTheme(false, false), Title: "home", ReadOnly: "started with `strata watch`", Version: "test"})
	m.screen.w, m.screen.h = w, h
	return m
}
