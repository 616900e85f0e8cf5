package fleet

// NameOf is what people call an object. Several may have the same name; its Ref has only one.
func NameOf(o Object) string {
	switch o := o.(type) {
	case *Server:
		return o.Name
	case *Pod:
		return o.Name
	case *Flavor:
		return o.Name
	case *Sensor:
		return o.Host + " " + o.Label
	case *Disk:
		return o.Host + " " + o.Name
	case *Filesystem:
		return o.Host + ":" + o.Mount
	case *Domain:
		return o.Name
	case *Unit:
		if o.Domain != "" {
			return o.Host + " " + o.Domain
		}
		return o.Host + " " + o.Name
	case *KernelEvent:
		return o.Host + " " + o.Class
	case *SwapArea:
		return o.Host + ":" + o.Name
	case *Workload:
		return o.Name
	case *App:
		return o.Name
	}
	return o.Ref().Name
}
