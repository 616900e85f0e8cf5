package actions

import (
	"context"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// StartDomain starts a libvirt domain that is off (virDomainCreate).
type StartDomain struct {
	Source string `json:"source"`
	UUID   string `json:"uuid"`
}

// Name is domain-start.
func (a StartDomain) Name() string { return "domain-start" }

// Target is the domain.
func (a StartDomain) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

// Plan refuses what libvirt refuses: a domain that has a process.
func (a StartDomain) Plan(s *fleet.Snapshot) Plan {
	p, d := domainPlan(s, a, "start", connect.LibvirtDeed{Verb: "start", UUID: a.UUID}.Argv())
	p.NoUndo = "shutting it down again is a decision of its own"
	if d == nil {
		return p
	}
	p.Effects = []string{"qemu starts and the guest boots from its disks, in a new scope with the limits that are kept; those set until restart are gone"}
	if domainOn(d) {
		p.Refused = append(p.Refused, "only a domain that is off can be started; it is "+d.Health().Word)
	}
	p.Against = append(ofNova(d, "nova stops again what it did not start; use server-start"), p.Against...)
	if d.Reason == "crashed" {
		p.Against = append(p.Against, "it crashed, and a start makes libvirt forget that: see /var/log/libvirt/qemu/"+d.Name+".log first")
	}
	return p
}

func (a StartDomain) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return virshPlain(ctx, hands, a.Source, "start", a.UUID)
}

func (a StartDomain) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return domainState(s, a.Target(), true)
}
