package actions

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/internal/wire"
)

// hostile are names that somebody may have given to a thing, or a parser may have let through.
var hostile = []string{
	"two words", `machine-qemu\x2d1\x2da.scope`, `it's "quoted"`, "$(touch /tmp/x)`id`;reboot", "line\nbreak\tand\x1b]0;bell\x07",
	"--help", "größe 日本 \u202e", "a/../../b", "*?[a]{b,c}~!#&|<>", "\xff\xfe",
}

// worldOf has one thing of each kind that an action is for, all called name. A bare one tells nothing but their names,
// a full one has a state: on is one in which all of it runs.
func worldOf(name string, full, on, locked bool) *fleet.Snapshot {
	const cloud, cluster, host, virt = "openstack/home", "kube/prod", "host/alpha", "libvirt/alpha"
	sv := &fleet.Server{Source: cloud, ID: name, Name: name}
	fl := &fleet.Flavor{Source: cloud, ID: name, Name: name}
	node := &fleet.Node{Source: cluster, Name: name}
	pod := &fleet.Pod{Source: cluster, Namespace: "shop", Name: name}
	load := &fleet.Workload{Source: cluster, Namespace: "shop", Type: "Deployment", Name: name}
	app := &fleet.App{Source: cluster, Namespace: "argocd", Name: name}
	box := &fleet.Host{Source: host, Name: name}
	unit := &fleet.Unit{Source: host, Host: name, Name: name}
	swap := &fleet.SwapArea{Source: host, Host: name, Name: name}
	domain := &fleet.Domain{Source: virt, Host: name, Name: name, UUID: name}
	disk := &fleet.Disk{Source: host, Host: name, Name: "sda"}
	mount := &fleet.Filesystem{Source: host, Host: name, Mount: name, Device: name}
	services := fleet.Facts{}
	if full {
		status, vm, state := "SHUTOFF", "stopped", "shut off"
		if on {
			status, vm, state = "ACTIVE", "active", "running"
		}
		sv.Run = fleet.ServerRun{Status: status, VMState: vm, Locked: fleet.Some(locked), LockedReason: name}
		sv.Place.Host = name
		fl.Extra = map[string]string{"quota:disk_write_bytes_sec": "1000", "hw:disk_bus": name}
		node.Unschedulable = !on
		node.Taints = []fleet.Taint{{Key: "example.com/k", Value: name, Effect: "NoSchedule"}}
		pod.UID, pod.Node, pod.Owner, pod.Run.Local = name, name, name, fleet.EmptyDir
		load.Replicas, load.Message = fleet.Replicas{Want: 3, Total: 3}, name
		app.Operation, app.Complaints = fleet.AppOperation{Phase: "Succeeded"}, []string{name}
		box.Memory, box.Swap = fleet.Memory{Total: 8 << 30, Available: fleet.Some[uint64](4 << 30)}, fleet.Swap{Total: 1 << 30}
		unit.CGroup, unit.Command = "/machine.slice/"+name, name
		unit.IO = []fleet.UnitIO{{Disk: "sda", Number: "8:0", WriteBytesSec: fleet.Some(40e6), Limit: fleet.IOLimit{ReadsSec: fleet.Some[uint64](50)}}}
		swap.Active, swap.Total, swap.Used, swap.Fstab = on, fleet.Some[uint64](1<<30), fleet.Some[uint64](1<<20), name+" none swap sw 0 0"
		domain.State, domain.Reason, domain.Set.Persistent = state, name, true
		domain.Disks = []fleet.DomainDisk{{Target: "vda", File: "/" + name, Format: "qcow2", Error: name}}
		disk.Serial, disk.Counters = name, []fleet.Counter{{Name: "media_errors", Value: 4, First: 2, Since: time.Unix(1, 0)}}
		mount.Counters = []fleet.Counter{{Name: "ext4_errors", Value: 4, First: 2, Since: time.Unix(1, 0)}}
		for _, h := range []string{name, "other"} {
			services = append(services, &fleet.ComputeService{Source: cloud, Host: h, Binary: "nova-compute", State: "up", Status: "enabled"})
		}
	}
	var parts []fleet.Part
	for _, o := range []fleet.Object{sv, fl, node, pod, load, app, box, unit, swap, domain, disk, mount} {
		r := o.Ref()
		parts = append(parts, fleet.Part{Source: r.Source, Scope: r.Kind.Scope(), Kind: r.Kind, At: time.Unix(1, 0), Facts: fleet.Facts{o}})
	}
	parts = append(parts, fleet.Part{Source: cloud, Scope: "services", Kind: fleet.KindCompute, Facts: services})
	return fleet.NewSnapshot(1, time.Unix(100, 0), parts, nil, []fleet.Finding{
		{Rule: "X", About: sv.Ref(), Severity: fleet.Critical, Shown: true, Says: name},
	})
}

