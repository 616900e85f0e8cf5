package host

import (
	"math"
	"os"
	"path/filepath"
	"strings"
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

func FuzzCgroup(f *testing.F) {
	seedFiles(f, "io.stat.txt")
	seedFiles(f, "io.max.txt")
	f.Add([]byte("8:0 8:16 rbytes=1 wbytes=x rios=2\n253:0 rbps=18446744073709551615 wbps=0 riops=max wiops=max\nusage_usec 12\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := parseIOStat(b)
		limits := fleet.ParseIOMax(string(b))
		for number, l := range limits {
			if !fleet.IsDeviceNumber(number) || !l.Any() {
				t.Errorf("%q is limited to %+v", number, l)
			}
		}
		seen := map[string]bool{}
		for _, io := range unitIO(now, []ioLine{}, 2, limits, limits, func(n string) (string, bool) { return "disk" + n, true }) {
			if !fleet.IsDeviceNumber(io.Number) || seen[io.Number] {
				t.Errorf("%q is no number or is there twice", io.Number)
			}
			seen[io.Number] = true
			for _, v := range []fleet.Opt[float64]{io.ReadBytesSec, io.WriteBytesSec, io.ReadsSec, io.WritesSec} {
				sane(t, io.Number, v)
			}
		}
		_, _ = parseUsage(b)
	})
}

func FuzzUnitNames(f *testing.F) {
	for _, s := range []string{`machine-qemu\x2d1\x2dinstance\x2d0000001c.scope`, `machine-qemu\x2d12\x2dmy\x20vm.scope`, `machine-qemu-.scope`, `\x`, `\xzz.scope`, "ssh.service"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, unit string) {
		if len(unescapeUnit(unit)) > len(unit) {
			t.Errorf("%q grew", unit)
		}
		if name, ok := domainOf(unit); ok && (name == "" || !strings.HasSuffix(unit, ".scope")) {
			t.Errorf("%q is the scope of domain %q", unit, name)
		}
		_ = guestOf([]string{"-name", unit})
	})
}

func FuzzSwapFiles(f *testing.F) {
	seedFiles(f, "swaps.txt")
	f.Add([]byte("UUID=3978815f-4897-4c33-9423-9dc459b7e32c none swap sw,pri=10 0 0\n# LABEL=x none swap\n/swap\\040file swap swap noauto\n[Swap]\nWhat=/dev/vdb\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, l := range parseSwaps(b) {
			if l.name == "" {
				t.Errorf("an area without a name: %+v", l)
			}
		}
		for _, l := range parseFstab(b) {
			if l.device == "" || !strings.Contains(string(b), l.line) {
				t.Errorf("%+v is not in the file", l)
			}
			_ = swapPath("/nowhere", l.device)
		}
		if what := whatOf(b); strings.ContainsAny(what, "\n") {
			t.Errorf("two lines: %q", what)
		}
	})
}

func FuzzZswap(f *testing.F) {
	f.Add("Zswap:            1024 kB\nZswapped:         4096 kB\n")
	f.Add("Zswap: 18446744073709551615 kB\nZswapped: -1 kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		pool, stored := parseZswap(text)
		if pool.V%1024 != 0 || stored.V%1024 != 0 || !pool.OK && pool.V != 0 || !stored.OK && stored.V != 0 {
			t.Errorf("%q: %v %v", text, pool, stored)
		}
	})
}

func FuzzCommitted(f *testing.F) {
	f.Add("CommitLimit:    12037888 kB\nCommitted_AS:    9379588 kB\n")
	f.Add("CommitLimit: 1 kB\nCommitted_AS: 18446744073709551615 kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got := committed(text); got.V < 0 || got.V > 1000 || !got.OK && got.V != 0 {
			t.Errorf("%q: %v", text, got)
		}
	})
}
