package sources_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/internal/notes"
	"strata/sources"
)

// watched is one run of strata that looks at a disk.
type watched struct {
	t    *testing.T
	see  func(fleet.Observation)
	told []fleet.Observation
}

func watch(t *testing.T, marks *notes.Marks) *watched {
	w := &watched{t: t}
	w.see = sources.Remember(func(o fleet.Observation) { w.told = append(w.told, o) }, marks)
	return w
}

func diskOf(serial string, value, first uint64, since time.Time) *fleet.Disk {
	return &fleet.Disk{Source: "host/a", Host: "a", Name: "sda", Serial: serial, Counters: []fleet.Counter{{Name: "pending", Value: value, First: first, Since: since}}}
}

// look shows a disk and returns its counter as it is told.
func (w *watched) look(d *fleet.Disk, at time.Time) (*fleet.Disk, fleet.Counter) {
	w.t.Helper()
	w.see(fleet.Observation{Source: "host/a", Scope: "disks", At: at, Facts: fleet.Facts{d}})
	for i := len(w.told) - 1; i >= 0; i-- {
		if w.told[i].Source == "host/a" {
			told := w.told[i].Facts[0].(*fleet.Disk)
			return told, told.Counters[0]
		}
	}
	w.t.Fatal("nothing was told")
	return nil, fleet.Counter{}
}

// What a counter grew while no strata ran shows when the next one starts.
func TestGrowthWhileNobodyLookedIsTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.json")
	monday, friday := time.Unix(1700000000, 0).UTC(), time.Unix(1700345600, 0).UTC()
	watch(t, notes.Open(path)).look(diskOf("S1", 2, 2, monday), monday)

	w := watch(t, notes.Open(path))
	seen := diskOf("S1", 5, 5, friday)
	told, c := w.look(seen, friday)
	if c.Grew() != 3 || !c.Since.Equal(monday) || !c.Grown.IsZero() {
		t.Errorf("told %+v", c)
	}
	if seen.Counters[0].First != 5 {
		t.Error("what the source holds was changed")
	}
	if again, _ := w.look(seen, friday.Add(time.Minute)); again != told {
		t.Error("what did not change has another pointer")
	}
	// Another disk under the same name, and one that was reset, start over.
	if _, c := w.look(diskOf("S2", 7, 7, friday), friday); c.Grew() != 0 {
		t.Errorf("another disk: %+v", c)
	}
	if _, c := w.look(diskOf("S1", 1, 1, friday), friday); c.Grew() != 0 || c.First != 1 {
		t.Errorf("reset: %+v", c)
	}
}

// What another strata accepts shows here at the next look, although the disk did not change.
func TestWhatIsAcceptedElsewhereShowsHere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.json")
	at := time.Unix(1700000000, 0).UTC()
	w := watch(t, notes.Open(path))
	d := diskOf("S1", 5, 2, at)
	d.Counters[0].Grown = at.Add(-time.Minute)
	if _, c := w.look(d, at); c.Grew() != 3 || !c.Grown.Equal(d.Counters[0].Grown) {
		t.Fatalf("%+v", c)
	}
	if err := notes.Open(path).Set(map[string]map[string]notes.Mark{notes.Owner(d): {"pending": {Value: 5, Since: at.Add(time.Hour)}}}); err != nil {
		t.Fatal(err)
	}
	if _, c := w.look(d, at.Add(2*time.Hour)); c.Grew() != 0 || !c.Since.Equal(at.Add(time.Hour)) || !c.Grown.IsZero() {
		t.Errorf("%+v", c)
	}
}

// Where the file cannot be written that is told once, in a scope of its own, and the disks are seen all the same.
func TestMarksThatCannotBeKeptAreTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.json")
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1700000000, 0).UTC()
	w := watch(t, notes.Open(path))
	for i := range 3 {
		if _, c := w.look(diskOf("S1", 5, 2, at), at.Add(time.Duration(i)*time.Second)); c.Grew() != 3 {
			t.Errorf("%+v", c)
		}
	}
	troubles := 0
	for _, o := range w.told {
		if o.Source == sources.MarksSource {
			troubles++
			if o.Err == nil || fleet.FixOf(o.Err) == "" {
				t.Errorf("%+v", o)
			}
		}
	}
	if troubles != 1 {
		t.Errorf("told %d times", troubles)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.look(diskOf("S1", 6, 2, at), at.Add(time.Minute))
	if last := w.told[len(w.told)-2]; last.Source != sources.MarksSource || last.Err != nil {
		t.Errorf("that it works again is not told: %+v", last)
	}
}

// That marks cannot be kept is told for as long as it is so; then they are kept, from when they were seen.
func TestMarksThatCouldNotBeKeptAreKeptLater(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	at := time.Unix(1700000000, 0).UTC()
	w := watch(t, notes.Open(filepath.Join(dir, "marks.json")))
	d := diskOf("S1", 2, 2, at)
	first, _ := w.look(d, at)
	for i := range 3 {
		if again, _ := w.look(d, at.Add(time.Duration(i)*time.Second)); again != first {
			t.Error("what did not change has another pointer")
		}
	}
	told := 0
	for _, o := range w.told {
		if o.Source == sources.MarksSource {
			told++
			if o.Err == nil {
				t.Error("it is called well while nothing is kept")
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	w.look(d, at.Add(time.Minute))
	later := watch(t, notes.Open(filepath.Join(dir, "marks.json")))
	if _, c := later.look(diskOf("S1", 6, 6, at.Add(time.Hour)), at.Add(time.Hour)); c.Grew() != 4 || !c.Since.Equal(at) {
		t.Errorf("%+v", c)
	}
}

// What the kernel counts anew at each boot, and each strata corrects for itself, is not remembered.
func TestCountersOfTheBootAreNotRemembered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.json")
	at := time.Unix(1700000000, 0).UTC()
	disk := func(n uint64) *fleet.Disk {
		return &fleet.Disk{Source: "host/a", Name: "sda", Serial: "S", Counters: []fleet.Counter{{Name: "ioerr_cnt", Value: n, First: n, Since: at}}}
	}
	watch(t, notes.Open(path)).look(disk(1), at)
	if _, c := watch(t, notes.Open(path)).look(disk(288), at.Add(time.Hour)); c.Grew() != 0 {
		t.Errorf("%+v", c)
	}
}
