package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// swaps reads the scope "swaps": the areas in /proc/swaps, and those that only /etc/fstab or a unit of systemd knows.
type swaps struct {
	source, host string
	at           tree.Tree
	notes        *notes
	all          atomic.Bool // the next look is at fstab and units too

	kept   map[string]*keptSwap // by path
	keptAt time.Time
}

// keptSwap is what turns an area on at boot, and what it lies on.
type keptSwap struct {
	fstab string
	units []string
	disk  string
	kind  string
	dm    []string
}

func newSwaps(s *source, n *notes) *swaps {
	return &swaps{source: s.name, host: s.conf.Name, at: s.at, notes: n}
}

// keptEvery is how often fstab and units are read again: they change when somebody edits them.
const keptEvery = 10 * time.Second

func (s *swaps) look(_ context.Context, now time.Time) (fleet.Facts, error) {
	b, err := s.at.Bytes("/proc/swaps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the swap areas of host %s: %w", s.host, err)
	}
	if all := s.all.Swap(false); all || s.kept == nil || now.Sub(s.keptAt) >= keptEvery {
		s.keptAt = now
		s.findKept(err)
	}
	facts := fleet.Facts{}
	on := map[string]bool{}
	for _, l := range parseSwaps(b) {
		if on[l.name] {
			continue
		}
		on[l.name] = true
		k := s.kept[l.name]
		if k == nil {
			k = s.add(l.name)
		}
		facts = append(facts, &fleet.SwapArea{
			Source: s.source, Host: s.host, Name: l.name, Type: l.kind, Active: true,
			Total: fleet.Some(l.bytes), Used: fleet.Some(l.used), Priority: l.priority,
			Mapped: k.dm, Disk: k.disk, Fstab: k.fstab, Units: k.units,
		})
	}
	for name, k := range s.kept {
		if on[name] || k.fstab == "" && len(k.units) == 0 {
			continue
		}
		facts = append(facts, &fleet.SwapArea{
			Source: s.source, Host: s.host, Name: name, Type: k.kind, Mapped: k.dm, Disk: k.disk, Fstab: k.fstab, Units: k.units,
		})
	}
	return facts, nil
}

// findKept reads fstab and the unit files of systemd.
func (s *swaps) findKept(noSwaps error) {
	s.kept = map[string]*keptSwap{}
	note := ""
	if noSwaps != nil {
		note = "swaps: /proc/swaps: " + reason(noSwaps) + " (a kernel without swap)"
	}
	b, err := s.at.Bytes("/etc/fstab")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		note = "swaps: what is on at boot: /etc/fstab: " + reason(err)
	}
	s.notes.set("swaps", note)
	for _, line := range parseFstab(b) {
		if k := s.add(swapPath(s.at, line.device)); k.fstab == "" {
			k.fstab = line.line
		}
	}
	// The same unit in two folders is one: that in the first is used.
	seen := map[string]bool{}
	for _, folder := range []string{
		"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator.early", "/run/systemd/generator",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
	} {
		names, _ := s.at.List(folder)
		for _, name := range names {
			if !strings.HasSuffix(name, ".swap") || seen[name] {
				continue
			}
			seen[name] = true
			unit, _ := s.at.Bytes(folder + "/" + name)
			if what := whatOf(unit); what != "" {
				k := s.add(swapPath(s.at, what))
				k.units = append(k.units, name)
			}
		}
	}
	for _, k := range s.kept {
		slices.Sort(k.units)
	}
}

// add is what is known of the area with a path.
func (s *swaps) add(name string) *keptSwap {
	k := s.kept[name]
	if k != nil {
		return k
	}
	k = &keptSwap{kind: "partition"}
	var below fleet.DiskPath
	if device, ok := strings.CutPrefix(name, "/dev/"); ok {
		below = s.at.Below(device)
	} else if strings.HasPrefix(name, "/") {
		k.kind = "file"
		mounts, _ := s.at.Mounts()
		below = s.at.DiskPath(strings.TrimSuffix(name, " (deleted)"), mounts)
	}
	k.dm = below.Mapped
	if len(below.Disks) > 0 {
		k.disk = below.Disks[0]
	}
	s.kept[name] = k
	return k
}
