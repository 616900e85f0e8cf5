package actions

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"strata/internal/fleet"
)

// RestoreLimits brings back the limits of a unit on several disks: the undo of taking them away.
type RestoreLimits struct {
	Source string `json:"source"`
	Unit   string `json:"unit"`
	Limits string `json:"limits"` // by disk, as JSON: an action is comparable and holds no map
	Keep   bool   `json:"keep,omitempty"`

	place // found by Plan, without a disk
}

// restoring is the action that brings limits back.
func restoring(source, unit string, keep bool, before map[string]fleet.IOLimit) Action {
	if len(before) == 1 {
		lasts := untilRestart
		if keep {
			lasts = kept
		}
		for disk, l := range before {
			return LimitUnit{Source: source, Unit: unit, Device: disk, Set: everyLimit(l), For: lasts}
		}
	}
	text, _ := json.Marshal(before) // numbers and names
	return RestoreLimits{Source: source, Unit: unit, Limits: string(text), Keep: keep}
}

// Name is unit-restore-limits.
func (a RestoreLimits) Name() string { return "unit-restore-limits" }

// Target is the unit.
func (a RestoreLimits) Target() fleet.Ref {
	return fleet.Ref{Kind: fleet.KindUnit, Source: a.Source, Name: a.Unit}
}

// Plan shows what is set on each disk.
func (a RestoreLimits) Plan(s *fleet.Snapshot) Plan {
	p := Plan{Action: a, Title: "restore the limits of " + a.Unit}
	limits, disks, err := a.decoded()
	if err != nil {
		p.Refused = []string{err.Error()}
		return p
	}
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	if !ok {
		p.Refused = []string{"no such unit is seen in " + a.Source}
		return p
	}
	a.place = placed(u, "")
	p.Action, p.Title, p.Command = a, "restore the limits of "+unitTitle(u), propertyArgv(a.Unit, a.Keep)
	before := map[string]fleet.IOLimit{}
	for _, disk := range disks {
		_, _, why := wholeDisk(s, u, disk)
		p.Refused = append(p.Refused, why...)
		p.Command = append(p.Command, assignments(disk, everyLimit(limits[disk]))...)
		p.Effects = append(p.Effects, disk+": "+limitText(limits[disk]))
		before[disk] = ioOf(u, disk).Limit
		p.Now = joined(p.Now, limitNow(ioOf(u, disk), disk))
	}
	p.Undo = restoring(a.Source, a.Unit, a.Keep, before)
	p.Against = append(mayPerhapsNot(s, u.Source, u.Host), old(s, a.Target())...)
	return p
}

func (a RestoreLimits) decoded() (limits map[string]fleet.IOLimit, disks []string, err error) {
	if err := json.Unmarshal([]byte(a.Limits), &limits); err != nil {
		return nil, nil, fmt.Errorf("reading the limits to restore: %w", err)
	}
	return limits, slices.Sorted(maps.Keys(limits)), nil
}

func (a RestoreLimits) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	limits, disks, err := a.decoded()
	if err != nil {
		return err
	}
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	systemd, err := m.Systemd(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	for _, disk := range disks {
		if err := systemd.Cancel(ctx, timerOf(a.Unit, disk)); err != nil {
			return err
		}
		if err := setLimits(ctx, m, systemd, a.Unit, a.Keep, place{a.CGroup, disk}, everyLimit(limits[disk])); err != nil {
			return err
		}
	}
	return nil
}

func (a RestoreLimits) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	u, ok := fleet.Find[*fleet.Unit](s, a.Target())
	limits, disks, err := a.decoded()
	if !ok || err != nil {
		return failed, "the unit is gone"
	}
	for _, disk := range disks {
		if is := ioOf(u, disk).Limit; is != limits[disk] {
			return waiting, disk + ": " + limitText(is)
		}
	}
	return done, "the limits are back"
}

// joined joins two texts, of which the first may be empty.
func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
