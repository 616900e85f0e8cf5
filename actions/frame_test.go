package actions

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strata/internal/fleet"
)

// slow is an action that works until it is told to stop, or that just answers.
type slow struct {
	Name_  string `json:"name"`
	Answer string `json:"answer,omitempty"`
}

func (a slow) Name() string { return "slow" }
func (a slow) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindHost, Source: "host/x", Name: a.Name_}
}

func (a slow) Plan(*fleet.Snapshot) Plan {
	return Plan{Action: a, Title: "slow " + a.Name_, Command: []string{"sleep", "inf"}, Undo: slow{a.Name_, "undone"}, Reads: a.Answer != ""}
}

func (a slow) apply(ctx context.Context, _ Hands, say func(Step)) error {
	if a.Answer != "" {
		say(Step{Says: "asked", Output: a.Answer})
		return nil
	}
	say(Step{Says: "half", Share: fleet.Some(0.5)})
	<-ctx.Done()
	return errors.New("stopped in the middle: half of it is done")
}

func (a slow) seen(*fleet.Snapshot, time.Time) (verdict, string) { return waiting, "" }

// bare is a runner over nothing but an audit log.
func bare(t *testing.T) (*Runner, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	audit, err := OpenAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = audit.Close() })
	return NewRunner(Setup{
		Store: fleet.NewStore(nil), Audit: audit, Who: "tester", Wake: func(string) {}, Patient: time.Second, Locks: filepath.Join(filepath.Dir(path), "locks"),
	}), path
}

func TestAbortStopsAndSaysWhatIsLeft(t *testing.T) {
	r, path := bare(t)
	act := slow{Name_: "a"}
	ok, err := r.Approve(act.Plan(nil), "")
	if err != nil {
		t.Fatal(err)
	}
	var last Progress
	err = r.Run(t.Context(), ok, func(p Progress) {
		if last = p; p.Share.Or(0) == 0.5 && !r.Abort(act.Target()) {
			t.Error("there was nothing to abort")
		}
	})
	if err == nil || last.Phase != Aborted || !strings.Contains(last.Says, "half of it is done") {
		t.Errorf("it ended with %v, %+v", err, last)
	}
	all := (&lab{audit: path}).deeds(t)
	if phases(all) != "begin aborted" || all[1].Error == "" {
		t.Errorf("audit %+v", all)
	}
	if r.Abort(act.Target()) {
		t.Error("something still runs")
	}
}

func TestAnAnswerIsNotWaitedFor(t *testing.T) {
	r, path := bare(t)
	ok, err := r.Approve(slow{"a", "boot: ok"}.Plan(nil), "")
	if err != nil {
		t.Fatal(err)
	}
	var last Progress
	if err := r.Run(t.Context(), ok, func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Phase != Seen || last.Output != "boot: ok" {
		t.Errorf("it ended with %+v", last)
	}
	if got := phases((&lab{audit: path}).deeds(t)); got != "begin seen" {
		t.Errorf("audit %s", got)
	}
}

func TestTwoRunnersDoNotActOnOneTarget(t *testing.T) {
	first, _ := bare(t)
	second, path := bare(t)
	second.Locks, second.Who = first.Locks, "somebody else"
	act := slow{Name_: "a"}
	ok, _ := first.Approve(act.Plan(nil), "")
	also, _ := second.Approve(act.Plan(nil), "")
	_ = first.Run(t.Context(), ok, func(p Progress) {
		if p.Share.OK {
			err := second.Run(t.Context(), also, func(Progress) {})
			if err == nil || !strings.Contains(err.Error(), "tester, slow, pid ") {
				t.Errorf("the second one: %v; want to be told who acts", err)
			}
			first.Abort(act.Target())
		}
	})
	if got := (&lab{audit: path}).deeds; got(t) != nil {
		t.Errorf("the second one wrote %v", got(t))
	}
	var began bool
	_ = second.Run(t.Context(), also, func(p Progress) {
		if began = began || p.Phase == Begun; p.Share.OK {
			second.Abort(act.Target())
		}
	})
	if !began {
		t.Error("the lock was not given back")
	}
}

func TestAClosedRunnerApprovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, path := bare(t)
		plan := slow{Name_: "a"}.Plan(nil)
		approves := func() bool { _, err := r.Approve(plan, ""); return err == nil }
		r.Close("told so")
		if approves() || r.Closed() != "told so" {
			t.Error("a closed runner approved")
		}
		if err := r.Open(10*time.Minute, ""); err == nil || approves() {
			t.Error("it was opened without a reason")
		}
		if err := r.Open(10*time.Minute, "disk full"); err != nil || !approves() {
			t.Errorf("opened: %v", err)
		}
		if d := (&lab{audit: path}).deeds(t); len(d) != 1 || d[0].Phase != "write" || !strings.Contains(d[0].Title, "disk full") {
			t.Errorf("audit %+v", d)
		}
		time.Sleep(10 * time.Minute)
		if approves() {
			t.Error("it approved after its time")
		}
	})
}

