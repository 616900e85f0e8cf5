package wire_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata/internal/fleet"
	"strata/internal/wire"
)

// across sends what changed between two snapshots and returns what the other side makes of it.
func across(t *testing.T, s *wire.Sender, r *wire.Receiver, now *fleet.Snapshot, shift time.Duration) (all []fleet.Observation) {
	t.Helper()
	lines, err := s.Next(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		b, err := wire.EncodeLine(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := wire.DecodeLine(b)
		if err != nil || back.Scope == nil {
			t.Fatalf("%s came back as %+v, %v", b, back, err)
		}
		if o, ok := r.Take(back.Scope, shift); ok {
			all = append(all, o)
		}
	}
	return all
}

func sensor(n int, celsius float64) *fleet.Sensor {
	return &fleet.Sensor{Source: "host/a", Host: "a", Name: fmt.Sprintf("s%03d", n), Celsius: fleet.Some(celsius)}
}

func sensorsAt(seq uint64, at time.Time, facts ...fleet.Object) *fleet.Snapshot {
	slices.SortFunc(facts, fleet.Compare)
	return fleet.NewSnapshot(seq, at, []fleet.Part{{Source: "host/a", Scope: "sensors", At: at, Every: time.Second, Facts: facts}}, nil, nil)
}

// Whatever comes, goes and changes, the other side has the same; what did not change keeps its pointer there and is not
// sent.
func TestTheOtherSideHasTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s wire.Sender
	var r wire.Receiver
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	world := map[int]*fleet.Sensor{}
	var before fleet.Facts
	for seq := range uint64(200) {
		for range rng.IntN(4) {
			n := rng.IntN(30)
			if rng.IntN(3) == 0 {
				delete(world, n)
			} else {
				world[n] = sensor(n, rng.Float64())
			}
		}
		var facts fleet.Facts
		for _, o := range world {
			facts = append(facts, o)
		}
		seen := across(t, &s, &r, sensorsAt(seq+1, at.Add(time.Duration(seq)*time.Second), facts...), 0)
		if len(seen) != 1 {
			t.Fatalf("%d observations", len(seen))
		}
		if diff := cmp.Diff(facts, seen[0].Facts, cmp.Transformer("", func(f fleet.Facts) []fleet.Object { return f })); diff != "" && len(facts)+len(seen[0].Facts) > 0 {
			t.Fatalf("round %d: %s", seq, diff)
		}
		for _, o := range before {
			if i, ok := slices.BinarySearchFunc(seen[0].Facts, o, fleet.Compare); ok && reflect.DeepEqual(o, seen[0].Facts[i]) && o != seen[0].Facts[i] {
				if !slices.Contains(facts, o) { // one that went and came back as it was may be new
					continue
				}
				t.Fatalf("round %d: %v did not change and got a new pointer", seq, o.Ref())
			}
		}
		before = seen[0].Facts
	}
}

func TestAQuietScopeCostsALineWithoutObjects(t *testing.T) {
	var s wire.Sender
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := sensor(1, 40)
	if _, err := s.Next(sensorsAt(1, at, one)); err != nil {
		t.Fatal(err)
	}
	lines, err := s.Next(sensorsAt(2, at.Add(time.Second), one))
	if err != nil || len(lines) != 1 || len(lines[0].Scope.Objects) != 0 || lines[0].Scope.Whole {
		t.Fatalf("lines %+v, %v", lines, err)
	}
	if b, _ := wire.EncodeLine(lines[0]); len(b) > 150 {
		t.Errorf("it is %d bytes: %s", len(b), b)
	}
	lines, err = s.Next(sensorsAt(3, at.Add(time.Second), one))
	if err != nil || len(lines) != 1 {
		// The same time and the same facts: but NewSnapshot copied them, so they may be told again.
		t.Logf("lines %+v, %v", lines, err)
	}
}

