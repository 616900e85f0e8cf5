package wire

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"strata/internal/fleet"
)

// fill sets every field to something that is not zero, so that a field which the wire loses shows.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2025, 7, 8, 3, 0, *n%60, 123456789, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("hw:cpu_policy"), reflect.ValueOf("dedicated"))
	case reflect.String:
		v.SetString("ünï\"<&>\x1b[31m" + string(rune('a'+*n%26)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.1)
	case reflect.Uint8: // severities and confidences
		v.SetUint(uint64(*n%3 + 1))
	default:
		if v.CanInt() {
			v.SetInt(int64(*n))
		} else {
			v.SetUint(uint64(*n))
		}
	}
}

func filled[T any]() *T {
	v, n := new(T), 0
	fill(reflect.ValueOf(v).Elem(), &n)
	return v
}

func everything(t testing.TB) *fleet.Snapshot {
	at := time.Date(2025, 7, 8, 3, 0, 0, 5, time.UTC)
	var parts []fleet.Part
	for _, o := range []fleet.Object{
		filled[fleet.Server](), filled[fleet.ComputeService](), filled[fleet.Hypervisor](),
		filled[fleet.Node](), filled[fleet.Lease](), filled[fleet.Pod](), filled[fleet.Event](), filled[fleet.Volume](), filled[fleet.Claim](),
		filled[fleet.Host](), filled[fleet.Sensor](), filled[fleet.Disk](), filled[fleet.Filesystem](), filled[fleet.Deed](),
	} {
		kind := o.Ref().Kind
		if _, ok := blank(kind); !ok {
			t.Errorf("the wire does not know %s", kind)
		}
		parts = append(parts, fleet.Part{
			Source: "s", Scope: kind.Scope(), Kind: kind, At: at, Every: 5 * time.Second, Facts: fleet.Facts{o},
			Err: "it fails", Fix: "mend it", ErrAt: at.Add(-time.Minute),
		})
	}
	parts[0].Partial = true
	parts = append(parts, fleet.Part{Source: "kube", Err: "nothing there", Fix: "put it there", ErrAt: at, Unconfigured: true})
	return fleet.NewSnapshot(42, at, parts, []fleet.Link{*filled[fleet.Link]()}, []fleet.Finding{*filled[fleet.Finding]()})
}

