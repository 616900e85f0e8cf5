package nova

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// host is a nova service, and a hypervisor when its binary is nova-compute.
type host struct {
	id, name, binary, zone string
	hypervisor             string // id of the hypervisor
	down                   bool
	downSince, upSince     time.Time
	disabled               bool
	reason                 string
	forced                 bool
	booted                 time.Time
	vcpus, memoryMiB       int
}

// status is the host_status of the servers there.
func (h *host) status() string {
	switch {
	case h.forced:
		return "DOWN"
	case h.down:
		return "UNKNOWN"
	case h.disabled:
		return "MAINTENANCE"
	}
	return "UP"
}

// AddHost adds a compute host that booted at that time.
func (f *Cloud) AddHost(name string, booted time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compute(name).booted = booted
}

// SetHostSize sets what the hypervisor of a compute host has to give.
func (f *Cloud) SetHostSize(name string, vcpus, memoryMiB int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.compute(name)
	h.vcpus, h.memoryMiB = vcpus, memoryMiB
}

// SetHostDown stops or starts the nova-compute of a host. Tasks on its servers wait until it is back.
func (f *Cloud) SetHostDown(name string, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	h := f.compute(name)
	now := f.config.Now()
	if down && !h.down {
		h.downSince = now
	}
	if !down {
		h.upSince = now
	}
	h.down = down
	f.settle()
}

// ForceDown is an operator who says that a host is fenced, or is not any more.
func (f *Cloud) ForceDown(name string, forced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compute(name).forced = forced
}

// Disable is an operator who keeps new servers from a host.
func (f *Cloud) Disable(name, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.compute(name)
	h.disabled, h.reason = true, reason
}

// compute returns the nova-compute of a host, made when it is not there yet.
func (f *Cloud) compute(name string) *host {
	for _, h := range f.hosts {
		if h.name == name && h.binary == "nova-compute" {
			return h
		}
	}
	h := &host{
		id: f.uuid(), hypervisor: f.uuid(), name: name, binary: "nova-compute", zone: "nova",
		booted: f.config.Now().Add(-42 * 24 * time.Hour), vcpus: 32, memoryMiB: 131072,
	}
	f.hosts = append(f.hosts, h)
	return h
}

func (f *Cloud) listServices(c *call) {
	if !c.admin() {
		forbidden(c.w, "os_compute_api:os-services:list")
		return
	}
	var all []object
	for i, h := range f.hosts {
		all = append(all, f.viewService(c, i, h))
	}
	answer(c.w, http.StatusOK, object{"services": all})
}

func (f *Cloud) viewService(c *call, i int, h *host) object {
	v := object{
		"id": i + 1, "binary": h.binary, "host": h.name, "zone": h.zone, "status": "enabled", "state": "up",
		"updated_at": naive(f.config.Now()), "disabled_reason": nil,
	}
	if h.disabled {
		v["status"] = "disabled"
		if h.reason != "" {
			v["disabled_reason"] = h.reason
		}
	}
	if h.down || h.forced {
		v["state"] = "down"
	}
	if h.down {
		v["updated_at"] = naive(h.downSince)
	}
	if c.minor >= 11 {
		v["forced_down"] = h.forced
	}
	if c.minor >= 53 {
		v["id"] = h.id
	}
	return v
}

// changeService is PUT /os-services/{id} of microversion 2.53 and later.
func (f *Cloud) changeService(c *call) {
	if !c.admin() {
		forbidden(c.w, "os_compute_api:os-services:update")
		return
	}
	var want struct {
		Status         string
		DisabledReason string `json:"disabled_reason"`
		ForcedDown     *bool  `json:"forced_down"`
	}
	if err := json.NewDecoder(c.r.Body).Decode(&want); err != nil || c.minor < 53 {
		fail(c.w, 400, "Malformed request body")
		return
	}
	for i, h := range f.hosts {
		if h.id != c.r.PathValue("id") {
			continue
		}
		switch want.Status {
		case "enabled":
			h.disabled, h.reason = false, ""
		case "disabled":
			h.disabled, h.reason = true, want.DisabledReason
		}
		if want.ForcedDown != nil {
			h.forced = *want.ForcedDown
		}
		answer(c.w, http.StatusOK, object{"service": f.viewService(c, i, h)})
		return
	}
	fail(c.w, 404, "Service "+c.r.PathValue("id")+" not found.")
}

func (f *Cloud) listHypervisors(c *call) {
	detail := c.r.URL.Path == "/os-hypervisors/detail"
	if !c.admin() {
		if detail {
			forbidden(c.w, "os_compute_api:os-hypervisors:list-detail")
			return
		}
		forbidden(c.w, "os_compute_api:os-hypervisors:list")
		return
	}
	all := []object{}
	for i, h := range f.hosts {
		if h.binary != "nova-compute" {
			continue
		}
		v := object{"id": i + 1, "hypervisor_hostname": h.name, "state": "up", "status": "enabled"}
		service := object{"id": i + 1, "host": h.name, "disabled_reason": nil}
		if c.minor >= 53 {
			v["id"], service["id"] = h.hypervisor, h.id
		}
		if h.down || h.forced {
			v["state"] = "down"
		}
		if h.disabled {
			v["status"] = "disabled"
		}
		if detail {
			v["hypervisor_type"], v["hypervisor_version"], v["host_ip"], v["service"] = "QEMU", 8002000, "192.0.2.10", service
			f.viewCapacity(c, h, v)
		}
		all = append(all, v)
	}
	answer(c.w, http.StatusOK, object{"hypervisors": all})
}

func (f *Cloud) viewCapacity(c *call, h *host, v object) {
	if c.minor >= 88 {
		v["uptime"] = nil
		if !h.down {
			now := f.config.Now()
			up := now.Sub(h.booted)
			v["uptime"] = fmt.Sprintf(" %s up %d days, %2d:%02d,  1 user,  load average: 0.42, 0.31, 0.25",
				now.UTC().Format("15:04:05"), int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60)
		}
		return
	}
	running, used := 0, 0
	for _, s := range f.servers {
		if s.gone.IsZero() && s.Host == h.name {
			used += f.flavor(s.Flavor).RAMMiB
			if s.power == 1 {
				running++
			}
		}
	}
	v["vcpus"], v["memory_mb"], v["memory_mb_used"], v["running_vms"] = h.vcpus, h.memoryMiB, used, running
}
