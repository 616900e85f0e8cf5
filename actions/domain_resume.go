package actions

import (
	"context"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// ResumeDomain lets a paused libvirt domain go on (virDomainResume).
type ResumeDomain struct {
	Source string `json:"source"`
	UUID   string `json:"uuid"`
}

// Name is domain-resume.
func (a ResumeDomain) Name() string { return "domain-resume" }

// Target is the domain.
func (a ResumeDomain) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

// Plan refuses a domain that is not paused, or that libvirt itself paused for work it has with it.
func (a ResumeDomain) Plan(s *fleet.Snapshot) Plan {
	p, d := domainPlan(s, a, "resume", connect.LibvirtDeed{Verb: "resume", UUID: a.UUID}.Argv())
	p.NoUndo = "pausing it again is virsh suspend"
	if d == nil {
		return p
	}
	p.Effects = []string{"the guest goes on where it stopped; what it wrote to a failing disk is tried again"}
	busy := []string{"migrating", "saving", "dumping", "creating snapshot", "starting up", "shutting down", "post-copy", "post-copy failed"}
	switch {
	case d.State != "paused":
		p.Refused = append(p.Refused, "only a paused domain can be resumed; it is "+d.Health().Word)
	case slices.Contains(busy, d.Reason):
		p.Refused = append(p.Refused, "libvirt paused it for work of its own: "+d.Reason)
	case d.Reason == "crashed":
		p.Refused = append(p.Refused, "its guest crashed: destroy and start it")
	case d.Reason == "I/O error":
		p.Against = append(ioErrors(d), p.Against...)
	}
	return p
}

// ioErrors says what must be better before a domain that met an I/O error can go on.
func ioErrors(d *fleet.Domain) (says []string) {
	for _, disk := range d.Disks {
		switch {
		case disk.Error == "no space":
			says = append(says, "no space for "+disk.Target+" ("+disk.File+"): make space first, or it stops again at its next write")
		case disk.Error != "":
			says = append(says, disk.Target+" ("+disk.File+"): "+disk.Error+": check the disk below it first, or it stops again")
		}
	}
	if len(says) == 0 {
		says = []string{"it met an I/O error: check space (df) and the disk below it first, or it stops again"}
	}
	return says
}

func (a ResumeDomain) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return virshPlain(ctx, hands, a.Source, "resume", a.UUID)
}

// stopsAgain is how soon a guest whose disk still fails has stopped again: at its next write.
const stopsAgain = 3 * time.Second

// seen waits until it must have stopped again if it does. What was seen sooner may be from just before, or from in between.
func (a ResumeDomain) seen(s *fleet.Snapshot, since time.Time) (verdict, string) {
	v, says := domainState(s, a.Target(), true)
	d, ok := fleet.Find[*fleet.Domain](s, a.Target())
	switch {
	case !ok:
	case !s.SeenAt(a.Target()).After(since.Add(stopsAgain)):
		return waiting, says
	case d.State == "paused" && d.Reason == "I/O error":
		return failed, "it stopped again: " + strings.Join(ioErrors(d), "; ")
	}
	return v, says
}
