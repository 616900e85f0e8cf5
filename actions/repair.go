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
		r := Repair{Action: name, On: f.About}
		if offer, ok := Find(name); ok && offer.Kind == f.About.Kind {
			if act, err := offer.Make(s, f.About, nil); err == nil {
				plan := act.Plan(s)
				r.Command, r.Refused = plan.Command, plan.Refused
			}
		}
		all = append(all, r)
	}
	return all
}
