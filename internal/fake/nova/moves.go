package nova

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// noHost is what Nova's scheduler says when none is left.
const noHost = "No valid host was found. There are not enough hosts available."

// move starts a live migration or an evacuation, or answers why not and returns false.
func (f *Cloud) move(c *call, s *server, d deed, parameters json.RawMessage, now time.Time) bool {
	called := map[string]string{"live-migration": "os-migrateLive", "evacuate": "evacuate"}[d.name]
	var how struct {
		Host  *string
		Block any `json:"block_migration"`
	}
	if err := json.Unmarshal(parameters, &how); err != nil || d.name == "live-migration" && how.Block == nil {
		fail(c.w, 400, "Invalid input for field/attribute "+called+".")
		return false
	}
	if !d.allowed(c, s, called) {
		return false
	}
	from, want := f.compute(s.Host), ""
	if how.Host != nil {
		want = *how.Host
	}
	known := want == ""
	for _, h := range f.hosts {
		known = known || h.name == want && h.binary == "nova-compute"
	}
	evacuates := d.name == "evacuate"
	switch {
	case !known && evacuates:
		fail(c.w, 404, "Compute host "+want+" not found.")
		return false
	case !known:
		fail(c.w, 400, "Compute host "+want+" could not be found.")
		return false
	case evacuates && want == s.Host:
		fail(c.w, 400, "The target host can't be the same one.")
		return false
	case evacuates && !from.down && !from.forced:
		fail(c.w, 400, "Compute service of "+s.Host+" is still in use.")
		return false
	}
	a := f.record(s, d.name, c.token.user, now, d.event)
	s.updated = now
	to := f.takes(s.Host, want)
	// From microversion 2.34 on what the conductor finds stands in the list of actions only.
	switch {
	case !evacuates && (from.down || from.forced):
		a.finish(now, errors.New("Compute service of "+s.Host+" is unavailable at this time."))
		return true
	case to == nil:
		a.finish(now, errors.New(noHost))
		if evacuates {
			s.State, s.Fault, s.updated = "error", noHost, now
		}
		return true
	}
	a.last = []string{"compute_live_migration", "compute_post_live_migration_at_destination"}
	if evacuates {
		a.last = []string{"compute_rebuild_instance"}
	}
	s.task, s.on, s.updated, s.due = d.task, to.name, now, now.Add(f.config.Delay)
	s.done = func(at time.Time) {
		s.Host = to.name
		if evacuates {
			if s.State != "stopped" {
				s.State, s.Fault, s.power, s.console = "active", "", powerOf["active"], bootText(s.Name)
			}
			s.launch = at
		}
		a.finish(at, nil)
	}
	f.settle()
	return true
}

// takes is the host that takes a server: the wanted one, or the first of those that can; nil when none does.
func (f *Cloud) takes(from, want string) *host {
	for _, h := range f.hosts {
		if h.binary == "nova-compute" && h.name != from && (want == "" || h.name == want) && !h.down && !h.forced && !h.disabled {
			return h
		}
	}
	return nil
}

// readConsole answers with the last lines of a guest's console.
func (f *Cloud) readConsole(c *call, s *server, parameters json.RawMessage) {
	var how struct{ Length *int }
	if err := json.Unmarshal(parameters, &how); err != nil {
		fail(c.w, 400, fmt.Sprintf("Invalid input for field/attribute os-getConsoleOutput. Value: %s.", parameters))
		return
	}
	text := s.console
	if lines := strings.Split(text, "\n"); how.Length != nil && *how.Length >= 0 && *how.Length < len(lines) {
		text = strings.Join(lines[len(lines)-*how.Length:], "\n")
	}
	answer(c.w, http.StatusOK, object{"output": text})
}
