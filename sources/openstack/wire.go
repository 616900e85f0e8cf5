package openstack

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

// wireServer is a server as Nova writes it, from microversion 2.1 on. Fields that came later, or that only admins get,
// are missing rather than zero.
type wireServer struct {
	ID        string                   `json:"id"`
	Name      string                   `json:"name"`
	Status    string                   `json:"status"`
	Tenant    string                   `json:"tenant_id"`
	User      string                   `json:"user_id"`
	HostID    string                   `json:"hostId"`
	Created   string                   `json:"created"`
	Updated   string                   `json:"updated"`
	Addresses map[string][]wireAddress `json:"addresses"`
	Flavor    wireFlavor               `json:"flavor"`
	Metadata  map[string]string        `json:"metadata"`
	Tags      []string                 `json:"tags"`
	Fault     *wireFault               `json:"fault"`
	wireRun
	wirePlace
}

type wireRun struct {
	VMState      string `json:"OS-EXT-STS:vm_state"`
	TaskState    string `json:"OS-EXT-STS:task_state"`
	Power        *int   `json:"OS-EXT-STS:power_state"`
	Locked       *bool  `json:"locked"`
	LockedReason string `json:"locked_reason"`
	HostStatus   string `json:"host_status"`
	Launched     string `json:"OS-SRV-USG:launched_at"`
	Terminated   string `json:"OS-SRV-USG:terminated_at"`
}

type wirePlace struct {
	Host         string `json:"OS-EXT-SRV-ATTR:host"`
	Hypervisor   string `json:"OS-EXT-SRV-ATTR:hypervisor_hostname"`
	InstanceName string `json:"OS-EXT-SRV-ATTR:instance_name"`
	Hostname     string `json:"OS-EXT-SRV-ATTR:hostname"`
	Zone         string `json:"OS-EXT-AZ:availability_zone"`
}

type wireAddress struct {
	Addr string `json:"addr"`
	Kind string `json:"OS-EXT-IPS:type"`
	MAC  string `json:"OS-EXT-IPS-MAC:mac_addr"`
}

// wireFlavor is {id, links} before 2.47 and the flavor's content since. In /flavors the name is "name".
type wireFlavor struct {
	ID           string            `json:"id"`
	OriginalName string            `json:"original_name"`
	Name         string            `json:"name"`
	VCPUs        int               `json:"vcpus"`
	RAM          int               `json:"ram"`
	Disk         int               `json:"disk"`
	Extra        map[string]string `json:"extra_specs"`
}

type wireFault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Details string `json:"details"`
	Created string `json:"created"`
}

func (r *wireServer) server(source string) *fleet.Server {
	s := &fleet.Server{
		Source: source, ID: r.ID, Name: r.Name, Project: r.Tenant, User: r.User,
		Run: fleet.ServerRun{
			Status: r.Status, VMState: r.VMState, TaskState: r.TaskState, Locked: opt(r.Locked),
			LockedReason: r.LockedReason, HostStatus: r.HostStatus,
		},
		Addresses: r.addresses(), Flavor: r.Flavor.flavor(), Tags: r.Tags, Metadata: r.Metadata,
		Place: fleet.Place{
			Host: r.Host, Hypervisor: r.Hypervisor, InstanceName: r.InstanceName, Hostname: r.Hostname,
			HostID: r.HostID, Zone: r.Zone,
		},
		Times: fleet.ServerTimes{
			Created: when(r.Created), Updated: when(r.Updated), Launched: when(r.Launched), Terminated: when(r.Terminated),
		},
	}
	if r.Power != nil {
		s.Run.Power = fleet.Some(fleet.PowerState(*r.Power))
	}
	if f := r.Fault; f != nil {
		s.Fault = &fleet.Fault{Code: f.Code, Message: f.Message, Details: f.Details, Created: when(f.Created)}
	}
	return s
}

// addresses are sorted by network: a map has no order, and an unchanged server must compare equal.
func (r *wireServer) addresses() []fleet.Address {
	var all []fleet.Address
	for _, net := range slices.Sorted(maps.Keys(r.Addresses)) {
		for _, a := range r.Addresses[net] {
			all = append(all, fleet.Address{Net: net, IP: a.Addr, MAC: a.MAC, Kind: a.Kind})
		}
	}
	return all
}

