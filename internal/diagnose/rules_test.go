package diagnose_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

func TestRulesAreWhole(t *testing.T) {
	t.Parallel()
	rules := diagnose.Rules()
	explains := map[string][]string{}
	for _, r := range rules {
		if explains[r.ID] != nil {
			t.Errorf("%s: twice", r.ID)
		}
		explains[r.ID] = append([]string{}, r.Explains...)
		if r.Title == "" || r.Short == "" || r.Source == "" || r.Beware == "" || r.Kind == "" || r.Severity == 0 || r.Judge == nil {
			t.Errorf("%s: something is missing: %+v", r.ID, r)
		}
	}
	for id, effects := range explains {
		for _, effect := range effects {
			if explains[effect] == nil {
				t.Errorf("%s explains %s, which is no rule", id, effect)
			}
		}
	}
	var walk func(string, []string)
	walk = func(id string, above []string) {
		if slices.Contains(above, id) {
			t.Fatalf("rules explain each other in a circle: %v", append(above, id))
		}
		for _, effect := range explains[id] {
			walk(effect, append(slices.Clip(above), id))
		}
	}
	for id := range explains {
		walk(id, nil)
	}
}

// TestIncidentHasOneRoot: on the morning of the incident the header names the reboot, and everything else hangs under it.
func TestIncidentHasOneRoot(t *testing.T) {
	t.Parallel()
	w := incident(t)
	root, ok := diagnose.Root(w.last)
	if !ok || root.Rule != "X-01" || root.About.Name != "compute" {
		t.Fatalf("root: %+v", root)
	}
	byKey := map[string]*fleet.Finding{}
	for i := range w.last.Findings {
		byKey[w.last.Findings[i].Key()] = &w.last.Findings[i]
	}
	kinds := map[fleet.Kind]int{}
	for _, f := range byKey {
		top := f
		for top.Under != "" {
			top = byKey[top.Under]
		}
		if top != root && f.Key() != root.Key() && top.Key() != root.Key() {
			t.Errorf("%s does not hang under the root but under %s", f.Key(), top.Key())
		}
		kinds[f.About.Kind]++
		for _, e := range f.Because {
			if e.Where == "" || e.Says == "" || e.Ref.Name == "" {
				t.Errorf("%s: evidence without a place: %+v", f.Key(), e)
			}
		}
		if len(f.Because) == 0 {
			t.Errorf("%s: no evidence", f.Key())
		}
	}
	for key, want := range map[string]string{
		root.Key(): "one request stopped several", "NOVA-01|server|openstack/home|6c59b812-2d8d-4da5-92d6-6bbe527926d6": "compute_stop_instance began 15s after its action",
		"NOVA-04|hypervisor|openstack/home|compute": "resume_guests_state_on_host_boot is not set in /etc/nova/nova.conf",
	} {
		if f := byKey[key]; f == nil || !slices.ContainsFunc(f.Because, func(e fleet.Evidence) bool { return strings.Contains(e.Says, want) }) {
			t.Errorf("%s lacks the evidence %q: %+v", key, want, f)
		}
	}
	if kinds[fleet.KindServer] != 4 || kinds[fleet.KindNode] != 4 || kinds[fleet.KindPod] != 3 {
		t.Errorf("findings by kind: %v", kinds)
	}
}

// incident is the first moment of testdata/incident.txtar.
func incident(t *testing.T) *world {
	t.Helper()
	text, err := os.ReadFile("testdata/incident.txtar")
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	archive.Files = archive.Files[:1]
	w := newWorld(diagnose.Derive(diagnose.Rules()))
	playInto(t, w, archive, map[string][4]int{})
	return w
}

func TestHealthyWorldHasNoRoot(t *testing.T) {
	t.Parallel()
	w := worldOf(t, `node kube/p {"name":"w1","conditions":[{"type":"Ready","status":"True"}]}`)
	if f, ok := diagnose.Root(w.last); ok {
		t.Errorf("root: %+v", f)
	}
}

// A standing risk is worth knowing and no trouble: the header stays quiet.
func TestARiskIsNoRoot(t *testing.T) {
	t.Parallel()
	w := worldOf(t, `pv kube/p {"name":"v","phase":"Bound","claim":"default/mysql","backing":"hostPath","hostPath":"/data/mysql"}`)
	if f, ok := diagnose.Root(w.last); ok || len(w.last.Findings) != 1 {
		t.Errorf("root %+v of %d findings", f, len(w.last.Findings))
	}
}

// TestStoreDerives: through a Store, a lease that nobody renews becomes a finding by the passing of time alone, and while
// nothing changes, findings and links are shared from snapshot to snapshot.
func TestStoreDerives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewStore(diagnose.Derive(diagnose.Rules()))
		see := func(source string, facts ...fleet.Object) {
			var scope string
			if len(facts) > 0 {
				scope = facts[0].Ref().Kind.Scope()
			}
			store.Put(fleet.Observation{Source: source, Scope: scope, At: time.Now(), Facts: facts})
			time.Sleep(time.Second)
			synctest.Wait()
		}
		see("kube/p", &fleet.Node{Source: "kube/p", Name: "w1", Conditions: []fleet.NodeCondition{{Type: "Ready", Status: "True"}}})
		see("kube/p", &fleet.Lease{Source: "kube/p", Node: "w1", Renewed: time.Now()})
		var last *fleet.Snapshot
		for range 39 {
			see(fleet.ClockSource)
			last = store.Snapshot()
			if len(last.Findings) != 0 {
				t.Fatalf("after %v: %+v", time.Since(last.At), last.Findings)
			}
		}
		see(fleet.ClockSource)
		late := store.Snapshot()
		if f, ok := diagnose.Root(late); !ok || f.Rule != "K8S-02" || f.Severity != fleet.Warn {
			t.Fatalf("root: %+v", f)
		}
		see(fleet.ClockSource)
		if next := store.Snapshot(); next.Seq == late.Seq || &next.Findings[0] != &late.Findings[0] {
			t.Error("unchanged findings are not shared")
		}
	})
}

// Only ATA disks are asked for a self-test log: of others none is missing.
func TestSelfTestsAreMissedOfATADisksOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		disk fleet.Disk
		want diagnose.State
	}{
		{fleet.Disk{Bus: "nvme", Smart: &fleet.Smart{}}, diagnose.OK},
		{fleet.Disk{Bus: "scsi", Smart: &fleet.Smart{}}, diagnose.OK},
		{fleet.Disk{Bus: "scsi", Smart: &fleet.Smart{ATA: &fleet.SmartATA{}}}, diagnose.CannotTell}, // ATA behind a SAS controller
		{fleet.Disk{Bus: "ata", Smart: &fleet.Smart{}}, diagnose.CannotTell},
		{fleet.Disk{Bus: "nvme"}, diagnose.CannotTell},
	} {
		for _, r := range diagnose.Rules() {
			if r.ID == "SMT-14" {
				if v := r.Judge(fleet.NewSnapshot(1, time.Time{}, nil, nil, nil), &c.disk); v.State != c.want {
					t.Errorf("%+v: state %d, want %d", c.disk, v.State, c.want)
				}
			}
		}
	}
}
