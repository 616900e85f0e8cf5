package fleet

import (
	"slices"
	"strings"
	"time"
)

// PowerState is Nova's snapshot of what the hypervisor says (nova/compute/power_state.py).
type PowerState int

// Nova's power states.
const (
	PowerNoState   PowerState = 0
	PowerRunning   PowerState = 1
	PowerPaused    PowerState = 3
	PowerShutdown  PowerState = 4
	PowerCrashed   PowerState = 6
	PowerSuspended PowerState = 7
)

func (p PowerState) String() string {
	switch p {
	case PowerNoState:
		return "NOSTATE"
	case PowerRunning:
		return "RUNNING"
	case PowerPaused:
		return "PAUSED"
	case PowerShutdown:
		return "SHUTDOWN"
	case PowerCrashed:
		return "CRASHED"
	case PowerSuspended:
		return "SUSPENDED"
	}
	return "?"
}

// Server is a Nova server (GET /servers/detail).
type Server struct {
	Source    string            `json:"source"`
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Project   string            `json:"project,omitempty"` // tenant_id
	User      string            `json:"user,omitempty"`    // user_id of the owner
	Run       ServerRun         `json:"run"`
	Fault     *Fault            `json:"fault,omitempty"`
	Addresses []Address         `json:"addresses,omitempty"`
	Flavor    Flavor            `json:"flavor"`
	Place     Place             `json:"place"`
	Times     ServerTimes       `json:"times"`
	Tags      []string          `json:"tags,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	// Actions is Nova's action list, newest first; nil when it was not fetched, which is so for servers that are
	// ACTIVE, not locked and not looked at, empty when there are none. A failed fetch leaves the last list and ActionsErr.
	Actions    []ServerAction `json:"actions,omitzero"`
	ActionsErr string         `json:"actionsErr,omitempty"`
}

// ServerRun is the state of a server in Nova's own words. Fields that a token may not read are "" or missing.
type ServerRun struct {
	Status       string          `json:"status"`              // ACTIVE, SHUTOFF, ERROR, ...
	VMState      string          `json:"vmState,omitempty"`   // OS-EXT-STS:vm_state
	TaskState    string          `json:"taskState,omitempty"` // OS-EXT-STS:task_state, "" when no operation runs
	Power        Opt[PowerState] `json:"power"`               // OS-EXT-STS:power_state
	Locked       Opt[bool]       `json:"locked"`              // since microversion 2.9
	LockedReason string          `json:"lockedReason,omitempty"`
	HostStatus   string          `json:"hostStatus,omitempty"` // UP, UNKNOWN, DOWN, MAINTENANCE; admins, since 2.16
}

// ServerTimes are the times Nova keeps of a server, in UTC. Zero when not told.
type ServerTimes struct {
	Created    time.Time `json:"created,omitzero"`
	Updated    time.Time `json:"updated,omitzero"`
	Launched   time.Time `json:"launched,omitzero"`   // OS-SRV-USG:launched_at
	Terminated time.Time `json:"terminated,omitzero"` // OS-SRV-USG:terminated_at
}

// Fault is Nova's last fault of a server.
type Fault struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Details string    `json:"details,omitempty"` // admins only
	Created time.Time `json:"created,omitzero"`
}

// Address is an address of a Nova server or a Kubernetes node.
type Address struct {
	Net  string `json:"net,omitempty"` // name of the Nova network; "" in Kubernetes
	IP   string `json:"ip"`
	MAC  string `json:"mac,omitempty"`
	Kind string `json:"kind,omitempty"` // Nova: fixed, floating; Kubernetes: InternalIP, ExternalIP, Hostname
}

// Flavor is a flavor of a cloud (GET /flavors/detail), or the one a server was made with: that is a copy, which Nova
// never updates. A copy has no Source.
type Flavor struct {
	Source  string            `json:"source,omitempty"`
	ID      string            `json:"id,omitempty"`   // of a copy: before microversion 2.47
	Name    string            `json:"name,omitempty"` // of a copy: original_name, since 2.47
	VCPUs   int               `json:"vcpus,omitempty"`
	RAMMiB  int               `json:"ramMiB,omitempty"`
	DiskGiB int               `json:"diskGiB,omitempty"`
	Extra   map[string]string `json:"extraSpecs,omitempty"`
}

// Ref of a flavor is its id.
func (f *Flavor) Ref() Ref { return Ref{KindFlavor, f.Source, f.ID} }

// Health of a flavor is good: Nova tells nothing against any.
func (f *Flavor) Health() Health { return Health{StateOK, "there"} }

// Made reports whether a server was made with this flavor.
func (f *Flavor) Made(s *Server) bool {
	if s.Source != f.Source {
		return false
	}
	return s.Flavor.ID == f.ID || s.Flavor.ID == "" && s.Flavor.Name == f.Name
}

// Place is where a server runs. All but HostID and Zone are for admins only.
type Place struct {
	Host         string `json:"host,omitempty"`               // OS-EXT-SRV-ATTR:host, the nova-compute service
	Hypervisor   string `json:"hypervisorHostname,omitempty"` // OS-EXT-SRV-ATTR:hypervisor_hostname
	InstanceName string `json:"instanceName,omitempty"`       // OS-EXT-SRV-ATTR:instance_name, the libvirt domain
	Hostname     string `json:"hostname,omitempty"`           // OS-EXT-SRV-ATTR:hostname
	HostID       string `json:"hostId,omitempty"`
	Zone         string `json:"zone,omitempty"`
}

// ServerAction is one entry of os-instance-actions. Times are UTC with whole seconds.
type ServerAction struct {
	Action   string        `json:"action"` // create, stop, start, reboot, ...
	Request  string        `json:"requestId"`
	User     string        `json:"userId,omitempty"`   // "" when nova acted by itself
	UserName string        `json:"userName,omitempty"` // "" when Keystone does not tell this token
	Project  string        `json:"projectId,omitempty"`
	Start    time.Time     `json:"start"`
	Updated  time.Time     `json:"updated,omitzero"` // since 2.58
	Message  string        `json:"message,omitempty"`
	Events   []ActionEvent `json:"events,omitempty"`
}

// ByNova reports whether nova itself did it: a periodic task or a lifecycle event, not a person with a token.
func (a ServerAction) ByNova() bool { return a.User == "" && a.Project == "" }

// Failed reports whether it came to nothing.
func (a ServerAction) Failed() bool {
	return a.Message != "" || slices.ContainsFunc(a.Events, func(e ActionEvent) bool { return e.Result == "Error" })
}

// Who is who did it: the user's name where it could be learnt, else their id; "" for nova itself.
func (a ServerAction) Who() string {
	if a.UserName != "" {
		return a.UserName
	}
	return a.User
}

// ActionEvent is one step of a ServerAction.
type ActionEvent struct {
	Event   string    `json:"event"` // compute_stop_instance, ...
	Start   time.Time `json:"start"`
	Finish  time.Time `json:"finish,omitzero"`
	Result  string    `json:"result,omitempty"` // Success, Error
	Host    string    `json:"host,omitempty"`
	Details string    `json:"details,omitempty"`
}

// Ref of a server is its id.
func (s *Server) Ref() Ref { return Ref{KindServer, s.Source, s.ID} }

// LastStop returns the newest stop in the action list that is not followed by a start that came to something.
func (s *Server) LastStop() (ServerAction, bool) {
	for _, a := range s.Actions {
		switch a.Action {
		case "stop":
			return a, true
		case "start":
			if a.Failed() {
				continue
			}
			return ServerAction{}, false
		case "reboot", "create", "rebuild", "resume", "unshelve":
			return ServerAction{}, false
		}
	}
	return ServerAction{}, false
}

// Health is bad for ERROR and for a server that is off without a person having stopped it.
func (s *Server) Health() Health {
	word := s.Run.Status
	if s.Run.TaskState != "" {
		return Health{StateWarn, word + " " + s.Run.TaskState}
	}
	switch s.Run.Status {
	case "ACTIVE":
		if p := s.Run.Power; p.OK && p.V != PowerRunning {
			return Health{StateBad, "ACTIVE but " + p.V.String()}
		}
		if s.Run.HostStatus == "DOWN" || s.Run.HostStatus == "UNKNOWN" {
			return Health{StateWarn, "ACTIVE, host " + strings.ToLower(s.Run.HostStatus)}
		}
		return Health{StateOK, word}
	case "SHUTOFF":
		if stop, ok := s.LastStop(); ok && !stop.ByNova() {
			return Health{StateWarn, word}
		}
		return Health{StateBad, word}
	case "ERROR":
		return Health{StateBad, word}
	case "", "UNKNOWN":
		return Health{StateUnknown, "UNKNOWN"}
	case "DELETED", "SHELVED", "SHELVED_OFFLOADED":
		return Health{StateOK, word}
	}
	return Health{StateWarn, word}
}

// ComputeService is a nova service (GET /os-services), admins only.
type ComputeService struct {
	Source         string    `json:"source"`
	ID             string    `json:"id"`
	Binary         string    `json:"binary"` // nova-compute, nova-conductor, ...
	Host           string    `json:"host"`
	Zone           string    `json:"zone,omitempty"`
	Status         string    `json:"status"` // enabled, disabled
	State          string    `json:"state"`  // up, down
	DisabledReason string    `json:"disabledReason,omitempty"`
	ForcedDown     bool      `json:"forcedDown,omitempty"`
	Updated        time.Time `json:"updated,omitzero"` // last check-in
}

// Ref of a nova service is binary@host.
func (c *ComputeService) Ref() Ref { return Ref{KindCompute, c.Source, c.Binary + "@" + c.Host} }

// Health is bad when the service does not check in.
func (c *ComputeService) Health() Health {
	switch {
	case c.State == "down":
		return Health{StateBad, "down"}
	case c.Status == "disabled":
		return Health{StateWarn, "disabled"}
	case c.State == "up":
		return Health{StateOK, "up"}
	}
	return Health{StateUnknown, c.State}
}

// Hypervisor is a compute node (GET /os-hypervisors/detail), admins only.
type Hypervisor struct {
	Source      string   `json:"source"`
	ID          string   `json:"id"`
	Hostname    string   `json:"hostname"`
	Type        string   `json:"type,omitempty"`
	State       string   `json:"state"`  // up, down
	Status      string   `json:"status"` // enabled, disabled
	HostIP      string   `json:"hostIp,omitempty"`
	ServiceHost string   `json:"serviceHost,omitempty"`
	Uptime      string   `json:"uptime,omitempty"` // the text of uptime(1) there
	VCPUs       Opt[int] `json:"vcpus"`            // gone since microversion 2.88
	MemoryMiB   Opt[int] `json:"memoryMiB"`        // gone since microversion 2.88
	Running     Opt[int] `json:"runningVms"`       // gone since microversion 2.88
}

// Ref of a hypervisor is its hostname.
func (h *Hypervisor) Ref() Ref { return Ref{KindHypervisor, h.Source, h.Hostname} }

// Health is bad when its nova-compute does not check in.
func (h *Hypervisor) Health() Health {
	switch {
	case h.State == "down":
		return Health{StateBad, "down"}
	case h.Status == "disabled":
		return Health{StateWarn, "disabled"}
	case h.State == "up":
		return Health{StateOK, "up"}
	}
	return Health{StateUnknown, h.State}
}
