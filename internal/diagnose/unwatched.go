package diagnose

import (
	"maps"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// Machine is one that the systems in view tell of and that is not watched itself.
type Machine struct {
	Name    string   // the first part of what they call it
	Address string   // an IP address of it; "" where only its name is known
	How     []string // who tells of it: "hypervisor of openstack/home"
}

// Unwatched returns the machines that are known and not watched, by name: hypervisors of Nova, nodes of Kubernetes, running
// domains of libvirt. One that several tell of is one. A machine is watched when there is a host of its name or linked
// to it, or an agent that goes there.
func Unwatched(s *fleet.Snapshot) []Machine {
	u := unwatched{s: s, byName: map[string]*Machine{}, watched: map[string]bool{}}
	for h := range fleet.All[*fleet.Host](s, fleet.KindHost) {
		u.watched[short(h.Name)] = true
	}
	for a := range fleet.All[*fleet.Agent](s, fleet.KindAgent) {
		if a.State != fleet.AgentKnown {
			to := strings.TrimPrefix(a.Destination, "ssh://")
			u.watched[short(a.Name)], u.watched[strings.ToLower(to[strings.LastIndex(to, "@")+1:])] = true, true
		}
	}
	for h := range fleet.All[*fleet.Hypervisor](s, fleet.KindHypervisor) {
		u.tell(h, h.Hostname, "hypervisor of "+h.Source, h.HostIP)
	}
	for n := range fleet.All[*fleet.Node](s, fleet.KindNode) {
		u.tell(n, n.Name, "node of "+n.Source, addressOf(n.Addresses, "InternalIP", "ExternalIP"))
	}
	for d := range fleet.All[*fleet.Domain](s, fleet.KindDomain) {
		if d.State == "running" {
			name := d.Name
			if d.Nova != "" {
				name = d.Nova
			}
			u.tell(d, name, "domain on "+d.Host, u.addressOf(d))
		}
	}
	out := make([]Machine, 0, len(u.byName))
	for _, name := range slices.Sorted(maps.Keys(u.byName)) {
		m := u.byName[name]
		if !u.watched[name] && !u.watched[m.Address] {
			out = append(out, *m)
		}
	}
	return out
}

type unwatched struct {
	s       *fleet.Snapshot
	byName  map[string]*Machine
	watched map[string]bool // by short name and by address
}

// tell takes in what one object tells.
func (u *unwatched) tell(o fleet.Object, name, how, address string) {
	if name == "" {
		return
	}
	key := short(name)
	if o.Ref().Kind == fleet.KindDomain { // the host that is in it stands on it
		for l := range u.s.Down(o.Ref()) {
			u.watched[key] = u.watched[key] || l.From.Kind == fleet.KindHost
		}
	} else {
		for l := range u.s.Up(o.Ref()) {
			u.watched[key] = u.watched[key] || l.To.Kind == fleet.KindHost
		}
	}
	m := u.byName[key]
	if m == nil {
		m = &Machine{Name: key}
		u.byName[key] = m
	}
	if address = strings.ToLower(address); m.Address == "" && strings.Trim(address, "0123456789abcdef.:") == "" {
		m.Address = address // what is no IP address is no address: ssh would take more than that
	}
	m.How = append(m.How, how)
}

// addressOf is that of the Nova server that runs as a domain; libvirt itself knows none.
func (u *unwatched) addressOf(d *fleet.Domain) string {
	for l := range u.s.Down(d.Ref()) {
		if v, ok := fleet.Find[*fleet.Server](u.s, l.From); ok {
			return addressOf(v.Addresses, "floating", "fixed", "")
		}
	}
	return ""
}

// addressOf is the first address of the first kind that there is one of.
func addressOf(all []fleet.Address, kinds ...string) string {
	for _, kind := range kinds {
		for _, a := range all {
			if a.Kind == kind && a.IP != "" {
				return a.IP
			}
		}
	}
	return ""
}
