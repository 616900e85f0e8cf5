package actions

import (
	"slices"
	"strings"

	"strata/internal/fleet"
	"strata/internal/sh"
)

// Repair is a remedy that a finding names, as it would be done now.
type Repair struct {
	Action  string     `json:"action"`
	On      fleet.Ref  `json:"on"`
	Pick    fleet.Kind `json:"pick,omitempty"`    // it is for things of this kind, of which only a person knows the one
	Command []string   `json:"command,omitempty"` // as a person would type it; empty where more must be said first
	Refused []string   `json:"refused,omitempty"` // why not now
}

// Line is the command to run, or to hand to somebody who may: the remedy's own, or where more must be said strata's.
func (r Repair) Line() string {
	switch {
	case len(r.Command) > 0:
		return sh.Quote(r.Command...)
	case r.Pick != "":
		return "strata act " + r.Action + " " + strings.ToUpper(string(r.Pick)) + "  # one of: strata snapshot -o table --only " + r.Pick.Scope()
	}
	return "strata act " + r.Action + " " + sh.Quote(r.On.Source+":"+r.On.Name)
}

// Repairs plans each remedy of some findings on what it is about, each once, as far as that needs no more to be said.
func Repairs(s *fleet.Snapshot, findings ...*fleet.Finding) (all []Repair) {
	for _, f := range findings {
		for _, name := range f.Remedies {
			on := f.About
			if offer, ok := Find(name); ok {
				on = TargetOf(s, f, offer)
			}
			r := RepairOf(s, name, on)
			same := func(o Repair) bool { return o.Action == name && (o.On == on || o.Pick != "" && o.Pick == r.Pick) }
			if !slices.ContainsFunc(all, same) {
				all = append(all, r)
			}
		}
	}
	return all
}

// TargetOf is the object that an offer repairs a finding on: what it is about, the part of that which is to blame, or the domain
// that runs in one of these.
func TargetOf(s *fleet.Snapshot, f *fleet.Finding, offer Offer) fleet.Ref {
	for _, r := range [...]fleet.Ref{f.On, f.About} {
		if r.Kind == offer.Kind {
			return r
		}
	}
	if offer.Kind == fleet.KindDomain {
		for d := range fleet.All[*fleet.Domain](s, fleet.KindDomain) {
			scope := fleet.Ref{Kind: fleet.KindUnit, Source: "host/" + d.Host, Name: d.Process.Unit}
			if d.Process.Unit != "" && (scope == f.On || scope == f.About) {
				return d.Ref()
			}
		}
	}
	return f.About
}

// RepairOf plans an action by its name on an object, as far as that needs no more to be said.
func RepairOf(s *fleet.Snapshot, name string, about fleet.Ref) Repair {
	r := Repair{Action: name, On: about}
	offer, ok := Find(name)
	switch {
	case !ok:
		return r
	case offer.Kind != about.Kind:
		r.Pick = offer.Kind
		return r
	}
	var args Args
	if offer.Mend != nil {
		if args = offer.Mend(s, about); args == nil {
			return r
		}
	}
	if act, err := offer.Make(s, about, args); err == nil {
		plan := act.Plan(s)
		r.Command, r.Refused = plan.Command, plan.Refused
	}
	return r
}
