package openstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/connect"
	"strata/internal/fake/nova"
	"strata/internal/fleet"
	"strata/sources"
	"strata/sources/sourcetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "openstack/home"

// connectTo returns a fake as the cloud that connect finds for a user.
func connectTo(t *testing.T, f *nova.Cloud, user string) connect.Cloud {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "clouds.yaml"), []byte(f.CloudsYAML("home="+user)), 0o600); err != nil {
		t.Fatal(err)
	}
	found, looked := connect.Clouds(connect.Search{Getenv: func(string) string { return "" }, Dir: dir})
	if len(found) != 1 || found[0].Err() != nil {
		t.Fatalf("found %v, looked at %s", found, looked)
	}
	return found[0]
}

func start(t *testing.T, c nova.Config) *nova.Cloud {
	t.Helper()
	f := nova.Start(c)
	t.Cleanup(f.Close)
	return f
}

func quick() Options {
	return Options{
		Every: 10 * time.Millisecond, Full: time.Hour, Services: 10 * time.Millisecond, Hypervisors: 10 * time.Millisecond, Flavors: 10 * time.Millisecond,
		Rarely: time.Hour, Version: "test",
	}
}

// seeing is a source at work and the store it fills.
type seeing struct {
	t     *testing.T
	store *fleet.Store
}

