package actions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/notes"
)

// Swappiness sets vm.swappiness: how eagerly a kernel swaps.
type Swappiness struct {
	Source string `json:"source"`
	Host   string `json:"host"`
	Value  int    `json:"value"` // 0 to 200
	Keep   string `json:"keep"`  // what happens to strata's file for the next boot: leave, set, or drop
	Kept   int    `json:"kept,omitempty"`
}

// What happens to the file that keeps it.
const (
	keepLeave = "leave"
	keepSet   = "set"
	keepDrop  = "drop"
)

// Name is swappiness.
func (a Swappiness) Name() string { return "swappiness" }

// Target is the host.
func (a Swappiness) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindHost, Source: a.Source, Name: a.Host}
}

// Plan shows the value that holds.
func (a Swappiness) Plan(s *fleet.Snapshot) Plan {
	value := "vm.swappiness=" + strconv.Itoa(a.Value)
	p := Plan{Action: a, Title: fmt.Sprintf("set swappiness of %s to %d", a.Host, a.Value), Command: []string{"sysctl", "-w", value}}
	h, ok := fleet.Find[*fleet.Host](s, a.Target())
	if !ok {
		p.Refused = noHost(s, a.Target())
		return p
	}
	p.Refused = onlyTold(a.Target())
	p.Now = swappinessNow(h)
	p.Effects = []string{"the kernel swaps less the lower it is; at 0 only when memory is nearly gone, at 100 it swaps as willingly as it drops files"}
	switch a.Keep {
	case keepSet:
		p.Effects = append(p.Effects, "and at boot: "+fleet.SysctlFile+" gets vm.swappiness = "+strconv.Itoa(a.Kept))
	case keepDrop:
		p.Effects = append(p.Effects, fleet.SysctlFile+" loses its line for it")
	default:
		p.Effects = append(p.Effects, "until the next boot")
	}
	if a.Value < 0 || a.Value > 200 {
		p.Refused = append(p.Refused, "it goes from 0 to 200")
	}
	if h.Swap.Swappiness.OK {
		undo := Swappiness{Source: a.Source, Host: a.Host, Value: h.Swap.Swappiness.V, Keep: keepLeave}
		if a.Keep != keepLeave {
			undo.Keep, undo.Kept = keepDrop, h.Swap.Kept.V
		}
		if a.Keep != keepLeave && h.Swap.Kept.OK {
			undo.Keep = keepSet
		}
		p.Undo = undo
		if h.Swap.Swappiness.V == a.Value && a.keeps(h) {
			p.Refused = append(p.Refused, "it is so already: "+p.Now)
		}
	} else {
		p.NoUndo = "what it is now is not known"
	}
	p.Refused = append(p.Refused, mayNot(h, rightToFiles)...)
	p.Against = append(old(s, a.Target()), against(s, a)...)
	return p
}

func swappinessNow(h *fleet.Host) string {
	now := "vm.swappiness is not known"
	if h.Swap.Swappiness.OK {
		now = "vm.swappiness is " + strconv.Itoa(h.Swap.Swappiness.V)
	}
	if h.Swap.Kept.OK {
		now += ", at boot " + strconv.Itoa(h.Swap.Kept.V) + " by " + fleet.SysctlFile
	}
	return now
}

// keeps reports whether the file is as wanted.
func (a Swappiness) keeps(h *fleet.Host) bool {
	switch a.Keep {
	case keepSet:
		return h.Swap.Kept == fleet.Some(a.Kept)
	case keepDrop:
		return !h.Swap.Kept.OK
	}
	return true
}

func (a Swappiness) apply(_ context.Context, hands Hands, _ func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	// A file of /proc is written in place; a new one cannot take its place.
	f, err := os.OpenFile(m.Path("/proc/sys/vm/swappiness"), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("setting vm.swappiness: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(a.Value) + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("setting vm.swappiness: %w", err)
	}
	if a.Keep == keepLeave {
		return nil
	}
	if err := a.keep(m); err != nil {
		return fmt.Errorf("it is set now, but not for the next boot: %w", err)
	}
	return nil
}

// keep writes strata's own file for the next boot, and leaves other lines in it as they are.
func (a Swappiness) keep(m connect.Machine) error {
	path := m.Path(fleet.SysctlFile)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var after strings.Builder
	for line := range strings.Lines(string(before)) {
		if name, _, ok := strings.Cut(line, "="); !ok || strings.TrimSpace(name) != "vm.swappiness" {
			after.WriteString(line)
		}
	}
	if a.Keep == keepSet {
		if len(before) == 0 {
			after.WriteString("# written by strata\n")
		}
		fmt.Fprintf(&after, "vm.swappiness = %d\n", a.Kept)
	}
	if text := after.String(); text == "" || text == "# written by strata\n" {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return notes.Replace(path, []byte(after.String()), 0o644)
}

func (a Swappiness) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	h, ok := fleet.Find[*fleet.Host](s, a.Target())
	switch {
	case !ok:
		return waiting, "the host is not seen"
	case h.Swap.Swappiness == fleet.Some(a.Value) && a.keeps(h):
		return done, swappinessNow(h)
	}
	return waiting, swappinessNow(h)
}
