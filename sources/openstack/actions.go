package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"golang.org/x/sync/errgroup"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// Limits of reading histories: how many at a time, how long to begin new ones in one poll, how long one may take, and
// of how many actions the events are read.
const (
	atOnce       = 4
	budget       = 2 * time.Second
	historyLimit = 5 * time.Second
	longHistory  = 100
	someEvents   = 3
	manyEvents   = 10
)

// actions reads os-instance-actions of the servers for which it matters: those that are not ACTIVE or are locked (only
// there it stands who locked them), those that changed while strata watched, and the one being looked at.
type actions struct {
	*watch
	users   *users
	read    map[string]reading // by server id
	changed map[string]bool    // servers that changed state while strata watched
}

// reading is what a server was like when its history was read.
type reading struct {
	updated time.Time
	state   state
	deep    bool // with the events of many actions
	open    bool // the newest action had not ended, or the reading failed: look again soon
	tries   int  // readings in a row that were open
	at      time.Time
	first   time.Time // when it was first read with this updated and state
}

// sameSecond is how long a change may be followed by another one that updated_at, in whole seconds, does not show.
const sameSecond = 1500 * time.Millisecond

// hasty reports whether a server that changed was read so soon after it that more may follow unseen.
func (a *actions) hasty(id string) bool {
	r, ok := a.read[id]
	return ok && a.changed[id] && r.at.Sub(r.first) < sameSecond
}

func newActions(w *watch) *actions {
	return &actions{watch: w, users: newUsers(w), read: map[string]reading{}, changed: map[string]bool{}}
}

// forget drops what belongs to servers that are gone.
func (a *actions) forget(there map[string]*fleet.Server) {
	for id := range a.read {
		if there[id] == nil {
			delete(a.read, id)
		}
	}
	for id := range a.changed {
		if there[id] == nil {
			delete(a.changed, id)
		}
	}
}

// wanting is a server whose history is due.
type wanting struct {
	server *fleet.Server
	looked bool
}

// due returns the servers whose history is to be read: the one being looked at, those that changed, the newest.
func (a *actions) due(there map[string]*fleet.Server) []wanting {
	ref, looking := a.options.Wishes.Looking(a.Name())
	var all []wanting
	for id, one := range there {
		looked := looking && ref == one.Ref()
		if (looked || one.Run.Status != "ACTIVE" || one.Run.Locked.V || a.changed[id]) && a.stale(one, looked) {
			all = append(all, wanting{one, looked})
		}
	}
	rank := func(w wanting) int {
		switch {
		case w.looked:
			return 0
		case a.changed[w.server.ID]:
			return 1
		}
		return 2
	}
	slices.SortFunc(all, func(x, y wanting) int {
		return cmp.Or(rank(x)-rank(y), y.server.Times.Updated.Compare(x.server.Times.Updated), cmp.Compare(x.server.ID, y.server.ID))
	})
	return all
}

func (a *actions) stale(one *fleet.Server, looked bool) bool {
	r, ok := a.read[one.ID]
	switch {
	case !ok, !r.updated.Equal(one.Times.Updated), r.state != stateOf(one), looked && !r.deep:
		return true
	case a.hasty(one.ID) && time.Since(r.first) >= sameSecond:
		return true
	case r.open:
		return time.Since(r.at) >= min(a.options.Every<<min(r.tries, 6), time.Minute)
	}
	return false
}

