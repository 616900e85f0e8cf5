package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/sourcetest"
)

func line(t *testing.T, id string) string {
	t.Helper()
	b, err := json.Marshal(fleet.Deed{
		ID: id, At: time.Date(2025, 7, 8, 3, 0, 0, 0, time.UTC), Phase: "begin", Who: "root (alice) from 10.0.0.7",
		Action: "server-start", Target: fleet.Ref{Kind: fleet.KindServer, Source: "openstack/home", Name: "7"}, Title: "start k8s-worker-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, l *log) fleet.Facts {
	t.Helper()
	facts, err := l.look(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func ids(facts fleet.Facts) (all []string) {
	for _, o := range facts {
		d := o.(*fleet.Deed)
		all = append(all, fmt.Sprintf("%d:%s%s", d.Line, d.ID, map[bool]string{true: "!"}[d.Error != ""]))
	}
	return all
}

func TestEachLookReadsWhatIsNew(t *testing.T) {
	t.Parallel()
	l := &log{path: filepath.Join(t.TempDir(), "audit.jsonl")}
	if facts := look(t, l); facts == nil || len(facts) != 0 {
		t.Fatalf("a log that is not there gives %v, want no deeds and no error", facts)
	}
	write(t, l.path, line(t, "a")+line(t, "b"))
	first := look(t, l)
	if got := ids(first); !slices.Equal(got, []string{"1:a", "2:b"}) {
		t.Fatalf("got %v", got)
	}
	if d := first[0].(*fleet.Deed); d.Source != Name || d.Title != "start k8s-worker-1" || d.Target.Name != "7" {
		t.Errorf("the first deed is %+v", d)
	}
	write(t, l.path, line(t, "c"))
	second := look(t, l)
	if got := ids(second); !slices.Equal(got, []string{"1:a", "2:b", "3:c"}) || second[0] != first[0] {
		t.Errorf("after one more line: %v, and old deeds keep their pointers: %v", got, second[0] == first[0])
	}
	if got := ids(first); len(got) != 2 {
		t.Errorf("facts that were handed out changed to %v", got)
	}
	if err := os.Remove(l.path); err != nil {
		t.Fatal(err)
	}
	write(t, l.path, line(t, "z"))
	if got := ids(look(t, l)); !slices.Equal(got, []string{"1:z"}) {
		t.Errorf("after the log was replaced: %v", got)
	}
}

func TestABadLineIsARow(t *testing.T) {
	t.Parallel()
	l := &log{path: filepath.Join(t.TempDir(), "audit.jsonl")}
	write(t, l.path, line(t, "a")+"not a deed\n{}\n\n"+line(t, "b")+`{"id":"to`)
	facts := look(t, l)
	if got := ids(facts); !slices.Equal(got, []string{"1:a", "2:!", "3:!", "5:b", "6:!"}) {
		t.Fatalf("got %v", got)
	}
	if d := facts[1].(*fleet.Deed); d.Title != "not a deed" || d.Health().State != fleet.StateBad {
		t.Errorf("a bad line shows as %+v", d)
	}
	write(t, l.path, strings.TrimPrefix(line(t, "torn"), `{"id":"to`))
	if got := ids(look(t, l)); !slices.Equal(got, []string{"1:a", "2:!", "3:!", "5:b", "6:torn"}) {
		t.Errorf("when the last line was finished: %v", got)
	}
}

func TestOnlyTheLastThousandLinesAreKept(t *testing.T) {
	t.Parallel()
	l := &log{path: filepath.Join(t.TempDir(), "audit.jsonl")}
	var text strings.Builder
	for i := range 2*most + 777 {
		text.WriteString(line(t, fmt.Sprint(i+1)))
	}
	write(t, l.path, text.String())
	expect := func(last int) {
		t.Helper()
		facts := look(t, l)
		if len(facts) != most {
			t.Fatalf("%d deeds are kept, want %d", len(facts), most)
		}
		for i, o := range facts {
			want := last - most + 1 + i
			if d := o.(*fleet.Deed); d.Line != want || d.ID != fmt.Sprint(want) {
				t.Fatalf("deed %d is line %d with id %s, want %d", i, d.Line, d.ID, want)
			}
		}
	}
	expect(2*most + 777)
	write(t, l.path, line(t, fmt.Sprint(2*most+778)))
	expect(2*most + 778)
}

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	one := line(t, "a")
	reset := func() { must(os.WriteFile(path, []byte(one), 0o600)) }
	reset()
	folder := filepath.Join(t.TempDir(), "folder")
	must(os.Mkdir(folder, 0o700))
	sourcetest.Run(t, sourcetest.Harness{
		New:    func() sources.Source { return New(path, 5*time.Millisecond) },
		Scope:  Scope,
		Extra:  fleet.Ref{Kind: fleet.KindDeed, Source: Name, Name: "00000002"},
		Add:    func() { write(t, path, line(t, "b")) },
		Remove: reset,
		// At once: a look between two steps would see a log that is not there, which is an empty one.
		Break: func() { must(unix.Renameat2(unix.AT_FDCWD, folder, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)) },
		Heal:  func() { must(unix.Renameat2(unix.AT_FDCWD, folder, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)) },
	})
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("{}\nx\n\n{"), 1)
	f.Add([]byte(""), 0)
	f.Fuzz(func(t *testing.T, text []byte, after int) {
		after = min(max(after, 0), len(text))
		got, err := readLines(bytes.NewReader(text), int64(after))
		if err != nil {
			t.Fatal(err)
		}
		if rest := text[after:]; got.whole != bytes.Count(rest, []byte("\n")) || got.bytes != int64(bytes.LastIndexByte(rest, '\n')+1) {
			t.Errorf("%q has %d lines of %d bytes?", rest, got.whole, got.bytes)
		}
		for _, l := range got.last {
			deed(l, 1)
		}
	})
}
