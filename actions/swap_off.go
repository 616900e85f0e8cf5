package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// SwapOff turns one swap area off, now, at boot, or both.
type SwapOff struct{ turn }

// HostSwapOff turns all swap areas of a host off.
type HostSwapOff struct{ turn }

// Name is swap-off.
func (a SwapOff) Name() string { return "swap-off" }

// Name is host-swap-off.
func (a HostSwapOff) Name() string { return "host-swap-off" }

// Target is the area.
func (a SwapOff) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindSwap, Source: a.Source, Name: a.turn.Target}
}

// Target is the host.
func (a HostSwapOff) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindHost, Source: a.Source, Name: a.turn.Target}
}

// Plan refuses when memory is too short for what is in the area.
func (a SwapOff) Plan(s *fleet.Snapshot) Plan {
	t, p := a.off(s, areasOf(s, a.Source, a.turn.Target), a.Target())
	p.Title, p.Action = "turn off swap "+a.turn.Target, SwapOff{t}
	p.Undo = SwapOn{turn{Source: t.Source, Target: t.Target, When: t.When, Areas: t.Areas}}
	p.Against = append(p.Against, against(s, a)...)
	return p
}

// Plan refuses when memory is too short for what is in them.
func (a HostSwapOff) Plan(s *fleet.Snapshot) Plan {
	t, p := a.off(s, areasOf(s, a.Source, ""), a.Target())
	p.Title, p.Action = "turn off all swap of "+a.turn.Target, HostSwapOff{t}
	p.Undo = HostSwapOn{turn{Source: t.Source, Target: t.Target, When: t.When, Areas: t.Areas}}
	p.Against = append(p.Against, against(s, a)...)
	return p
}

// off plans the turning off of areas. The turn it returns has them in it.
func (t turn) off(s *fleet.Snapshot, areas []*fleet.SwapArea, target fleet.Ref) (turn, Plan) {
	p := Plan{Now: swapState(areas), Refused: t.badWhen()}
	var all []turned
	var used uint64
	known := true
	for _, a := range areas {
		one := turned{Path: a.Name, Priority: a.Priority}
		if one.Now = t.now() && a.Active; one.Now {
			used += a.Used.Or(0)
			known = known && a.Used.OK
			p.Command = append(p.Command, a.Name)
		}
		if t.boot() {
			one.Fstab, one.Units = a.Fstab, a.Units
		}
		if one.Now || one.Fstab != "" || len(one.Units) > 0 {
			all = append(all, one)
		}
	}
	given, _ := t.decoded() // as the undo of a swap-on, to show what it will be
	t.Areas = encodeTurned(all)
	moves := len(p.Command) > 0
	if moves {
		p.Command = append([]string{"swapoff"}, p.Command...)
		p.Effects = []string{
			sizeText(used) + " move from swap back to memory, which takes seconds to minutes; aborting stops it once the kernel is done with the process at hand, and leaves the area on with what is left then",
			"while it runs SwapTotal shrinks with it: percentages of swap mean nothing",
		}
	} else if p.Command = bootArgv(all, true); p.Command == nil {
		p.Command = offArgv(given)
	}
	p.Effects = append(p.Effects, bootEffects(all, true)...)
	host := hostOf(s, t.Source)
	switch {
	case len(areas) == 0:
		p.Refused = append(p.Refused, "no swap is seen there")
	case len(all) == 0 && !t.boot():
		p.Refused = append(p.Refused, "it is off already")
	case len(all) == 0:
		p.Refused = append(p.Refused, "nothing turns it on: neither fstab nor a unit of systemd")
	}
	if t.now() && !t.boot() && moves {
		for _, a := range areas {
			if a.Active && (a.Fstab != "" || len(a.Units) > 0) {
				p.Effects = append(p.Effects, a.Name+" comes back with the next boot; boot=now+boot keeps it off")
			}
		}
	}
	if moves {
		p.Refused = append(p.Refused, mayNot(host, rightToSwap)...)
		if why := gate(host, used, known); why != "" && t.Override {
			p.Against, p.Ask = append(p.Against, "against the safety gate: "+why), hostName(host, t.Source)
		} else if why != "" {
			p.Refused = append(p.Refused, why+" (override=yes asks for the host's name instead)")
		}
	}
	if t.boot() {
		p.Refused = append(p.Refused, mayNot(host, rightToFiles)...)
	}
	p.Against = append(p.Against, old(s, target)...)
	return t, p
}

// offArgv is the command that turns areas off.
func offArgv(all []turned) []string {
	argv := []string{"swapoff"}
	for _, a := range all {
		if a.Now {
			argv = append(argv, a.Path)
		}
	}
	if len(argv) == 1 {
		return bootArgv(all, true)
	}
	return argv
}

func hostName(h *fleet.Host, source string) string {
	if h != nil {
		return h.Name
	}
	_, name, _ := strings.Cut(source, "/")
	return name
}

