package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	fake "strata/internal/fake/kube"
	"strata/internal/fleet"
	"strata/sources"
)

// reading is a source whose log somebody reads.
type reading struct {
	seen
	api    *fake.Server
	wishes *sources.Wishes
}

func startReading(t *testing.T) reading {
	t.Helper()
	api, cluster := serve(t, fake.Options{})
	api.AddPod(fake.Pod{Namespace: "shop", Name: "web", Node: "w1", Containers: []fake.Container{{Name: "main", Ready: true}, {Name: "side", Ready: true}}})
	wishes := sources.NewWishes()
	r := reading{api: api, wishes: wishes}
	r.seen = run(t, New(cluster, Options{Wishes: wishes}))
	r.until("pods/shop", "the pod is seen", func(p *fleet.Part) bool { return len(p.Facts) == 1 })
	return r
}

func (r reading) pod() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindPod, Source: r.name, Name: "shop/web"}
}

// log waits for a log for which ok holds.
func (r reading) log(what string, ok func(*fleet.Log) bool) *fleet.Log {
	r.t.Helper()
	p := r.until("log", what, func(p *fleet.Part) bool {
		return len(p.Facts) == 1 && ok(p.Facts[0].(*fleet.Log))
	})
	return p.Facts[0].(*fleet.Log)
}

func texts(l *fleet.Log) string {
	var all []string
	for _, one := range l.Lines {
		all = append(all, one.Text)
	}
	return strings.Join(all, " ")
}

func TestALogFollowsAndEndsWhenItIsClosed(t *testing.T) {
	r := startReading(t)
	r.api.Log("shop", "web", "main", "one", "two \x1b[31m\xff")
	r.wishes.Follow(sources.LogWish{Pod: r.pod()})
	l := r.log("what was there", func(l *fleet.Log) bool { return len(l.Lines) == 2 })
	if l.Container != "main" || strings.Join(l.Containers, " ") != "main side" || l.Lines[0].At.IsZero() || l.Lines[1].Text != "two \x1b[31m·" || l.Says != "following" {
		t.Errorf("%+v", l)
	}
	r.api.Log("shop", "web", "main", "three")
	r.log("what comes", func(l *fleet.Log) bool { return len(l.Lines) == 3 && l.Lines[2].Text == "three" })
	r.api.Log("shop", "web", "side", "other")
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "side"})
	r.log("another container", func(l *fleet.Log) bool { return texts(l) == "other" })
	r.wishes.Follow(sources.LogWish{})
	r.until("log", "no log is read", func(p *fleet.Part) bool { return len(p.Facts) == 0 })
	r.until("log", "the server is left alone", func(*fleet.Part) bool { return len(r.api.Followed()) == 0 })
}

func TestALogThatBreaksOffGoesOnWithoutLossAndTwice(t *testing.T) {
	r := startReading(t)
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "main"})
	r.log("following", func(l *fleet.Log) bool { return l.Says == "following" })
	want := ""
	for i := range 6 {
		for j := range 3 {
			line := fmt.Sprintf("%d.%d", i, j)
			r.api.Log("shop", "web", "main", line)
			want = strings.TrimSpace(want + " " + line)
		}
		r.log("what was written", func(l *fleet.Log) bool { return texts(l) == want })
		r.api.CutLogs()
	}
	r.api.Log("shop", "web", "main", "end")
	if l := r.log("the end", func(l *fleet.Log) bool { return strings.HasSuffix(texts(l), " end") }); texts(l) != want+" end" {
		t.Errorf("%s", texts(l))
	}
}

func TestALogIsBounded(t *testing.T) {
	r := startReading(t)
	var lines []string
	for i := range 2500 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "main"})
	r.log("following", func(l *fleet.Log) bool { return l.Says == "following" })
	r.api.Log("shop", "web", "main", lines...)
	l := r.log("the last line", func(l *fleet.Log) bool { return len(l.Lines) > 0 && l.Lines[len(l.Lines)-1].Text == "line 2499" })
	if len(l.Lines) != logLines || l.Dropped != 500 {
		t.Errorf("%d lines, %d dropped", len(l.Lines), l.Dropped)
	}
	r.api.Log("shop", "web", "main", strings.Repeat("x", 10<<20), "after")
	l = r.log("after a huge line", func(l *fleet.Log) bool { return l.Lines[len(l.Lines)-1].Text == "after" })
	if huge := l.Lines[len(l.Lines)-2].Text; l.Cut != 1 || len(huge) > logLine+3 || !strings.HasSuffix(huge, "…") {
		t.Errorf("%d cut, %d bytes", l.Cut, len(huge))
	}
	var wide []string
	for range 200 {
		wide = append(wide, strings.Repeat("y", 10_000))
	}
	r.api.Log("shop", "web", "main", append(wide, "done")...)
	l = r.log("2 MB more", func(l *fleet.Log) bool { return l.Lines[len(l.Lines)-1].Text == "done" })
	total := 0
	for _, one := range l.Lines {
		total += len(one.Text)
	}
	if total > logBytes {
		t.Errorf("%d bytes are kept", total)
	}
}