// targetOf is the one thing of a kind in a world.
func targetOf(s *fleet.Snapshot, kind fleet.Kind) (r fleet.Ref) {
	for o := range s.Each(kind) {
		r = o.Ref()
	}
	return r
}

// word is how a command names a target: one whole word of its argv. The actions on hosts name none, and those on a disk
// image its file.
func word(o Offer, r fleet.Ref, name string) string {
	switch {
	case r.Kind == fleet.KindWorkload:
		return "deployment/" + name
	case r.Kind == fleet.KindHost, strings.HasPrefix(o.Name, "disk-"):
		return ""
	}
	return name
}

// made are the actions that an offer makes of its own suggestions: of the first of each, and of each further one.
func made(o Offer, s *fleet.Snapshot, r fleet.Ref, name string) (all []Action) {
	if o.Key == "" {
		return []Action{undoOnly(o, r)}
	}
	sets := []Args{{}, {"replicas": "5", "key": name, "write": "2M"}, {"replicas": "0", "key": name, "write": "2M", "write_bytes_sec": "2M"}}
	for _, p := range o.Params {
		values := []string{name, ""}
		if p.Suggest != nil {
			values = append(values, p.Suggest(s, r)...)
		}
		for _, v := range values {
			sets = append(sets, Args{p.Name: v}, Args{"replicas": "5", "key": "k", "write": "2M", p.Name: v})
		}
	}
	for _, args := range sets {
		known := Args{}
		for _, p := range o.Params {
			if v, ok := args[p.Name]; ok {
				known[p.Name] = v
			}
		}
		if a, err := o.Make(s, r, known); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// undoOnly decodes an action that only an undo names, with its target filled in where it has that.
func undoOnly(o Offer, r fleet.Ref) Action {
	v := reflect.New(reflect.TypeOf(must(o.decode([]byte(`{}`))))).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Name == "Source" {
			v.Field(i).SetString(r.Source)
		} else if f.Type.Kind() == reflect.String && i == 1 {
			v.Field(i).SetString(r.Name)
		}
	}
	return v.Interface().(Action)
}

func facts(t *testing.T, s *fleet.Snapshot) string {
	t.Helper()
	var b strings.Builder
	for _, kind := range []fleet.Kind{
		fleet.KindServer, fleet.KindFlavor, fleet.KindNode, fleet.KindPod, fleet.KindWorkload, fleet.KindApp,
		fleet.KindHost, fleet.KindUnit, fleet.KindSwap, fleet.KindDomain, fleet.KindDisk, fleet.KindFilesystem,
	} {
		for o := range s.Each(kind) {
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(text)
		}
	}
	return b.String()
}

// Whatever a thing is called and however little is known of it: a plan is a pure function of action and snapshot, its
// command names the thing as one word, and it says how to take it back or why nothing does.
func TestEveryPlanKeepsItsPromises(t *testing.T) {
	t.Parallel()
	allowed := map[string]bool{}
	for _, name := range hostile {
		for _, w := range []struct{ full, on, locked bool }{{}, {true, true, false}, {true, false, false}, {true, true, true}} {
			s := worldOf(name, w.full, w.on, w.locked)
			before := facts(t, s)
			for _, o := range Offers() {
				r := targetOf(s, o.Kind)
				acts := made(o, s, r, name)
				if len(acts) == 0 && w.full {
					t.Errorf("%s makes no action of its own suggestions", o.Name)
				}
				for _, a := range acts {
					p := a.Plan(s)
					promised(t, s, o, a, p, name)
					if t.Failed() {
						return // the rest would say the same
					}
					if len(p.Refused) == 0 {
						allowed[o.Name] = true
					}
				}
			}
			if after := facts(t, s); after != before {
				t.Fatal("a plan changed the snapshot")
			}
		}
	}
	for _, o := range Offers() {
		if o.Key != "" && !allowed[o.Name] && !slices.Contains(seldom, o.Name) {
			t.Errorf("%s was never allowed: does this test still look at the right thing?", o.Name)
		}
	}
}

// seldom are actions that need more of the world than worldOf has; tests of their own have it.
var seldom = []string{"server-evacuate", "domain-resume"}

// promised checks what every plan must be.
func promised(t *testing.T, s *fleet.Snapshot, o Offer, a Action, p Plan, name string) {
	t.Helper()
	say := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s on %q: %s (%+v)", o.Name, name, fmt.Sprintf(format, args...), a)
	}
	if again := a.Plan(s); !reflect.DeepEqual(p, again) {
		say("planned again it differs:\n%+v\n%+v", p, again)
	}
	if p.Title == "" || p.Action == nil || p.Action.Name() != o.Name || p.Action.Target() != a.Target() {
		say("title %q, action %+v", p.Title, p.Action)
	}
	if o.Key != "" && len(p.Command) == 0 && len(p.Refused) == 0 {
		say("it shows no command")
	}
	if want := word(o, a.Target(), name); want != "" && len(p.Command) > 0 && p.Command[0] != "sed" && !slices.Contains(p.Command, want) {
		say("%q is no word of %q", want, p.Command)
	}
	switch {
	case len(p.Refused) > 0:
	case p.Undo == nil && p.NoUndo == "" && !p.Reads:
		say("neither an undo nor why there is none")
	case p.Undo != nil:
		back, err := Decode(*recipe(p.Undo))
		if valid := strings.ToValidUTF8(name, "\ufffd"); valid == name && (err != nil || back != p.Undo) {
			say("its undo %+v comes back as %+v, %v", p.Undo, back, err)
		}
		p.Undo.Plan(s)
	}
}