// bring reads the histories that are due and puts new servers with them into there. more tells that some are left for
// the next poll.
func (a *actions) bring(ctx context.Context, c *gophercloud.ServiceClient, there map[string]*fleet.Server) (more bool, err error) {
	due := a.due(there)
	if len(due) == 0 {
		return a.waiting(), nil
	}
	began := time.Now()
	var mu sync.Mutex
	var histories []history
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, w := range due {
		if time.Since(began) > budget || ctx.Err() != nil {
			more = true
			break
		}
		group.Go(func() error {
			return guarded(a.Name(), func() {
				h := a.history(ctx, c, w)
				mu.Lock()
				defer mu.Unlock()
				histories = append(histories, h)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return more, fmt.Errorf("reading the actions of servers of cloud %s: %w", a.cloud.Name, err)
	}
	a.users.name(ctx, histories)
	for _, h := range histories {
		a.take(h, there)
	}
	return more || a.waiting(), nil
}

// waiting reports whether a history must be read again soon.
func (a *actions) waiting() bool {
	for id := range a.changed {
		if a.hasty(id) {
			return true
		}
	}
	return false
}

// history is the actions of one server as they were read just now.
type history struct {
	wanting
	actions []fleet.ServerAction
	err     error
}

func (a *actions) history(ctx context.Context, c *gophercloud.ServiceClient, w wanting) history {
	ctx, cancel := context.WithTimeout(ctx, historyLimit)
	defer cancel()
	h := history{wanting: w}
	path := "servers/" + w.server.ID + "/os-instance-actions"
	query := ""
	if minorOf(c) >= 58 {
		query = fmt.Sprintf("?limit=%d", longHistory)
	}
	_, h.err = fetch(ctx, c, path+query, func(body io.Reader) error {
		// A row that could be read in part is worth having; its server is not wrong for it.
		_, err := readPage(body, "instanceActions", func(_ int, r *wireAction) { h.actions = append(h.actions, r.action()) })
		return err
	})
	if h.err != nil {
		return h
	}
	if h.actions == nil {
		h.actions = []fleet.ServerAction{} // read, and there are none
	}
	// Newest first, in the server's own order within a second, which it knows and the times do not tell.
	slices.SortStableFunc(h.actions, func(x, y fleet.ServerAction) int { return y.Start.Compare(x.Start) })
	known := map[string]fleet.ServerAction{}
	for _, old := range w.server.Actions {
		known[old.Request] = old
	}
	events := someEvents
	if w.looked {
		events = manyEvents
	}
	for i := range h.actions {
		one := &h.actions[i]
		if old := known[one.Request]; ended(old) && old.Updated.Equal(one.Updated) {
			one.Events, one.UserName = old.Events, old.UserName
			continue
		}
		if i < events && h.err == nil && one.Request != "" {
			h.err = readEvents(ctx, c, path, one)
		}
	}
	return h
}

func readEvents(ctx context.Context, c *gophercloud.ServiceClient, path string, one *fleet.ServerAction) error {
	var whole struct {
		InstanceAction wireAction `json:"instanceAction"`
	}
	_, err := fetch(ctx, c, path+"/"+one.Request, func(body io.Reader) error { return json.NewDecoder(body).Decode(&whole) })
	if a, ok := connect.AnswerOf(err); ok && (a.Status == http.StatusNotFound || a.Status == http.StatusForbidden) {
		return nil // the list is worth having without
	}
	if err != nil {
		return err
	}
	one.Events = whole.InstanceAction.action().Events
	return nil
}

// ended reports whether an action's events are all there and over.
func ended(one fleet.ServerAction) bool {
	for _, e := range one.Events {
		if e.Finish.IsZero() {
			return false
		}
	}
	return len(one.Events) > 0
}

// take puts a history into the list of servers, as a new server when it changed.
func (a *actions) take(h history, there map[string]*fleet.Server) {
	one := h.server
	r := reading{updated: one.Times.Updated, state: stateOf(one), deep: h.looked, at: time.Now()}
	r.first = r.at
	if before, ok := a.read[one.ID]; ok && before.updated.Equal(r.updated) && before.state == r.state {
		r.first = before.first
	}
	next := *one
	next.ActionsErr = ""
	if answer, ok := connect.AnswerOf(h.err); ok && answer.Status == http.StatusNotFound {
		h.err = nil // deleted a moment ago: the next list does not have it
	}
	switch {
	case h.err != nil:
		next.ActionsErr = a.cloud.Trouble("reading the actions of server "+one.ID, h.err).Error()
		if len(h.actions) > 0 {
			next.Actions = h.actions
		}
		r.open = true
	case h.actions != nil:
		next.Actions = h.actions
		var newest fleet.ServerAction
		if len(h.actions) > 0 {
			newest = h.actions[0]
		}
		pending := len(newest.Events) == 0 && one.Run.TaskState != ""
		r.open = pending || len(newest.Events) > 0 && !ended(newest)
	}
	if before := a.read[one.ID]; r.open && before.open {
		r.tries = before.tries + 1
	}
	a.read[one.ID] = r
	if !reflect.DeepEqual(&next, one) {
		there[one.ID] = &next
	}
}
