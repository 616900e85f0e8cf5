package nova

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Server is a server of the fake cloud as a test or a scenario makes it.
type Server struct {
	ID       string // a new one when ""
	Name     string
	Project  string // name of a project, "demo" when ""
	User     string // name of the owner, "alice" when ""
	Host     string // a compute host; added when it is not there yet
	Flavor   string // name of a flavor; added small when it is not there yet
	IPs      []string
	Metadata map[string]string
	// State is the vm_state: active (when ""), stopped, error, paused, suspended, building.
	State   string
	Created time.Time // now when zero
	Fault   string    // the message of a server in error
	Number  int       // of its instance name, as in instance-0000001c; the next one when 0
}

// server is a Server at work. Its fields are guarded by Cloud.mu.
type server struct {
	Server

	serial  int
	made    Flavor // what it was made with
	task    string // task_state
	on      string // the host whose nova-compute does the task
	due     time.Time
	done    func(at time.Time) // ends the task
	power   int
	lock    lock
	updated time.Time
	launch  time.Time
	gone    time.Time // when it was deleted
	actions []*action // oldest first
	console string
}

// lock keeps a server from being changed. by is "owner" or "admin", which Nova tells nobody.
type lock struct {
	on         bool
	by, reason string
}

// AddServer adds a server, with the create action in its history, and returns its id.
func (f *Cloud) AddServer(one Server) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.config.Now()
	one.ID = cmp.Or(one.ID, f.uuid())
	one.Project, one.User = cmp.Or(one.Project, "demo"), cmp.Or(one.User, "alice")
	one.Host, one.Flavor = cmp.Or(one.Host, "compute-1"), cmp.Or(one.Flavor, "m1.medium")
	one.State = cmp.Or(one.State, "active")
	one.Created = cmp.Or(one.Created, now)
	f.compute(one.Host)
	f.serial++
	one.Number = cmp.Or(one.Number, f.serial)
	s := &server{Server: one, serial: f.serial, updated: one.Created, launch: one.Created.Add(time.Second)}
	s.made, s.on = *f.flavor(one.Flavor), one.Host
	s.power = powerOf[one.State]
	s.console = bootText(one.Name)
	f.servers = append(f.servers, s)
	f.record(s, "create", f.user(one.User), one.Created, "compute__do_build_and_run_instance").finish(s.launch, nil)
	return one.ID
}

// Servers returns the servers that are there, oldest first.
func (f *Cloud) Servers() []Server {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	var all []Server
	for _, s := range f.servers {
		if s.gone.IsZero() {
			all = append(all, s.Server)
		}
	}
	return all
}

// RemoveServer deletes a server: it shows as DELETED in lists with changes-since, and not in others.
func (f *Cloud) RemoveServer(id string) {
	f.change(id, func(s *server, now time.Time) {
		f.record(s, "delete", f.user(s.User), now, "compute_terminate_instance").finish(now, nil)
		s.State, s.task, s.done, s.power, s.gone = "deleted", "", nil, 0, now
	})
}

// change runs do on a server that is there and notes the time in updated_at.
func (f *Cloud) change(id string, do func(s *server, now time.Time)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	s := f.find(id)
	if s == nil {
		panic("the fake cloud has no server " + id)
	}
	now := f.config.Now()
	s.updated = now
	do(s, now)
}

func (f *Cloud) find(id string) *server {
	for _, s := range f.servers {
		if s.ID == id && s.gone.IsZero() {
			return s
		}
	}
	return nil
}

// seen reports whether a caller may see a server.
func (c *call) seen(f *Cloud, s *server) bool {
	return c.admin() || f.ProjectID(s.Project) == c.token.project.id
}

// target answers 404 and returns nil when the server of the path is not there for the caller.
func (f *Cloud) target(c *call) *server {
	id := c.r.PathValue("id")
	if s := f.find(id); s != nil && c.seen(f, s) {
		return s
	}
	fail(c.w, 404, "Instance "+id+" could not be found.")
	return nil
}

func (f *Cloud) showServer(c *call) {
	if s := f.target(c); s != nil {
		answer(c.w, 200, object{"server": f.view(c, s)})
	}
}

func (f *Cloud) listServers(c *call) {
	query := c.r.URL.Query()
	all := query.Get("all_tenants") != "" && query.Get("all_tenants") != "0"
	if all && !c.admin() {
		forbidden(c.w, "os_compute_api:servers:detail:get_all_tenants")
		return
	}
	var since time.Time
	if text := query.Get("changes-since"); text != "" {
		var err error
		if since, err = time.Parse("2006-01-02T15:04:05Z07:00", text); err != nil {
			fail(c.w, 400, "Invalid input for query parameters changes-since. Value: "+text+".")
			return
		}
	}
	var found []*server
	for _, s := range f.servers {
		mine := all || f.ProjectID(s.Project) == c.token.project.id
		// Nova compares whole seconds, and shows deleted servers only to who asks for changes.
		fresh := !s.updated.Truncate(time.Second).Before(since)
		if mine && fresh && (s.gone.IsZero() || !since.IsZero()) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b *server) int {
		return cmp.Or(b.Created.Compare(a.Created), b.serial-a.serial)
	})
	f.page(c, "servers", found, func(s *server) string { return s.ID }, func(s *server) any {
		if c.r.URL.Path == "/servers" {
			return object{"id": s.ID, "name": s.Name}
		}
		return f.view(c, s)
	})
}

// page answers with the part of a list after the marker, and with a link to the next part.
func (f *Cloud) page(c *call, name string, all []*server, id func(*server) string, show func(*server) any) {
	query := c.r.URL.Query()
	limit := f.config.PageLimit
	if n, err := strconv.Atoi(query.Get("limit")); err == nil {
		limit = min(limit, n)
	}
	if marker := query.Get("marker"); marker != "" {
		i := slices.IndexFunc(all, func(s *server) bool { return id(s) == marker })
		if i < 0 {
			fail(c.w, 400, "marker ["+marker+"] not found")
			return
		}
		all = all[i+1:]
	}
	body := object{}
	if len(all) > limit {
		all = all[:limit]
		query.Set("marker", id(all[limit-1]))
		// As a Nova behind a proxy does: the link has an address that the caller cannot reach.
		body[name+"_links"] = []object{{"rel": "next", "href": "http://nova.internal:8774/v2.1" + c.r.URL.Path + "?" + query.Encode()}}
	}
	views := make([]any, 0, len(all))
	for _, s := range all {
		views = append(views, show(s))
	}
	body[name] = views
	answer(c.w, http.StatusOK, body)
}