// What is not there, and what is there under another kind, cannot be acted on, and such a plan cannot be agreed to.
func TestEveryPlanOfNothingIsRefused(t *testing.T) {
	t.Parallel()
	r, _ := bare(t)
	empty := fleet.NewSnapshot(1, time.Unix(1, 0), nil, nil, nil)
	for _, o := range Offers() {
		for _, s := range []*fleet.Snapshot{empty, fleet.NewStore(nil).Snapshot(), worldOf("another", true, true, false)} {
			filled := reflect.New(reflect.TypeOf(must(o.decode([]byte(`{}`))))).Elem()
			fill(filled)
			acts := []Action{must(o.decode([]byte(`{}`))), filled.Interface().(Action)}
			for _, kind := range []fleet.Kind{o.Kind, fleet.KindFinding, fleet.KindDisk, ""} {
				wrong := fleet.Ref{Kind: kind, Source: "host/alpha", Name: "no such thing"}
				acts = append(acts, made(o, s, wrong, "x")...)
			}
			for _, a := range acts {
				p := a.Plan(s)
				if _, err := r.Approve(p, p.Ask); err == nil || len(p.Refused) == 0 || p.Title == "" || p.Action == nil {
					t.Fatalf("%s of nothing: %+v, %v", o.Name, p, err)
				}
			}
		}
	}
}

// The audit log is read with cat and less: nothing in it may be obeyed by a terminal.
func TestTheAuditLogHoldsNothingATerminalObeys(t *testing.T) {
	t.Parallel()
	r, path := bare(t)
	for _, name := range hostile {
		a := slow{Name_: name + "\u202e\u009b31m\x7f\x00", Answer: "x"}
		ok, err := r.Approve(a.Plan(nil), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context(), ok, func(Progress) {}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{audit: path}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if got := string(wire.Printable([]byte(line))); got != line {
			t.Errorf("line %d has something that a terminal obeys: %q", i, line)
		}
	}
	if got := l.deeds(t); len(got) != 2*len(hostile) || got[0].Target.Name != hostile[0]+"\u202e\u009b31m\x7f\x00" {
		t.Errorf("%d deeds, the first on %q", len(got), got[0].Target.Name)
	}
}
