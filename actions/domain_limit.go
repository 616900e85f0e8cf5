package actions

import (
	"context"
	"fmt"
	"slices"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// LimitDomain sets the limits on one disk of a libvirt domain, inside qemu (virDomainSetBlockIoTune). It sets all six
// values of each place that is there, so its undo restores what was.
type LimitDomain struct {
	Source string                         `json:"source"`
	UUID   string                         `json:"uuid"`
	Disk   string                         `json:"disk"` // vda
	Live   fleet.Opt[connect.LibvirtTune] `json:"live"` // holds at once, until the domain is started anew
	Kept   fleet.Opt[connect.LibvirtTune] `json:"kept"` // of the stored definition: holds from the next start on
}

// Name is domain-limit.
func (a LimitDomain) Name() string { return "domain-limit" }

// Target is the domain.
func (a LimitDomain) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

// deeds are what it does, one after the other: one where both places get the same.
func (a LimitDomain) deeds() (all []connect.LibvirtDeed) {
	deed := connect.LibvirtDeed{Verb: "blkdeviotune", UUID: a.UUID, Target: a.Disk}
	if a.Live.OK && a.Live == a.Kept {
		deed.Tune, deed.Live, deed.Kept = a.Live.V, true, true
		return []connect.LibvirtDeed{deed}
	}
	if a.Live.OK {
		deed.Tune, deed.Live = a.Live.V, true
		all = append(all, deed)
	}
	if a.Kept.OK {
		deed.Tune, deed.Live, deed.Kept = a.Kept.V, false, true
		all = append(all, deed)
	}
	return all
}

// Plan refuses what libvirt would not take, and what would not hold.
func (a LimitDomain) Plan(s *fleet.Snapshot) Plan {
	deeds := a.deeds()
	p, d := domainPlan(s, a, "limit "+a.Disk+" of", nil)
	if len(deeds) == 0 {
		p.Refused = append(p.Refused, "nothing to set: say live, kept or both")
	} else {
		p.Command = deeds[0].Argv()
	}
	if d == nil {
		return p
	}
	i := slices.IndexFunc(d.Disks, func(k fleet.DomainDisk) bool { return k.Target == a.Disk })
	if i < 0 {
		p.Refused = append(p.Refused, fmt.Sprintf("it has no disk %q: %s", a.Disk, diskNames(d)))
		return p
	}
	disk := &d.Disks[i]
	p.Now = "live " + tuneText(tuneOf(disk.Tune)) + "; kept " + tuneText(tuneOf(disk.Kept))
	undo := LimitDomain{Source: a.Source, UUID: a.UUID, Disk: a.Disk}
	if a.Live.OK {
		undo.Live = fleet.Some(tuneOf(disk.Tune))
		p.Effects = append(p.Effects, "at once, until it is started anew: "+tuneText(a.Live.V)+", counted in qemu; a guest that wants more waits")
		p.Refused = append(p.Refused, refuseTune(a.Live.V)...)
		if !domainOn(d) {
			p.Refused = append(p.Refused, "it is "+d.Health().Word+": only a kept limit can be set")
		}
	}
	if a.Kept.OK {
		undo.Kept = fleet.Some(tuneOf(disk.Kept))
		p.Effects = append(p.Effects, "from its next start on: "+tuneText(a.Kept.V))
		p.Refused = append(p.Refused, a.refuseKept(d)...)
		if !a.Live.OK || a.Live != a.Kept {
			p.Refused = append(p.Refused, refuseTune(a.Kept.V)...)
		}
	}
	if len(deeds) > 1 {
		p.Effects = append(p.Effects, "and then: "+Plan{Command: deeds[1].Argv()}.Line())
	}
	if d.Nova != "" && a.Live.OK {
		p.Against = append(p.Against, "nova does not know of it: a migration, a hard reboot or a stop and start brings back what the flavor says")
	}
	p.Undo = undo
	return p
}

func (a LimitDomain) refuseKept(d *fleet.Domain) (why []string) {
	if d.Nova != "" {
		why = append(why, "a kept limit would not last: nova rewrites the definition at each hard reboot and start; set quota:disk_... on the flavor instead")
	}
	if !d.Set.Persistent {
		why = append(why, "it is not persistent: nothing of it is kept")
	}
	return why
}

// refuseTune says what libvirt has against values.
func refuseTune(t connect.LibvirtTune) (why []string) {
	if t.TotalBytes > 0 && (t.ReadBytes > 0 || t.WriteBytes > 0) || t.TotalIOPS > 0 && (t.ReadIOPS > 0 || t.WriteIOPS > 0) {
		why = append(why, "libvirt takes a limit on reads and writes together or one on each, not both: set the other to none")
	}
	return why
}

func (a LimitDomain) apply(ctx context.Context, hands Hands, say func(Step)) error {
	m, err := hands.writing.Machine(a.Source)
	if err != nil {
		return err
	}
	before := ""
	for _, deed := range a.deeds() {
		if err := m.Libvirted(ctx, deed); err != nil {
			return fmt.Errorf("limiting %s of domain %s%s: %w", a.Disk, a.UUID, before, err)
		}
		before = " (the live limit was set before)"
		say(Step{Says: "libvirt took it"})
	}
	return nil
}

// seen compares what libvirt tells of the disk with what was to be.
func (a LimitDomain) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	d, ok := fleet.Find[*fleet.Domain](s, a.Target())
	if !ok {
		return failed, "the domain is gone"
	}
	i := slices.IndexFunc(d.Disks, func(k fleet.DomainDisk) bool { return k.Target == a.Disk })
	if i < 0 {
		return failed, "the disk is gone"
	}
	live, kept := tuneOf(d.Disks[i].Tune), tuneOf(d.Disks[i].Kept)
	says := "live " + tuneText(live) + "; kept " + tuneText(kept)
	if (!a.Live.OK || a.Live.V == live) && (!a.Kept.OK || a.Kept.V == kept) {
		return done, says
	}
	return waiting, says
}

// tuneOf is a limit as it was seen, with zero for none.
func tuneOf(t fleet.DomainTune) connect.LibvirtTune {
	return connect.LibvirtTune{
		TotalBytes: t.TotalBytesSec.V, ReadBytes: t.ReadBytesSec.V, WriteBytes: t.WriteBytesSec.V,
		TotalIOPS: t.TotalSec.V, ReadIOPS: t.ReadsSec.V, WriteIOPS: t.WritesSec.V,
	}
}
