package diagnose

import (
	"path"
	"slices"
	"strings"

	"strata/internal/fleet"
)

// key is a name in one name space, by which a thing can be found.
type key struct {
	space space
	name  string
}

type space uint8

const (
	serverID   space = iota // hex digits only
	serverAddr              // an IP address
	serverName
	nodeName
	nodeAddr       // an IP address
	hypervisorName // source, NUL, hostname
	computeHost    // source, NUL, host
	hostID         // DMI product_uuid, hex digits only
	hostMachine    // /etc/machine-id
	hostName
	hostShort // up to the first dot
	domainID  // UUID, hex digits only
	domainName
	domainMAC  // lower case, with colons
	mountPoint // host, NUL, path
)

// want is a thing an object stands on, if the key is right.
type want struct {
	slot fleet.Kind // what is wanted; one match in an earlier tier makes the later tiers of a slot moot
	tier uint8
	key  key
	how  string
	sure fleet.Confidence
}

// claims is what an object says of its own identity and of what it stands on. Wants are sorted by slot and tier,
// strongest first.
type claims struct {
	offers []key
	wants  []want
}

func (c claims) equal(o claims) bool {
	return slices.Equal(c.offers, o.offers) && slices.Equal(c.wants, o.wants)
}

func linkedKinds() []fleet.Kind {
	return []fleet.Kind{fleet.KindServer, fleet.KindCompute, fleet.KindHypervisor, fleet.KindNode, fleet.KindHost, fleet.KindDomain, fleet.KindCheck, fleet.KindVolume, fleet.KindFilesystem}
}

// stored reports whether links from and to objects of a kind are found out, not stated.
func stored(kind fleet.Kind) bool { return slices.Contains(linkedKinds(), kind) }

func claiming(o fleet.Object) bool {
	switch o.(type) {
	case *fleet.Server, *fleet.ComputeService, *fleet.Hypervisor, *fleet.Node, *fleet.Host, *fleet.Domain, *fleet.Check, *fleet.Volume, *fleet.Filesystem:
		return true
	}
	return false
}

func claimsOf(o fleet.Object) (c claims) {
	c.read(o)
	return c
}

// read adds what an object claims.
func (c *claims) read(o fleet.Object) {
	switch o := o.(type) {
	case *fleet.Server:
		serverClaims(c, o)
	case *fleet.ComputeService:
		if o.Binary == "nova-compute" {
			c.offer(computeHost, inSource(o.Source, o.Host))
		}
		c.want(fleet.KindHost, 0, key{hostName, strings.ToLower(o.Host)}, "name", fleet.Medium)
		c.want(fleet.KindHost, 1, key{hostShort, short(o.Host)}, "short name", fleet.Low)
	case *fleet.Hypervisor:
		c.offer(hypervisorName, inSource(o.Source, o.Hostname))
		c.want(fleet.KindCompute, 0, key{computeHost, inSource(o.Source, o.ServiceHost)}, "service host", fleet.High)
		c.want(fleet.KindHost, 0, key{hostName, strings.ToLower(o.Hostname)}, "name", fleet.Medium)
		c.want(fleet.KindHost, 1, key{hostShort, short(o.Hostname)}, "short name", fleet.Low)
	case *fleet.Node:
		nodeClaims(c, o)
	case *fleet.Host:
		hostClaims(c, o)
	case *fleet.Check:
		checkClaims(c, o)
	case *fleet.Volume:
		volumeClaims(c, o)
	case *fleet.Filesystem:
		c.offer(mountPoint, inSource(strings.ToLower(bareNode(o.Host)), o.Mount))
	case *fleet.Domain:
		c.offer(domainID, hex(o.UUID))
		c.offer(domainName, strings.ToLower(o.Name))
		for _, mac := range o.MACs {
			c.offer(domainMAC, strings.ToLower(mac))
		}
		c.want(fleet.KindHost, 0, key{hostName, strings.ToLower(o.Host)}, "its host", fleet.High)
	}
}

// volumeClaims are the filesystem that a directory of a node is on, if that node is a machine that is watched: the one
// that is mounted deepest.
func volumeClaims(c *claims, o *fleet.Volume) {
	if o.Node == "" || !strings.HasPrefix(o.HostPath, "/") {
		return
	}
	tier := uint8(0)
	for at := path.Clean(o.HostPath); tier < 255; at, tier = path.Dir(at), tier+1 {
		c.want(fleet.KindFilesystem, tier, key{mountPoint, inSource(strings.ToLower(bareNode(o.Node)), at)}, "path", fleet.Medium)
		if at == "/" {
			return
		}
	}
}

// bareNode is a node's name without nova's default dhcp_domain.
func bareNode(name string) string { return strings.TrimSuffix(name, ".novalocal") }

func serverClaims(c *claims, o *fleet.Server) {
	if o.Run.Status == "DELETED" || o.Run.Status == "SOFT_DELETED" {
		return
	}
	c.offer(serverID, hex(o.ID))
	for _, a := range o.Addresses {
		c.offer(serverAddr, strings.ToLower(a.IP))
	}
	c.offer(serverName, strings.ToLower(o.Name))
	c.offer(serverName, strings.ToLower(o.Place.Hostname))
	c.want(fleet.KindDomain, 0, key{domainID, hex(o.ID)}, "uuid", fleet.High)
	c.want(fleet.KindDomain, 1, key{domainName, strings.ToLower(o.Place.InstanceName)}, "instance name", fleet.Medium)
	for _, a := range o.Addresses {
		c.want(fleet.KindDomain, 2, key{domainMAC, strings.ToLower(a.MAC)}, "MAC", fleet.Medium)
	}
	c.want(fleet.KindHypervisor, 0, key{hypervisorName, inSource(o.Source, o.Place.Hypervisor)}, "hypervisor_hostname", fleet.High)
	c.want(fleet.KindHypervisor, 1, key{computeHost, inSource(o.Source, o.Place.Host)}, "OS-EXT-SRV-ATTR:host", fleet.High)
}