func see(t *testing.T, s sources.Source) seeing {
	t.Helper()
	store := fleet.NewStore(nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sources.Run(ctx, store.Put, s) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return seeing{t, store}
}

// until waits for a snapshot whose part of a scope is as wanted.
func (w seeing) until(what, scope string, ok func(fleet.Part) bool) fleet.Part {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	snap := w.store.Snapshot()
	for {
		part, there := snap.Part(name, scope)
		if there && ok(*part) {
			return *part
		}
		next, err := w.store.Next(ctx, snap.Seq)
		if err != nil {
			w.t.Fatalf("waited for %s; scope %s has %d facts, error %q, fix %q", what, scope, len(part.Facts), part.Err, part.Fix)
		}
		snap = next
	}
}

func whole(n int) func(fleet.Part) bool {
	return func(p fleet.Part) bool { return len(p.Facts) == n && p.Err == "" }
}

// server waits until a server is as wanted.
func (w seeing) server(what, id string, ok func(*fleet.Server) bool) *fleet.Server {
	w.t.Helper()
	var found *fleet.Server
	w.until(what, ScopeServers, func(p fleet.Part) bool {
		for _, o := range p.Facts {
			if s := o.(*fleet.Server); s.ID == id && ok(s) {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

func wellRead(s *fleet.Server) bool { return len(s.Actions) > 0 }

func asked(f *nova.Cloud, part string) (paths []string) {
	for _, r := range f.Requests() {
		if strings.Contains(r.Path, part) {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

func TestConformance(t *testing.T) {
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "worker-1"})
	f.AddServer(nova.Server{Name: "worker-2", State: "stopped"})
	cloud := connectTo(t, f, "admin")
	extra := nova.Server{Name: "extra", ID: "0e1f0e1f-0000-4000-8000-000000000001"}
	sourcetest.Run(t, sourcetest.Harness{
		New:    func() sources.Source { return New(cloud, quick()) },
		Scope:  ScopeServers,
		Extra:  fleet.Ref{Kind: fleet.KindServer, Source: name, Name: extra.ID},
		Add:    func() { f.AddServer(extra) },
		Remove: func() { f.RemoveServer(extra.ID) },
		Break:  func() { f.Break(nova.Nova, nova.Unavailable(0)) },
		Heal:   f.Heal,
	})
	if w := f.Writes(); len(w) != 0 {
		t.Errorf("a source wrote: %v", w)
	}
}

func TestAdminSeesAllProjectsServicesAndHypervisors(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "worker-1", Host: "cmp-1", IPs: []string{"10.20.0.10"}})
	f.AddServer(nova.Server{Name: "bastion", Host: "cmp-2", Project: "admin", User: "admin"})
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	servers := w.until("both projects", ScopeServers, whole(2))
	var hosts []string
	for _, o := range servers.Facts {
		s := o.(*fleet.Server)
		hosts = append(hosts, s.Place.Host)
		if s.Run.HostStatus != "UP" || !s.Run.Locked.OK || s.Flavor.Name != "m1.medium" {
			t.Errorf("server %+v", s)
		}
	}
	slices.Sort(hosts)
	if fmt.Sprint(hosts) != "[cmp-1 cmp-2]" {
		t.Errorf("hosts %v", hosts)
	}
	if got := w.until("services", ScopeServices, whole(4)); got.Facts[0].Ref().Name != "nova-compute@cmp-1" {
		t.Errorf("services %v", got.Facts[0].Ref())
	}
	h := w.until("hypervisors", ScopeHypervisors, whole(2)).Facts[0].(*fleet.Hypervisor)
	if h.Hostname != "cmp-1" || !strings.Contains(h.Uptime, "up 42 days") || h.VCPUs.V != 32 || h.Running.V != 1 {
		t.Errorf("hypervisor %+v", h)
	}
}

func TestMemberSeesOwnProjectAndIsToldTheRight(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "worker-1"})
	f.AddServer(nova.Server{Name: "bastion", Project: "admin", User: "admin"})
	w := see(t, New(connectTo(t, f, "alice"), quick()))
	own := w.until("the own project", ScopeServers, whole(1)).Facts[0].(*fleet.Server)
	if own.Name != "worker-1" || own.Place.Host != "" || own.Run.HostStatus != "" {
		t.Errorf("server %+v", own)
	}
	for scope, right := range map[string]string{
		ScopeServices: "os_compute_api:os-services:list", ScopeHypervisors: "os_compute_api:os-hypervisors:list-detail",
	} {
		p := w.until("the right", scope, func(p fleet.Part) bool { return p.Err != "" })
		if !strings.Contains(p.Err, "HTTP 403") || !strings.Contains(p.Fix, right) ||
			!strings.Contains(p.Fix, "openstack role add --user alice --project demo admin") {
			t.Errorf("%s: %s; fix %s", scope, p.Err, p.Fix)
		}
		if n := len(asked(f, "/os-"+scope)); n != 1 {
			t.Errorf("%s was asked for %d times, want once", scope, n)
		}
	}
	if n := len(asked(f, "all_tenants")); n != 1 {
		t.Errorf("all projects were asked for %d times, want once", n)
	}
}

func TestAfterTheFirstListOnlyChangesAreAsked(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{PageLimit: 3})
	old := time.Now().Add(-time.Hour)
	var ids []string
	for i := range 8 {
		ids = append(ids, f.AddServer(nova.Server{Name: fmt.Sprint("w", i), Created: old}))
	}
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	before := w.until("the whole list", ScopeServers, whole(8))
	f.PowerOff(ids[3])
	off := w.server("a change", ids[3], func(s *fleet.Server) bool { return s.Run.Status == "SHUTOFF" })
	if off.Run.VMState != "stopped" {
		t.Errorf("%+v", off.Run)
	}
	f.RemoveServer(ids[5])
	after := w.until("a deletion", ScopeServers, whole(7))
	kept := 0
	for _, o := range after.Facts {
		if slices.Contains(before.Facts, o) {
			kept++
		}
	}
	if kept != 6 {
		t.Errorf("%d servers kept their pointer, want 6", kept)
	}
	plain := 0
	for _, path := range asked(f, "/servers/detail") {
		if !strings.Contains(path, "changes-since") {
			plain++
		}
	}
	if plain != 3 {
		t.Errorf("the whole list took %d requests, want its 3 pages once", plain)
	}
}

func TestTheWholeListIsReadNowAndThen(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	f.AddServer(nova.Server{Name: "a"})
	o := quick()
	o.Full = 30 * time.Millisecond
	w := see(t, New(connectTo(t, f, "admin"), o))
	w.until("several whole lists", ScopeServers, func(fleet.Part) bool {
		n := 0
		for _, path := range asked(f, "/servers/detail") {
			if !strings.Contains(path, "changes-since") {
				n++
			}
		}
		return n >= 3
	})
}

func TestHistoriesAreReadWhereTheyMatter(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	long := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	up := f.AddServer(nova.Server{Name: "up", Created: long})
	off := f.AddServer(nova.Server{Name: "off", Created: long, Host: "cmp-1"})
	f.AddAction(off, "stop", "admin", long.Add(time.Hour))
	f.AddAction(off, "start", "alice", long.Add(time.Hour))
	f.PowerOff(off)
	o := quick()
	o.Wishes = sources.NewWishes()
	w := see(t, New(connectTo(t, f, "admin"), o))
	s := w.server("the history", off, wellRead)
	var words []string
	for _, a := range s.Actions {
		words = append(words, strings.TrimSpace(a.Action+" "+a.UserName))
	}
	// Two actions of one second stay in the order that Nova gave.
	if got := strings.Join(words, ", "); got != "stop, start alice, stop admin, create alice" {
		t.Errorf("actions: %s", got)
	}
	last, ok := s.LastStop()
	if !ok || !last.ByNova() || len(last.Events) != 1 || last.Events[0].Result != "Success" || last.Events[0].Host != "cmp-1" {
		t.Errorf("last stop %+v", last)
	}
	if n := len(asked(f, up+"/os-instance-actions")); n != 0 {
		t.Errorf("the history of an ACTIVE server was read %d times", n)
	}
	read := len(asked(f, off+"/os-instance-actions?"))

	o.Wishes.Look(fleet.Ref{Kind: fleet.KindServer, Source: name, Name: up})
	w.server("the history of the one looked at", up, wellRead)
	if n := len(asked(f, off+"/os-instance-actions?")); n != read {
		t.Errorf("an unchanged history was read %d times, and %d at first", n, read)
	}
}

func TestAMemberSeesTheNamesKeystoneTells(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	id := f.AddServer(nova.Server{Name: "off", State: "stopped"})
	f.AddAction(id, "stop", "admin", time.Now())
	w := see(t, New(connectTo(t, f, "alice"), quick()))
	s := w.server("the history", id, wellRead)
	if stop := s.Actions[0]; stop.UserName != "" || stop.User != f.UserID("admin") {
		t.Errorf("stop by another: %+v", stop)
	}
	if create := s.Actions[1]; create.UserName != "alice" {
		t.Errorf("create by oneself: %+v", create)
	}
}

func TestManyHistoriesAreReadInSeveralPolls(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	for i := range 60 {
		f.AddServer(nova.Server{Name: fmt.Sprint("off", i), State: "stopped"})
	}
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	w.until("all histories", ScopeServers, func(p fleet.Part) bool {
		for _, o := range p.Facts {
			if !wellRead(o.(*fleet.Server)) {
				return false
			}
		}
		return len(p.Facts) == 60
	})
}

func TestOlderNovasAreReadByTheSameCode(t *testing.T) {
	t.Parallel()
	for _, minor := range []int{1, 16, 46, 47, 50, 58, 66, 87, 93} {
		f := start(t, nova.Config{MaxMinor: minor})
		f.AddServer(nova.Server{Name: "a"})
		off := f.AddServer(nova.Server{Name: "b", State: "stopped"})
		w := see(t, New(connectTo(t, f, "admin"), quick()))
		s := w.server("the history", off, wellRead)
		if s.Flavor.Name != "m1.medium" || s.Flavor.RAMMiB != 4096 || s.Run.Locked.OK != (minor >= 9) ||
			(s.Run.HostStatus != "") != (minor >= 16) || s.Place.Host == "" || len(s.Actions[0].Events) != 1 {
			t.Errorf("at 2.%d: %+v", minor, s)
		}
		h := w.until("hypervisors", ScopeHypervisors, whole(1)).Facts[0].(*fleet.Hypervisor)
		if h.VCPUs.V != 32 || h.ServiceHost != "compute-1" || (h.Uptime != "") != (minor >= 88) {
			t.Errorf("at 2.%d: %+v", minor, h)
		}
		w.until("services", ScopeServices, whole(3))
	}
}

func TestAServiceThatGoesDownShowsOnItsServers(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{})
	id := f.AddServer(nova.Server{Name: "a", Host: "cmp-1", Created: time.Now().Add(-time.Hour)})
	w := see(t, New(connectTo(t, f, "admin"), quick()))
	w.server("it up", id, func(s *fleet.Server) bool { return s.Run.HostStatus == "UP" })
	w.until("services", ScopeServices, whole(3))
	f.SetHostDown("cmp-1", true)
	s := w.server("its host unknown", id, func(s *fleet.Server) bool { return s.Run.HostStatus == "UNKNOWN" })
	if s.Health().State == fleet.StateOK {
		t.Errorf("health %v", s.Health())
	}
	w.until("the hypervisor down", ScopeHypervisors, func(p fleet.Part) bool {
		return len(p.Facts) == 1 && p.Facts[0].Health().State == fleet.StateBad
	})
}

func TestATaskIsFollowed(t *testing.T) {
	t.Parallel()
	f := start(t, nova.Config{Delay: 1500 * time.Millisecond})
	id := f.AddServer(nova.Server{Name: "a", State: "stopped"})
	cloud := connectTo(t, f, "alice")
	o := quick()
	o.Every, o.Wishes = time.Hour, sources.NewWishes()
	w := see(t, New(cloud, o))
	w.server("it off", id, wellRead)

	hands := connect.ForWriting("test", connect.Reach{Clouds: []connect.Cloud{cloud}})
	defer hands.Close()
	c, err := hands.Compute(t.Context(), name, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Post(t.Context(), c.ServiceURL("servers", id, "action"), map[string]any{"os-start": nil}, nil, nil); err != nil {
		t.Fatal(err)
	}
	o.Wishes.Refresh(name)
	w.server("it starting", id, func(s *fleet.Server) bool { return s.Run.TaskState == "powering-on" })
	// Every is an hour: only the task makes the source look again.
	s := w.server("it up", id, func(s *fleet.Server) bool {
		return s.Run.Status == "ACTIVE" && len(s.Actions) > 0 && s.Actions[0].Action == "start" && ended(s.Actions[0])
	})
	if s.Actions[0].UserName != "alice" {
		t.Errorf("start %+v", s.Actions[0])
	}
}
