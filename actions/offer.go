package actions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// Offer is an action that objects of one kind can have.
type Offer struct {
	Key    string // in the actions menu; "" for an action that only another one's undo names
	Name   string // as in Action.Name
	Title  string
	Kind   fleet.Kind
	Params []Param
	// New makes the action from the values of its Params. An error says which value is wrong and what it may be.
	New func(fleet.Ref, Args) (Action, error)
	// Mend gives the values with which it repairs what a finding names it for, nil where those cannot be told. A nil Mend means
	// that what is suggested first does.
	Mend func(*fleet.Snapshot, fleet.Ref) Args

	decode func([]byte) (Action, error)
}

// Param is a value that is asked for before an action is planned.
type Param struct {
	Name string // as in `strata act ACTION TARGET NAME=VALUE`
	Help string // what it is, its unit and what it may be
	// Suggest gives values to choose from for a target; the first is what holds when none is given. Nil suggests nothing.
	Suggest func(*fleet.Snapshot, fleet.Ref) []string
}

// Args are the values of an action's params, by name.
type Args map[string]string

// Offers lists every action there is. A new action is a file of its own and a line in the list of its family.
func Offers() []Offer {
	return slices.Concat(serverOffers(), kubeOffers(), unitOffers(), swapOffers(), domainOffers(), countersOffers())
}

// Find returns the offer of an action by its name.
func Find(name string) (Offer, bool) {
	for _, o := range Offers() {
		if o.Name == name {
			return o, true
		}
	}
	return Offer{}, false
}

// Make makes an offer's action, with what its params suggest for the values that args leave out.
func (o Offer) Make(s *fleet.Snapshot, target fleet.Ref, args Args) (Action, error) {
	all := Args{}
	for _, p := range o.Params {
		value, given := args[p.Name]
		if !given && p.Suggest != nil {
			if some := p.Suggest(s, target); len(some) > 0 {
				value = some[0]
			}
		}
		all[p.Name] = strings.TrimSpace(value)
	}
	for name := range args {
		if _, known := all[name]; !known {
			return nil, fmt.Errorf("%s has no parameter %q%s", o.Name, name, o.paramNames())
		}
	}
	return o.New(target, all)
}

func (o Offer) paramNames() string {
	var names []string
	for _, p := range o.Params {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return ": it takes none"
	}
	return ": it takes " + strings.Join(names, ", ")
}

// Recipe is an action as text: what the audit log holds of it, and of its undo.
func recipe(a Action) *fleet.Recipe {
	if a == nil {
		return nil
	}
	params, _ := json.Marshal(a) // actions are plain structs of strings and numbers
	return &fleet.Recipe{Action: a.Name(), Params: string(params)}
}

// Decode makes an action from its recipe. It must be planned like any other.
func Decode(r fleet.Recipe) (Action, error) {
	o, ok := Find(r.Action)
	if !ok {
		return nil, fmt.Errorf("this strata has no action %q", r.Action)
	}
	a, err := o.decode([]byte(r.Params))
	if err != nil {
		return nil, fmt.Errorf("reading the parameters of %s: %w", r.Action, err)
	}
	return a, nil
}

// offer completes an offer with the name and the form of its action.
func offer[A Action](o Offer) Offer {
	var a A
	o.Name = a.Name()
	o.decode = func(b []byte) (Action, error) {
		var a A
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err := d.Decode(&a)
		return a, err
	}
	return o
}

// plainly makes an action that takes nothing but its target.
func plainly[A Action](of func(fleet.Ref) A) func(fleet.Ref, Args) (Action, error) {
	return func(r fleet.Ref, _ Args) (Action, error) { return of(r), nil }
}
