package openstack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"strata/internal/connect"
	"strata/internal/fleet"
	"strata/internal/sh"
)

// lookOnce reads a whole scope. Facts beside an error are what could be read all the same.
type lookOnce func(context.Context) (fleet.Facts, error)

// keepLooking polls a scope that only admins may read. Who may not is told which right is missing, and the scope is
// tried again rarely.
func (w *watch) keepLooking(ctx context.Context, scope string, every time.Duration, nudged <-chan struct{}, look lookOnce) {
	p := pace{every: every}
	for {
		began := time.Now()
		poll, cancel := context.WithTimeout(ctx, w.limit)
		facts, err := look(poll)
		cancel()
		wakes := []<-chan struct{}{nudged}
		failed := err
		if facts != nil {
			failed = nil // some rows are odd, the looking went well
		}
		wait, asked := p.after(failed)
		next := every
		if a, ok := connect.AnswerOf(err); ok && a.Status == http.StatusForbidden && facts == nil {
			err = w.denied(ctx, scope, a)
			wait, next, wakes = w.options.Rarely, w.options.Rarely, nil
		} else if err != nil {
			if a, ok := connect.AnswerOf(err); ok && a.Status == http.StatusNotAcceptable {
				w.clients.Renegotiate()
			}
			err = w.trouble("listing "+scope, err, asked)
			if asked > 0 {
				wakes = nil
			}
		}
		w.tell(ctx, scope, next, facts, err)
		if _, ok := pause(ctx, began, min(every, busyEvery), wait, wakes...); !ok {
			return
		}
	}
}

// denied names the right that is missing and the command that grants it.
func (w *watch) denied(ctx context.Context, scope string, answer *connect.Answer) error {
	right := map[string]string{
		ScopeServices:    "os_compute_api:os-services:list",
		ScopeHypervisors: "os_compute_api:os-hypervisors:list-detail",
		ScopeFlavors:     "os_compute_api:os-flavor-access",
	}[scope]
	user, project := "USER", "PROJECT"
	if me, err := w.clients.Whoami(ctx); err == nil {
		user, project = first(me.User, me.UserID, user), first(me.Project, me.ProjectID, project)
	}
	return &fleet.Trouble{
		Doing: "listing " + scope + " of cloud " + w.cloud.Name, Cause: answer,
		Fix: fmt.Sprintf("user %s needs the right %s; an admin grants it with: ", user, right) +
			sh.Quote("openstack", "role", "add", "--user", user, "--project", project, "admin"),
	}
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// watchServices keeps the scope of nova services. A service that went down or came back changes the host_status of its
// servers, which their updated_at does not tell: then the whole list of servers is asked for.
func (w *watch) watchServices(ctx context.Context) {
	before := fleet.Facts{}
	started := false
	w.keepLooking(ctx, ScopeServices, w.options.Services, w.services, func(ctx context.Context) (fleet.Facts, error) {
		c, err := w.clients.Compute(ctx, wanted)
		if err != nil {
			return nil, err
		}
		var rows []fleet.Object
		all, err := list(ctx, c, "os-services", "services", url.Values{},
			func(r *wireService) string { return text(r.ID) },
			func(_ int, r *wireService) { rows = append(rows, r.service(w.Name())) })
		if err != nil {
			return nil, err
		}
		next := tidy(before, rows)
		if started && !slices.Equal(states(before), states(next)) {
			nudge(w.whole)
			nudge(w.hypervisors)
		}
		before, started = next, true
		return next, w.unfit("services", rows, all.bad, "compute", "service", "list", "--long")
	})
}

// states are what the services are like, without their ever-changing times.
func states(all fleet.Facts) []string {
	words := make([]string, 0, len(all))
	for _, o := range all {
		c := o.(*fleet.ComputeService)
		words = append(words, fmt.Sprint(c.Ref().Name, c.State, c.Status, c.ForcedDown))
	}
	return words
}

// watchHypervisors keeps the scope of hypervisors. From microversion 2.88 on a list has the uptime, which tells when a
// host was restarted, and no longer the sizes: those are read at 2.87 now and then.
func (w *watch) watchHypervisors(ctx context.Context) {
	before := fleet.Facts{}
	var sizes map[string]*fleet.Hypervisor
	var sizesAt time.Time
	w.keepLooking(ctx, ScopeHypervisors, w.options.Hypervisors, w.hypervisors, func(ctx context.Context) (fleet.Facts, error) {
		rows, bad, minor, err := w.listHypervisors(ctx, wanted)
		if err != nil {
			return nil, err
		}
		if minor >= 88 && time.Since(sizesAt) >= w.options.Rarely {
			// Without sizes the rest is as good.
			if sized, _, _, err := w.listHypervisors(ctx, 87); err == nil {
				sizes, sizesAt = map[string]*fleet.Hypervisor{}, time.Now()
				for _, o := range sized {
					sizes[o.Ref().Name] = o.(*fleet.Hypervisor)
				}
			}
		}
		for _, o := range rows {
			h := o.(*fleet.Hypervisor)
			if s := sizes[h.Hostname]; s != nil && minor >= 88 {
				h.VCPUs, h.MemoryMiB, h.Running = s.VCPUs, s.MemoryMiB, s.Running
			}
		}
		before = tidy(before, rows)
		return before, w.unfit("hypervisors", rows, bad, "hypervisor", "list", "--long")
	})
}

func (w *watch) listHypervisors(ctx context.Context, want int) (rows []fleet.Object, bad []badRow, minor int, err error) {
	c, err := w.clients.Compute(ctx, want)
	if err != nil {
		return nil, nil, 0, err
	}
	all, err := list(ctx, c, "os-hypervisors/detail", "hypervisors", url.Values{},
		func(r *wireHypervisor) string { return text(r.ID) },
		func(_ int, r *wireHypervisor) { rows = append(rows, r.hypervisor(w.Name())) })
	return rows, all.bad, minorOf(c), err
}

// unfit tells of rows that could be read in part only.
func (w *watch) unfit(what string, rows []fleet.Object, bad []badRow, command ...string) error {
	if len(bad) == 0 {
		return nil
	}
	name := strings.TrimSpace(rows[bad[0].index].Ref().Name)
	return w.unreadable("reading "+what, len(bad), name, bad[0].err, command...)
}

// tidy makes facts of rows: sorted, each ref once, and with the old pointer of what did not change.
func tidy(before fleet.Facts, rows []fleet.Object) fleet.Facts {
	old := make(map[fleet.Ref]fleet.Object, len(before))
	for _, o := range before {
		old[o.Ref()] = o
	}
	next := make(fleet.Facts, 0, len(rows))
	for _, o := range rows {
		if same, ok := old[o.Ref()]; ok && reflect.DeepEqual(same, o) {
			o = same
		}
		next = append(next, o)
	}
	slices.SortStableFunc(next, func(a, b fleet.Object) int { return a.Ref().Compare(b.Ref()) })
	return slices.CompactFunc(next, func(a, b fleet.Object) bool { return a.Ref() == b.Ref() })
}
