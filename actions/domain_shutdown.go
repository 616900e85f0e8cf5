package actions

import (
	"context"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// ShutdownDomain asks the guest of a libvirt domain to shut down (virDomainShutdown).
type ShutdownDomain struct {
	Source string `json:"source"`
	UUID   string `json:"uuid"`
}

// Name is domain-shutdown.
func (a ShutdownDomain) Name() string { return "domain-shutdown" }

// Target is the domain.
func (a ShutdownDomain) Target() fleet.Ref { return domainRef(a.Source, a.UUID) }

// Plan refuses a domain whose guest cannot hear.
func (a ShutdownDomain) Plan(s *fleet.Snapshot) Plan {
	p, d := domainPlan(s, a, "shut down", connect.LibvirtDeed{Verb: "shutdown", UUID: a.UUID}.Argv())
	p.Undo = StartDomain(a)
	if d == nil {
		return p
	}
	p.Effects = []string{"the guest is asked to shut down, as by its power button; how long that takes, and whether it does, is up to it"}
	switch {
	case !domainOn(d):
		p.Refused = append(p.Refused, "it is off already: "+d.Health().Word)
	case d.State == "paused":
		p.Refused = append(p.Refused, "it is "+d.Health().Word+": its guest cannot hear; resume it first, or destroy it")
	case d.State != "running" && d.State != "idle":
		p.Refused = append(p.Refused, "it is "+d.Health().Word)
	}
	p.Against = append(ofNova(d, "nova will see this as a stop and make the server SHUTOFF; use server-stop"), p.Against...)
	if !d.Set.Persistent && domainOn(d) {
		p.Against = append(p.Against, "it is not persistent: once it is off libvirt knows it no more")
		p.Undo, p.NoUndo = nil, "libvirt forgets a domain that is not persistent once it is off"
	}
	return p
}

func (a ShutdownDomain) apply(ctx context.Context, hands Hands, _ func(Step)) error {
	return virshPlain(ctx, hands, a.Source, "shutdown", a.UUID)
}

func (a ShutdownDomain) seen(s *fleet.Snapshot, _ time.Time) (verdict, string) {
	return domainState(s, a.Target(), false)
}
