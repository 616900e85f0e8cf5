package actions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// UnlimitUnit takes all limits that systemd has for a unit away, of one disk or of all.
type UnlimitUnit struct {
	Source string `json:"source"`
	Unit   string `json:"unit"`
	Device string `json:"device,omitempty"` // "" is all
	Keep   bool   `json:"keep,omitempty"`   // for the next boot too

	place // found by Plan; without a disk for all
}

// Name is unit-unlimit.
func (a UnlimitUnit) Name() string { return "unit-unlimit" }

// Target is the unit.
func (a UnlimitUnit) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindUnit, Source: a.Source, Name: a.Unit}
}

// Plan refuses when there is no limit of systemd's.
func (a UnlimitUnit) Plan(s *fleet.Snapshot) Plan {
	p := Plan{Action: a, Title: "clear the limits of " + a.Unit}
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	if !ok {
		p.Refused = []string{"no such unit is seen in " + a.Source}
		return p
	}
	a.place = placed(u, "")
	p.Title = "clear the limits of " + unitTitle(u)
	p.Command = propertyArgv(a.Unit, a.Keep)
	if a.Device == "" {
		for _, v := range limitValues() {
			p.Command = append(p.Command, v.property+"=")
		}
	} else {
		disk, said, why := wholeDisk(s, u, a.Device)
		a.Disk, p.Refused = disk, why
		p.Command = limitArgv(a.Unit, a.Keep, disk, everyLimit(fleet.IOLimit{}))
		if said != "" {
			p.Effects = append(p.Effects, said)
		}
	}
	p.Action = a
	before := map[string]fleet.IOLimit{}
	for _, io := range u.IO {
		if a.Disk != "" && io.Disk != a.Disk {
			continue
		}
		if io.Limit.Any() {
			before[io.Disk] = io.Limit
			p.Now = joined(p.Now, limitNow(io, io.Disk))
			p.Effects = append(p.Effects, "no limit on "+io.Disk+" any more: it was "+limitText(io.Limit))
		}
		if io.LibvirtLimit.Any() {
			p.Against = append(p.Against, "libvirt's own limit on "+io.Disk+" stays: "+limitText(io.LibvirtLimit)+" (virsh blkiotune)")
		}
	}
	if !a.Keep && strings.HasSuffix(u.Name, ".service") {
		p.Effects = append(p.Effects, "one that was kept comes back with the next boot; for=kept clears that too")
	}
	if len(before) == 0 && p.Refused == nil {
		p.Refused = append(p.Refused, "systemd limits nothing there")
	}
	p.Undo = restoring(a.Source, a.Unit, a.Keep, before)
	p.Against = append(p.Against, mayPerhapsNot(s, u.Source, u.Host)...)
	p.Against = append(append(p.Against, old(s, a.Target())...), against(s, a)...)
	return p
}

func (a UnlimitUnit) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	systemd, err := m.Systemd(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	if a.Disk != "" {
		if err := systemd.Cancel(ctx, timerOf(a.Unit, a.Disk)); err != nil {
			return err
		}
		return setLimits(ctx, m, systemd, a.Unit, a.Keep, a.place, everyLimit(fleet.IOLimit{}))
	}
	before, err := a.ioMax(m)
	if err != nil {
		return err
	}
	for number := range before {
		if disk := diskOfNumber(m, number); disk != "" {
			if err := systemd.Cancel(ctx, timerOf(a.Unit, disk)); err != nil {
				return err
			}
		}
	}
	var properties []connect.Property
	for _, v := range limitValues() {
		properties = append(properties, connect.Property{Name: v.property, Value: []connect.DeviceValue{}})
	}
	since := time.Now()
	if err := systemd.Set(ctx, a.Unit, a.Keep, properties...); err != nil {
		return err
	}
	left := ""
	ok, err := readBack(ctx, func() (bool, error) {
		after, err := a.ioMax(m)
		for number, l := range after {
			if l.Any() {
				left = limitText(l) + " for " + number
				return false, err
			}
		}
		return true, err
	})
	if err == nil && !ok {
		err = fmt.Errorf("systemd accepted it, but io.max of %s still has %s%s", a.Unit, left, journal(ctx, m, a.Unit, since))
	}
	return err
}

func (a UnlimitUnit) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	if !ok {
		return failed, "the unit is gone"
	}
	for _, io := range u.IO {
		if (a.Disk == "" || io.Disk == a.Disk) && io.Limit.Any() {
			return waiting, "still limited on " + io.Disk + ": " + limitText(io.Limit)
		}
	}
	return done, "no limit"
}
