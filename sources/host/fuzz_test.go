package host

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// seedFiles adds the fixtures that match a pattern.
func seedFiles(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no fixture matches %s (%v)", pattern, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func sane(t *testing.T, what string, v fleet.Opt[float64]) {
	t.Helper()
	if v.OK && (math.IsNaN(v.V) || math.IsInf(v.V, 0) || v.V < 0) {
		t.Errorf("%s is %v", what, v.V)
	}
}

func FuzzSmart(f *testing.F) {
	seedFiles(f, "smartctl/*.json")
	f.Add([]byte(`{"smartctl":{"output":["SMART/Health Information (NVMe Log 0x02)","Thermal Temp. 1 Transition Count: 9"]},"nvme_smart_health_information_log":{"media_errors":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, code := range []int{0, 2, 3, 8} {
			r, err := parseSmart(b, code, time.Unix(0, 0))
			if err != nil {
				continue
			}
			seen := map[string]bool{}
			for _, c := range r.tallies {
				if seen[c.name] {
					t.Errorf("%s was counted twice", c.name)
				}
				seen[c.name] = true
			}
			for _, name := range r.absent {
				if seen[name] {
					t.Errorf("%s is both there and absent", name)
				}
			}
		}
		_, _ = parseScan(b)
	})
}

func FuzzHwmon(f *testing.F) {
	for _, s := range []string{"42000\n", "-273150", "65261850", "", "84000", "9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, why := reading(text); c.OK == (why != "") || (c.OK && (c.V <= -100 || c.V >= 250)) {
			t.Errorf("reading(%q) = %v, %q", text, c, why)
		}
		if l := limit(text); l.OK && (l.V <= 0 || l.V > 150) {
			t.Errorf("limit(%q) = %v", text, l)
		}
	})
}

func FuzzDiskstats(f *testing.F) {
	seedFiles(f, "diskstats.txt")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, before := range parseDiskstats(b) {
			for name, c := range parseDiskstats(b) {
				io := c.since(before, time.Second)
				for _, v := range []fleet.Opt[float64]{io.ReadBytesSec, io.WriteBytesSec, io.ReadsSec, io.WritesSec, io.Util} {
					sane(t, name, v)
				}
			}
			break
		}
	})
}

func FuzzPressure(f *testing.F) {
	seedFiles(f, "pressure.txt")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStall(b)
		for _, v := range []float64{s.Some10, s.Some60, s.Full10, s.Full60} {
			if !(v >= 0 && v <= 100) || (err != nil && v != 0) {
				t.Errorf("%+v, %v", s, err)
			}
		}
	})
}

func FuzzVmstat(f *testing.F) {
	seedFiles(f, "vmstat.txt")
	f.Fuzz(func(t *testing.T, b []byte) {
		pages, ok := parseVmstat(b)
		in, out := pages.since(swapPages{}, time.Second)
		sane(t, "swap in", in)
		sane(t, "swap out", out)
		if !ok && pages != (swapPages{}) {
			t.Errorf("%+v although it is not there", pages)
		}
	})
}

func FuzzMountinfo(f *testing.F) {
	f.Add([]byte("36 30 0:60 / /mnt/with\\040space ro - nfs4 nas:/export rw\n30 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/rl-root rw\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		points := map[string]bool{}
		for _, m := range realMounts(tree.ParseMounts(b)) {
			if points[m.Point] {
				t.Errorf("%q is there twice", m.Point)
			}
			points[m.Point] = true
		}
	})
}
