package diagnose_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

func worldOf(t *testing.T, lines ...string) *world {
	t.Helper()
	w := newWorld(diagnose.Derive(diagnose.Rules()))
	w.now = time.Date(2025, 6, 30, 7, 25, 0, 0, time.UTC)
	for _, line := range lines {
		if err := w.read(line); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
	w.step(t)
	return w
}

// linked writes a snapshot's links as "from -> to how sure".
func linked(s *fleet.Snapshot) []string {
	var all []string
	for _, l := range s.Links {
		all = append(all, l.From.String()+" -> "+l.To.String()+" "+l.How+" "+l.Sure.String())
	}
	slices.Sort(all)
	return all
}

func TestLinksByTheStrongestSignal(t *testing.T) {
	t.Parallel()
	const server = `server os/a {"id":"6c59b812-2d8d-4da5-92d6-6bbe527926d6","name":"k8s-worker-1","addresses":[{"net":"n","ip":"10.0.0.28"}],"run":{"status":"ACTIVE"}}`
	const other = `server os/a {"id":"61b0f46e-651b-4564-bc37-0185ff7f18b2","name":"k8s-worker-2","addresses":[{"net":"n","ip":"10.0.0.107"}],"run":{"status":"ACTIVE"},"place":{"hostname":"other-name"}}`
	for name, c := range map[string]struct {
		node string
		want []string
	}{
		"providerID":              {`{"name":"n","identity":{"providerID":"openstack:///6c59b812-2d8d-4da5-92d6-6bbe527926d6","machineID":"x"}}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 providerID high"}},
		"systemUUID in capitals":  {`{"name":"n","identity":{"systemUUID":"6C59B812-2D8D-4DA5-92D6-6BBE527926D6"}}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 systemUUID high"}},
		"systemUUID, swapped":     {`{"name":"n","identity":{"systemUUID":"12b8596c-8d2d-a54d-92d6-6bbe527926d6"}}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 systemUUID, bytes swapped high"}},
		"machineID":               {`{"name":"n","identity":{"machineID":"6c59b8122d8d4da592d66bbe527926d6"}}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 machineID high"}},
		"address":                 {`{"name":"n","addresses":[{"kind":"InternalIP","ip":"10.0.0.28"},{"kind":"Hostname","ip":"10.0.0.107"}]}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 address medium"}},
		"name":                    {`{"name":"k8s-worker-1.novalocal"}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 name low"}},
		"hostname":                {`{"name":"other-name"}`, []string{"server 61b0f46e-651b-4564-bc37-0185ff7f18b2 name low"}},
		"strong beats weak":       {`{"name":"k8s-worker-2","identity":{"systemUUID":"6c59b812-2d8d-4da5-92d6-6bbe527926d6"}}`, []string{"server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 systemUUID high"}},
		"an id of nobody, a name": {`{"name":"k8s-worker-2","identity":{"systemUUID":"b23b8ec1-7ab0-4a11-9c66-0f6b1f1a7a01"}}`, nil},
		"nothing":                 {`{"name":"master"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := worldOf(t, server, other, "node kube/p "+c.node)
			var got []string
			for _, l := range linked(w.last) {
				_, to, _ := strings.Cut(l, " -> ")
				got = append(got, to)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAmbiguousSignalsGiveNoLink(t *testing.T) {
	t.Parallel()
	node := `node kube/p {"name":"twin","addresses":[{"kind":"InternalIP","ip":"10.0.0.5"}]}`
	one := `server os/a {"id":"11111111-2222-3333-4444-555555555553","name":"twin","addresses":[{"net":"n","ip":"10.0.0.5"}],"run":{"status":"ACTIVE"}}`
	w := worldOf(t, node, one, `server os/b {"id":"11111111-2222-3333-4444-555555555554","name":"twin","addresses":[{"net":"n","ip":"10.0.0.5"}],"run":{"status":"ACTIVE"}}`)
	if got := linked(w.last); got != nil {
		t.Errorf("two servers of that name and address: %q", got)
	}
	if err := w.read("gone server os/b 11111111-2222-3333-4444-555555555554"); err != nil {
		t.Fatal(err)
	}
	w.step(t)
	if diff := cmp.Diff([]string{"node twin -> server 11111111-2222-3333-4444-555555555553 address medium"}, linked(w.last)); diff != "" {
		t.Error(diff)
	}
}

func TestChainDownAndUpAgain(t *testing.T) {
	t.Parallel()
	w := worldOf(t,
		`pod kube/p {"namespace":"d","name":"be","node":"w1","run":{"phase":"Running"}}`,
		`node kube/p {"name":"w1","identity":{"systemUUID":"6c59b812-2d8d-4da5-92d6-6bbe527926d6"}}`,
		`lease kube/p {"node":"w1"}`,
		`event kube/p {"namespace":"d","name":"e1","reason":"BackOff","message":"m","about":{"kind":"pod","source":"kube/p","name":"d/be"}}`,
		`server os/a {"id":"6c59b812-2d8d-4da5-92d6-6bbe527926d6","name":"w1","run":{"status":"ACTIVE"},"place":{"host":"compute","hypervisorHostname":"compute.lan"}}`,
		`hypervisor os/a {"hostname":"compute.lan","serviceHost":"compute","state":"up","status":"enabled"}`,
		`compute os/a {"binary":"nova-compute","host":"compute","state":"up","status":"enabled"}`,
		`host host/compute {"name":"compute","memory":{"totalBytes":0,"availableBytes":null}}`,
		`disk host/compute {"host":"compute","name":"vda"}`,
		`filesystem host/compute {"host":"compute","mount":"/","device":"/dev/vda3","type":"xfs","totalBytes":0,"usedBytes":0,"availableBytes":0}`,
		`filesystem host/compute {"host":"compute","mount":"/home","device":"/dev/mapper/rl-home","disks":["vda"],"type":"xfs","totalBytes":0,"usedBytes":0,"availableBytes":0}`,
		`unit host/compute {"host":"compute","name":"vm.scope","io":[{"disk":"vdb","number":"1:1","writeBytesPerSec":5},{"disk":"vda","number":"1:2","writeBytesPerSec":50}]}`,
		`swap host/compute {"host":"compute","name":"/dev/dm-1","disk":"vda"}`,
		`sensor host/compute {"host":"compute","name":"t","chip":"c","label":"l","celsius":null}`,
		`pvc kube/p {"namespace":"d","name":"data","phase":"Bound","volume":"pv-1"}`,
		`pod kube/p {"namespace":"d","name":"j-1","node":"w2","owner":"Job/j","run":{"phase":"Running"}}`,
		`workload kube/p {"namespace":"d","type":"Job","name":"j","replicas":{"want":1},"rollout":{}}`,
	)
	chain := func(r fleet.Ref) (all []string) {
		for _, s := range diagnose.Chain(w.last, r) {
			known := ""
			if !s.Known {
				known = " (not seen)"
			}
			all = append(all, strings.Repeat("  ", s.Depth)+s.Ref.String()+known)
		}
		return all
	}
	for _, c := range []struct {
		from fleet.Ref
		want string
	}{
		{fleet.Ref{Kind: fleet.KindEvent, Source: "kube/p", Name: "d/e1"}, `event d/e1
  pod d/be
    node w1
      server 6c59b812-2d8d-4da5-92d6-6bbe527926d6
        hypervisor compute.lan
          compute nova-compute@compute
            host compute`},
		{fleet.Ref{Kind: fleet.KindFilesystem, Source: "host/compute", Name: "/"}, "filesystem /\n  disk vda\n    host compute"},
		{fleet.Ref{Kind: fleet.KindClaim, Source: "kube/p", Name: "d/data"}, "pvc d/data\n  pv pv-1 (not seen)"},
		{fleet.Ref{Kind: fleet.KindPod, Source: "kube/p", Name: "d/j-1"}, "pod d/j-1\n  node w2 (not seen)\n  workload d/job/j"},
		{fleet.Ref{Kind: fleet.KindNode, Source: "kube/p", Name: "nobody"}, "node nobody (not seen)"},
	} {
		if diff := cmp.Diff(c.want, strings.Join(chain(c.from), "\n")); diff != "" {
			t.Error(diff)
		}
	}
	for below, want := range map[fleet.Ref]string{
		{Kind: fleet.KindNode, Source: "kube/p", Name: "w1"}:              "lease w1, pod d/be",
		{Kind: fleet.KindDisk, Source: "host/compute", Name: "vda"}:       "filesystem /, filesystem /home, swap /dev/dm-1, unit vm.scope",
		{Kind: fleet.KindPod, Source: "kube/p", Name: "d/be"}:             "event d/e1",
		{Kind: fleet.KindHypervisor, Source: "os/a", Name: "compute.lan"}: "server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 (node w1 (pod d/be))",
		{Kind: fleet.KindHost, Source: "host/compute", Name: "compute"}:   "compute nova-compute@compute, disk vda (filesystem /, filesystem /home, swap /dev/dm-1, unit vm.scope), hypervisor compute.lan (server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 (node w1 (pod d/be))), sensor t",
		{Kind: fleet.KindSensor, Source: "host/compute", Name: "t"}:       "",
		{Kind: fleet.KindWorkload, Source: "kube/p", Name: "d/job/j"}:     "pod d/j-1",
	} {
		if diff := cmp.Diff(want, over(diagnose.Over(w.last, below), below)); diff != "" {
			t.Errorf("over %s: %s", below, diff)
		}
	}
}

// over writes what stands on an object, with what stands on that in brackets.
func over(all map[fleet.Ref][]fleet.Link, r fleet.Ref) string {
	var names []string
	for _, l := range all[r] {
		name := l.From.String()
		if on := over(all, l.From); on != "" {
			name += " (" + on + ")"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func TestChainOfACircleEnds(t *testing.T) {
	t.Parallel()
	// The machine that runs the hypervisor claims to be a server on it.
	w := worldOf(t,
		`server os/a {"id":"6c59b812-2d8d-4da5-92d6-6bbe527926d6","name":"w1","run":{"status":"ACTIVE"},"place":{"hypervisorHostname":"compute"}}`,
		`hypervisor os/a {"hostname":"compute","state":"up","status":"enabled"}`,
		`host host/compute {"name":"compute","identity":{"systemUUID":"6c59b812-2d8d-4da5-92d6-6bbe527926d6"},"memory":{"totalBytes":1000,"availableBytes":10}}`,
	)
	steps := diagnose.Chain(w.last, fleet.Ref{Kind: fleet.KindHost, Source: "host/compute", Name: "compute"})
	if len(steps) != 3 {
		t.Errorf("steps: %v", steps)
	}
}

func TestTheChainGoesThroughTwoLayersOfVirtualMachines(t *testing.T) {
	t.Parallel()
	const size, run, set = `"size":{"vcpus":2,"memoryBytes":1}`, `"run":{"id":null,"cpu":null,"swappedBytes":null,"unit":"m.scope"}`, `"set":{"persistent":true,"autostart":false}`
	const computeID, serverID = "8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001", "6c59b812-2d8d-4da5-92d6-6bbe527926d6"
	disk := func(name string) string {
		return `"disks":[{"target":"vda","file":"/a","path":{"disks":["` + name + `"]},"tune":{},"kept":{},"readBytesPerSec":null,"writeBytesPerSec":null}]`
	}
	lines := []string{
		`pod kube/p {"namespace":"d","name":"be","node":"w1","run":{"phase":"Running"}}`,
		`node kube/p {"name":"w1","identity":{"systemUUID":"` + serverID + `"}}`,
		`server os/a {"id":"` + serverID + `","name":"w1","run":{"status":"ACTIVE"},"place":{"instanceName":"instance-1"}}`,
		`domain libvirt/compute {"host":"compute","name":"instance-1","uuid":"` + serverID + `","state":"running",` + size + `,` + run + `,` + set + `,` + disk("vda") + `}`,
		`host host/compute {"name":"compute","identity":{"systemUUID":"` + computeID + `","virtual":"kvm"},"memory":{"totalBytes":0,"availableBytes":null}}`,
		`disk host/compute {"host":"compute","name":"vda"}`,
		`domain libvirt/metal {"host":"metal","name":"compute","uuid":"` + computeID + `","state":"running",` + size + `,` + run + `,` + set + `,` + disk("nvme0n1") + `}`,
		`host host/metal {"name":"metal","memory":{"totalBytes":0,"availableBytes":null}}`,
		`disk host/metal {"host":"metal","name":"nvme0n1"}`,
	}
	w := worldOf(t, lines...)
	var got []string
	for _, s := range diagnose.Chain(w.last, fleet.Ref{Kind: fleet.KindPod, Source: "kube/p", Name: "d/be"}) {
		got = append(got, strings.Repeat(" ", s.Depth)+s.Ref.String()+" by "+s.How)
	}
	want := `pod d/be by 
 node w1 by spec.nodeName
  server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 by systemUUID
   domain 6c59b812-2d8d-4da5-92d6-6bbe527926d6 by uuid
    host compute by its host
     domain 8d0f6c1e-52a7-4c0e-9b64-3f2a7e15c001 by DMI uuid
      host metal by its host
      unit m.scope by scope
      disk nvme0n1 by file
    unit m.scope by scope
    disk vda by file`
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Error(diff)
	}
	for on, want := range map[fleet.Ref]string{
		{Kind: fleet.KindDisk, Source: "host/metal", Name: "nvme0n1"}: "domain " + computeID + " (host compute (disk vda, domain " + serverID + " (server " + serverID + " (node w1 (pod d/be)))))",
		{Kind: fleet.KindHost, Source: "host/metal", Name: "metal"}:   "disk nvme0n1, domain " + computeID + " (host compute (disk vda, domain " + serverID + " (server " + serverID + " (node w1 (pod d/be)))))",
	} {
		if diff := cmp.Diff(want, over(diagnose.Over(w.last, on), on)); diff != "" {
			t.Errorf("over %s: %s", on, diff)
		}
	}
	// Without UUIDs the names tell, less surely; a physical host of a domain's name is not that domain.
	for i, line := range lines {
		lines[i] = strings.NewReplacer(`"systemUUID":"`+computeID+`",`, "", `"uuid":"`+serverID, `"uuid":"22222222-3333-4444-5555-666666666666`).Replace(line)
	}
	w = worldOf(t, append(lines, `domain libvirt/compute {"host":"compute","name":"metal","uuid":"","state":"running",`+size+`,`+run+`,`+set+`}`)...)
	all := strings.Join(linked(w.last), "\n")
	for _, want := range []string{
		"server " + serverID + " -> domain 22222222-3333-4444-5555-666666666666 instance name medium",
		"host compute -> domain " + computeID + " name low",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no link %s in\n%s", want, all)
		}
	}
	if strings.Contains(all, "host metal -> ") {
		t.Errorf("a physical host stands on something:\n%s", all)
	}
}

// Where a machine may not read its UUID, and a token may not see the name of the domain, the network cards tell. Cloned
// definitions with one address twice tell nothing.
func TestNetworkCardsTellWhereNothingElseDoes(t *testing.T) {
	t.Parallel()
	const size, run, set = `"size":{"vcpus":2,"memoryBytes":1}`, `"run":{"id":null,"cpu":null,"swappedBytes":null}`, `"set":{"persistent":true,"autostart":false}`
	domain := func(name, mac string) string {
		return `domain libvirt/metal {"host":"metal","name":"` + name + `","uuid":"","state":"running",` + size + `,` + run + `,` + set + `,"macs":["` + mac + `"]}`
	}
	w := worldOf(t,
		`host host/vm {"name":"vm","identity":{"virtual":"kvm","macs":["52:54:00:00:00:01"]},"memory":{"totalBytes":0,"availableBytes":null}}`,
		`server os/a {"id":"6c59b812-2d8d-4da5-92d6-6bbe527926d6","name":"w1","addresses":[{"net":"n","ip":"10.0.0.5","mac":"FA:16:3E:00:00:02"}],"run":{"status":"ACTIVE"}}`,
		domain("one", "52:54:00:00:00:01"), domain("two", "fa:16:3e:00:00:02"),
	)
	want := []string{"host vm -> domain one MAC medium", "server 6c59b812-2d8d-4da5-92d6-6bbe527926d6 -> domain two MAC medium"}
	if diff := cmp.Diff(want, linked(w.last)); diff != "" {
		t.Error(diff)
	}
	if err := w.read(domain("clone", "52:54:00:00:00:01")); err != nil {
		t.Fatal(err)
	}
	w.step(t)
	if diff := cmp.Diff(want[1:], linked(w.last)); diff != "" {
		t.Errorf("with a clone: %s", diff)
	}
}

// A volume that is bound to a node stands on it, and on the filesystem there that is mounted deepest above its path; nova's
// service stands on its host.
func TestVolumesAndServicesStandOnMachines(t *testing.T) {
	t.Parallel()
	filesystem := func(mount, device string) string {
		return `filesystem host/w1 {"host":"w1","mount":"` + mount + `","device":"` + device + `"}`
	}
	w := worldOf(t,
		`pv kube/p {"name":"db","phase":"Bound","backing":"local","hostPath":"/srv/mysql/data/","pinned":true,"node":"w1.novalocal"}`,
		`pv kube/p {"name":"roams","phase":"Bound","backing":"hostPath","hostPath":"/srv/mysql"}`,
		`node kube/p {"name":"w1.novalocal"}`,
		`host host/w1 {"name":"w1","memory":{"totalBytes":0,"availableBytes":null}}`,
		filesystem("/", "/dev/vda1"), filesystem("/srv/mysql", "/dev/vdb1"), filesystem("/srv", "/dev/vdc1"),
		`disk host/w1 {"host":"w1","name":"vdb"}`,
		`compute os/a {"binary":"nova-compute","host":"w1.lan","state":"up","status":"enabled"}`,
	)
	want := []string{
		"compute nova-compute@w1.lan -> host w1 short name low", "node w1.novalocal -> host w1 name low",
		"pv db -> filesystem /srv/mysql path medium",
	}
	if diff := cmp.Diff(want, linked(w.last)); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, s := range diagnose.Chain(w.last, fleet.Ref{Kind: fleet.KindVolume, Source: "kube/p", Name: "db"}) {
		got = append(got, s.Ref.String())
	}
	for _, on := range []string{"filesystem /srv/mysql", "disk vdb", "node w1.novalocal", "host w1"} {
		if !slices.Contains(got, on) {
			t.Errorf("%s is not in the chain %q", on, got)
		}
	}
}