func (f wireFlavor) flavor() fleet.Flavor {
	name := f.OriginalName
	if name == "" {
		name = f.Name
	}
	return fleet.Flavor{ID: f.ID, Name: name, VCPUs: f.VCPUs, RAMMiB: f.RAM, DiskGiB: f.Disk, Extra: f.Extra}
}

// wireAction is one entry of os-instance-actions; events are there when it was asked for alone.
type wireAction struct {
	Action  string      `json:"action"`
	Request string      `json:"request_id"`
	User    string      `json:"user_id"`
	Project string      `json:"project_id"`
	Start   string      `json:"start_time"`
	Updated string      `json:"updated_at"`
	Message string      `json:"message"`
	Events  []wireEvent `json:"events"`
}

type wireEvent struct {
	Event   string `json:"event"`
	Start   string `json:"start_time"`
	Finish  string `json:"finish_time"`
	Result  string `json:"result"`
	Host    string `json:"host"`
	Details string `json:"details"`
}

func (a wireAction) action() fleet.ServerAction {
	made := fleet.ServerAction{
		Action: a.Action, Request: a.Request, User: a.User, Project: a.Project,
		Start: when(a.Start), Updated: when(a.Updated), Message: a.Message,
	}
	for _, e := range a.Events {
		made.Events = append(made.Events, fleet.ActionEvent{
			Event: e.Event, Start: when(e.Start), Finish: when(e.Finish), Result: e.Result, Host: e.Host, Details: e.Details,
		})
	}
	return made
}

// wireService is a row of os-services. Its id is a number before 2.53.
type wireService struct {
	ID             json.RawMessage `json:"id"`
	Binary         string          `json:"binary"`
	Host           string          `json:"host"`
	Zone           string          `json:"zone"`
	Status         string          `json:"status"`
	State          string          `json:"state"`
	Updated        string          `json:"updated_at"`
	DisabledReason string          `json:"disabled_reason"`
	ForcedDown     bool            `json:"forced_down"`
}

func (r *wireService) service(source string) *fleet.ComputeService {
	return &fleet.ComputeService{
		Source: source, ID: text(r.ID), Binary: r.Binary, Host: r.Host, Zone: r.Zone, Status: r.Status, State: r.State,
		DisabledReason: r.DisabledReason, ForcedDown: r.ForcedDown, Updated: when(r.Updated),
	}
}

// wireHypervisor is a row of os-hypervisors/detail.
type wireHypervisor struct {
	ID       json.RawMessage `json:"id"`
	Hostname string          `json:"hypervisor_hostname"`
	Type     string          `json:"hypervisor_type"`
	State    string          `json:"state"`
	Status   string          `json:"status"`
	HostIP   string          `json:"host_ip"`
	Uptime   string          `json:"uptime"`
	VCPUs    *int            `json:"vcpus"`
	Memory   *int            `json:"memory_mb"`
	Running  *int            `json:"running_vms"`
	Service  struct {
		Host string `json:"host"`
	} `json:"service"`
}

func (r *wireHypervisor) hypervisor(source string) *fleet.Hypervisor {
	return &fleet.Hypervisor{
		Source: source, ID: text(r.ID), Hostname: r.Hostname, Type: r.Type, State: r.State, Status: r.Status,
		HostIP: r.HostIP, ServiceHost: r.Service.Host, Uptime: strings.TrimSpace(r.Uptime),
		VCPUs: opt(r.VCPUs), MemoryMiB: opt(r.Memory), Running: opt(r.Running),
	}
}

func opt[T any](p *T) fleet.Opt[T] {
	if p == nil {
		return fleet.Opt[T]{}
	}
	return fleet.Some(*p)
}

// text is the text of a number or a string.
func text(raw json.RawMessage) string {
	if bytes.Equal(raw, []byte("null")) {
		return ""
	}
	return strings.Trim(string(raw), `"`)
}

// when reads Nova's times, which are UTC with and without a zone. Zero when there is none.
func when(text string) time.Time {
	text = strings.TrimSuffix(text, "Z")
	t, err := time.Parse("2006-01-02T15:04:05", text) // a fraction may follow
	if err != nil {
		return time.Time{}
	}
	return t
}
