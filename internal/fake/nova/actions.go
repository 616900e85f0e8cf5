package nova

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// action is one entry of a server's os-instance-actions, with its event, and those that follow when it ends well.
type action struct {
	name, request string
	user          *user // nil when nova acted by itself
	project       string
	start         time.Time
	updated       time.Time
	message       string
	event         string
	last          []string
	host          string
	finished      time.Time
	err           string
}

func (a *action) finish(at time.Time, err error) {
	a.finished, a.updated = at, at
	if err != nil {
		a.err, a.message = err.Error(), "Error"
	}
}

// record adds an action to a server's history. by is nil for nova itself.
func (f *Cloud) record(s *server, name string, by *user, at time.Time, event string) *action {
	a := &action{
		name: name, request: "req-" + f.uuid(), user: by, start: at, updated: at, event: event, host: s.Host,
	}
	if by != nil {
		a.project = f.ProjectID(by.project)
	}
	s.actions = append(s.actions, a)
	return a
}

// AddAction adds an action to a server's past, for histories that a scenario begins with. by is a user's name, or ""
// for nova itself.
func (f *Cloud) AddAction(id, name, by string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.find(id)
	if s == nil {
		panic("the fake cloud has no server " + id)
	}
	var who *user
	if by != "" {
		who = f.user(by)
	}
	f.record(s, name, who, at, "compute_"+name+"_instance").finish(at.Add(time.Second), nil)
	if at.After(s.updated) {
		s.updated = at
	}
	slices.SortStableFunc(s.actions, func(a, b *action) int { return a.start.Compare(b.start) })
}

func (f *Cloud) listActions(c *call) {
	s := f.target(c)
	if s == nil {
		return
	}
	limit := len(s.actions)
	if n, err := strconv.Atoi(c.r.URL.Query().Get("limit")); err == nil && c.minor >= 58 {
		limit = min(limit, n)
	}
	views := make([]object, 0, limit)
	for _, a := range slices.Backward(s.actions) {
		if len(views) < limit {
			views = append(views, f.viewAction(c, s, a))
		}
	}
	answer(c.w, http.StatusOK, object{"instanceActions": views})
}

func (f *Cloud) showAction(c *call) {
	s := f.target(c)
	if s == nil {
		return
	}
	for _, a := range s.actions {
		if a.request != c.r.PathValue("action") {
			continue
		}
		v := f.viewAction(c, s, a)
		if c.minor >= 51 || c.admin() {
			v["events"] = f.viewEvents(c, a)
		}
		answer(c.w, http.StatusOK, object{"instanceAction": v})
		return
	}
	fail(c.w, 404, fmt.Sprintf("Action for request_id %s on instance %s not found", c.r.PathValue("action"), s.ID))
}

func (f *Cloud) viewAction(c *call, s *server, a *action) object {
	v := object{
		"action": a.name, "instance_uuid": s.ID, "request_id": a.request, "user_id": nil, "project_id": nil,
		"start_time": naive(a.start), "message": nil,
	}
	if a.user != nil {
		v["user_id"], v["project_id"] = a.user.id, a.project
	}
	if a.message != "" {
		v["message"] = a.message
	}
	if c.minor >= 58 {
		v["updated_at"] = naive(a.updated)
	}
	return v
}

func (f *Cloud) viewEvents(c *call, a *action) []object {
	if a.event == "" {
		return []object{}
	}
	v := object{"event": a.event, "start_time": naive(a.start), "finish_time": naive(a.finished), "result": nil}
	if !a.finished.IsZero() {
		v["result"] = "Success"
	}
	if a.err != "" {
		v["result"] = "Error"
	}
	if c.minor >= 62 {
		v["hostId"] = hostID(a.host)
	}
	if c.admin() {
		v["traceback"] = nil
		if c.minor >= 62 {
			v["host"] = a.host
		}
		if c.minor >= 84 && a.err != "" {
			v["details"] = a.err
		}
	}
	all := []object{v}
	if v["result"] == "Success" {
		for _, name := range a.last {
			more := maps.Clone(v)
			more["event"] = name
			all = slices.Insert(all, 0, more)
		}
	}
	return all
}

// act is POST /servers/{id}/action.
func (f *Cloud) act(c *call) {
	s := f.target(c)
	if s == nil {
		return
	}
	var body map[string]json.RawMessage
	if err := json.NewDecoder(c.r.Body).Decode(&body); err != nil || len(body) != 1 {
		fail(c.w, 400, "Malformed request body")
		return
	}
	for name, parameters := range body {
		d, ok := deeds[name]
		if !ok {
			fail(c.w, 400, "There is no such action: "+name)
			return
		}
		if f.refuse(c, s, d) {
			return
		}
		if d.name == "console" {
			f.readConsole(c, s, parameters)
			return
		}
		if !f.do(c, s, d, parameters) {
			return
		}
		c.w.WriteHeader(http.StatusAccepted)
		if f.config.OnAction != nil {
			// The scenario may call back into the fake.
			f.mu.Unlock()
			defer f.mu.Lock()
			f.config.OnAction(s.ID, name)
		}
	}
}

// refuse answers 403 when the role is not enough and 409 when the server is locked.
func (f *Cloud) refuse(c *call, s *server, d deed) bool {
	role := c.token.user.role
	if (d.admin && role != "admin") || (role == "reader" && !f.config.LetReadersAct) {
		forbidden(c.w, d.policy)
		return true
	}
	if d.name == "unlock" && s.lock.by == "admin" && role != "admin" {
		forbidden(c.w, "os_compute_api:os-lock-server:unlock:unlock_override")
		return true
	}
	if s.lock.on && role != "admin" && !d.locking {
		fail(c.w, 409, "Instance "+s.ID+" is locked")
		return true
	}
	return false
}
