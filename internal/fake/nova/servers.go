package nova

import (
	"fmt"
	"maps"
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
}

// server is a Server at work. Its fields are guarded by Cloud.mu.
type server struct {
	Server

	serial  int
	task    string // task_state
	due     time.Time
	done    func(at time.Time) // ends the task
	power   int
	locked  bool
	updated time.Time
	launch  time.Time
	gone    time.Time // when it was deleted
	actions []*action // oldest first
	console string
}

// Flavor is a flavor of the fake cloud.
type Flavor struct {
	ID, Name               string
	VCPUs, RAMMiB, DiskGiB int
	Extra                  map[string]string
}

// AddFlavor adds or replaces a flavor. Servers that are there keep what they were made with.
func (f *Cloud) AddFlavor(one Flavor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addFlavor(one)
}

func (f *Cloud) addFlavor(one Flavor) *Flavor {
	i := slices.IndexFunc(f.flavors, func(have *Flavor) bool { return have.Name == one.Name })
	if i >= 0 {
		one.ID = or(one.ID, f.flavors[i].ID)
		f.flavors[i] = &one
		return &one
	}
	one.ID = or(one.ID, f.uuid())
	f.flavors = append(f.flavors, &one)
	return &one
}

func (f *Cloud) flavor(name string) *Flavor {
	for _, have := range f.flavors {
		if have.Name == name {
			return have
		}
	}
	return f.addFlavor(Flavor{Name: name, VCPUs: 2, RAMMiB: 4096, DiskGiB: 40})
}

// AddServer adds a server, with the create action in its history, and returns its id.
func (f *Cloud) AddServer(one Server) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.config.Now()
	one.ID = or(one.ID, f.uuid())
	one.Project, one.User = or(one.Project, "demo"), or(one.User, "alice")
	one.Host, one.Flavor = or(one.Host, "compute-1"), or(one.Flavor, "m1.medium")
	one.State = or(one.State, "active")
	one.Created = or(one.Created, now)
	f.flavor(one.Flavor)
	f.compute(one.Host)
	f.serial++
	s := &server{Server: one, serial: f.serial, updated: one.Created, launch: one.Created.Add(time.Second)}
	s.power = powerOf[one.State]
	s.console = one.Name + " login: "
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
		return or(b.Created.Compare(a.Created), b.serial-a.serial)
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

var statusOf = map[string]string{
	"active": "ACTIVE", "stopped": "SHUTOFF", "error": "ERROR", "paused": "PAUSED", "suspended": "SUSPENDED",
	"building": "BUILD", "deleted": "DELETED",
}

var powerOf = map[string]int{"active": 1, "stopped": 4, "paused": 3, "suspended": 7}

func (s *server) status() string {
	switch s.task {
	case "rebooting", "reboot_started":
		return "REBOOT"
	case "rebooting_hard":
		return "HARD_REBOOT"
	}
	return statusOf[s.State]
}

func (f *Cloud) view(c *call, s *server) object {
	var addresses []object
	for i, ip := range s.IPs {
		addresses = append(addresses, object{
			"version": 4, "addr": ip, "OS-EXT-IPS:type": "fixed",
			"OS-EXT-IPS-MAC:mac_addr": fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", s.serial>>8&0xff, s.serial&0xff, i),
		})
	}
	v := object{
		"id": s.ID, "name": s.Name, "status": s.status(), "tenant_id": f.ProjectID(s.Project), "user_id": f.UserID(s.User),
		"metadata": metadata(s.Metadata), "hostId": "", "image": "", "created": zulu(s.Created), "updated": zulu(s.updated),
		"addresses": object{}, "accessIPv4": "", "accessIPv6": "", "OS-DCF:diskConfig": "MANUAL",
		"OS-EXT-AZ:availability_zone": "nova", "config_drive": "", "key_name": nil,
		"OS-SRV-USG:launched_at": naive(s.launch), "OS-SRV-USG:terminated_at": naive(s.gone),
		"OS-EXT-STS:task_state": nil, "OS-EXT-STS:vm_state": s.State, "OS-EXT-STS:power_state": s.power,
		"os-extended-volumes:volumes_attached": []any{},
	}
	if s.task != "" {
		v["OS-EXT-STS:task_state"] = s.task
	}
	if addresses != nil {
		v["addresses"] = object{"net": addresses}
	}
	if s.State != "deleted" {
		v["hostId"] = hostID(s.Host)
	}
	if s.State == "error" && s.Fault != "" {
		fault := object{"code": 500, "message": s.Fault, "created": zulu(s.updated)}
		if c.admin() {
			fault["details"] = "Traceback (most recent call last): " + s.Fault
		}
		v["fault"] = fault
	}
	f.viewVersioned(c, s, v)
	return v
}

func (f *Cloud) viewVersioned(c *call, s *server, v object) {
	flavor := f.flavor(s.Flavor)
	v["flavor"] = object{"id": flavor.ID, "links": []any{}}
	if c.minor >= 47 {
		v["flavor"] = object{
			"vcpus": flavor.VCPUs, "ram": flavor.RAMMiB, "disk": flavor.DiskGiB, "ephemeral": 0, "swap": 0,
			"original_name": flavor.Name, "extra_specs": metadata(flavor.Extra),
		}
	}
	if c.minor >= 9 {
		v["locked"] = s.locked
	}
	if c.minor >= 26 {
		v["tags"] = []any{}
	}
	if c.minor >= 73 {
		v["locked_reason"] = nil
	}
	if !c.admin() {
		return
	}
	v["OS-EXT-SRV-ATTR:host"] = s.Host
	v["OS-EXT-SRV-ATTR:hypervisor_hostname"] = s.Host
	v["OS-EXT-SRV-ATTR:instance_name"] = fmt.Sprintf("instance-%08x", s.serial)
	if c.minor >= 3 {
		v["OS-EXT-SRV-ATTR:hostname"] = s.Name
	}
	if c.minor >= 16 {
		v["host_status"] = f.compute(s.Host).status()
	}
}

func metadata(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

func hostID(host string) string { return fmt.Sprintf("%056x", host) }

func (f *Cloud) listFlavors(c *call) {
	var all []object
	for _, one := range f.flavors {
		all = append(all, f.viewFlavor(c, one))
	}
	answer(c.w, http.StatusOK, object{"flavors": all})
}

func (f *Cloud) showFlavor(c *call) {
	for _, one := range f.flavors {
		if one.ID == c.r.PathValue("id") {
			answer(c.w, http.StatusOK, object{"flavor": f.viewFlavor(c, one)})
			return
		}
	}
	fail(c.w, 404, "Flavor "+c.r.PathValue("id")+" could not be found.")
}

func (f *Cloud) viewFlavor(c *call, one *Flavor) object {
	v := object{
		"id": one.ID, "name": one.Name, "ram": one.RAMMiB, "disk": one.DiskGiB, "vcpus": one.VCPUs, "swap": "",
		"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
		"rxtx_factor": 1.0, "links": []any{},
	}
	if c.minor >= 61 {
		v["extra_specs"] = metadata(one.Extra)
	}
	if c.minor >= 75 {
		v["swap"] = 0
	}
	return v
}
