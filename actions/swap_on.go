package actions

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// SwapOn turns one swap area on, now, at boot, or both.
type SwapOn struct{ turn }

// HostSwapOn turns all swap areas of a host on.
type HostSwapOn struct{ turn }

// Name is swap-on.
func (a SwapOn) Name() string { return "swap-on" }

// Name is host-swap-on.
func (a HostSwapOn) Name() string { return "host-swap-on" }

// Target is the area.
func (a SwapOn) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindSwap, Source: a.Source, Name: a.turn.Target}
}

// Target is the host.
func (a HostSwapOn) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindHost, Source: a.Source, Name: a.turn.Target}
}

// Plan refuses what is on already. As an undo it also brings back what no longer is seen.
func (a SwapOn) Plan(s *fleet.Snapshot) Plan {
	t, p := a.on(s, areasOf(s, a.Source, a.turn.Target), a.Target())
	p.Title, p.Action = "turn on swap "+a.turn.Target, SwapOn{t}
	p.Undo = SwapOff{turn{Source: t.Source, Target: t.Target, When: t.When, Areas: t.Areas}}
	return p
}

// Plan refuses when all are on already.
func (a HostSwapOn) Plan(s *fleet.Snapshot) Plan {
	t, p := a.on(s, areasOf(s, a.Source, ""), a.Target())
	p.Title, p.Action = "turn on all swap of "+a.turn.Target, HostSwapOn{t}
	p.Refused = append(p.Refused, noHost(s, a.Target())...)
	p.Undo = HostSwapOff{turn{Source: t.Source, Target: t.Target, When: t.When, Areas: t.Areas}}
	return p
}

// on plans the turning on of areas: those it came with, or those that are off.
func (t turn) on(s *fleet.Snapshot, areas []*fleet.SwapArea, target fleet.Ref) (turn, Plan) {
	p := Plan{Now: swapState(areas), Refused: t.badWhen()}
	all, err := t.decoded()
	if err != nil {
		p.Refused = append(p.Refused, err.Error())
	}
	brought := len(all) > 0
	for _, a := range areas {
		if !brought && t.now() && !a.Active {
			all = append(all, turned{Path: a.Name, Now: true, Priority: fstabPriority(a.Fstab)})
		}
	}
	t.Areas = encodeTurned(all)
	var turns int
	for _, a := range all {
		if is, ok := fleet.Find[*fleet.SwapArea](s, fleet.Ref{Kind: fleet.KindSwap, Source: t.Source, Name: a.Path}); ok && a.Now && is.Active {
			p.Refused = append(p.Refused, a.Path+" is on already")
		}
		if a.Now && turns == 0 {
			p.Command = swaponArgv(a)
		}
		if a.Now {
			turns++
			p.Effects = append(p.Effects, a.Path+" is used for swap again: "+sh.Quote(swaponArgv(a)...))
		}
	}
	if turns == 0 {
		p.Command = bootArgv(all, false)
	}
	p.Effects = append(p.Effects, bootEffects(all, false)...)
	host := hostOf(s, t.Source)
	switch {
	case len(all) == 0 && t.now() && len(areas) > 0:
		p.Refused = append(p.Refused, "it is on already")
	case len(all) == 0 && t.now():
		p.Refused = append(p.Refused, "no swap area is known there")
	case t.boot() && !brought:
		p.Refused = append(p.Refused, "what would turn it on at boot is not known: undo of the swap-off that took the line out of fstab brings it back; boot=now turns it on until the next boot")
	}
	if turns > 0 {
		p.Refused = append(p.Refused, mayNot(host, rightToSwap)...)
	}
	if t.boot() {
		p.Refused = append(p.Refused, mayNot(host, rightToFiles)...)
	}
	p.Against = append(p.Against, old(s, target)...)
	return t, p
}

// fstabPriority is the pri= of a line of fstab, which swapon heeds only when it turns on all of them; -1 where there is none.
func fstabPriority(line string) int {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return -1
	}
	for option := range strings.SplitSeq(fields[3], ",") {
		if text, ok := strings.CutPrefix(option, "pri="); ok {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}
	return -1
}

// swaponArgv keeps a priority that somebody chose; the kernel's own are below zero.
func swaponArgv(a turned) []string {
	if a.Priority >= 0 {
		return []string{"swapon", "-p", strconv.Itoa(a.Priority), a.Path}
	}
	return []string{"swapon", a.Path}
}

func (a SwapOn) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return a.applyOn(ctx, hands)
}

func (a HostSwapOn) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return a.applyOn(ctx, hands)
}

func (a SwapOn) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	return a.seenTurned(s, since, false)
}

func (a HostSwapOn) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	return a.seenTurned(s, since, false)
}

func (t turn) applyOn(ctx context.Context, hands Hands) error {
	m, err := hands.writing.Machine(t.Source)
	if err != nil {
		return err
	}
	all, err := t.decoded()
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Now {
			if err := swapOn(ctx, m, a); err != nil {
				return err
			}
		}
	}
	if t.boot() {
		return changeBoot(ctx, m, all, false)
	}
	return nil
}

func swapOn(ctx context.Context, m connect.Machine, a turned) error {
	argv := swaponArgv(a)
	r, err := m.Run(ctx, sh.Cmd{Argv: argv, Deadline: time.Minute})
	areas, readErr := readSwaps(m)
	if _, on := areas[a.Path]; on && readErr == nil {
		return nil
	}
	switch {
	case err != nil:
		return err
	case readErr != nil:
		return readErr
	}
	return fmt.Errorf("%s: code %d: %s; it is still off", sh.Quote(argv...), r.Code, r.Stderr)
}
