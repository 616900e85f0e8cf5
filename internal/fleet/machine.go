package fleet

// MachineOf is the name of the machine that an object is of, or runs on as its own system tells; "" where none is known.
func MachineOf(o Object) string {
	switch o := o.(type) {
	case *Host:
		return o.Name
	case *Sensor:
		return o.Host
	case *Disk:
		return o.Host
	case *Filesystem:
		return o.Host
	case *Unit:
		return o.Host
	case *SwapArea:
		return o.Host
	case *KernelEvent:
		return o.Host
	case *KernelLog:
		return o.Host
	case *BootRecord:
		return o.Host
	case *Domain:
		return o.Host
	case *Agent:
		return o.Name
	case *Check:
		return o.Host
	case *Hypervisor:
		return o.Hostname
	case *ComputeService:
		return o.Host
	case *Node:
		return o.Name
	case *Pod:
		return o.Node
	case *Server:
		return o.Name
	}
	return ""
}