// Each action comes back from the audit log as it went in, and says its name; each name and key is there once.
func TestEveryOfferDecodes(t *testing.T) {
	names, keys := map[string]bool{}, map[string]bool{}
	for _, o := range Offers() {
		if names[o.Name] || o.Name == "" || o.Title == "" || o.Kind == "" {
			t.Errorf("offer %+v", o)
		}
		names[o.Name] = true
		if key := string(o.Kind) + o.Key; o.Key != "" && keys[key] {
			t.Errorf("%s has the key %s of another action on a %s", o.Name, o.Key, o.Kind)
		} else {
			keys[key] = true
		}
		a, err := o.decode([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.TypeOf(a).Comparable() {
			t.Errorf("%s cannot be compared", o.Name)
		}
		filled := reflect.New(reflect.TypeOf(a)).Elem()
		fill(filled)
		want := filled.Interface().(Action)
		got, err := Decode(*recipe(want))
		if err != nil || got != want {
			t.Errorf("%s came back as %+v, want %+v (%v)", o.Name, got, want, err)
		}
	}
	if _, err := Decode(fleet.Recipe{Action: "server-start", Params: `{"server":"a"}`}); err == nil {
		t.Error("an unknown parameter was taken")
	}
	if _, err := Decode(fleet.Recipe{Action: "no such", Params: `{}`}); err == nil {
		t.Error("an unknown action was taken")
	}
}

// fill gives every field a value that is not its zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString(`a "b" $(c) \x2d`)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(1 << 40)
	case reflect.Float64:
		v.SetFloat(0.5)
	}
}

func TestAnOfferTakesItsOwnValuesOnly(t *testing.T) {
	o := Offer{Name: "x", Params: []Param{{Name: "n", Suggest: func(*fleet.Snapshot, fleet.Ref) []string { return []string{"4", "8"} }}, {Name: "m"}}, New: func(r fleet.Ref, a Args) (Action, error) {
		return slow{r.Name, a["n"] + "," + a["m"]}, nil
	}}
	for want, args := range map[string]Args{"4,": nil, "2,": {"n": " 2 "}, ",z": {"n": "", "m": "z"}} {
		a, err := o.Make(nil, fleet.Ref{Name: "a"}, args)
		if err != nil || a.(slow).Answer != want {
			t.Errorf("%v made %+v, %v; want %q", args, a, err, want)
		}
	}
	if _, err := o.Make(nil, fleet.Ref{}, Args{"k": "1"}); err == nil || !strings.Contains(err.Error(), "it takes n, m") {
		t.Errorf("a value that it does not have: %v", err)
	}
}

func TestTheUndoStandsInTheLog(t *testing.T) {
	r, path := bare(t)
	ok, _ := r.Approve(slow{"a", "x"}.Plan(nil), "")
	if err := r.Run(t.Context(), ok, func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	d := (&lab{audit: path}).deeds(t)[0]
	var undo slow
	if d.Undo == nil || d.Undo.Action != "slow" || json.Unmarshal([]byte(d.Undo.Params), &undo) != nil || undo != (slow{"a", "undone"}) {
		t.Errorf("undo %+v", d.Undo)
	}
}

// The first leg of read-only: without hands no action can do anything, whatever it is made of.
func TestNoActionActsWithoutHands(t *testing.T) {
	for _, o := range Offers() {
		filled := reflect.New(reflect.TypeOf(must(o.decode([]byte(`{}`))))).Elem()
		fill(filled)
		act := filled.Interface().(Action)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := act.apply(ctx, Hands{}, func(Step) {}); err == nil || ctx.Err() != nil {
			t.Errorf("%s without hands: %v", o.Name, err)
		}
		cancel()
	}
}

func must(a Action, err error) Action {
	if err != nil {
		panic(err)
	}
	return a
}

// BenchmarkAudit measures what a line of the audit log costs: one write and one sync.
func BenchmarkAudit(b *testing.B) {
	audit, err := OpenAudit(filepath.Join(b.TempDir(), "audit.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = audit.Close() })
	d := fleet.Deed{ID: "ABCDEFGHIJKL", At: time.Now(), Phase: "begin", Who: "root from 10.0.0.1", Action: "server-start", Title: "start k8s-worker-1", Before: "SHUTOFF", Params: `{"source":"openstack/home","id":"6c59b812-2d8d-4da5-92d6-6bbe527926d6"}`}
	line, _ := json.Marshal(d)
	for b.Loop() {
		if err := audit.Append(d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(line)), "bytes/line")
}
