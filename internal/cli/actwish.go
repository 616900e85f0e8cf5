package cli

import (
	"fmt"
	"slices"
	"strings"

	"strata/actions"
	"strata/internal/fleet"
)

// wish is what the arguments of act ask for.
type wish struct {
	offer  actions.Offer
	undo   bool
	target string
	args   actions.Args
}

func parseWish(args []string) (wish, error) {
	w := wish{target: args[1], args: actions.Args{}, undo: args[0] == "undo"}
	if !w.undo {
		var ok bool
		if w.offer, ok = actions.Find(args[0]); !ok || w.offer.Key == "" {
			return w, &fleet.Trouble{Doing: fmt.Sprintf("there is no action %q", args[0]), Fix: "strata act --help lists them"}
		}
	}
	for _, arg := range args[2:] {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return w, &fleet.Trouble{Doing: fmt.Sprintf("%q is no NAME=VALUE", arg), Fix: "strata act --help lists what each action takes"}
		}
		w.args[name] = value
	}
	return w, nil
}

// action makes the action that is wished for, on what the snapshot shows.
func (w wish) action(s *fleet.Snapshot) (actions.Action, error) {
	if w.undo {
		return undoOf(s, w.target)
	}
	target, err := find(s, w.offer.Kind, w.target)
	if err != nil {
		return nil, err
	}
	return w.offer.Make(s, target, w.args)
}

// there reports whether the target is seen.
func (w wish) there(s *fleet.Snapshot) bool {
	if w.undo {
		act, err := undoOf(s, w.target)
		if err != nil {
			return false
		}
		_, ok := s.Get(act.Target())
		return ok
	}
	_, err := find(s, w.offer.Kind, w.target)
	return err == nil
}

// find returns the one object of a kind that is called that: by its id, its name, or SOURCE:NAME.
func find(s *fleet.Snapshot, kind fleet.Kind, called string) (fleet.Ref, error) {
	var found []fleet.Ref
	for o := range s.Each(kind) {
		r := o.Ref()
		if called == r.Name || called == fleet.NameOf(o) || called == r.Source+":"+r.Name || called == r.Source+":"+fleet.NameOf(o) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return fleet.Ref{}, &fleet.Trouble{Doing: fmt.Sprintf("no %s %q is seen", kind, called), Fix: "strata snapshot --only " + string(kind) + " lists them"}
	}
	var names []string
	for _, r := range found {
		names = append(names, r.Source+":"+r.Name)
	}
	slices.Sort(names)
	return fleet.Ref{}, &fleet.Trouble{Doing: fmt.Sprintf("%d things are called %q", len(found), called), Fix: "choose of " + strings.Join(names, ", ")}
}

// undoOf makes the undo of a deed, by its id.
func undoOf(s *fleet.Snapshot, id string) (actions.Action, error) {
	for d := range fleet.All[*fleet.Deed](s, fleet.KindDeed) {
		if d.ID != id || d.Phase != string(actions.Begun) {
			continue
		}
		if d.Undo == nil {
			return nil, fmt.Errorf("there is no undo for %s", d.Title)
		}
		return actions.Decode(*d.Undo)
	}
	return nil, &fleet.Trouble{Doing: fmt.Sprintf("no line of the audit log has the id %q", id), Fix: "strata snapshot --only deeds lists them"}
}