// That a list was not read is not that it is empty.
func TestAnEmptyListOfActionsStaysEmpty(t *testing.T) {
	for _, actions := range [][]fleet.ServerAction{nil, {}} {
		b, err := EncodeSnapshot(fleet.NewSnapshot(1, time.Time{}, []fleet.Part{
			{Source: "openstack/a", Scope: "servers", Facts: fleet.Facts{&fleet.Server{Source: "openstack/a", ID: "s", Actions: actions}}},
		}, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		s, err := DecodeSnapshot(b)
		if err != nil {
			t.Fatal(err)
		}
		for v := range fleet.All[*fleet.Server](s, fleet.KindServer) {
			if (v.Actions == nil) != (actions == nil) {
				t.Errorf("%#v came back as %#v", actions, v.Actions)
			}
		}
	}
}

func equal(t *testing.T, got, want *fleet.Snapshot) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(fleet.Snapshot{}, fleet.Part{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("what came back differs (-want +got):\n%s", d)
	}
}

func TestASnapshotComesBackAsItWas(t *testing.T) {
	t.Parallel()
	want := everything(t)
	b, err := EncodeSnapshot(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
	for i := range want.Parts {
		for _, o := range want.Parts[i].Facts {
			if _, ok := got.Get(o.Ref()); !ok {
				t.Errorf("%v cannot be found in what came back", o.Ref())
			}
		}
	}
	again, err := EncodeSnapshot(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, b) {
		t.Error("written a second time it reads differently")
	}
}

func TestMissingIsNotZero(t *testing.T) {
	t.Parallel()
	parts := []fleet.Part{{Source: "host/a", Scope: "sensors", Facts: fleet.Facts{
		&fleet.Sensor{Source: "host/a", Name: "0", Celsius: fleet.Some(0.0)}, &fleet.Sensor{Source: "host/a", Name: "1"},
	}}}
	b, err := EncodeSnapshot(fleet.NewSnapshot(1, time.Time{}, parts, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want fleet.Opt[float64]
	}{{"0", fleet.Some(0.0)}, {"1", fleet.Opt[float64]{}}} {
		s, ok := fleet.Find[*fleet.Sensor](got, fleet.Ref{Kind: fleet.KindSensor, Source: "host/a", Name: c.name})
		if !ok || s.Celsius != c.want {
			t.Errorf("sensor %s came back as %+v, want %+v", c.name, s, c.want)
		}
	}
}

// A newer strata may write what this one has never heard of.
func TestUnknownFieldsAndKindsAreIgnored(t *testing.T) {
	t.Parallel()
	want := everything(t)
	b, err := EncodeSnapshot(want)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	grease(tree)
	parts := tree.(map[string]any)["parts"].([]any)
	tree.(map[string]any)["parts"] = append(parts, map[string]any{
		"source": "tape/attic", "scope": "tapes", "kind": "tape", "at": "2025-07-08T03:00:00Z", "objects": []any{map[string]any{"x": 1}, 7, "?"},
	})
	if b, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	tapes, ok := got.Part("tape/attic", "tapes")
	if !ok || len(tapes.Facts) != 0 {
		t.Errorf("a scope of an unknown kind came as %+v, want it empty", tapes)
	}
	kept := got.Parts[:0:0]
	for _, p := range got.Parts {
		if p.Source != "tape/attic" {
			kept = append(kept, p)
		}
	}
	for i := range want.Parts {
		for j, o := range want.Parts[i].Facts {
			// Maps of the world's own keys take in what was thrown at them.
			ignore := cmpopts.IgnoreMapEntries(func(k, _ string) bool { return k == "x-new" })
			if d := cmp.Diff(o, kept[i].Facts[j], ignore); d != "" {
				t.Errorf("%v differs (-want +got):\n%s", o.Ref(), d)
			}
		}
	}
}

// grease adds an unknown field to every object of a JSON tree.
func grease(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			grease(inner)
		}
		v["x-new"] = "surprise"
	case []any:
		for _, inner := range v {
			grease(inner)
		}
	}
}

func TestWordsOfTheFutureAreNone(t *testing.T) {
	t.Parallel()
	s, err := DecodeSnapshot([]byte(`{"schema":"strata/v1","parts":[],"links":[{"sure":"utterly"}],"findings":[{"severity":"apocalyptic","confidence":"low"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if f := &s.Findings[0]; f.Severity != 0 || f.Confidence != fleet.Low || s.Links[0].Sure != 0 {
		t.Errorf("got %+v and %+v", f, s.Links[0])
	}
}

func TestAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `{"schema":"strata/v2","parts":[]}`, `[]`, ``, `{"schema":"strata/v1","parts":[{"kind":"pod","objects":[{"name":7}]}]}`} {
		if _, err := DecodeSnapshot([]byte(text)); err == nil {
			t.Errorf("%q is taken as a snapshot", text)
		}
	}
}

// Every kind that fleet names is on the wire, but findings, which have a list of their own.
func TestTheWireKnowsEveryKind(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../fleet/ref.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Kind") {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		found++
		kind := fleet.Kind(strings.Trim(lit.Value, `"`))
		if _, ok := blank(kind); !ok && kind != fleet.KindFinding {
			t.Errorf("the wire does not know %s", kind)
		}
		return true
	})
	if found < 15 {
		t.Errorf("only %d kinds were found in ref.go", found)
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	b, err := EncodeSnapshot(everything(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"schema":"strata/v1","parts":[{"kind":"pod","objects":[null,{}]}],"links":[{}],"findings":[{"severity":"?"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSnapshot(b)
		if err != nil {
			return
		}
		for i := range s.Findings {
			_ = s.Findings[i].Health().Word
			_ = s.Findings[i].Confidence.String()
		}
		once, err := EncodeSnapshot(s)
		if err != nil {
			return // times beyond the year 9999 can be read and not written
		}
		again, err := DecodeSnapshot(once)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		equal(t, again, s)
	})
}