func nodeClaims(c *claims, o *fleet.Node) {
	const onServer, onHost = fleet.KindServer, fleet.KindHost
	uuid, machine := hex(o.Identity.SystemUUID), hex(o.Identity.MachineID)
	c.want(onServer, 0, key{serverID, hex(providerServer(o.Identity.ProviderID))}, "providerID", fleet.High)
	c.want(onServer, 0, key{serverID, uuid}, "systemUUID", fleet.High)
	c.want(onServer, 0, key{serverID, swapped(uuid)}, "systemUUID, bytes swapped", fleet.High)
	c.want(onServer, 0, key{serverID, machine}, "machineID", fleet.High)
	for _, a := range o.Addresses {
		if a.Kind == "InternalIP" || a.Kind == "ExternalIP" {
			c.offer(nodeAddr, strings.ToLower(a.IP))
			c.want(onServer, 1, key{serverAddr, strings.ToLower(a.IP)}, "address", fleet.Medium)
		}
	}
	name := strings.ToLower(o.Name)
	bare := bareNode(name)
	c.offer(nodeName, name)
	c.offer(nodeName, bare)
	if uuid == "" { // else a server of that name is another one: nova gives each its own id as its machine's
		c.want(onServer, 1, key{serverName, bare}, "name", fleet.Low)
	}

	c.want(onHost, 0, key{hostID, uuid}, "systemUUID", fleet.High)
	c.want(onHost, 0, key{hostMachine, machine}, "machineID", fleet.High)
	c.want(onHost, 1, key{hostName, name}, "name", fleet.Low)
	if bare != name {
		c.want(onHost, 1, key{hostName, bare}, "name", fleet.Low)
	}
	c.want(fleet.KindDomain, 0, key{domainID, uuid}, "systemUUID", fleet.High)
}

func hostClaims(c *claims, o *fleet.Host) {
	uuid, machine := hex(o.Identity.SystemUUID), hex(o.Identity.MachineID)
	c.offer(hostID, uuid)
	c.offer(hostMachine, machine)
	c.offer(hostName, strings.ToLower(o.Name))
	c.offer(hostShort, short(o.Name))
	c.want(fleet.KindServer, 0, key{serverID, uuid}, "systemUUID", fleet.High)
	c.want(fleet.KindServer, 0, key{serverID, swapped(uuid)}, "systemUUID, bytes swapped", fleet.High)
	c.want(fleet.KindServer, 0, key{serverID, machine}, "machineID", fleet.High)
	c.want(fleet.KindDomain, 0, key{domainID, uuid}, "DMI uuid", fleet.High)
	c.want(fleet.KindDomain, 0, key{domainID, swapped(uuid)}, "DMI uuid, bytes swapped", fleet.High)
	if o.Identity.Virtual != "" {
		for _, mac := range o.Identity.MACs {
			c.want(fleet.KindDomain, 1, key{domainMAC, mac}, "MAC", fleet.Medium)
		}
		c.want(fleet.KindDomain, 2, key{domainName, short(o.Name)}, "name", fleet.Low)
	}
}

// offer and want leave out empty names: what is not told matches nothing.
func (c *claims) offer(in space, name string) {
	if k := (key{in, name}); named(k) && !slices.Contains(c.offers, k) {
		c.offers = append(c.offers, k)
	}
}

func (c *claims) want(slot fleet.Kind, tier uint8, k key, how string, sure fleet.Confidence) {
	if named(k) {
		c.wants = append(c.wants, want{slot, tier, k, how, sure})
	}
}

func named(k key) bool { return k.name != "" && !strings.HasSuffix(k.name, "\x00") }

func inSource(source, name string) string { return source + "\x00" + strings.ToLower(name) }

// providerServer returns the server id in a node's spec.providerID, openstack://REGION/ID or the bare id.
func providerServer(providerID string) string {
	rest, ok := strings.CutPrefix(providerID, "openstack://")
	if !ok {
		if strings.Contains(providerID, "://") {
			return ""
		}
		return providerID
	}
	return rest[strings.LastIndexByte(rest, '/')+1:]
}

// hex returns the 32 hex digits of a UUID in lower case, "" for anything else and for the ones that mean nothing. It runs
// a few times for each node and server.
func hex(uuid string) string {
	var digits [32]byte
	n, zeros, effs := 0, 0, 0
	for _, c := range []byte(strings.TrimSpace(uuid)) {
		switch {
		case c == '-':
			continue
		case 'A' <= c && c <= 'F':
			c += 'a' - 'A'
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		default:
			return ""
		}
		if n == len(digits) {
			return ""
		}
		switch c {
		case '0':
			zeros++
		case 'f':
			effs++
		}
		digits[n] = c
		n++
	}
	if n < len(digits) || zeros == n || effs == n {
		return ""
	}
	return string(digits[:])
}

// swapped returns a UUID's digits with its first three fields in the other byte order, as older firmware tables tell it.
func swapped(d string) string {
	if d == "" {
		return ""
	}
	return d[6:8] + d[4:6] + d[2:4] + d[0:2] + d[10:12] + d[8:10] + d[14:16] + d[12:14] + d[16:]
}

func short(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	return name
}
