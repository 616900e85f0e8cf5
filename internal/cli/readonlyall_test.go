package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"strata/actions"
	"strata/internal/config"
	"strata/internal/fake/incident"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/ui"
)

// bystander is a read-only strata over the demo's world, which notes what is written to it.
type bystander struct {
	t     *testing.T
	world *incident.World
	a     *assembly
	c     config.Config

	mu  sync.Mutex
	ran [][]string // programs that were run through clients that may write
}

// standBy starts the demo's world and looks at it until something of each kind is seen.
func standBy(t *testing.T) *bystander {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	world, err := incident.Start(ctx, incident.Options{Speed: 1, Quiet: true, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b := &bystander{t: t, world: world, c: config.Default(func(string) string { return "" })}
	b.c.ReadOnly, b.c.Audit.Path = true, filepath.Join(dir, "audit.jsonl")
	at := placesOf(world, dir)
	for i := range at.libvirts {
		reads := at.libvirts[i].Run
		at.libvirts[i].Run = func(ctx context.Context, c sh.Cmd) (sh.Result, error) {
			if c.Argv[0] == "virsh" && !slices.Contains(c.Argv, "-r") || c.Argv[0] != "virsh" {
				b.note(c.Argv)
			}
			return reads(ctx, c)
		}
	}
	for i := range at.machines {
		at.machines[i].Run = func(_ context.Context, c sh.Cmd) (sh.Result, error) {
			b.note(c.Argv)
			return sh.Result{}, errors.New("read-only")
		}
	}
	b.a = assemble(at, b.c, everything)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.a.run(ctx) // ends with the context only
	}()
	t.Cleanup(func() { cancel(); <-ended; world.Stop() })
	within, done := context.WithTimeout(ctx, 30*time.Second)
	defer done()
	b.a.until(within, func(s *fleet.Snapshot) bool {
		return !slices.ContainsFunc(actions.Offers(), func(o actions.Offer) bool { return s.Tally(o.Kind).Total() == 0 })
	})
	for _, o := range actions.Offers() {
		if b.a.store.Snapshot().Tally(o.Kind).Total() == 0 {
			t.Fatalf("there is no %s to act on", o.Kind)
		}
	}
	return b
}

func (b *bystander) note(argv []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran = append(b.ran, argv)
}

// untouched checks that nothing was written anywhere.
func (b *bystander) untouched() {
	b.t.Helper()
	if writes := b.world.Nova.Writes(); len(writes) != 0 {
		b.t.Errorf("the cloud was written to: %v", writes)
	}
	for _, r := range b.world.Kube.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			b.t.Errorf("the cluster was written to: %v", r)
		}
	}
	for _, m := range b.world.Machines {
		if n := m.Simulated.Calls(); n != 0 {
			b.t.Errorf("systemd of %s was called %d times", m.Name, n)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ran) != 0 {
		b.t.Errorf("programs were run: %q", b.ran)
	}
	if _, err := os.Stat(b.c.Audit.Path); !errors.Is(err, os.ErrNotExist) {
		b.t.Errorf("there is an audit log (%v)", err)
	}
}

// paneOf is where the rows of a kind are.
func paneOf(kind fleet.Kind) string {
	return map[fleet.Kind]string{
		fleet.KindServer: "servers", fleet.KindFlavor: "flavors", fleet.KindNode: "nodes", fleet.KindPod: "pods", fleet.KindWorkload: "workloads",
		fleet.KindApp: "apps", fleet.KindHost: "hosts", fleet.KindUnit: "units", fleet.KindSwap: "swap", fleet.KindDomain: "vms", fleet.KindDisk: "disks", fleet.KindFilesystem: "filesystems",
	}[kind]
}

// witness is the cockpit, with what it showed after each key.
type witness struct {
	tea.Model
	seen chan string
}

func (w witness) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if _, size := msg.(tea.WindowSizeMsg); size {
		msg = tea.WindowSizeMsg{Width: 160, Height: 50} // there is no terminal to ask
	}
	inner, cmd := w.Model.Update(msg)
	w.Model = inner
	if _, key := msg.(tea.KeyPressMsg); key {
		w.seen <- inner.View().Content
	}
	return w, cmd
}

// The keys of every action, on a row of every kind, marked or not, even after a wish to write.
func TestAReadOnlyCockpitWritesNothingWhateverActionIsAskedFor(t *testing.T) {
	t.Parallel()
	b := standBy(t)
	const why = "looked at only"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := witness{ui.New(ctx, ui.Options{
		Store: b.a.store, Theme: ui.NewTheme(true, true), ReadOnly: why, Look: b.a.wishes.Look, Refresh: b.a.wishes.Refresh, Read: b.a.wishes.Read,
	}), make(chan string)}
	p := tea.NewProgram(w, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(io.Discard), tea.WithoutSignalHandler(), tea.WithoutRenderer())
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = p.Run() }() // ends with the context only
	p.Send(tea.WindowSizeMsg{})
	press := func(keys string) (screens []string) {
		for _, r := range keys {
			key := tea.KeyPressMsg{Code: r, Text: string(r)}
			if r == '\r' || r == '\x1b' {
				key.Text = ""
			}
			p.Send(key)
			screens = append(screens, <-w.seen)
		}
		return screens
	}
	press(":write 10m because\r\x1b")
	for _, o := range actions.Offers() {
		pane := paneOf(o.Kind)
		if pane == "" {
			t.Errorf("%s acts on a %s, which has no pane here", o.Name, o.Kind)
		}
		for _, before := range []string{"", " "} { // the row, and what is marked
			press("\x1b\x1b:" + pane + "\r" + before)
			if said := press("m"); !strings.Contains(said[0], why) {
				t.Fatalf("%s: m on a %s does not say why it does nothing: %q", o.Name, o.Kind, said[0])
			}
			press(o.Key + "\r\ry\r")
		}
	}
	cancel()
	<-ended
	b.untouched()
}

func TestAReadOnlyActDoesNothingWhateverActionIsAskedFor(t *testing.T) {
	t.Parallel()
	b := standBy(t)
	s := b.a.store.Snapshot()
	allowed := 0
	for _, o := range actions.Offers() {
		if o.Key == "" {
			continue // only an undo names it
		}
		for target := range s.Each(o.Kind) {
			out := &bytes.Buffer{}
			p := &program{stdout: out, stderr: &bytes.Buffer{}, getenv: func(string) string { return "" }}
			wish := wish{offer: o, target: target.Ref().Source + ":" + target.Ref().Name, args: actions.Args{}}
			for name, value := range map[string]string{"write": "2M", "replicas": "1", "override": "yes", "write_bytes_sec": "2M"} {
				if slices.ContainsFunc(o.Params, func(p actions.Param) bool { return p.Name == name }) {
					wish.args[name] = value
				}
			}
			err := p.grant(t.Context(), b.a, b.c, actOptions{yes: true, output: "json", typed: fleet.NameOf(target)}, wish, s)
			if e := (*exit)(nil); !errors.As(err, &e) || e.code != exitRefused && e.code != exitUsage {
				t.Errorf("%s on %s: %v", o.Name, target.Ref(), err)
			}
			if strings.Contains(out.String(), "readOnly is set") {
				allowed++
			}
			if o.Kind == fleet.KindUnit {
				break // they are alike, and many
			}
		}
	}
	if allowed < 20 {
		t.Errorf("only %d would have been allowed: does this test still look at the right thing?", allowed)
	}
	b.untouched()
}
