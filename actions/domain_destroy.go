package actions

import (
	"context"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// DestroyDomain ends the process of a libvirt domain at once (virDomainDestroy). Its definition and disks stay.
type DestroyDomain struct {
	Source string `json:"source"`
	UUID   string `json:"uuid"`
}

// Name is domain-destroy.
func (a DestroyDomain) Name() string { return "domain-destroy" }

// Target is the domain.
func (a DestroyDomain) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

// Plan refuses a domain that is off. It has the name typed: what the guest has not written is lost.
func (a DestroyDomain) Plan(s *fleet.Snapshot) Plan {
	p, d := domainPlan(s, a, "destroy", connect.LibvirtDeed{Verb: "destroy", UUID: a.UUID}.Argv())
	p.NoUndo = "what the guest had not written is lost; a start boots it from its disks"
	if d == nil {
		return p
	}
	p.Ask = d.Name
	p.Effects = []string{
		"qemu is ended at once, as by pulling the power cord: the guest writes nothing more",
		"the definition and the disks stay",
	}
	if !domainOn(d) {
		p.Refused = append(p.Refused, "it is off already: "+d.Health().Word)
	}
	p.Against = append(ofNova(d, "nova will see this as a crash and make the server SHUTOFF; use server-stop"), p.Against...)
	if !d.Set.Persistent && domainOn(d) {
		p.Against = append(p.Against, "it is not persistent: once it is off libvirt knows it no more")
	}
	return p
}

func (a DestroyDomain) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return virshPlain(ctx, hands, a.Source, "destroy", a.UUID)
}

func (a DestroyDomain) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return domainState(s, a.Target(), false)
}
