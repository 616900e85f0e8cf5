package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strata/internal/fake/machine"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/sourcetest"
)

// The suite runs beside a smartctl that never answers: it must hold up nothing.
func TestConformance(t *testing.T) {
	spec, err := machine.OpenstackHost()
	if err != nil {
		t.Fatal(err)
	}
	spec.State.Smart["nvme0n1"].Hangs = true
	spec.State.Areas = []machine.Area{
		{Name: "/dev/dm-1", Bytes: 8 << 30, Fstab: "/dev/mapper/rl-swap"}, {Name: "/srv/swap", File: true, Bytes: 1 << 30, Off: true},
	}
	m, err := machine.New(t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	source := func() sources.Source {
		return New(Config{Name: "alpha", Root: m.Root(), Every: 10 * time.Millisecond, Smartctl: m.Smartctl, Statfs: m.Statfs})
	}
	t.Run(ScopeFilesystems, func(t *testing.T) {
		change := func(how func(*machine.State)) func() {
			return func() {
				if err := m.Change(how); err != nil {
					t.Error(err)
				}
			}
		}
		table := m.Root() + "/proc/1/mountinfo"
		sourcetest.Run(t, sourcetest.Harness{
			New: source, Scope: ScopeFilesystems, Extra: fleet.Ref{Kind: fleet.KindFilesystem, Source: "host/alpha", Name: "/srv"},
			Add: change(func(st *machine.State) {
				st.Mounts = append(st.Mounts, machine.Mount{Point: "/srv", Device: "/dev/sda1", Type: "ext4", Total: 1 << 30})
			}),
			Remove: change(func(st *machine.State) { st.Mounts = st.Mounts[:3] }),
			Break:  rename(t, table, table+".away"), Heal: rename(t, table+".away", table),
		})
	})
	t.Run(ScopeUnits, func(t *testing.T) {
		change := func(how func(*machine.State)) func() {
			return func() {
				if err := m.Change(how); err != nil {
					t.Error(err)
				}
			}
		}
		groups := m.Root() + "/sys/fs/cgroup"
		sourcetest.Run(t, sourcetest.Harness{
			New: source, Scope: ScopeUnits, Extra: fleet.Ref{Kind: fleet.KindUnit, Source: "host/alpha", Name: `machine-qemu\x2d9\x2dextra.scope`},
			Add: change(func(st *machine.State) {
				st.Units = append(st.Units, machine.Guest(9, "extra", 5000, "nvme0n1", 1<<30, 0))
			}),
			Remove: change(func(st *machine.State) { st.Units = st.Units[:len(st.Units)-1] }),
			Break:  rename(t, groups, groups+".away"), Heal: rename(t, groups+".away", groups),
		})
	})
	t.Run(ScopeSwaps, func(t *testing.T) {
		swaps := m.Root() + "/proc/swaps"
		set := func(on bool) func() {
			return func() {
				if err := m.SetSwap("/srv/swap", on); err != nil {
					t.Error(err)
				}
			}
		}
		sourcetest.Run(t, sourcetest.Harness{
			New: source, Scope: ScopeSwaps, Extra: fleet.Ref{Kind: fleet.KindSwap, Source: "host/alpha", Name: "/srv/swap"},
			Add: set(true), Remove: set(false),
			Break: func() { rename(t, swaps, swaps+".away")(); folder(t, swaps) }, Heal: func() { remove(t, swaps); rename(t, swaps+".away", swaps)() },
		})
	})
	t.Run(ScopeDisks, func(t *testing.T) {
		block, parked := m.Root()+"/sys/block", filepath.Join(m.Root(), "parked")
		rename(t, block+"/sda", parked)()
		sourcetest.Run(t, sourcetest.Harness{
			New: source, Scope: ScopeDisks, Extra: fleet.Ref{Kind: fleet.KindDisk, Source: "host/alpha", Name: "sda"},
			Add: rename(t, parked, block+"/sda"), Remove: rename(t, block+"/sda", parked),
			Break: rename(t, block, block+".away"), Heal: rename(t, block+".away", block),
		})
	})
}

func folder(t *testing.T, path string) {
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Error(err)
	}
}

func remove(t *testing.T, path string) {
	if err := os.Remove(path); err != nil {
		t.Error(err)
	}
}

func rename(t *testing.T, from, to string) func() {
	return func() {
		if err := os.Rename(from, to); err != nil {
			t.Error(err)
		}
	}
}

func TestRefreshReadsFilesystemsNow(t *testing.T) {
	t.Parallel()
	m, err := machine.New(t.TempDir(), machine.Compute())
	if err != nil {
		t.Fatal(err)
	}
	wishes := sources.NewWishes()
	s := New(Config{Name: "alpha", Root: m.Root(), Every: time.Hour, Smartctl: m.Smartctl, Statfs: m.Statfs, Wishes: wishes})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	looks := 0
	_ = s.Watch(ctx, func(o fleet.Observation) {
		if o.Scope != ScopeFilesystems {
			return
		}
		if looks++; looks == 2 {
			cancel()
		}
		wishes.Refresh("host/alpha")
	})
	if looks != 2 {
		t.Errorf("filesystems were read %d times, want a second time when asked for", looks)
	}
}
