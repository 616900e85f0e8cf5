package nova

import (
	"fmt"
	"maps"
)

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
	case "migrating":
		return "MIGRATING"
	case "rebuilding":
		return "REBUILD"
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
	flavor := s.made
	v["flavor"] = object{"id": flavor.ID, "links": []any{}}
	if c.minor >= 47 {
		v["flavor"] = object{
			"vcpus": flavor.VCPUs, "ram": flavor.RAMMiB, "disk": flavor.DiskGiB, "ephemeral": 0, "swap": 0,
			"original_name": flavor.Name, "extra_specs": metadata(flavor.Extra),
		}
	}
	if c.minor >= 9 {
		v["locked"] = s.lock.on
	}
	if c.minor >= 26 {
		v["tags"] = []any{}
	}
	if c.minor >= 73 {
		v["locked_reason"] = nil
		if s.lock.reason != "" {
			v["locked_reason"] = s.lock.reason
		}
	}
	if c.minor >= 90 || c.minor >= 3 && c.admin() {
		v["OS-EXT-SRV-ATTR:hostname"] = s.Name
	}
	if !c.admin() {
		return
	}
	v["OS-EXT-SRV-ATTR:host"] = s.Host
	v["OS-EXT-SRV-ATTR:hypervisor_hostname"] = s.Host
	v["OS-EXT-SRV-ATTR:instance_name"] = fmt.Sprintf("instance-%08x", s.Number)
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
