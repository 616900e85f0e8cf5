package actions

import (
	"context"
	"fmt"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// domainRef is the target of an action on a domain.
func domainRef(source, uuid string) fleet.Ref {
	return fleet.Ref{Kind: fleet.KindDomain, Source: source, Name: uuid}
}

// domainPlan begins a plan to do something to a domain. The domain is nil when it is not seen, and that is refused.
func domainPlan(s *fleet.Snapshot, a Action, verb string, command []string) (Plan, *fleet.Domain) {
	p := Plan{Action: a, Title: verb + " domain " + a.Target().Name, Command: command}
	d, ok := found[*fleet.Domain](s, &p, "domain")
	if !ok {
		return p, nil
	}
	p.Title = verb + " domain " + d.Name
	return p, d
}

// domainOn reports whether a domain has a process.
func domainOn(d *fleet.Domain) bool {
	switch d.State {
	case "shut off", "crashed", "no state":
		return false
	}
	return true
}

// ofNova says that Nova has its own idea of how a domain should be.
func ofNova(d *fleet.Domain, says string) []string {
	if d.Nova == "" {
		return nil
	}
	return []string{fmt.Sprintf("it is nova's server %s: %s", d.Nova, says)}
}

// virshPlain does one of the deeds that have no parameters.
func virshPlain(ctx context.Context, hands Hands, source, verb, uuid string) error {
	m, err := hands.writing.Machine(source)
	if err != nil {
		return err
	}
	if err := m.Libvirted(ctx, connect.LibvirtDeed{Verb: verb, UUID: uuid}); err != nil {
		return fmt.Errorf("domain %s: %w", uuid, err)
	}
	return nil
}

// domainState waits for one of some states; a domain that is not persistent is gone once it is off.
func domainState(s *fleet.Snapshot, target fleet.Ref, on bool) (verdict, string) {
	d, ok := fleet.Find[*fleet.Domain](s, target)
	switch {
	case !ok && on:
		return failed, "the domain is gone"
	case !ok:
		return done, "off, and gone with that: it was not persistent"
	case on && d.State == "running", !on && !domainOn(d):
		return done, d.Health().Word
	}
	return waiting, d.Health().Word
}