func TestTheContainerBefore(t *testing.T) {
	r := startReading(t)
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "main", Previous: true})
	l := r.log("why not", func(l *fleet.Log) bool { return l.Failing })
	if !strings.Contains(l.Says, "previous terminated container") {
		t.Errorf("it says %q", l.Says)
	}
	r.api.LogPrevious("shop", "web", "main", "panic: no disk")
	r.wishes.Follow(sources.LogWish{})
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "main", Previous: true})
	r.log("its log", func(l *fleet.Log) bool { return texts(l) == "panic: no disk" && strings.HasPrefix(l.Says, "ended") })
}

func TestALogThatIsForbiddenSaysTheGrant(t *testing.T) {
	r := startReading(t)
	r.api.DenyVerb("get", "pods/log")
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "main"})
	l := r.log("why not", func(l *fleet.Log) bool { return l.Failing })
	if !strings.Contains(l.Says, "forbidden") || !strings.Contains(l.Says, "--clusterrole=view --user=operator") {
		t.Errorf("it says %q", l.Says)
	}
}

func TestAPodThatGoesLeavesItsLastLines(t *testing.T) {
	r := startReading(t)
	r.api.Log("shop", "web", "main", "bye")
	r.wishes.Follow(sources.LogWish{Pod: r.pod(), Container: "main"})
	r.log("its line", func(l *fleet.Log) bool { return texts(l) == "bye" })
	r.api.DeletePod("shop", "web")
	r.log("gone", func(l *fleet.Log) bool { return texts(l) == "bye" && strings.Contains(l.Says, "the pod is gone") })
}

func TestAManifestIsReadWhileItIsLookedAt(t *testing.T) {
	r := startReading(t)
	r.wishes.Read(r.pod())
	p := r.until("manifest", "the manifest", func(p *fleet.Part) bool { return len(p.Facts) == 1 })
	m := p.Facts[0].(*fleet.Manifest)
	if m.About != r.pod() || !strings.Contains(m.Text, `"kind":"Pod"`) || strings.Contains(m.Text, "managedFields") {
		t.Errorf("%+v", m)
	}
	r.wishes.Read(fleet.Ref{Kind: "secret", Source: r.name, Name: "shop/token"})
	r.until("manifest", "nothing else has a manifest", func(p *fleet.Part) bool {
		return len(p.Facts) == 1 && strings.Contains(p.Facts[0].(*fleet.Manifest).Error, "has no manifest")
	})
	r.wishes.Read(fleet.Ref{})
	r.until("manifest", "none is read", func(p *fleet.Part) bool { return len(p.Facts) == 0 })
	for _, q := range r.api.Requests() {
		if q.Method != "GET" || strings.Contains(q.Path, "secret") {
			t.Errorf("it sent %s %s", q.Method, q.Path)
		}
	}
}

func TestALookMakesFactsFresh(t *testing.T) {
	r := startReading(t)
	before, _ := r.store.Snapshot().Part(r.name, "pods/shop")
	at := before.At
	r.wishes.Refresh(r.name)
	r.until("pods/shop", "it was seen again", func(p *fleet.Part) bool { return p.At.After(at) })
}

func TestWithoutArgoNothingFailsAndNothingStorms(t *testing.T) {
	r := startReading(t)
	p := r.until("apps", "it says so", func(p *fleet.Part) bool { return p.Err != "" })
	if !p.Unconfigured || !strings.Contains(p.Err, "not installed") {
		t.Errorf("%+v", p)
	}
	r.api.AddNode(fake.Node{Name: "w1"})
	r.until("nodes", "other kinds are seen", func(p *fleet.Part) bool { return len(p.Facts) == 1 })
	asked := 0
	for _, q := range r.api.Requests() {
		if strings.Contains(q.Path, "argoproj") {
			asked++
		}
	}
	if asked > 3 {
		t.Errorf("%d requests for what is not there", asked)
	}
}

// FuzzLog: whatever a kubelet sends, what is kept is bounded, and nothing is kept twice.
func FuzzLog(f *testing.F) {
	f.Add([]byte("2026-01-02T03:04:05.123456789Z one\n2026-01-02T03:04:05.123456789Z two\n"))
	f.Add([]byte("no time\n\r\n\x1b[31m\xff"))
	f.Add([]byte(strings.Repeat("2026-01-02T03:04:05Z y\n", 50)))
	f.Fuzz(func(t *testing.T, b []byte) {
		told := 0
		tl := &tail{attendant: &attendant{source: &source{options: Options{Now: func() time.Time { return time.Time{} }}}, tell: func(fleet.Observation) { told++ }}}
		for range 2 {
			if err := tl.take(context.Background(), bufio.NewReader(strings.NewReader(string(b)))); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if len(tl.log.Lines) > logLines || tl.bytes > logBytes+logLine {
				t.Fatalf("%d lines of %d bytes", len(tl.log.Lines), tl.bytes)
			}
		}
	})
}
