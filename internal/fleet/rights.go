package fleet

// Rights are what the strata that looks at a machine may do there (/proc/self/status).
type Rights struct {
	UID int `json:"uid"` // the effective one
	// Capabilities are those that programs it starts have, a bit each as in linux/capability.h.
	Capabilities uint64 `json:"capabilities"`
}

// Numbers of capabilities.
const (
	CapSysRawIO = 17 // CAP_SYS_RAWIO: SMART of SATA disks
	CapSysAdmin = 21 // CAP_SYS_ADMIN: swap, SMART of NVMe disks
	CapSyslog   = 34 // CAP_SYSLOG: the kernel's log
)

// Root reports whether it is root. What is not known is not in the way.
func (r *Rights) Root() bool { return r == nil || r.UID == 0 }

// Has reports whether programs it starts have a capability. What is not known is not in the way.
func (r *Rights) Has(capability int) bool { return r == nil || r.Capabilities&(1<<capability) != 0 }
