package actions

import (
	"strata/internal/fleet"
	"strata/internal/sh"
)

// Repair is a remedy that a finding names, as it would be done now.
type Repair struct {
	Action  string    `json:"action"`
	On      fleet.Ref `json:"on"`
	Command []string  `json:"command,omitempty"` // as a person would type it; empty where more must be said first
	Refused []string  `json:"refused,omitempty"` // why not now
}

// Line is the command to run, or to hand to somebody who may: the remedy's own, or where more must be said strata's.
func (r Repair) Line() string {
	if len(r.Command) > 0 {
		return sh.Quote(r.Command...)
	}
	return "strata act " + r.Action + " " + sh.Quote(r.On.Source+":"+r.On.Name)
}

// Repairs plans each remedy of a finding on what it is about, as far as that needs no more to be said.
func Repairs(s *fleet.Snapshot, f *fleet.Finding) (all []Repair) {
	for _, name := range f.Remedies {
		on := f.About
		if offer, ok := Find(name); ok {
			on = TargetOf(f, offer)
		}
		all = append(all, RepairOf(s, name, on))
	}
	return all
}

// TargetOf is the object that an offer repairs a finding on: what it is about, or the part of that which is to blame.
func TargetOf(f *fleet.Finding, offer Offer) fleet.Ref {
	if f.On.Kind == offer.Kind {
		return f.On
	}
	return f.About
}

// RepairOf plans an action by its name on an object, as far as that needs no more to be said.
func RepairOf(s *fleet.Snapshot, name string, about fleet.Ref) Repair {
	r := Repair{Action: name, On: about}
	if offer, ok := Find(name); ok && offer.Kind == about.Kind {
		if act, err := offer.Make(s, about, nil); err == nil {
			plan := act.Plan(s)
			r.Command, r.Refused = plan.Command, plan.Refused
		}
	}
	return r
}
