package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
)

func hostAt(load float64) *fleet.Host {
	return &fleet.Host{Source: "host/h", Name: "h", Load: [3]float64{load}}
}

// record writes a recording of one host under three loads, a minute apart.
func record(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	r, err := NewRecorder(&file, Hello{Build: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	store := fleet.NewStore(nil)
	for i := range 3 {
		at := time.Date(2025, 7, 7, 15, i, 0, 0, time.UTC)
		s := store.Replay(at, []fleet.Observation{{Source: "host/h", Scope: "host", At: at, Facts: fleet.Facts{hostAt(float64(i))}}})
		if err := r.Take(s); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

func TestARecordingPlaysAsItWas(t *testing.T) {
	var loads []float64
	err := Play(bytes.NewReader(record(t)), func(at time.Time, seen []fleet.Observation) bool {
		if len(seen) != 1 || !seen[0].At.Equal(at) {
			t.Fatalf("at %v: %+v", at, seen)
		}
		loads = append(loads, seen[0].Facts[0].(*fleet.Host).Load[0])
		return len(loads) < 2
	})
	if err != nil || len(loads) != 2 || loads[1] != 1 {
		t.Errorf("%v, %v", loads, err)
	}
}

func TestADamagedRecordingTellsAllThatIsWhole(t *testing.T) {
	lines := bytes.SplitAfter(record(t), []byte("\n"))
	lines[3] = []byte("{\"scope\":{\"sou\n")
	torn := bytes.TrimSuffix(bytes.Join(lines, nil), []byte("\n"))
	n := 0
	err := Play(bytes.NewReader(torn), func(time.Time, []fleet.Observation) bool { n++; return true })
	if err == nil || !strings.Contains(err.Error(), "line 4") || n != 2 {
		t.Errorf("%d snapshots, %v", n, err)
	}
	for _, text := range []string{"", "hello\n", "{\"beat\":{}}\n"} {
		if err := Play(strings.NewReader(text), nil); !errors.Is(err, ErrNoRecording) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := Play(strings.NewReader("{\"hello\":{\"protocol\":7}}\n"), nil); err == nil || !strings.Contains(err.Error(), "protocol 7") {
		t.Error(err)
	}
}
