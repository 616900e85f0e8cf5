package actions

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/connect"
)

// Whatever else is in the file stays, byte for byte, and the way back gives the file that was there.
func TestOnlyOneLineChanges(t *testing.T) {
	const line = "UUID=1-2\tnone swap sw,pri=5 0 0"
	pool := []string{"", "# a comment", "##" + line, "# " + line + "x", "/dev/sda1 / ext4 defaults 0 1", "  UUID=1-2\tnone swap sw 0 0", "/dev/\xff bad bytes", "\t"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		end := []string{"\n", "\r\n"}[rng.IntN(2)]
		raw := []string{"", " ", "\t"}[rng.IntN(3)] + line + []string{"", "  "}[rng.IntN(2)]
		var before, after []string
		for range rng.IntN(6) {
			before = append(before, pool[rng.IntN(len(pool))])
		}
		after = append(after, before...)
		before, after = append(before, raw), append(after, "#"+raw)
		for range rng.IntN(6) {
			other := pool[rng.IntN(len(pool))]
			before, after = append(before, other), append(after, other)
		}
		last := []string{"", end}[rng.IntN(2)]
		text, want := []byte(strings.Join(before, end)+last), []byte(strings.Join(after, end)+last)
		got, err := changeLines(text, lineChange{line, true})
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q became %q, %v, want %q", text, got, err, want)
		}
		back, err := changeLines(got, lineChange{line, false})
		if err != nil || !bytes.Equal(back, text) {
			t.Fatalf("back: %q became %q, %v", got, back, err)
		}
	}
}

func TestALineThatMovedIsNotGuessed(t *testing.T) {
	for _, text := range []string{"", "a\nc\n", "b c\n", "b\nb\n", "#b\n", "b\n b \r\n"} {
		if got, err := changeLines([]byte(text), lineChange{"b", true}); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"", "b\n", " #b\n", "#b\n# b\n"} {
		if got, err := changeLines([]byte(text), lineChange{"b", false}); err == nil {
			t.Errorf("back: %q became %q", text, got)
		}
	}
}

func FuzzChangeLines(f *testing.F) {
	f.Add("a\nb\r\nc", "b")
	f.Fuzz(func(t *testing.T, text, line string) {
		got, err := changeLines([]byte(text), lineChange{line, true})
		if err == nil && len(got) != len(text)+1 {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestFstabIsReplacedWhole(t *testing.T) {
	root := t.TempDir()
	m := connect.Machine{Name: "alpha", Root: root}
	real := filepath.Join(root, "etc", "real", "fstab")
	const text = "# mine\n/dev/vdb none swap sw 0 0\n/dev/sda1 / ext4 defaults 0 1"
	if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	// An absolute link means a place on that machine, not on ours.
	if err := os.Symlink("/etc/real/fstab", filepath.Join(root, "etc", "fstab")); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC)
	backup, err := changeFstab(m, now, lineChange{"/dev/vdb none swap sw 0 0", true})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(real)
	if string(got) != strings.Replace(text, "/dev/vdb", "#/dev/vdb", 1) {
		t.Errorf("fstab is %q", got)
	}
	info, err := os.Stat(real)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if link, err := os.Readlink(filepath.Join(root, "etc", "fstab")); err != nil || link != "/etc/real/fstab" {
		t.Errorf("the link is %q, %v", link, err)
	}
	if kept, err := os.ReadFile(m.Path(backup)); err != nil || string(kept) != text || backup != "/etc/fstab.strata-20261125T220000.000Z" {
		t.Errorf("the copy %s holds %q, %v", backup, kept, err)
	}
	// The same again: the line is not there any more, and nothing is touched.
	before, _ := os.ReadDir(filepath.Dir(real))
	if _, err := changeFstab(m, now.Add(time.Second), lineChange{"/dev/vdb none swap sw 0 0", true}); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a line that is gone: %v", err)
	}
	after, _ := os.ReadDir(filepath.Dir(real))
	if len(before) != len(after) {
		t.Errorf("it left files behind: %v", after)
	}
}
