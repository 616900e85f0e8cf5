package nova

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// deed is one action of the API: when Nova's guards allow it and what it leads to.
type deed struct {
	name    string // as in os-instance-actions and in the text of a conflict
	policy  string
	admin   bool
	locking bool // works on locked servers too
	from    []string
	tasks   []string // task_states in which it is allowed, beside none
	task    string   // the task_state it sets
	to      string   // the vm_state it ends in; "" ends at once
	event   string
}

var deeds = map[string]deed{
	"os-start": {
		name: "start", policy: "os_compute_api:servers:start", from: []string{"stopped"},
		task: "powering-on", to: "active", event: "compute_start_instance",
	},
	"os-stop": {
		name: "stop", policy: "os_compute_api:servers:stop", from: []string{"active", "error"},
		task: "powering-off", to: "stopped", event: "compute_stop_instance",
	},
	"reboot": {
		name: "reboot", policy: "os_compute_api:servers:reboot", from: []string{"active"},
		task: "rebooting", to: "active", event: "compute_reboot_instance",
	},
	"pause": {
		name: "pause", policy: "os_compute_api:os-pause-server:pause", from: []string{"active"},
		task: "pausing", to: "paused", event: "compute_pause_instance",
	},
	"unpause": {
		name: "unpause", policy: "os_compute_api:os-pause-server:unpause", from: []string{"paused"},
		task: "unpausing", to: "active", event: "compute_unpause_instance",
	},
	"suspend": {
		name: "suspend", policy: "os_compute_api:os-suspend-server:suspend", from: []string{"active"},
		task: "suspending", to: "suspended", event: "compute_suspend_instance",
	},
	"resume": {
		name: "resume", policy: "os_compute_api:os-suspend-server:resume", from: []string{"suspended"},
		task: "resuming", to: "active", event: "compute_resume_instance",
	},
	"os-migrateLive": {
		name: "live-migration", policy: "os_compute_api:os-migrate-server:migrate_live", admin: true,
		from: []string{"active", "paused"}, task: "migrating", event: "conductor_live_migrate_instance",
	},
	"evacuate": {
		name: "evacuate", policy: "os_compute_api:os-evacuate", admin: true, locking: true,
		from: []string{"active", "stopped", "error"}, task: "rebuilding", event: "conductor_rebuild_server",
	},
	"lock":                {name: "lock", policy: "os_compute_api:os-lock-server:lock", locking: true},
	"unlock":              {name: "unlock", policy: "os_compute_api:os-lock-server:unlock", locking: true},
	"os-resetState":       {name: "resetState", policy: "os_compute_api:os-admin-actions:reset_state", admin: true, locking: true},
	"os-getConsoleOutput": {name: "console", policy: "os_compute_api:os-console-output", locking: true},
}

// hardReboot is reboot with {"type": "HARD"}, which Nova allows from almost everywhere.
var hardReboot = deed{
	name: "reboot", policy: "os_compute_api:servers:reboot",
	from:  []string{"active", "stopped", "paused", "suspended", "error"},
	tasks: []string{"rebooting", "reboot_pending", "reboot_started", "rebooting_hard", "resuming", "unpausing", "pausing", "suspending"},
	task:  "rebooting_hard", to: "active", event: "compute_reboot_instance",
}

// do starts a deed, or answers why not and returns false.
func (f *Cloud) do(c *call, s *server, d deed, parameters json.RawMessage) bool {
	now := f.config.Now()
	switch d.name {
	case "lock", "unlock":
		f.setLock(c, s, d.name == "lock", parameters, now)
		return true
	case "live-migration", "evacuate":
		return f.move(c, s, d, parameters, now)
	case "resetState":
		return f.resetState(c, s, parameters, now)
	case "reboot":
		var how struct{ Type string }
		if err := json.Unmarshal(parameters, &how); err != nil || (how.Type != "SOFT" && how.Type != "HARD") {
			fail(c.w, 400, "Invalid input for field/attribute type. Value: "+how.Type+". '"+how.Type+"' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']")
			return false
		}
		if how.Type == "HARD" {
			d = hardReboot
		}
	}
	if !d.allowed(c, s, d.name) {
		return false
	}
	a := f.record(s, d.name, c.token.user, now, d.event)
	s.task, s.on, s.updated, s.due = d.task, s.Host, now, now.Add(f.config.Delay)
	lost := s.power == 0 && d.name == "stop"
	s.done = func(at time.Time) {
		if lost {
			// A guest that the hypervisor does not have cannot be stopped; Nova leaves the server as it was.
			a.finish(at, errors.New("Instance "+s.ID+" could not be found."))
			return
		}
		if d.to == "active" && d.name != "unpause" && d.name != "resume" {
			s.console = bootText(s.Name)
		}
		s.State, s.power = d.to, powerOf[d.to]
		a.finish(at, nil)
	}
	f.settle()
	return true
}

