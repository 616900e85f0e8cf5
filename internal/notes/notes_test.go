package notes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/fleet"
	"strata/internal/notes"
)

func set(owner, counter string, value uint64) map[string]map[string]notes.Mark {
	return map[string]map[string]notes.Mark{owner: {counter: {Value: value, Since: time.Unix(1700000000, 0).UTC()}}}
}

// Marks outlast the process, and two processes that share the file keep each other's.
func TestMarksAreSharedAndOutlastTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "marks.json")
	one, two := notes.Open(path), notes.Open(path)
	if err := one.Set(set("disk A", "media_errors", 2)); err != nil {
		t.Fatal(err)
	}
	if err := two.Set(set("disk A", "pending", 3)); err != nil {
		t.Fatal(err)
	}
	before, err := one.Refresh()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := one.Refresh(); err != nil || again != before {
		t.Errorf("nothing changed and it says %d, was %d (%v)", again, before, err)
	}
	three := notes.Open(path)
	if _, err := three.Refresh(); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*notes.Marks{"one": one, "two": two, "three": three} {
		of := m.Of("disk A")
		if of["media_errors"].Value != 2 || of["pending"].Value != 3 || !of["pending"].Since.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s has %+v", name, of)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A file that is broken, or of a later strata, is left as it is; marks hold in memory and the error names the file.
func TestABrokenFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"version":9,"marks":{}}`, `{"version":1,"marks":[]}`, ""} {
		path := filepath.Join(t.TempDir(), "marks.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m := notes.Open(path)
		if err := m.Set(set("disk A", "pending", 1)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Errorf("%q became %q", text, after)
		}
		if m.Of("disk A")["pending"].Value != 1 {
			t.Errorf("%q: it is not held in memory", text)
		}
	}
}

// A disk is known by its serial number wherever it is put in its machine; one without by its place. The same emulated disk of
// two machines is two.
func TestOwner(t *testing.T) {
	t.Parallel()
	a := &fleet.Disk{Source: "host/a", Name: "sda", Model: "QEMU HARDDISK", Serial: "QM00001"}
	b := &fleet.Disk{Source: "host/a", Name: "sdb", Model: "QEMU HARDDISK", Serial: "QM00001"}
	if notes.Owner(a) != notes.Owner(b) {
		t.Errorf("%q and %q", notes.Owner(a), notes.Owner(b))
	}
	b.Source = "host/b"
	if notes.Owner(a) == notes.Owner(b) {
		t.Errorf("both are %q", notes.Owner(a))
	}
	b.Source, a.Serial, b.Serial = "host/a", "", ""
	if notes.Owner(a) == notes.Owner(b) {
		t.Errorf("both are %q", notes.Owner(a))
	}
}

// A file that cannot be replaced is as it was, and nothing is left beside it.
func TestReplaceIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"one", "two"} {
		if err := notes.Replace(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); string(b) != text {
			t.Errorf("%q", b)
		}
	}
	busy := filepath.Join(dir, "folder")
	if err := os.Mkdir(busy, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := notes.Replace(busy, []byte("x"), 0o600); err == nil {
		t.Error("it replaced a folder")
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}
