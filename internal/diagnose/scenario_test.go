package diagnose_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

// TestScenarios plays the situations in testdata and compares the findings, once judged from scratch and once step by
// step. testdata/README.md tells how they are written; STRATA_UPDATE=1 rewrites what they expect. Of each rule there must be
// a yes, a no and a cannot-tell.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	outcomes := map[string][4]int{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, archive, outcomes)
			if os.Getenv("STRATA_UPDATE") != "" {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	sure := []string{"LNK-10", "LNK-11", "K8S-08"} // rules that can always tell: what they read is there or it is not
	for _, r := range diagnose.Rules() {
		n := outcomes[r.ID]
		if n[diagnose.Bad] == 0 || n[diagnose.OK] == 0 || n[diagnose.CannotTell] == 0 && !slices.Contains(sure, r.ID) {
			t.Errorf("%s: %d yes, %d no, %d cannot tell: want one of each", r.ID, n[diagnose.Bad], n[diagnose.OK], n[diagnose.CannotTell])
		}
	}
}

func play(t *testing.T, archive *txtar.Archive, outcomes map[string][4]int) {
	t.Helper()
	playInto(t, newWorld(diagnose.Derive(diagnose.Rules())), archive, outcomes)
}

func playInto(t *testing.T, w *world, archive *txtar.Archive, outcomes map[string][4]int) {
	t.Helper()
	rules := diagnose.Rules()
	for i := range archive.Files {
		f := &archive.Files[i]
		word, rest, _ := strings.Cut(f.Name, " ")
		switch word {
		case "at":
			at, err := time.Parse(time.RFC3339, rest)
			if err != nil {
				t.Fatal(err)
			}
			w.now = at
			for line := range strings.Lines(string(f.Data)) {
				if err := w.read(strings.TrimSpace(line)); err != nil {
					t.Fatalf("%s: %v: %s", f.Name, err, line)
				}
			}
			w.step(t)
			for r := range w.objects {
				for _, j := range diagnose.Examine(rules, w.last, r) {
					n := outcomes[j.Rule.ID]
					n[j.Verdict.State]++
					outcomes[j.Rule.ID] = n
				}
			}
		case "want":
			wanted, asked := split(string(f.Data))
			got := told(w.last)
			if os.Getenv("STRATA_UPDATE") != "" {
				f.Data = []byte(got + strings.Join(asked, ""))
				continue
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("at %s (-want +got):\n%s", w.now.Format(time.RFC3339), diff)
			}
			for _, line := range asked {
				cannotTell(t, w.last, rules, line)
			}
		default:
			t.Fatalf("section %q", f.Name)
		}
	}
}

// split parts the findings expected from the lines "? RULE kind name: what is missing".
func split(text string) (findings string, asked []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "? ") {
			asked = append(asked, line)
		} else {
			findings += line
		}
	}
	return findings, asked
}

func cannotTell(t *testing.T, s *fleet.Snapshot, rules []diagnose.Rule, line string) {
	t.Helper()
	what, missing, _ := strings.Cut(strings.TrimSpace(line[2:]), ": ")
	words := strings.Fields(what)
	if len(words) != 3 {
		t.Fatalf("want ? RULE kind name: %q", line)
	}
	for o := range s.Each(fleet.Kind(words[1])) {
		if o.Ref().Name != words[2] {
			continue
		}
		for _, j := range diagnose.Examine(rules, s, o.Ref()) {
			if j.Rule.ID != words[0] {
				continue
			}
			if j.Verdict.State != diagnose.CannotTell || !strings.Contains(strings.Join(j.Verdict.Missing, "\n"), missing) {
				t.Errorf("%s: got state %d, missing %q", strings.TrimSpace(line), j.Verdict.State, j.Verdict.Missing)
			}
			return
		}
	}
	t.Errorf("%s: no such rule or object", strings.TrimSpace(line))
}

// told writes findings as scenarios expect them.
func told(s *fleet.Snapshot) string {
	short := func(key string) string {
		p := strings.SplitN(key, "|", 4)
		return p[0] + " " + p[1] + " " + p[3]
	}
	var b strings.Builder
	for i := range s.Findings {
		f := &s.Findings[i]
		shown := "shown"
		switch {
		case !f.Shown:
			shown = "held"
		case !f.Cleared.IsZero():
			shown = "clearing"
		}
		fmt.Fprintf(&b, "%s %s %s %s", short(f.Key()), f.Severity, f.Confidence, shown)
		if f.Under != "" {
			fmt.Fprintf(&b, " under %s", short(f.Under))
		}
		fmt.Fprintf(&b, "\n    %s\n", f.Says)
	}
	return b.String()
}

// world is a snapshot that can be changed, and what was derived from it.
type world struct {
	now     time.Time
	objects map[fleet.Ref]fleet.Object
	failing map[fleet.Kind]string // parts of that kind fail
	partly  map[fleet.Kind]string // parts of that kind fail in part
	dead    map[string]string     // sources that fail as a whole
	derive  fleet.Derive
	last    *fleet.Snapshot
	changes int
	keep    bool // scopes and sources that were seen stay, as a store keeps them
}

func newWorld(derive fleet.Derive) *world {
	return &world{
		objects: map[fleet.Ref]fleet.Object{}, failing: map[fleet.Kind]string{}, partly: map[fleet.Kind]string{}, dead: map[string]string{}, derive: derive,
		last: fleet.NewSnapshot(0, time.Time{}, nil, nil, nil),
	}
}

