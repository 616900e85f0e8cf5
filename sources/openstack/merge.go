package openstack

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"strata/internal/fleet"
)

// merge takes a list over. What did not change keeps its pointer.
func (s *servers) merge(g got) {
	next := s.byID
	if g.whole {
		next = make(map[string]*fleet.Server, len(g.rows))
		s.bad = map[string]error{}
		s.wholeAt = time.Now()
	}
	s.since = g.since
	off := false
	for _, r := range g.rows {
		one := r.server
		if one.Run.Status == "DELETED" || one.Run.Status == "SOFT_DELETED" {
			delete(next, one.ID)
			delete(s.bad, one.ID)
			continue
		}
		delete(s.bad, one.ID)
		if r.err != nil {
			s.bad[one.ID] = r.err
		}
		before := s.byID[one.ID]
		next[one.ID] = s.keep(before, one)
		// A reboot can be over between two looks: then only updated_at tells.
		if before != nil && (stateOf(before) != stateOf(one) || !before.Times.Updated.Equal(one.Times.Updated)) {
			s.actions.changed[one.ID] = true
		}
		off = off || before != nil && before.Run.Status != one.Run.Status && one.Run.Status == "SHUTOFF"
	}
	s.byID = next
	s.actions.forget(next)
	s.sorted()
	if off {
		s.lookBelow()
	}
}

// lookBelow asks for a look at what servers run on: one that went off may have gone with it. Each such look asks every
// hypervisor, so it is not asked for again at once.
func (s *servers) lookBelow() {
	const seldom = 10 * time.Second
	if time.Since(s.belowAt) < seldom {
		return
	}
	s.belowAt = time.Now()
	nudge(s.services)
	nudge(s.hypervisors)
}

// keep returns before when the server is as it was, and otherwise the new one with the history known so far.
func (s *servers) keep(before, one *fleet.Server) *fleet.Server {
	if before == nil {
		return one
	}
	one.Actions, one.ActionsErr = before.Actions, before.ActionsErr
	if reflect.DeepEqual(before, one) {
		return before
	}
	return one
}

// sorted makes facts of byID, the very same slice when nothing changed.
func (s *servers) sorted() fleet.Facts {
	steady := s.facts != nil && len(s.facts) == len(s.byID)
	for _, o := range s.facts {
		if one := o.(*fleet.Server); s.byID[one.ID] != one {
			steady = false
			break
		}
	}
	if steady {
		return s.facts
	}
	s.facts = make(fleet.Facts, 0, len(s.byID))
	for _, id := range slices.Sorted(maps.Keys(s.byID)) {
		s.facts = append(s.facts, s.byID[id])
	}
	return s.facts
}

func (s *servers) badRows() error {
	if len(s.bad) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(s.bad))
	return s.unreadable("reading servers", len(ids), "server "+ids[0], s.bad[ids[0]], "server", "show", ids[0], "-f", "json")
}

// unreadable says that some rows of a list could be read in part only.
func (w *watch) unreadable(doing string, count int, which string, err error, command ...string) error {
	rows := "1 row"
	if count > 1 {
		rows = fmt.Sprintf("%d rows", count)
	}
	return &fleet.Trouble{
		Doing: doing + " of cloud " + w.cloud.Name,
		Cause: fmt.Errorf("%s could be read in part only; %s: %w", rows, which, err),
		Fix:   "compare with: " + w.cloud.Command(command...),
	}
}

// state is what makes a change of a server worth a look at its history.
type state struct {
	status, vm, task, host string
	power                  fleet.Opt[fleet.PowerState]
	locked                 bool
}

func stateOf(one *fleet.Server) state {
	return state{one.Run.Status, one.Run.VMState, one.Run.TaskState, one.Place.Host, one.Run.Power, one.Run.Locked.V}
}