func TestTimesAreMovedOntoOurClock(t *testing.T) {
	var s wire.Sender
	var r wire.Receiver
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	disk := &fleet.Disk{
		Source: "host/a", Host: "a", Name: "sda", Smart: &fleet.Smart{At: at},
		Counters: []fleet.Counter{{Name: "pending", Since: at.Add(-time.Hour)}, {Name: "never"}},
	}
	now := fleet.NewSnapshot(1, at, []fleet.Part{{Source: "host/a", Scope: "disks", At: at, Facts: fleet.Facts{disk}}}, nil, nil)
	seen := across(t, &s, &r, now, -365*24*time.Hour)
	got := seen[0].Facts[0].(*fleet.Disk)
	year := 365 * 24 * time.Hour
	if !seen[0].At.Equal(at.Add(-year)) || !got.Smart.At.Equal(at.Add(-year)) || !got.Counters[0].Since.Equal(at.Add(-year-time.Hour)) || !got.Counters[1].Since.IsZero() {
		t.Errorf("observed at %v, read at %v, %+v", seen[0].At, got.Smart.At, got.Counters)
	}
	if !disk.Smart.At.Equal(at) {
		t.Error("the sender's own object was moved")
	}
}

func TestAFailureKeepsWhatWasSeenAndAPartDoesNotHideTheRest(t *testing.T) {
	var r wire.Receiver
	take := func(text string) (fleet.Observation, bool) {
		l, err := wire.DecodeLine([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return r.Take(l.Scope, 0)
	}
	if o, ok := take(`{"scope":{"source":"host/a","scope":"sensors","kind":"sensor","whole":true,"objects":[{"source":"host/a","name":"x","future":1}]}}`); !ok || len(o.Facts) != 1 || o.Err != nil {
		t.Errorf("first: %+v", o)
	}
	if o, ok := take(`{"scope":{"source":"host/a","scope":"sensors","kind":"sensor","error":"no sysfs","fix":"mount it"}}`); !ok || o.Facts != nil || o.Err == nil || fleet.FixOf(o.Err) != "mount it" {
		t.Errorf("a failure: %+v", o)
	}
	o, ok := take(`{"scope":{"source":"host/a","scope":"sensors","kind":"sensor","objects":[{"source":"host/a","name":7},{"source":"host/other","name":"z"},{"source":"host/a","name":"y"}]}}`)
	if !ok || len(o.Facts) != 2 || o.Err == nil || !strings.Contains(o.Err.Error(), "host/a sensors") {
		t.Errorf("bad objects among good ones: %+v", o)
	}
	if o, ok := take(`{"scope":{"source":"host/a","scope":"marbles","kind":"marble","objects":[{"a":1}]}}`); ok {
		t.Errorf("an unknown kind gave %+v", o)
	}
}

func FuzzLine(f *testing.F) {
	for _, l := range []wire.Line{{Hello: &wire.Hello{Protocol: 1}}, {Ping: &wire.Ping{}}, {Beat: &wire.Beat{CPU: 1}}, {Start: &wire.Start{Name: "a"}}} {
		b, _ := wire.EncodeLine(l)
		f.Add(b)
	}
	f.Add([]byte(`{"scope":{"source":"host/a","scope":"disks","kind":"disk","whole":true,"objects":[{"source":"host/a","name":"sda","smart":{"at":"2026-01-01T00:00:00Z"}}],"gone":["x"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := wire.DecodeLine(b)
		if err != nil || l.Scope == nil {
			return
		}
		var r wire.Receiver
		o, ok := r.Take(l.Scope, time.Hour)
		if !ok {
			return
		}
		for i, f := range o.Facts {
			if i > 0 && fleet.Compare(o.Facts[i-1], f) >= 0 {
				t.Errorf("not sorted, or twice: %v, %v", o.Facts[i-1].Ref(), f.Ref())
			}
			if f.Ref().Source != o.Source {
				t.Errorf("%v is not of %s", f.Ref(), o.Source)
			}
			if _, err := json.Marshal(f); err != nil && !strings.Contains(err.Error(), "year outside") {
				t.Error(err)
			}
		}
	})
}