// snapshot joins the objects: a part for each source and kind.
func (w *world) snapshot() *fleet.Snapshot {
	type scope struct {
		source string
		kind   fleet.Kind
	}
	facts := map[scope]fleet.Facts{}
	for r, o := range w.objects {
		k := scope{r.Source, r.Kind}
		facts[k] = append(facts[k], o)
	}
	var parts []fleet.Part
	for i := range w.last.Parts {
		p := &w.last.Parts[i]
		switch _, seen := facts[scope{p.Source, p.Kind}]; {
		case !w.keep || seen:
		case p.Scope != "":
			facts[scope{p.Source, p.Kind}] = fleet.Facts{}
		case w.dead[p.Source] == "":
			parts = append(parts, fleet.Part{Source: p.Source, At: w.now})
		}
	}
	for k, f := range facts {
		slices.SortFunc(f, fleet.Compare)
		p := fleet.Part{Source: k.source, Scope: k.kind.Scope(), Kind: k.kind, At: w.now, Facts: f, Err: w.failing[k.kind]}
		if old, ok := w.last.Part(p.Source, p.Scope); ok && p.Err != "" {
			p.At = old.At
		}
		if says := w.partly[k.kind]; says != "" && p.Err == "" {
			p.Err, p.Partial = says, true
		}
		parts = append(parts, p)
	}
	for source, says := range w.dead {
		parts = append(parts, fleet.Part{Source: source, Err: says})
	}
	return fleet.NewSnapshot(w.last.Seq+1, w.now, parts, nil, nil)
}

// step makes the next snapshot and checks that what was derived step by step is what a judgement from scratch gives.
func (w *world) step(t testing.TB) {
	t.Helper()
	next := w.snapshot()
	var changed []fleet.Change
	fleet.Diff(w.last, next, func(old, next fleet.Object) { changed = append(changed, fleet.Change{Old: old, New: next}) })
	w.changes = len(changed)
	scratch := diagnose.Diagnose(diagnose.Rules(), w.last, next)
	links, findings := w.derive(w.last, next, changed)
	sameAs(t, "links", diagnose.Links(next), links)
	sameAs(t, "findings", scratch, findings)
	w.last = fleet.NewSnapshot(next.Seq, next.At, next.Parts, links, findings)
}

func sameAs[T any](t testing.TB, what string, scratch, step []T) {
	t.Helper()
	if len(scratch)+len(step) == 0 || reflect.DeepEqual(scratch, step) { // cmp is slow, and tells what differs
		return
	}
	t.Fatalf("%s, from scratch and step by step (-scratch +step):\n%s", what, cmp.Diff(scratch, step))
}

// read takes one line of a scenario: KIND SOURCE JSON, gone KIND SOURCE NAME, fails KIND ERROR, partly KIND ERROR,
// works KIND, dies SOURCE ERROR, lives SOURCE.
func (w *world) read(line string) error {
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "gone":
		f := strings.Fields(rest)
		r := fleet.Ref{Kind: fleet.Kind(f[0]), Source: f[1], Name: f[2]}
		if w.objects[r] == nil {
			return fmt.Errorf("%s is not there", r)
		}
		delete(w.objects, r)
		return nil
	case "fails":
		kind, text, _ := strings.Cut(rest, " ")
		w.failing[fleet.Kind(kind)] = text
		return nil
	case "partly":
		kind, text, _ := strings.Cut(rest, " ")
		w.partly[fleet.Kind(kind)] = text
		return nil
	case "works":
		delete(w.failing, fleet.Kind(rest))
		delete(w.partly, fleet.Kind(rest))
		return nil
	case "dies":
		source, text, _ := strings.Cut(rest, " ")
		w.dead[source] = text
		return nil
	case "lives":
		delete(w.dead, rest)
		return nil
	}
	o := blank(fleet.Kind(word))
	if o == nil {
		return fmt.Errorf("kind %q", word)
	}
	source, text, _ := strings.Cut(rest, " ")
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(o); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(`{"source":"`+source+`"}`), o); err != nil {
		return err
	}
	w.objects[o.Ref()] = o
	return nil
}

func blank(kind fleet.Kind) fleet.Object {
	switch kind {
	case fleet.KindServer:
		return new(fleet.Server)
	case fleet.KindCompute:
		return new(fleet.ComputeService)
	case fleet.KindHypervisor:
		return new(fleet.Hypervisor)
	case fleet.KindNode:
		return new(fleet.Node)
	case fleet.KindLease:
		return new(fleet.Lease)
	case fleet.KindPod:
		return new(fleet.Pod)
	case fleet.KindEvent:
		return new(fleet.Event)
	case fleet.KindVolume:
		return new(fleet.Volume)
	case fleet.KindClaim:
		return new(fleet.Claim)
	case fleet.KindHost:
		return new(fleet.Host)
	case fleet.KindSensor:
		return new(fleet.Sensor)
	case fleet.KindDisk:
		return new(fleet.Disk)
	case fleet.KindFilesystem:
		return new(fleet.Filesystem)
	case fleet.KindUnit:
		return new(fleet.Unit)
	case fleet.KindSwap:
		return new(fleet.SwapArea)
	case fleet.KindKernel:
		return new(fleet.KernelEvent)
	case fleet.KindKernelLog:
		return new(fleet.KernelLog)
	case fleet.KindBoot:
		return new(fleet.BootRecord)
	case fleet.KindDomain:
		return new(fleet.Domain)
	case fleet.KindCheck:
		return new(fleet.Check)
	case fleet.KindAgent:
		return new(fleet.Agent)
	case fleet.KindFlavor:
		return new(fleet.Flavor)
	case fleet.KindApp:
		return new(fleet.App)
	case fleet.KindWorkload:
		return new(fleet.Workload)
	}
	return nil
}
