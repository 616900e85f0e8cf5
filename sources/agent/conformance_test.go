package agent

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"strata/internal/connect"
	fake "strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/internal/sh"
	"strata/internal/wire"
	"strata/sources"
	"strata/sources/host"
	"strata/sources/sourcetest"
)

// farRoot names the folder of a simulated machine, in the environment of the process that is its agent.
const farRoot = "STRATA_TEST_FAR_ROOT"

// far is an agent on a simulated machine: what `strata agent` does, less what it costs and what it is asked.
func far(root string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	say := func(lines ...wire.Line) error {
		for _, l := range lines {
			b, err := wire.EncodeLine(l)
			if err != nil {
				return err
			}
			if _, err := os.Stdout.Write(b); err != nil {
				return err
			}
		}
		return nil
	}
	if err := say(wire.Line{Hello: &wire.Hello{Protocol: wire.Protocol, Host: "x", Now: time.Now()}}); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return in.Err()
	}
	first, err := wire.DecodeLine(in.Bytes())
	if err != nil || first.Start == nil {
		return fmt.Errorf("not started: %w", err)
	}
	go func() {
		defer cancel()
		for in.Scan() {
			if l, err := wire.DecodeLine(in.Bytes()); err == nil && l.Ping != nil && say(wire.Line{Beat: &wire.Beat{Now: time.Now(), Ping: l.Ping.Now}}) != nil {
				return
			}
		}
	}()
	store := fleet.NewStore(nil)
	go func() {
		_ = sources.Run(ctx, store.Put, host.New(host.Config{Name: first.Start.Name, Root: root, Every: 10 * time.Millisecond})) // ends with the context only
	}()
	var sender wire.Sender
	for seq := uint64(0); ; {
		now, err := store.Next(ctx, seq)
		if err != nil {
			return nil
		}
		seq = now.Seq
		lines, err := sender.Next(now)
		if err == nil {
			err = say(lines...)
		}
		if err != nil {
			return err
		}
	}
}

// The suite runs over a real process that speaks the protocol.
func TestConformance(t *testing.T) {
	spec, err := fake.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	m, err := fake.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	change := func(how func(*fake.State)) func() {
		return func() {
			if err := m.Change(how); err != nil {
				t.Error(err)
			}
		}
	}
	groups := m.Root() + "/sys/fs/cgroup"
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Error(err)
			}
		}
	}
	remote := connect.Remote{Name: "alpha", Destination: "root@alpha", Binary: self, Program: func(ctx context.Context, _ sh.Cmd) (*sh.Talk, error) {
		return sh.Start(ctx, sh.Cmd{Argv: []string{self}, Env: []string{farRoot + "=" + m.Root()}})
	}}
	sourcetest.Run(t, sourcetest.Harness{
		New:   func() sources.Source { return New(remote, Options{}) },
		Scope: host.ScopeUnits, Of: "host/alpha",
		Extra: fleet.Ref{Kind: fleet.KindUnit, Source: "host/alpha", Name: `machine-qemu\x2d9\x2dextra.scope`},
		Add: change(func(st *fake.State) {
			st.Units = append(st.Units, fake.Guest(9, "extra", 5000, "nvme0n1", 1<<30, 0))
		}),
		Remove: change(func(st *fake.State) { st.Units = st.Units[:len(st.Units)-1] }),
		Break:  move(groups, groups+".away"), Heal: move(groups+".away", groups),
		Within: 20 * time.Second,
	})
}
