package actions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// LimitUnit limits what a unit reads from and writes to one whole disk (systemd's IOReadBandwidthMax and its like).
type LimitUnit struct {
	Source string `json:"source"`
	Unit   string `json:"unit"`
	Device string `json:"device"` // what was asked for: nvme0n1, /dev/nvme0n1p2, /dev/mapper/rl-home
	// Set are the values to set, connect.Infinity for no limit. Those that are missing stay as they are.
	Set fleet.IOLimit `json:"set"`
	For string        `json:"for"` // untilRestart, kept, or a duration

	place // found by Plan
}

// How long a limit lasts, beside a duration.
const (
	untilRestart = "until-restart"
	kept         = "kept"
)

// Name is unit-limit.
func (a LimitUnit) Name() string { return "unit-limit" }

// Target is the unit.
func (a LimitUnit) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindUnit, Source: a.Source, Name: a.Unit}
}

// Plan refuses what systemd accepts and does not do: no such device, a value of zero, a limit kept for a unit that goes.
func (a LimitUnit) Plan(s *fleet.Snapshot) Plan {
	p := Plan{Action: a, Title: "limit " + a.Unit}
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	if !ok {
		p.Refused = []string{"no such unit is seen in " + a.Source}
		return p
	}
	disk, said, why := wholeDisk(s, u, a.Device)
	a.place = placed(u, disk)
	p.Action, p.Title = a, "limit "+unitTitle(u)+" on "+disk
	p.Command = limitArgv(a.Unit, a.For == kept, disk, a.Set)
	io := ioOf(u, disk)
	p.Now = limitNow(io, disk)
	p.Undo = LimitUnit{Source: a.Source, Unit: a.Unit, Device: disk, Set: inverse(io.Limit, a.Set), For: a.undoFor()}
	p.Refused = append(why, a.refuse(u)...)
	if rate := io.WriteBytesSec; !a.Set.Any() && rate.OK {
		p.Refused = append(p.Refused, "a quarter of what it writes now would be write="+quarter(rate.V))
	}
	p.Against = mayPerhapsNot(s, u.Source, u.Host)
	if said != "" {
		p.Effects = append(p.Effects, said)
	}
	for _, v := range limitValues() {
		if want := *v.of(&a.Set); want.OK && want.V != 0 {
			p.Effects = append(p.Effects, v.effect(disk, want.V, *v.rate(&io)))
		}
	}
	p.Effects = append(p.Effects, a.lasts(u)...)
	if io.LibvirtLimit.Any() {
		p.Against = append(p.Against, "libvirt has a limit of its own below it, which stays: "+limitText(io.LibvirtLimit))
	}
	p.Against = append(append(p.Against, old(s, a.Target())...), against(s, a)...)
	return p
}

func (a LimitUnit) undoFor() string {
	if a.For == kept {
		return kept
	}
	return untilRestart
}

func (a LimitUnit) refuse(u *fleet.Unit) (why []string) {
	if !a.Set.Any() {
		why = append(why, "nothing to set: give read, write, riops or wiops")
	}
	for _, v := range limitValues() {
		if want := *v.of(&a.Set); want.OK && want.V == 0 {
			why = append(why, v.param+"=0 limits nothing: systemd accepts it, the kernel does not (ERANGE); the least is 1, \"none\" takes a limit away")
		}
	}
	switch d, err := time.ParseDuration(a.For); {
	case a.For == untilRestart:
	case a.For == kept && u.Domain != "":
		why = append(why, "a limit on this scope cannot be kept: its name changes at each start of the domain; domain-limit keeps one in libvirt's definition")
	case a.For == kept && strings.HasSuffix(u.Name, ".scope"):
		why = append(why, "a limit on a scope cannot be kept: systemd forgets the scope when it ends")
	case a.For == kept:
	case err != nil || d < time.Second || d > 30*24*time.Hour:
		why = append(why, fmt.Sprintf("for=%s is none of until-restart, kept, or a time such as 2h", a.For))
	}
	return why
}

// lasts says when the limit ends.
func (a LimitUnit) lasts(u *fleet.Unit) []string {
	d, err := time.ParseDuration(a.For)
	switch {
	case a.For == kept:
		return []string{"it is kept over restarts, in a drop-in below /etc/systemd/system.control"}
	case err == nil:
		argv := append([]string{"systemd-run", "--on-active=" + a.For, "--unit=" + a.timer()}, a.clearing()...)
		return []string{"a timer of systemd clears it after " + d.String() + ", even if strata is gone: " + Plan{Command: argv}.Line(), a.ends(u)}
	}
	return []string{a.ends(u)}
}

func (a LimitUnit) ends(u *fleet.Unit) string {
	if u.Domain != "" {
		return "it ends with the scope: when domain " + u.Domain + " starts again it runs without a limit, in a scope of another name"
	}
	if strings.HasSuffix(u.Name, ".scope") {
		return "it ends with the scope"
	}
	return "it ends when the machine starts again"
}

// timer is the name of the timer that clears the unit's limit on the disk. A later limit there replaces it.
func (a LimitUnit) timer() string { return timerOf(a.Unit, a.Disk) }

// clearing is the command that clears what is set here, for a timer.
func (a LimitUnit) clearing() []string {
	none := a.Set
	for _, v := range limitValues() {
		if x := v.of(&none); x.OK {
			x.V = connect.Infinity
		}
	}
	return limitArgv(a.Unit, false, a.Disk, none)
}

func (a LimitUnit) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	if err := a.check(m); err != nil {
		return err
	}
	systemd, err := m.Systemd(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	if err := systemd.Cancel(ctx, a.timer()); err != nil {
		return err
	}
	// The end comes before the beginning: a limit without its end would stay.
	if after, err := time.ParseDuration(a.For); err == nil {
		argv := a.clearing()
		if err := systemd.At(ctx, a.timer(), "strata: clear the limit of "+a.Unit+" on "+a.Disk, after, "/usr/bin/"+argv[0], argv[1:]...); err != nil {
			return err
		}
	}
	err = setLimits(ctx, m, systemd, a.Unit, a.For == kept, a.place, a.Set)
	if err != nil && a.For != untilRestart && a.For != kept {
		_ = systemd.Cancel(ctx, a.timer()) // it would clear what was there before, which is not its business
	}
	return err
}

// seen waits until the unit's io.max has the values and what it writes and reads is at most a fifth above them.
func (a LimitUnit) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	if !ok {
		return failed, "the unit is gone, and the limit with it"
	}
	io := ioOf(u, a.Disk)
	for _, v := range limitValues() {
		want := *v.of(&a.Set)
		if !want.OK {
			continue
		}
		is := *v.of(&io.Limit)
		if want.V == connect.Infinity {
			if is.OK {
				return waiting, v.says + " is still limited to " + v.text(is.V)
			}
			continue
		}
		if is != want {
			return waiting, v.says + " is not limited yet"
		}
		if rate := *v.rate(&io); rate.OK && rate.V > 1.2*float64(want.V) {
			return waiting, fmt.Sprintf("limited, but %s is still %s", v.says, v.text(uint64(rate.V)))
		}
	}
	return done, limitNow(io, a.Disk)
}
