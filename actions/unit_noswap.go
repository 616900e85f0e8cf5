package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// LimitUnitSwap limits how much of a unit may be in swap (systemd's MemorySwapMax): 0 keeps it in memory.
type LimitUnitSwap struct {
	Source string `json:"source"`
	Unit   string `json:"unit"`
	Max    uint64 `json:"maxBytes"` // connect.Infinity for no limit

	place // found by Plan, without a disk
}

// Name is unit-noswap.
func (a LimitUnitSwap) Name() string { return "unit-noswap" }

// Target is the unit.
func (a LimitUnitSwap) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindUnit, Source: a.Source, Name: a.Unit}
}

// Plan says what is in swap now: that stays there until it is used.
func (a LimitUnitSwap) Plan(s *fleet.Snapshot) Plan {
	p := Plan{Action: a, Title: "keep " + a.Unit + " from swapping"}
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	if !ok {
		p.Refused = []string{"no such unit is seen in " + a.Source}
		return p
	}
	a.place = placed(u, "")
	p.Action = a
	value := strconv.FormatUint(a.Max, 10)
	switch a.Max {
	case 0:
		p.Title = "keep " + unitTitle(u) + " from swapping"
		p.Effects = []string{"nothing more of it is swapped out; what it cannot hold in memory then, the kernel kills in it (OOM)"}
		if u.Swapped.OK && u.Swapped.V > 0 {
			p.Effects = append(p.Effects, sizeText(u.Swapped.V)+" of it are in swap and come back only as they are used, or by swap-off")
		}
	case connect.Infinity:
		value = "infinity"
		p.Title = "let " + unitTitle(u) + " swap"
		p.Effects = []string{"it may be swapped out without a limit of its own"}
	default:
		p.Title = "let " + unitTitle(u) + " swap at most " + sizeText(a.Max)
		p.Effects = []string{"at most " + sizeText(a.Max) + " of it are swapped out"}
	}
	p.Command = append(propertyArgv(a.Unit, false), "MemorySwapMax="+value)
	p.Effects = append(p.Effects, LimitUnit{}.ends(u))
	p.Now = swapNow(u)
	p.Undo = LimitUnitSwap{Source: a.Source, Unit: a.Unit, Max: u.SwapMax.Or(connect.Infinity)}
	if u.SwapMax.Or(connect.Infinity) == a.Max {
		p.Refused = append(p.Refused, "it is so already: "+p.Now)
	}
	if h, ok := fleet.Find[*fleet.Host](s, fleet.Ref{Kind: fleet.KindHost, Source: u.Source, Name: u.Host}); ok && a.Max == 0 && h.Memory.Available.OK && u.Swapped.Or(0) > h.Memory.Available.V {
		p.Against = append(p.Against, fmt.Sprintf("memory is short: %s available, %s of the unit in swap", sizeText(h.Memory.Available.V), sizeText(u.Swapped.V)))
	}
	p.Against = append(p.Against, mayPerhapsNot(s, u.Source, u.Host)...)
	p.Against = append(append(p.Against, old(s, a.Target())...), against(s, a)...)
	return p
}

func swapNow(u *fleet.Unit) string {
	now := "how much of it is in swap is not known"
	if u.Swapped.OK {
		now = sizeText(u.Swapped.V) + " in swap"
	}
	if u.SwapMax.OK {
		return now + ", at most " + sizeText(u.SwapMax.V)
	}
	return now + ", no limit"
}

func (a LimitUnitSwap) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	systemd, err := m.Systemd(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	since := time.Now()
	if err := systemd.Set(ctx, a.Unit, false, connect.Property{Name: "MemorySwapMax", Value: a.Max}); err != nil {
		return err
	}
	is := ""
	ok, err := readBack(ctx, func() (ok bool, err error) {
		is, ok, err = a.has(m)
		return ok, err
	})
	if err == nil && !ok {
		err = fmt.Errorf("systemd accepted it, but memory.swap.max of %s is %s%s", a.Unit, is, journal(ctx, m, a.Unit, since))
	}
	return err
}

// has reads memory.swap.max and reports whether it is as wanted. The kernel counts in pages.
func (a LimitUnitSwap) has(m connect.Machine) (is string, ok bool, err error) {
	b, err := os.ReadFile(m.Path(path.Join("/sys/fs/cgroup", a.CGroup, "memory.swap.max")))
	if errors.Is(err, os.ErrNotExist) {
		return "", false, fmt.Errorf("the kernel has no memory.swap.max for %s: it does not count swap by group (cgroup v2 does)", a.Unit)
	}
	if err != nil {
		return "", false, fmt.Errorf("reading memory.swap.max back: %w", err)
	}
	is = strings.TrimSpace(string(b))
	n, err := strconv.ParseUint(is, 10, 64)
	if is == "max" {
		n, err = connect.Infinity, nil
	}
	page := uint64(os.Getpagesize())
	return is, err == nil && n/page == a.Max/page, nil
}

func (a LimitUnitSwap) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	switch {
	case !ok:
		return failed, "the unit is gone"
	case u.SwapMax.Or(connect.Infinity)/4096 != a.Max/4096:
		return waiting, swapNow(u)
	}
	return done, swapNow(u)
}

// sizeText writes bytes in binary units, as memory is counted.
func sizeText(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.0f GiB", float64(n)/(1<<30))
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
