package openstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"strata/internal/connect"
	"strata/internal/fleet"
)

// overlap is how much of the past a poll for changes asks for again. updated_at is set by the clock of the conductor
// in whole seconds and may be committed seconds later; rows that come twice cost little.
const overlap = 30 * time.Second

// busyEvery is how often to look while a server has a task, or something of the last look is left to do, and how
// often at most when asked to.
const (
	busyEvery  = time.Second
	stuckAfter = 10 * time.Minute
)

// servers keeps the scope of servers: the whole list now and then, changes in between.
type servers struct {
	*watch
	pace    pace
	actions *actions

	byID    map[string]*fleet.Server
	bad     map[string]error // servers of which some fields could not be read
	facts   fleet.Facts      // byID, sorted; nil before the first list
	flavors map[string]fleet.Flavor

	since     time.Time // changes are asked from here, by the server's clock; zero asks for the whole list
	wholeAt   time.Time // when the whole list was got, by our clock
	belowAt   time.Time // when a look at what servers run on was asked for, by our clock
	mine      bool      // the token may see its own project only
	mineUntil time.Time // then all projects are tried again
}

func newServers(w *watch) *servers {
	return &servers{
		watch: w, pace: pace{every: w.options.Every}, actions: newActions(w),
		byID: map[string]*fleet.Server{}, bad: map[string]error{},
	}
}

func (s *servers) loop(ctx context.Context) {
	wake := s.options.Wishes.Wake(s.Name())
	for {
		began := time.Now()
		wait, asked := s.look(ctx)
		wakes := []<-chan struct{}{wake, s.whole}
		if asked > 0 {
			wakes = nil // an API that asks to be left alone is
		}
		woke, ok := pause(ctx, began, min(busyEvery, s.options.Every), wait, wakes...)
		if !ok {
			return
		}
		switch woke {
		case 0:
			nudge(s.services)
			nudge(s.hypervisors)
			nudge(s.watch.flavors)
		case 1:
			s.since = time.Time{}
		}
	}
}

// look polls once and pushes what it saw. It returns how long to wait, and the wait that the API asked for.
func (s *servers) look(ctx context.Context) (wait, asked time.Duration) {
	poll, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	first := s.facts == nil
	client, err := s.clients.Compute(poll, wanted)
	if err == nil {
		err = s.refresh(poll, client)
	}
	if err != nil {
		wait, asked = s.pace.after(err)
		s.tell(ctx, ScopeServers, s.options.Every, nil, s.trouble("listing servers", err, asked))
		s.told.Do(func() { close(s.listed) })
		return wait, asked
	}
	s.told.Do(func() { close(s.listed) })
	if first {
		// Who looks at a large cloud for the first time should not wait for the histories of its servers.
		s.tell(ctx, ScopeServers, s.options.Every, s.facts, s.badRows())
	}
	more, err := s.actions.bring(poll, client, s.byID)
	if err != nil {
		s.tell(ctx, ScopeServers, s.options.Every, s.sorted(), err)
		wait, asked = s.pace.after(err)
		return wait, asked
	}
	s.tell(ctx, ScopeServers, s.options.Every, s.sorted(), s.badRows())
	wait, _ = s.pace.after(nil)
	if more || s.busy() {
		wait = min(wait, busyEvery)
	}
	return wait, 0
}

// trouble adds the wait that an API asked for to what went wrong.
func (w *watch) trouble(doing string, err error, asked time.Duration) error {
	t := w.cloud.Trouble(doing, err)
	if asked > 0 {
		copied := *t
		copied.Cause = fmt.Errorf("%w; it asks to wait %v", t.Cause, asked)
		return &copied
	}
	return t
}

// busy reports whether a server has a task. One that has had it for long is stuck: to look often would not help it.
func (s *servers) busy() bool {
	for _, one := range s.byID {
		if one.Run.TaskState != "" && s.since.Sub(one.Times.Updated) < stuckAfter {
			return true
		}
	}
	return false
}

// refresh brings byID up to date, by changes when it can.
func (s *servers) refresh(ctx context.Context, c *gophercloud.ServiceClient) error {
	if time.Since(s.wholeAt) >= s.options.Full {
		s.since = time.Time{}
	}
	if s.mine && s.since.IsZero() && time.Now().After(s.mineUntil) {
		s.mine = false
	}
	got, err := s.get(ctx, c)
	if a, ok := connect.AnswerOf(err); ok && a.Status == http.StatusForbidden && !s.mine {
		s.mine, s.mineUntil = true, time.Now().Add(s.options.Rarely)
		s.since = time.Time{} // what was seen of other projects must go
		got, err = s.get(ctx, c)
	}
	if a, ok := connect.AnswerOf(err); ok && a.Status == http.StatusNotAcceptable {
		s.clients.Renegotiate()
	}
	if err != nil {
		return err
	}
	s.merge(got)
	return nil
}

// row is a server as it was listed just now.
type row struct {
	server *fleet.Server
	err    error // some of it could not be read
}

// got is a list, of all servers or of those that changed.
type got struct {
	whole bool
	rows  []row
	since time.Time // where the next poll for changes begins
}

func (s *servers) get(ctx context.Context, c *gophercloud.ServiceClient) (got, error) {
	g := got{whole: s.since.IsZero()}
	query := url.Values{}
	if !s.mine {
		query.Set("all_tenants", "1")
	}
	if !g.whole {
		query.Set("changes-since", s.since.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if g.whole && minorOf(c) < 47 {
		s.readFlavors(ctx, c)
	}
	began := time.Now()
	all, err := list(ctx, c, "servers/detail", "servers", query,
		func(r *wireServer) string { return r.ID },
		func(i int, r *wireServer) {
			one := r.server(s.Name())
			if f, ok := s.flavors[one.Flavor.ID]; ok {
				one.Flavor = f
			}
			g.rows = append(g.rows, row{server: one})
		})
	if err != nil {
		return g, err
	}
	for _, b := range all.bad {
		g.rows[b.index].err = b.err
	}
	for i := range g.rows {
		one := g.rows[i].server
		if one.ID == "" {
			one.ID = fmt.Sprintf("unreadable row %d", i+1)
			g.rows[i].err = errors.Join(errors.New("it has no id"), g.rows[i].err)
		}
	}
	newest := all.date
	if newest.IsZero() {
		for _, r := range g.rows {
			if r.server.Times.Updated.After(newest) {
				newest = r.server.Times.Updated
			}
		}
	}
	if !newest.IsZero() {
		// The Date is that of the answer; what changed while it was made counts too.
		g.since = newest.Add(-overlap - time.Since(began)).Truncate(time.Second)
	}
	return g, nil
}

// readFlavors reads the names and sizes that servers do not carry before microversion 2.47. Without them a server
// still has its flavor's id.
func (s *servers) readFlavors(ctx context.Context, c *gophercloud.ServiceClient) {
	flavors := map[string]fleet.Flavor{}
	_, err := list(ctx, c, "flavors/detail", "flavors", url.Values{},
		func(r *wireFlavor) string { return r.ID },
		func(_ int, r *wireFlavor) { flavors[r.ID] = r.flavor() })
	if err == nil {
		s.flavors = flavors
	}
}

// minorOf returns n of a client's microversion 2.n.
func minorOf(c *gophercloud.ServiceClient) int {
	var minor int
	if _, err := fmt.Sscanf(strings.TrimPrefix(c.Microversion, "2."), "%d", &minor); err != nil {
		return 1
	}
	return minor
}