// gate says why so much swap cannot be brought back to memory safely; "" when it can.
func gate(h *fleet.Host, used uint64, known bool) string {
	switch {
	case h == nil || !h.MemoryKnown():
		return "how much memory is available is not known"
	case !known:
		return "how much swap is used is not known"
	}
	margin := max(256<<20, h.Memory.Total/20)
	free := h.Memory.Available.V
	if used+margin > free {
		return fmt.Sprintf("memory is too short: %s in swap + %s to spare are more than the %s available", sizeText(used), sizeText(margin), sizeText(free))
	}
	if h.Pressure != nil && h.Pressure.Memory.Some10 > 10 {
		return fmt.Sprintf("processes wait for memory %.0f %% of the time now (PSI some avg10); more than 10 %% is too much", h.Pressure.Memory.Some10)
	}
	return ""
}

func (a SwapOff) apply(ctx context.Context, hands Hands, say func(Step)) error {
	return a.applyOff(ctx, hands, say)
}

func (a HostSwapOff) apply(ctx context.Context, hands Hands, say func(Step)) error {
	return a.applyOff(ctx, hands, say)
}

func (a SwapOff) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	return a.seenTurned(s, since, true)
}

func (a HostSwapOff) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	return a.seenTurned(s, since, true)
}

func (t turn) applyOff(ctx context.Context, hands Hands, say func(Step)) error {
	m, err := hands.writing.Machine(t.Source)
	if err != nil {
		return err
	}
	all, err := t.decoded()
	if err != nil {
		return err
	}
	at := swapping{machine: m, say: say}
	for _, a := range all {
		if a.Now {
			at.paths = append(at.paths, a.Path)
		}
	}
	if at.began, err = at.used(); err != nil {
		return err
	}
	for _, path := range at.paths {
		if err := at.off(ctx, path); err != nil {
			return err
		}
	}
	if !t.boot() {
		return nil
	}
	if err := changeBoot(ctx, m, all, true); err != nil {
		if t.now() {
			return fmt.Errorf("swap is off now, but not for the next boot: %w", err)
		}
		return err
	}
	return nil
}

// swapping is a swapoff of some areas under way.
type swapping struct {
	machine connect.Machine
	say     func(Step)
	paths   []string
	began   uint64 // bytes in them at first
}

// swapoffIn is how long a swapoff may take: half a gigabyte took 42 s on a slow machine.
const swapoffIn = 6 * time.Hour

// off turns an area off and tells how far it is. When ctx ends swapoff is asked to stop, which takes it seconds.
func (w *swapping) off(ctx context.Context, path string) error {
	killed := oomKills(w.machine)
	type ended struct {
		r   sh.Result
		err error
	}
	end := make(chan ended, 1)
	go func() {
		r, err := w.machine.Run(ctx, sh.Cmd{Argv: []string{"swapoff", path}, Deadline: swapoffIn, Stop: syscall.SIGTERM, Grace: 5 * time.Minute})
		end <- ended{r, err}
	}()
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			w.tell(ctx, path)
		case e := <-end:
			return w.judge(ctx, path, e.r, e.err, killed)
		}
	}
}

// tell says how much is left.
func (w *swapping) tell(ctx context.Context, path string) {
	left, err := w.used()
	if err != nil || w.began == 0 {
		return
	}
	share := 1 - min(1, float64(left)/float64(w.began))
	says := fmt.Sprintf("%s: %s of %s left", path, sizeText(left), sizeText(w.began))
	if ctx.Err() != nil {
		says += "; stopping when the kernel is done with the process at hand"
	}
	w.say(Step{Says: says, Share: fleet.Some(share)})
}

// judge says what came of a swapoff. The kernel's list counts, not the exit code alone: killed, it leaves the area on.
func (w *swapping) judge(ctx context.Context, path string, r sh.Result, err error, killed uint64) error {
	areas, readErr := readSwaps(w.machine)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	left, on := areas[path]
	kills := oomKills(w.machine) - killed
	if !on {
		if kills > 0 {
			w.say(Step{Says: fmt.Sprintf("%s is off, but the OOM killer ended %d processes meanwhile", path, kills)})
		}
		return nil
	}
	is := fmt.Sprintf("%s is still on with %s in it", path, sizeText(left))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped: %s; what came back to memory stays there", is)
	case err != nil:
		return fmt.Errorf("turning off %s: %w; %s", path, err, is)
	}
	return fmt.Errorf("turning off %s: %s; %s", path, swapoffSays(r, kills), is)
}

// swapoffSays explains how swapoff ended (swapoff(8), and what the kernel does).
func swapoffSays(r sh.Result, kills uint64) string {
	switch {
	case r.Code == 2 && strings.Contains(r.Stderr, "Cannot allocate memory"):
		return "the kernel refused it: memory is too short for what is in it (ENOMEM)"
	case r.Code == 128+int(syscall.SIGKILL):
		return fmt.Sprintf("it was killed: memory ran out, and the OOM killer ended %d processes", kills)
	case r.Code == 128+int(syscall.SIGTERM):
		return "somebody else stopped it"
	case r.Code == 16, strings.Contains(r.Stderr, "Not superuser"):
		return "it may not: that needs root, or CAP_SYS_ADMIN and the device"
	case r.Code == 0:
		return "swapoff says it did"
	case r.Stderr == "":
		return fmt.Sprintf("swapoff ended with code %d and said nothing", r.Code)
	}
	return fmt.Sprintf("code %d: %s", r.Code, r.Stderr)
}