// allowed answers 409 when the state of a server forbids a deed.
func (d deed) allowed(c *call, s *server, called string) bool {
	if !slices.Contains(d.from, s.State) {
		fail(c.w, 409, fmt.Sprintf("Cannot '%s' instance %s while it is in vm_state %s", called, s.ID, s.State))
		return false
	}
	if s.task != "" && d.name != "evacuate" && !slices.Contains(d.tasks, s.task) {
		fail(c.w, 409, fmt.Sprintf("Cannot '%s' instance %s while it is in task_state %s", called, s.ID, s.task))
		return false
	}
	return true
}

// setLock locks or unlocks. As in Nova, an owner who locks what is locked changes nothing.
func (f *Cloud) setLock(c *call, s *server, locked bool, parameters json.RawMessage, now time.Time) {
	by := "admin"
	if f.ProjectID(s.Project) == c.token.project.id {
		by = "owner"
	}
	if locked && s.lock.on && by == "owner" {
		return
	}
	var why struct {
		Reason string `json:"locked_reason"`
	}
	if c.minor >= 73 {
		_ = json.Unmarshal(parameters, &why) // null is no reason
	}
	s.lock, s.updated = lock{}, now
	event := "api_unlock"
	if locked {
		s.lock, event = lock{true, by, why.Reason}, "api_lock"
	}
	f.record(s, map[bool]string{true: "lock", false: "unlock"}[locked], c.token.user, now, event).finish(now, nil)
}

// bootText is what a guest writes on its console while it boots.
func bootText(name string) string {
	return "[    0.000000] Linux version 5.14.0-503.23.1.el9_5.x86_64\n" +
		"[    0.000000] Command line: root=/dev/vda1 ro console=ttyS0,115200n8\n" +
		"[    1.204711] virtio_blk virtio2: [vda] 125829120 512-byte logical blocks\n" +
		"[    2.871034] XFS (vda1): Mounting V5 Filesystem\n" +
		"[    6.410220] systemd[1]: Set hostname to <" + name + ">.\n" +
		"\n" + name + " login: "
}

func (f *Cloud) resetState(c *call, s *server, parameters json.RawMessage, now time.Time) bool {
	var want struct{ State string }
	if err := json.Unmarshal(parameters, &want); err != nil || (want.State != "active" && want.State != "error") {
		fail(c.w, 400, "Invalid input for field/attribute state. Value: "+want.State+".")
		return false
	}
	// It changes what is written down, not the guest: the power state stays.
	s.State, s.task, s.done, s.updated = want.State, "", nil, now
	f.record(s, "resetState", c.token.user, now, "").finish(now, nil)
	return true
}

// settle ends the tasks that are due. A task waits while its host is down: the message stays in the queue.
func (f *Cloud) settle() {
	now := f.config.Now()
	for _, s := range f.servers {
		if s.done == nil || s.due.After(now) {
			continue
		}
		h := f.compute(s.on)
		if h.down {
			continue
		}
		at := s.due
		if h.upSince.After(at) {
			at = h.upSince
		}
		done := s.done
		s.task, s.done, s.updated = "", nil, at
		done(at)
	}
}

// PowerOff is a guest that shuts itself down: Nova notices and stops the server by itself.
func (f *Cloud) PowerOff(id string) {
	f.change(id, func(s *server, now time.Time) {
		f.record(s, "stop", nil, now, "compute_stop_instance").finish(now, nil)
		s.State, s.power, s.task, s.done = "stopped", 4, "", nil
	})
}

// StopTogether is nova-compute's own check, as after its start: it stops the servers whose guests it finds off, all in
// one run and so with one request id.
func (f *Cloud) StopTogether(ids ...string) {
	request := ""
	for _, id := range ids {
		f.change(id, func(s *server, now time.Time) {
			a := f.record(s, "stop", nil, now, "compute_stop_instance")
			request = cmp.Or(request, a.request)
			a.request = request
			a.finish(now, nil)
			s.State, s.power, s.task, s.done = "stopped", 4, "", nil
		})
	}
}

// Run is how a server is doing, as its view tells it.
type Run struct {
	State, Task string // vm_state and task_state
	Power       int    // power_state
	Host        string
}

// Run returns how a server is doing now; false for one that is not there.
func (f *Cloud) Run(id string) (Run, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	s := f.find(id)
	if s == nil {
		return Run{}, false
	}
	return Run{State: s.State, Task: s.task, Power: s.power, Host: s.Host}, true
}

// Lose is a guest that its hypervisor no longer knows: Nova shows it ACTIVE with power state NOSTATE, and does nothing.
func (f *Cloud) Lose(id string) {
	f.change(id, func(s *server, _ time.Time) { s.power = 0 })
}

// PowerOn is Nova starting a server by itself, as after the reboot of a host with resume_guests_state_on_host_boot.
func (f *Cloud) PowerOn(id string) {
	f.change(id, func(s *server, _ time.Time) { s.State, s.power, s.task, s.done = "active", 1, "", nil })
}

// Lock locks or unlocks a server.
func (f *Cloud) Lock(id string, locked bool) {
	f.change(id, func(s *server, _ time.Time) { s.lock = lock{locked, "owner", ""} })
}

// Console sets what os-getConsoleOutput returns.
func (f *Cloud) Console(id, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.find(id); s != nil {
		s.console = text
	}
}
