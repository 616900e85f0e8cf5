package prometheus

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"strata/internal/fake/prometheus"
	"strata/internal/fleet"
)

// BenchmarkRound5000 is a round over 5,000 machines, over HTTP and into the store: all questions about hosts, sensors and
// disks, filesystems and what is slow in every fourth. The fake's own time and garbage are in it.
func BenchmarkRound5000(b *testing.B) {
	f := prometheus.Start(5000)
	defer f.Close()
	w, done := rounds(b, f, func(fleet.Observation) {})
	defer done()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		w.round(b.Context(), n)
		n++
	}
}

// BenchmarkAnswer5000 is reading one answer: a temperature of 5,000 machines with 6 sensors each.
func BenchmarkAnswer5000(b *testing.B) {
	text := []byte(`{"status":"success","data":{"resultType":"vector","result":[`)
	for i := range 30_000 {
		text = fmt.Appendf(text, `{"metric":{"chip":"platform_coretemp_0","instance":"10.0.%d.%d:9100","sensor":"temp%d"},"value":[1751267000.123,"%d"]},`, i/6>>8, i/6&255, i%6, 40+i%20)
	}
	text = append(text[:len(text)-1], `]}}`...)
	a := newAsker(nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		a.next()
		n := 0
		err := vector(text, []string{"instance", "chip", "sensor"}, func(v [][]byte, _ float64) {
			for _, l := range v {
				a.intern(l)
			}
			n++
		})
		if err != nil || n != 30_000 {
			b.Fatal(n, err)
		}
	}
}

// rounds is a source ready to look, round by round.
func rounds(tb testing.TB, f *prometheus.Server, see func(fleet.Observation)) (w *watch, done func()) {
	tb.Helper()
	s := New(place(f), Options{}).(*source)
	client, err := s.at.ForReading("bench")
	if err != nil {
		tb.Fatal(err)
	}
	return s.watch(client, see), client.Close
}

// TestCostOf5000 prints what 5,000 machines cost, against a fake in a process of its own (STRATA_FLEET=URL).
func TestCostOf5000(t *testing.T) {
	url := os.Getenv("STRATA_FLEET")
	if url == "" {
		t.Skip("STRATA_FLEET names no fake")
	}
	p := place(&prometheus.Server{URL: url, Alertmanager: url + "/alertmanager"})
	s := New(p, Options{}).(*source)
	store := fleet.NewStore(nil)
	began, first := time.Now(), time.Duration(0)
	client, err := s.at.ForReading("cost")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := s.watch(client, func(o fleet.Observation) {
		if o.Err != nil {
			t.Error(o.Err)
		}
		if o.Scope == ScopeHosts && first == 0 {
			first = time.Since(began)
		}
		store.Put(o)
	})
	for i := range 5 {
		from := time.Now()
		w.round(context.Background(), i)
		t.Logf("round %d took %v", i, time.Since(from).Round(time.Millisecond))
	}
	runtime.GC()
	debug.FreeOSMemory()
	status, _ := os.ReadFile("/proc/self/status") // figures only
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			t.Log(strings.TrimSpace(line))
		}
	}
	snap := store.Snapshot()
	t.Logf("first hosts after %v; %d hosts, %d sensors, %d disks, %d filesystems", first.Round(time.Millisecond), snap.Tally(fleet.KindHost).Total(),
		snap.Tally(fleet.KindSensor).Total(), snap.Tally(fleet.KindDisk).Total(), snap.Tally(fleet.KindFilesystem).Total())
}
